//! Why a page cannot be shown.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// `Result` with this program's [`Error`].
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a page cannot be shown. What people see of it is made by `error_page.rs`, of the status.
#[derive(Debug)]
pub(crate) enum Error {
    /// The session; it knows its status, and has logged itself.
    Session(cloakroom::axum::Error),
    /// The file of the accounts.
    Accounts(sqlx::Error),
    /// Too many passwords are being hashed.
    Busy,
    /// A password could not be hashed.
    Hash(argon2::password_hash::Error),
    /// A thread ended before its work did.
    Thread(tokio::task::JoinError),
    /// A template failed.
    Template(askama::Error),
    /// The operating system has no randomness.
    Random(getrandom::Error),
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, error): (_, &dyn std::error::Error) = match &self {
            Self::Session(error) => return error.clone().into_response(),
            Self::Busy => {
                tracing::warn!("a password was not hashed: too many are");
                let again = (header::RETRY_AFTER, HeaderValue::from_static("5"));
                return (StatusCode::SERVICE_UNAVAILABLE, [again]).into_response();
            }
            Self::Accounts(error) => (StatusCode::SERVICE_UNAVAILABLE, error),
            Self::Hash(error) => (StatusCode::INTERNAL_SERVER_ERROR, error),
            Self::Thread(error) => (StatusCode::INTERNAL_SERVER_ERROR, error),
            Self::Template(error) => (StatusCode::INTERNAL_SERVER_ERROR, error),
            Self::Random(error) => (StatusCode::INTERNAL_SERVER_ERROR, error),
        };
        tracing::error!(%error, "a page cannot be shown");
        status.into_response()
    }
}

impl From<cloakroom::Error> for Error {
    fn from(error: cloakroom::Error) -> Self {
        Self::Session(error.into())
    }
}

impl From<cloakroom::axum::Error> for Error {
    fn from(error: cloakroom::axum::Error) -> Self {
        Self::Session(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Accounts(error)
    }
}

impl From<askama::Error> for Error {
    fn from(error: askama::Error) -> Self {
        Self::Template(error)
    }
}

impl From<getrandom::Error> for Error {
    fn from(error: getrandom::Error) -> Self {
        Self::Random(error)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Session(_) => "the session failed",
            Self::Accounts(_) => "the file of the accounts failed",
            Self::Busy => "too many passwords are being hashed",
            Self::Hash(_) => "a password could not be hashed",
            Self::Thread(_) => "a thread ended before its work did",
            Self::Template(_) => "a template failed",
            Self::Random(_) => "the operating system has no randomness",
        })
    }
}

impl std::error::Error for Error {}
