//! actix-session 0.11, with sessions in the cookie, and on a server.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use actix_session::config::CookieContentSecurity;
use actix_session::storage::{
    CookieSessionStore, LoadError, SaveError, SessionKey, SessionStore, UpdateError,
};
use actix_session::{Session as OldSession, SessionMiddleware as OldMiddleware};
use actix_web::body::MessageBody;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, Key};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, test, web};
use cloakroom::actix::{Result, Session, SessionMiddleware};
use cloakroom::{Login, SessionManager};
use moving::from_actix_session::{Bridge, Old, Read, bridge};

use crate::site::{Answer, BASKET, Gate, Site, described, sessions, tomorrow};
use crate::stories::Stage;

struct Actix<S>(S);

impl<S, B> Site for Actix<S>
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    async fn send(&self, method: &str, path: &str, cookies: &str) -> Answer {
        let method = method.parse::<actix_web::http::Method>().unwrap();
        let request = test::TestRequest::with_uri(path).method(method).insert_header(("cookie", cookies));
        let response = match self.0.call(request.to_request()).await {
            Ok(response) => response.map_into_boxed_body().into_parts().1,
            Err(error) => error.error_response(),
        };
        let lines = response.headers().get_all("set-cookie");
        Answer {
            status: response.status().as_u16(),
            set_cookies: lines.map(|line| line.to_str().unwrap().to_owned()).collect(),
            body: String::from_utf8(
                actix_web::body::to_bytes(response.into_body()).await.unwrap_or_default().to_vec(),
            )
            .unwrap(),
        }
    }
}

fn key() -> Key {
    Key::from(&[7; 64])
}

fn old_routes(config: &mut web::ServiceConfig) {
    let login = async |session: OldSession| {
        session.renew();
        session.insert("user", "ada").unwrap();
        "".to_owned()
    };
    let add = async |session: OldSession| {
        let basket: u32 = session.get("basket").unwrap().unwrap_or(0);
        session.insert("basket", basket + 1).unwrap();
        "".to_owned()
    };
    let me = async |session: OldSession| {
        let user: Option<String> = session.get("user").unwrap();
        let basket: u32 = session.get("basket").unwrap().unwrap_or(0);
        format!("{} {basket}", user.as_deref().unwrap_or("nobody"))
    };
    config
        .route("/login", web::post().to(login))
        .route("/add", web::post().to(add))
        .route("/me", web::get().to(me));
}

fn copy(old: &Old, session: &Session) -> cloakroom::Result<()> {
    if let Some(basket) = old.get("basket") {
        session.set(BASKET, &basket)?;
    }
    if let Some(user) = old.get::<String>("user") {
        session.authenticate(Login::new(user).with_label("device", "moved"))?;
    }
    Ok(())
}

fn new_routes(config: &mut web::ServiceConfig) {
    async fn me(session: Session) -> Result<String> {
        Ok(described(&session)?)
    }
    async fn slow(session: Session, gate: web::Data<Gate>) -> Result<String> {
        session.update(BASKET, |basket| basket.unwrap_or(0) + 1)?;
        gate.pass().await;
        Ok(described(&session)?)
    }
    async fn login(session: Session, name: web::Path<String>) -> Result<String> {
        session.authenticate(name.into_inner())?;
        session.remove("moved")?;
        Ok(String::new())
    }
    async fn add(session: Session) -> Result<String> {
        session.update(BASKET, |basket| basket.unwrap_or(0) + 1)?;
        Ok(described(&session)?)
    }
    config
        .route("/me", web::get().to(me))
        .route("/public", web::get().to(async || "for everybody"))
        .route("/add", web::post().to(add))
        .route("/slow", web::get().to(slow))
        .route("/slow", web::post().to(slow))
        .route("/login-{name}", web::post().to(login))
        .route(
            "/logout",
            web::post().to(async |session: Session| {
                session.logout();
                "".to_owned()
            }),
        );
}

async fn stories<S: SessionStore + 'static>(
    store: impl Fn() -> S,
    security: CookieContentSecurity,
    ends: bool,
) {
    let gate = Gate::default();
    let old = OldMiddleware::builder(store(), key()).cookie_content_security(security).build();
    let old = test::init_service(App::new().wrap(old).configure(old_routes)).await;
    let read: Read = match security {
        CookieContentSecurity::Private => {
            Box::new(|jar| Some(jar.private(&key()).get("id")?.value().to_owned()))
        }
        CookieContentSecurity::Signed => {
            Box::new(|jar| Some(jar.signed(&key()).get("id")?.value().to_owned()))
        }
    };
    let cookie = Cookie::build("id", "").path("/").secure(true).http_only(true).finish();
    let moving = web::Data::new(Bridge { store: store(), read, cookie, copy, until: tomorrow() });
    let manager: SessionManager = sessions();
    let new = App::new()
        .wrap(from_fn(bridge::<S>))
        .wrap(SessionMiddleware::new(manager))
        .app_data(moving)
        .app_data(web::Data::new(gate.clone()))
        .configure(new_routes);
    let new = test::init_service(new).await;
    Stage { old: Actix(old), new: Actix(new), gate, cookie: "id", ends }.all().await;
}

#[actix_web::test]
async fn sessions_in_cookies() {
    stories(CookieSessionStore::default, CookieContentSecurity::Private, false).await;
    stories(CookieSessionStore::default, CookieContentSecurity::Signed, false).await;
}

#[actix_web::test]
async fn sessions_on_a_server() {
    let store = Shelf::default();
    stories(|| store.clone(), CookieContentSecurity::Private, true).await;
    stories(|| store.clone(), CookieContentSecurity::Signed, true).await;
}

type State = HashMap<String, String>;

/// As the store for Redis keeps sessions, without Redis.
#[derive(Clone, Default)]
struct Shelf(Rc<RefCell<HashMap<String, State>>>);

impl SessionStore for Shelf {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        // As a round trip, it lets others go on.
        tokio::task::yield_now().await;
        Ok(self.0.borrow().get(key.as_ref()).cloned())
    }

    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let key = Key::generate().signing().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.0.borrow_mut().insert(key.clone(), state);
        Ok(key.try_into().unwrap())
    }

    async fn update(&self, key: SessionKey, state: State, ttl: &Duration) -> Result<SessionKey, UpdateError> {
        if !self.0.borrow().contains_key(key.as_ref()) {
            return self.save(state, ttl).await.map_err(|error| UpdateError::Other(error.into()));
        }
        self.0.borrow_mut().insert(key.as_ref().to_owned(), state);
        Ok(key)
    }

    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> anyhow::Result<()> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> anyhow::Result<()> {
        self.0.borrow_mut().remove(key.as_ref());
        Ok(())
    }
}
