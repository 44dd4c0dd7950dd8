//! Whatever goes wrong is a page, too.

use askama::Template;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use cloakroom::ErrorKind;

#[cfg(test)]
mod tests;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    status: u16,
    title: &'static str,
    text: &'static str,
}

/// Whether a request only looks, or does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Look,
    Change,
}

/// Stands around all layers.
pub(crate) async fn around(request: Request, next: Next) -> Response {
    let deed = if request.method().is_safe() { Deed::Look } else { Deed::Change };
    render(next.run(request).await, deed)
}

/// Makes a page of a response that says only that something went wrong: with the session, a form, or the address.
///
/// The status tells most of it; a response that a session made has its error in the extensions, which tells the rest.
fn render(mut response: Response, deed: Deed) -> Response {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let error = response.extensions().get::<cloakroom::axum::Error>();
    let kind = error.and_then(|error| error.session_error()).map(cloakroom::Error::kind);
    let (title, text) = words(status, kind, deed);
    let page = ErrorPage { status: status.as_u16(), title, text };
    if let Ok(html) = page.render() {
        *response.body_mut() = Body::from(html);
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

fn words(status: StatusCode, kind: Option<ErrorKind>, deed: Deed) -> (&'static str, &'static str) {
    match status {
        StatusCode::FORBIDDEN if kind == Some(ErrorKind::StaleForm) => (
            "This page was out of date",
            "You have signed in or out since it was loaded, here or in another tab. Go back, reload it, and try once more. \
             Nothing was changed.",
        ),
        StatusCode::FORBIDDEN => (
            "That came from elsewhere",
            "It was sent by another site, or your browser did not say by whom. Nothing was changed.",
        ),
        StatusCode::NOT_FOUND => ("Nothing hangs here", "There is no such page."),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("Not like this", "This address is not for what was tried with it.")
        }
        StatusCode::CONFLICT => (
            "Your sign-in has changed meanwhile",
            "It was ended or renewed in another tab or on another device while this page was at work. What the page wanted to \
             keep in it was not kept: look whether all is as you want it.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE if kind != Some(ErrorKind::TooLarge) => {
            ("That is too much", "The form is longer than any that we have. Nothing was changed.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => (
            "That is too much",
            "There is no room for it where your things are kept. Remove something first. Nothing was changed.",
        ),
        StatusCode::NOT_IMPLEMENTED => {
            ("Not with this store", "Where sessions are kept here, nobody can list them.")
        }
        StatusCode::SERVICE_UNAVAILABLE if kind == Some(ErrorKind::OutcomeUnknown) => (
            "It may have arrived",
            "The answer was lost on its way: look whether what you sent is there before you send it again.",
        ),
        // The accounts and the sessions are two stores: the one may have taken its part before the other was out.
        StatusCode::SERVICE_UNAVAILABLE if deed == Deed::Change => (
            "One moment, please",
            "Something that we need does not answer right now. Perhaps a part of what you sent was taken: look whether it is \
             there before you send it again.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "One moment, please",
            "Something that we need does not answer right now. You have not been signed out: try again in a moment.",
        ),
        _ if status.is_client_error() => (
            "That could not be read",
            "Something was missing from what your browser sent. Go back and try once more.",
        ),
        _ => ("That went wrong", "It is our fault, and has been noted."),
    }
}
