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
    #[cfg(feature = "on-redis")]
    let store = {
        let url = std::env::args().nth(1).ok_or("a URL")?;
        actix_session::storage::RedisSessionStore::new(url).await?
    };
    let server = HttpServer::new(move || {
        #[cfg(feature = "on-cookie")]
        let store = actix_session::storage::CookieSessionStore::default();
        #[cfg(feature = "on-redis")]
        let store = store.clone();
        App::new().wrap(SessionMiddleware::new(store, key.clone())).route("/", web::get().to(hello))
    });
    Ok(server.bind("127.0.0.1:3000")?.run().await?)
}
