//! The application: what its pages share, and where they are.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, map_response};
use axum::routing::{get, post};
use cloakroom::axum::{CsrfLayer, SessionLayer};
use cloakroom::{CsrfPolicy, SessionManager};

use crate::accounts::Accounts;
use crate::pages::{
    account, change_password, confirm, delete_account, devices, home, notes, sign_in, sign_out, sign_up,
};
use crate::password::Passwords;
use crate::{error_page, headers};

/// The largest form that is read, in bytes.
const LARGEST_FORM: usize = 16 * 1024;

/// What the pages share.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) sessions: SessionManager,
    pub(crate) accounts: Accounts,
    pub(crate) passwords: Passwords,
    /// How old a sign-in may be for what cannot be undone.
    pub(crate) step_up_after: Duration,
}

impl App {
    /// The pages. What stands further down goes around what stands above it.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/", get(home::show))
            .route("/sign-up", get(sign_up::show).post(sign_up::submit))
            .route("/sign-in", get(sign_in::show).post(sign_in::submit))
            .route("/sign-out", post(sign_out::submit))
            .route("/notes", get(notes::show).post(notes::add))
            .route("/notes/remove", post(notes::remove))
            .route("/devices", get(devices::show))
            .route("/devices/end", post(devices::end))
            .route("/devices/end-others", post(devices::end_others))
            .route("/account", get(account::show))
            .route("/account/password", get(change_password::show).post(change_password::submit))
            .route("/account/delete", get(delete_account::show).post(delete_account::submit))
            .route("/confirm", get(confirm::show).post(confirm::submit))
            .route("/style.css", get(async || (STYLE_HEADERS, STYLE)))
            .fallback(async || StatusCode::NOT_FOUND)
            .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
            .layer(SessionLayer::new(self.sessions.clone()))
            .layer(CsrfLayer::new(CsrfPolicy::new()))
            .layer(DefaultBodyLimit::max(LARGEST_FORM))
            .layer(from_fn(error_page::around))
            .layer(map_response(headers::guard))
            .with_state(self)
    }
}

const STYLE: &str = include_str!("style.css");

const STYLE_HEADERS: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=300")];
