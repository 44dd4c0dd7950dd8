//! Why a request did not get what it asked of its session.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use cloakroom_core::ErrorKind;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request did not get what it asked of its session: the rejection of every extractor, and what `?`
/// makes of [`cloakroom_core::Error`] in a handler.
///
/// As a response it is a status and a fixed line of text. The details go to `tracing`, never to the client;
/// [`HttpResponse::error`] gives the error to a middleware that makes a page of it.
///
/// ```
/// use actix_web::ResponseError;
/// use cloakroom_actix::Error;
/// use cloakroom_core::ErrorKind;
///
/// let error = Error::from(cloakroom_core::Error::new(ErrorKind::Contention));
/// let response = error.error_response();
/// assert_eq!(response.status(), 503);
/// assert!(response.headers().contains_key("retry-after"));
/// # Ok::<(), cloakroom_actix::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Error(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// A handler's. Whoever is first to make a response of it, of however many, logs it.
    Raised {
        error: cloakroom_core::Error,
        is_logged: Arc<AtomicBool>,
    },
    /// One that was logged where it happened.
    Reported(cloakroom_core::Error),
    MissingMiddleware,
    NotLoggedIn,
    BadForm(StatusCode),
}

impl Error {
    pub(crate) const fn reported(error: cloakroom_core::Error) -> Self {
        Self(Kind::Reported(error))
    }

    pub(crate) const fn missing_middleware() -> Self {
        Self(Kind::MissingMiddleware)
    }

    pub(crate) const fn not_logged_in() -> Self {
        Self(Kind::NotLoggedIn)
    }

    pub(crate) const fn bad_form(status: StatusCode) -> Self {
        Self(Kind::BadForm(status))
    }

    /// The status of the response: 500 for a missing middleware, 401 if nobody is logged in, 400, 413, 415 or 422
    /// for a form that cannot be read, or else that of [`cloakroom_core::Error::status`].
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match &self.0 {
            Kind::Raised { error, .. } | Kind::Reported(error) => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Kind::MissingMiddleware => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Kind::BadForm(status) => *status,
        }
    }

    /// The body of the response: fixed for each status, with no detail.
    #[must_use]
    pub fn public_message(&self) -> &'static str {
        match &self.0 {
            Kind::Raised { error, .. } | Kind::Reported(error) => error.public_message(),
            Kind::MissingMiddleware => "internal server error",
            Kind::NotLoggedIn => "not logged in",
            Kind::BadForm(_) => "the form cannot be read",
        }
    }

    /// The session's own error; `None` for a missing middleware, for a visitor who is not logged in, and for a form
    /// that cannot be read.
    #[must_use]
    pub const fn session_error(&self) -> Option<&cloakroom_core::Error> {
        match &self.0 {
            Kind::Raised { error, .. } | Kind::Reported(error) => Some(error),
            Kind::MissingMiddleware | Kind::NotLoggedIn | Kind::BadForm(_) => None,
        }
    }

    fn log(&self) {
        if let Kind::Raised { error, is_logged } = &self.0
            && !is_logged.swap(true, Ordering::Relaxed)
        {
            let cause = error.source().map(ToString::to_string);
            if self.status().is_server_error() {
                tracing::error!(target: "cloakroom", %error, cause, "a handler failed at its session");
            } else {
                tracing::debug!(target: "cloakroom", %error, cause, "a handler failed at its session");
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Raised { error, .. } | Kind::Reported(error) => error.fmt(f),
            Kind::MissingMiddleware => f.write_str("the session middleware is missing"),
            Kind::NotLoggedIn => f.write_str("nobody is logged in"),
            Kind::BadForm(_) => f.write_str("the form cannot be read"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.session_error().and_then(StdError::source)
    }
}

impl From<cloakroom_core::Error> for Error {
    fn from(error: cloakroom_core::Error) -> Self {
        Self(Kind::Raised { error, is_logged: Arc::default() })
    }
}

impl ResponseError for Error {
    /// As [`Error::status`].
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.log();
        let mut response = HttpResponse::new(self.status()).set_body(BoxBody::new(self.public_message()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self.session_error().is_some_and(|error| error.kind() == ErrorKind::Contention) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
