//! What refuses the requests of other sites.

use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{HOST, HeaderValue};
use cloakroom_core::CsrfPolicy;
use pin_project_lite::pin_project;

use crate::error::Error;

/// Refuses what other sites make browsers send, by a [`CsrfPolicy`]: `403`, before any handler runs and before
/// any session is loaded.
///
/// It stands inside or outside of [`SessionMiddleware`](crate::SessionMiddleware), as you like; one around the
/// whole application is best. [`CsrfForm`](crate::CsrfForm) is the second line behind it.
///
/// ```
/// use actix_web::{App, web};
/// use cloakroom_actix::CsrfMiddleware;
/// use cloakroom_core::CsrfPolicy;
///
/// let app = App::new()
///     .wrap(CsrfMiddleware::new(CsrfPolicy::new()))
///     .route("/logout", web::post().to(async || "bye"));
/// # let _ = app;
/// # Ok::<(), cloakroom_actix::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CsrfMiddleware {
    policy: CsrfPolicy,
}

/// A service that other sites cannot use: what [`CsrfMiddleware`] makes of the service inside.
pub struct CsrfService<S> {
    inner: S,
    policy: CsrfPolicy,
}

pin_project! {
    /// The future of [`CsrfService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct CsrfFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateNow]
    enum State<F, B> {
        Passed { #[pin] handler: F },
        Refused { response: Option<ServiceResponse<EitherBody<B>>> },
    }
}

impl CsrfMiddleware {
    /// A middleware that judges by this policy.
    #[must_use]
    pub const fn new(policy: CsrfPolicy) -> Self {
        Self { policy }
    }
}

impl<S, B> Transform<S, ServiceRequest> for CsrfMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = CsrfService<S>;
    type InitError = ();
    type Future = Ready<Result<CsrfService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(CsrfService { inner, policy: self.policy.clone() }))
    }
}

impl<S, B> Service<ServiceRequest> for CsrfService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = CsrfFuture<S::Future, B>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), actix_web::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let values = |name| request.headers().get_all(name).map(HeaderValue::as_bytes);
        let state = match self.policy.check(request.method().as_str(), host(&request), values) {
            Ok(()) => State::Passed { handler: self.inner.call(request) },
            Err(error) => {
                tracing::warn!(target: "cloakroom", %error, "a request was refused");
                let response = request.error_response(Error::reported(error)).map_into_right_body();
                State::Refused { response: Some(response) }
            }
        };
        CsrfFuture { state }
    }
}

/// The host that a request is for: in HTTP/2 it stands in the target alone.
fn host(request: &ServiceRequest) -> Option<&[u8]> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str().as_bytes());
    }
    let mut hosts = request.headers().get_all(HOST);
    hosts.next().filter(|_| hosts.next().is_none()).map(HeaderValue::as_bytes)
}

impl<F, B> Future for CsrfFuture<F, B>
where
    F: Future<Output = Result<ServiceResponse<B>, actix_web::Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, actix_web::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateNow::Passed { handler } => {
                Poll::Ready(ready!(handler.poll(cx)).map(ServiceResponse::map_into_left_body))
            }
            StateNow::Refused { response } => {
                let polled_again =
                    || Error::reported(cloakroom_core::Error::new(cloakroom_core::ErrorKind::Other)).into();
                Poll::Ready(response.take().ok_or_else(polled_again))
            }
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for CsrfService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfService").field("inner", &self.inner).field("policy", &self.policy).finish()
    }
}

impl<F, B> fmt::Debug for CsrfFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfFuture").finish_non_exhaustive()
    }
}
