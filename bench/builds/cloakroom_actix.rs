use actix_web::{App, HttpServer, web};
use cloakroom::actix::{Result, Session, SessionMiddleware};
use cloakroom::{Key, KeyRing, SessionManager};

const VISITS: Key<u32> = Key::new("visits");

async fn hello(session: Session) -> Result<String> {
    let visits = session.update(VISITS, |visits| visits.unwrap_or(0) + 1)?;
    Ok(format!("visit {visits}"))
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("a URL")?;
    let sessions = SessionManager::new(cloakroom::connect(&url).await?, KeyRing::generate());
    let server = HttpServer::new(move || {
        App::new().wrap(SessionMiddleware::new(sessions.clone())).route("/", web::get().to(hello))
    });
    Ok(server.bind("127.0.0.1:3000")?.run().await?)
}
