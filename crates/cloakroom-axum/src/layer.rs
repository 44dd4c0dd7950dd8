//! What stands around the handlers.

use std::any::TypeId;
use std::fmt;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cloakroom_core::{SessionManager, Visit};
use http::HeaderName;
use tower_layer::Layer;
use tower_service::Service;

use crate::future::ResponseFuture;
use cloakroom_core::{Unnamed, Visits};

/// Gives the handlers below it their sessions, and stores what they changed before the response begins.
///
/// A request whose handler does not ask for its session costs no call to the store, and its response is left
/// as it is. Layers that cut handlers short, such as a timeout, belong outside this one: what a handler
/// wrote before it was cut short is then dropped with it.
///
/// Once something is being stored, a client that goes away cannot cut it short. A handler that panics stores
/// nothing, and neither does one whose service answers with an error of its own instead of a response.
/// Where two of these layers of one name stand around a handler, the outer one counts.
///
/// ```
/// use axum::{Router, routing::get};
/// use cloakroom_axum::{Result, Session, SessionLayer};
/// use cloakroom_core::testing::ModelStore;
/// use cloakroom_core::{Clock, KeyRing, SessionManager};
///
/// async fn hello(session: Session) -> Result<String> {
///     let visits = session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?;
///     Ok(format!("visit {visits}"))
/// }
///
/// let sessions = SessionManager::new(ModelStore::new(Clock::system()), KeyRing::generate());
/// let app = Router::<()>::new().route("/", get(hello)).layer(SessionLayer::new(sessions));
/// # let _ = app;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SessionLayer {
    sessions: SessionManager,
    header: Option<HeaderName>,
    name: TypeId,
}

/// A service with sessions: what [`SessionLayer`] makes of the service inside.
#[derive(Clone)]
pub struct SessionService<S> {
    inner: S,
    layer: SessionLayer,
}

impl SessionLayer {
    /// A layer over this manager, for handlers that extract [`Session`](crate::Session).
    #[must_use]
    pub fn new(sessions: SessionManager) -> Self {
        let header = HeaderName::from_bytes(sessions.request_header().as_bytes()).ok();
        Self { sessions, header, name: TypeId::of::<Unnamed>() }
    }

    /// The same layer for handlers that extract [`Named<N>`](crate::Named), so that a request has several
    /// sessions. Each needs a cookie of its own.
    #[must_use]
    pub fn named<N: 'static>(self) -> Self {
        Self { name: TypeId::of::<N>(), ..self }
    }

    /// Opens the visit of a request; `None` if an outer layer of this name has done so.
    fn enter<B>(&self, request: &mut http::Request<B>) -> Option<Visit> {
        if request.extensions().get::<Visits>().is_some_and(|visits| visits.get(self.name).is_some()) {
            return None;
        }
        let visit = match &self.header {
            Some(name) => {
                self.sessions.visit(request.headers().get_all(name).into_iter().map(|value| value.as_bytes()))
            }
            None => self.sessions.visit([]),
        };
        let extensions = request.extensions_mut();
        match extensions.get_mut::<Visits>() {
            Some(visits) => visits.add(self.name, visit.clone()),
            None => {
                extensions.insert(Visits::new(self.name, visit.clone()));
            }
        }
        Some(visit)
    }
}

/// [`SessionLayer`] as a function, for [`from_fn_with_state`](axum::middleware::from_fn_with_state).
///
/// It costs two boxed futures a request more than the layer.
///
/// ```
/// use axum::{Router, middleware, routing::get};
/// use cloakroom_core::testing::ModelStore;
/// use cloakroom_core::{Clock, KeyRing, SessionManager};
///
/// let sessions = SessionManager::new(ModelStore::new(Clock::system()), KeyRing::generate());
/// let app = Router::<()>::new()
///     .route("/", get(async || "hello"))
///     .layer(middleware::from_fn_with_state(sessions, cloakroom_axum::sessions));
/// # let _ = app;
/// # Ok::<(), cloakroom_axum::Error>(())
/// ```
///
/// # Cancel safety
///
/// As [`SessionLayer`]: before the handler has answered nothing is stored, afterwards everything.
pub async fn sessions(State(sessions): State<SessionManager>, request: Request, next: Next) -> Response {
    let answer = SessionLayer::new(sessions).layer(next).call(request).await;
    answer.unwrap_or_else(|never| match never {}).into_response()
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService { inner, layer: self.clone() }
    }
}

impl<S, B, R> Service<http::Request<B>> for SessionService<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<B>) -> ResponseFuture<S::Future> {
        let visit = self.layer.enter(&mut request);
        ResponseFuture::new(self.inner.call(request), visit)
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for SessionService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
