use actix_web::{App, HttpServer, web};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = HttpServer::new(|| App::new().route("/", web::get().to(async || "ok")));
    Ok(server.bind("127.0.0.1:3000")?.run().await?)
}
