//! What stands around the handlers.

use std::any::TypeId;
use std::fmt;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::HeaderName;
use cloakroom_core::{SessionManager, Visit};

use crate::future::ResponseFuture;
use cloakroom_core::{Unnamed, Visits};

/// Gives the handlers below it their sessions, and stores what they changed before the response begins.
///
/// A request whose handler does not ask for its session costs no call to the store, and its response is left
/// as it is. Middleware that cuts handlers short, such as a timeout, belongs outside this one: what a handler
/// wrote before it was cut short is then dropped with it.
///
/// Once something is being stored, a client that goes away cannot cut it short. A handler that panics stores
/// nothing. One that answers with an error has still answered: what it wrote is stored, and the response of
/// its error carries the session's headers. Where two of these of one name stand around a handler, the outer
/// one counts.
///
/// Clone the manager into each worker's `App`; a manager made inside the factory would be another one for
/// each worker.
///
/// ```
/// use actix_web::{App, web};
/// use cloakroom_actix::{Result, Session, SessionMiddleware};
/// use cloakroom_core::testing::ModelStore;
/// use cloakroom_core::{Clock, KeyRing, SessionManager};
///
/// async fn hello(session: Session) -> Result<String> {
///     let visits = session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?;
///     Ok(format!("visit {visits}"))
/// }
///
/// let sessions = SessionManager::new(ModelStore::new(Clock::system()), KeyRing::generate());
/// let app = move || {
///     App::new().wrap(SessionMiddleware::new(sessions.clone())).route("/", web::get().to(hello))
/// };
/// # let _ = app();
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SessionMiddleware {
    sessions: SessionManager,
    header: Option<HeaderName>,
    name: TypeId,
}

/// A service with sessions: what [`SessionMiddleware`] makes of the service inside.
#[derive(Clone)]
pub struct SessionService<S> {
    inner: S,
    middleware: SessionMiddleware,
}

impl SessionMiddleware {
    /// A middleware over this manager, for handlers that extract [`Session`](crate::Session).
    #[must_use]
    pub fn new(sessions: SessionManager) -> Self {
        let header = HeaderName::from_bytes(sessions.request_header().as_bytes()).ok();
        Self { sessions, header, name: TypeId::of::<Unnamed>() }
    }

    /// The same middleware for handlers that extract [`Named<N>`](crate::Named), so that a request has
    /// several sessions. Each needs a cookie of its own.
    #[must_use]
    pub fn named<N: 'static>(self) -> Self {
        Self { name: TypeId::of::<N>(), ..self }
    }

    /// Opens the visit of a request; `None` if an outer middleware of this name has done so.
    fn enter(&self, request: &ServiceRequest) -> Option<Visit> {
        let mut extensions = request.extensions_mut();
        if extensions.get::<Visits>().is_some_and(|visits| visits.get(self.name).is_some()) {
            return None;
        }
        let visit = match &self.header {
            Some(name) => self.sessions.visit(request.headers().get_all(name).map(|value| value.as_bytes())),
            None => self.sessions.visit([]),
        };
        match extensions.get_mut::<Visits>() {
            Some(visits) => visits.add(self.name, visit.clone()),
            None => {
                extensions.insert(Visits::new(self.name, visit.clone()));
            }
        }
        Some(visit)
    }
}

impl<S, B> Transform<S, ServiceRequest> for SessionMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = SessionService<S>;
    type InitError = ();
    type Future = Ready<Result<SessionService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SessionService { inner, middleware: self.clone() }))
    }
}

impl<S, B> Service<ServiceRequest> for SessionService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), actix_web::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let visit = self.middleware.enter(&request);
        ResponseFuture::new(self.inner.call(request), visit)
    }
}

impl fmt::Debug for SessionMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionMiddleware").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for SessionService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
