//! What refuses the requests of other sites.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::IntoResponse;
use cloakroom_core::CsrfPolicy;
use http::HeaderValue;
use http::header::HOST;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::Error;

/// Refuses what other sites make browsers send, by a [`CsrfPolicy`]: `403`, before any handler runs and before
/// any session is loaded.
///
/// It stands inside or outside of [`SessionLayer`](crate::SessionLayer), as you like; one around the whole
/// application is best. [`CsrfForm`](crate::CsrfForm) is the second line behind it.
///
/// ```
/// use axum::{Router, routing::post};
/// use cloakroom_axum::CsrfLayer;
/// use cloakroom_core::CsrfPolicy;
///
/// let app = Router::<()>::new()
///     .route("/logout", post(async || "bye"))
///     .layer(CsrfLayer::new(CsrfPolicy::new()));
/// # let _ = app;
/// # Ok::<(), cloakroom_axum::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CsrfLayer {
    policy: CsrfPolicy,
}

/// A service that other sites cannot use: what [`CsrfLayer`] makes of the service inside.
#[derive(Clone)]
pub struct CsrfService<S> {
    inner: S,
    policy: CsrfPolicy,
}

pin_project! {
    /// The future of [`CsrfService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct CsrfFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateNow]
    enum State<F> {
        Passed { #[pin] handler: F },
        Refused { error: Error },
    }
}

impl CsrfLayer {
    /// A layer that judges by this policy.
    #[must_use]
    pub const fn new(policy: CsrfPolicy) -> Self {
        Self { policy }
    }
}

impl<S> Layer<S> for CsrfLayer {
    type Service = CsrfService<S>;

    fn layer(&self, inner: S) -> CsrfService<S> {
        CsrfService { inner, policy: self.policy.clone() }
    }
}

impl<S, B, R> Service<http::Request<B>> for CsrfService<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = CsrfFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> CsrfFuture<S::Future> {
        let values = |name| request.headers().get_all(name).into_iter().map(HeaderValue::as_bytes);
        let state = match self.policy.check(request.method().as_str(), host(&request), values) {
            Ok(()) => State::Passed { handler: self.inner.call(request) },
            Err(error) => {
                tracing::warn!(target: "cloakroom", %error, "a request was refused");
                State::Refused { error: Error::reported(error) }
            }
        };
        CsrfFuture { state }
    }
}

/// The host that a request is for: in HTTP/2 it stands in the target alone.
fn host<B>(request: &http::Request<B>) -> Option<&[u8]> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str().as_bytes());
    }
    let mut hosts = request.headers().get_all(HOST).into_iter();
    hosts.next().filter(|_| hosts.next().is_none()).map(HeaderValue::as_bytes)
}

impl<F, R, E> Future for CsrfFuture<F>
where
    F: Future<Output = Result<http::Response<R>, E>>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Result<http::Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateNow::Passed { handler } => {
                Poll::Ready(ready!(handler.poll(cx)).map(|response| response.map(Body::new)))
            }
            StateNow::Refused { error } => Poll::Ready(Ok(error.clone().into_response())),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for CsrfService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfService").field("inner", &self.inner).field("policy", &self.policy).finish()
    }
}

impl<F> fmt::Debug for CsrfFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfFuture").finish_non_exhaustive()
    }
}
