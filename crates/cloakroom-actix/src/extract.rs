//! What handlers take as arguments.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use cloakroom_core::Visit;

use crate::error::{Error, Result};
use cloakroom_core::{Unnamed, Visits};

/// The session of a request, as an argument of its handler.
///
/// The first extractor of a request loads it, in one round trip; further ones share it. It dereferences to
/// [`cloakroom_core::Session`], whose methods are its own.
///
/// A route that can do without takes `Result<Session>`. Never take `Option<Session>`, which actix-web offers
/// for every extractor: an outage of the store then looks like a logout.
///
/// ```
/// use cloakroom_actix::{Result, Session};
/// use cloakroom_core::Key;
///
/// const VISITS: Key<u32> = Key::new("visits");
///
/// async fn count(session: Session) -> Result<String> {
///     let visits = session.update(VISITS, |visits| visits.unwrap_or(0) + 1)?;
///     Ok(format!("visit {visits}"))
/// }
///
/// async fn greet(session: Result<Session>) -> String {
///     match session {
///         Ok(session) => format!("{} values", session.len()),
///         Err(error) => format!("no session now: {error}"),
///     }
/// }
///
/// let app = actix_web::App::new()
///     .route("/count", actix_web::web::get().to(count))
///     .route("/greet", actix_web::web::get().to(greet));
/// # let _ = app;
/// # Ok::<(), cloakroom_actix::Error>(())
/// ```
///
/// # Errors
///
/// As an extractor: the store could not tell whether there is a session (503, the client's cookie is left
/// alone), or no [`SessionMiddleware`](crate::SessionMiddleware) runs before the handler
/// (500).
#[derive(Clone, Debug)]
pub struct Session(cloakroom_core::Session);

/// One of several sessions of a request: that of
/// [`SessionMiddleware::named::<N>`](crate::SessionMiddleware::named).
///
/// `N` is any type, used as a name.
///
/// ```
/// use actix_web::{App, web};
/// use cloakroom_actix::{Named, Result, Session, SessionMiddleware};
/// use cloakroom_core::testing::ModelStore;
/// use cloakroom_core::{Clock, CookiePolicy, KeyRing, SessionManager};
///
/// enum Admin {}
///
/// async fn home(session: Session, admin: Named<Admin>) -> Result<String> {
///     Ok(format!("{:?} {:?}", session.principal(), admin.principal()))
/// }
///
/// let shop = SessionManager::new(ModelStore::new(Clock::system()), KeyRing::generate());
/// let admin = SessionManager::builder(ModelStore::new(Clock::system()), KeyRing::generate())
///     .with_cookie(CookiePolicy::new("__Host-admin"))
///     .build()?;
/// let app = App::new()
///     .route("/", web::get().to(home))
///     .wrap(SessionMiddleware::new(shop))
///     .wrap(SessionMiddleware::new(admin).named::<Admin>());
/// # let _ = app;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
///
/// # Errors
///
/// As an extractor: those of [`Session`].
pub struct Named<N> {
    session: cloakroom_core::Session,
    name: PhantomData<fn() -> N>,
}

/// Who is logged in, for handlers that are for nobody else.
///
/// ```
/// use cloakroom_actix::Principal;
///
/// async fn account(principal: Principal) -> String {
///     format!("hello, {}", principal.as_str())
/// }
///
/// let app = actix_web::App::new().route("/account", actix_web::web::get().to(account));
/// # let _ = app;
/// # Ok::<(), cloakroom_actix::Error>(())
/// ```
///
/// # Errors
///
/// As an extractor: `401 not logged in`, and those of [`Session`]. An outage is a 503, never a 401.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal(String);

impl Session {
    /// The same session without the framework.
    #[must_use]
    pub fn into_inner(self) -> cloakroom_core::Session {
        self.0
    }
}

impl<N> Named<N> {
    /// The same session without the framework, and without its name.
    #[must_use]
    pub fn into_inner(self) -> cloakroom_core::Session {
        self.session
    }
}

impl Principal {
    /// The name that [`authenticate`](cloakroom_core::Session::authenticate) was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// A session that is being loaded, boxed once a request.
type Loading<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

impl FromRequest for Session {
    type Error = Error;
    type Future = Loading<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Loading<Self> {
        let visit = visit::<Unnamed>(request);
        Box::pin(async move { Ok(Self(load(visit?).await?)) })
    }
}

impl<N: 'static> FromRequest for Named<N> {
    type Error = Error;
    type Future = Loading<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Loading<Self> {
        let visit = visit::<N>(request);
        Box::pin(async move { Ok(load(visit?).await?.into()) })
    }
}

impl FromRequest for Principal {
    type Error = Error;
    type Future = Loading<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Loading<Self> {
        let visit = visit::<Unnamed>(request);
        Box::pin(async move {
            let principal = load(visit?).await?.principal();
            principal.map(Self).ok_or_else(Error::not_logged_in)
        })
    }
}

impl Deref for Session {
    type Target = cloakroom_core::Session;

    fn deref(&self) -> &cloakroom_core::Session {
        &self.0
    }
}

impl<N> Deref for Named<N> {
    type Target = cloakroom_core::Session;

    fn deref(&self) -> &cloakroom_core::Session {
        &self.session
    }
}

impl AsRef<str> for Principal {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// For the tests of a handler, with a session of `cloakroom_core::testing`.
impl From<cloakroom_core::Session> for Session {
    fn from(session: cloakroom_core::Session) -> Self {
        Self(session)
    }
}

/// For the tests of a handler, with a session of `cloakroom_core::testing`.
impl<N> From<cloakroom_core::Session> for Named<N> {
    fn from(session: cloakroom_core::Session) -> Self {
        Self { session, name: PhantomData }
    }
}

impl<N> Clone for Named<N> {
    fn clone(&self) -> Self {
        self.session.clone().into()
    }
}

impl<N> fmt::Debug for Named<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Named").field(&self.session).finish()
    }
}

/// Says that somebody is logged in, not who.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal(..)")
    }
}

fn visit<N: 'static>(request: &HttpRequest) -> Result<Visit> {
    let name = TypeId::of::<N>();
    let visit = request.extensions().get::<Visits>().and_then(|visits| visits.get(name)).cloned();
    visit.ok_or_else(|| {
        report_missing_middleware::<N>();
        Error::missing_middleware()
    })
}

async fn load(visit: Visit) -> Result<cloakroom_core::Session> {
    visit.session().await.map_err(Error::reported)
}

fn report_missing_middleware<N: 'static>() {
    if TypeId::of::<N>() == TypeId::of::<Unnamed>() {
        tracing::error!(
            target: "cloakroom",
            "a handler asked for its session, but no middleware runs before it: \
             add `.wrap(SessionMiddleware::new(sessions.clone()))` to the app or the scope"
        );
    } else {
        let name = std::any::type_name::<N>();
        tracing::error!(
            target: "cloakroom",
            "a handler asked for its session, but no middleware runs before it: \
             add `.wrap(SessionMiddleware::new(sessions.clone()).named::<{name}>())` to the app or the scope"
        );
    }
}
