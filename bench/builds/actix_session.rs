use actix_session::storage::RedisSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::{App, HttpServer, web};

async fn hello(session: Session) -> actix_web::Result<String> {
    let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
    session.insert("visits", visits)?;
    Ok(format!("visit {visits}"))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = Key::generate();
    let url = std::env::args().nth(1).ok_or("a URL")?;
    let store = RedisSessionStore::new(url).await?;
    let server = HttpServer::new(move || {
        App::new().wrap(SessionMiddleware::new(store.clone(), key.clone())).route("/", web::get().to(hello))
    });
    Ok(server.bind("127.0.0.1:3000")?.run().await?)
}
