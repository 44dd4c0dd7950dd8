//! The service on actix-web.

use std::time::Duration;

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::Condition;
use actix_web::rt::Runtime;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{ServiceConfig, get};
use actix_web::{App, Error};
use cloakroom::actix::{Result, Session, SessionMiddleware};

use super::{KEYS, Service, spent};

struct Actix<S> {
    app: S,
    runtime: Runtime,
}

async fn read(session: Session) -> Result<&'static str> {
    assert_eq!(session.get(KEYS[3])?, Some(3));
    Ok("ok")
}

async fn write(session: Session) -> Result<&'static str> {
    assert_eq!(session.get(KEYS[3])?, Some(3));
    session.update(KEYS[7], |value| value.unwrap_or(0) + 1)?;
    Ok("ok")
}

async fn fill(session: Session) -> Result<&'static str> {
    for (value, key) in (0..).zip(KEYS) {
        session.set(key, &value)?;
    }
    Ok("ok")
}

pub(super) fn bare() -> impl Service {
    serving(App::new().configure(plain))
}

pub(super) fn switched_off() -> impl Service {
    let middleware = SessionMiddleware::new(super::sessions());
    serving(App::new().configure(plain).wrap(Condition::new(false, middleware)))
}

pub(super) fn layered() -> impl Service {
    let app = App::new()
        .route("/untouched", get().to(async || "ok"))
        .route("/read", get().to(read))
        .route("/write", get().to(write))
        .route("/fill", get().to(fill));
    serving(app.wrap(SessionMiddleware::new(super::sessions())))
}

fn plain(app: &mut ServiceConfig) {
    let ok = || get().to(async || "ok");
    app.route("/untouched", ok()).route("/read", ok()).route("/write", ok()).route("/fill", ok());
}

fn serving<F, B>(app: App<F>) -> impl Service
where
    F: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let runtime = Runtime::new().unwrap();
    Actix { app: runtime.block_on(init_service(app)), runtime }
}

impl<S, B> Service for Actix<S>
where
    S: actix_web::dev::Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    fn ask(&mut self, path: &str, cookie: Option<&str>, times: usize) -> Duration {
        let requests: Vec<_> = (0..times).map(|_| request(path, cookie)).collect();
        let app = &self.app;
        let begin = spent();
        self.runtime.block_on(async {
            for request in requests {
                answered(app.call(request).await.unwrap());
            }
        });
        spent() - begin
    }

    fn fill(&mut self) -> String {
        let response = self.runtime.block_on(self.app.call(request("/fill", None))).unwrap();
        let cookie = response.headers().get("set-cookie").unwrap().to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

fn request(path: &str, cookie: Option<&str>) -> Request {
    let request = TestRequest::with_uri(path).append_header(("host", "localhost"));
    let request =
        cookie.into_iter().fold(request, |request, cookie| request.append_header(("cookie", cookie)));
    request.to_request()
}

fn answered<B>(response: ServiceResponse<B>) {
    assert_eq!(response.status(), 200);
}
