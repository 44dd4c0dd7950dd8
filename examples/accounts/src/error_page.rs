//! Whatever goes wrong is a page, too.

use askama::Template;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::response::Response;

#[cfg(test)]
mod tests;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    status: u16,
    title: &'static str,
    text: &'static str,
}

/// Makes a page of a response that says only that something went wrong: of the session, of a form, or of an address.
///
/// It stands around all layers and tells by the status. The error itself is in the extensions of the response, where it is
/// one of the session; what can be told of it is told by the status already.
pub(crate) async fn render(mut response: Response) -> Response {
    let status = response.status();
    let is_page =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (title, text) = words(status);
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

fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::FORBIDDEN => (
            "That was refused",
            "It came from another site, or from a page that is older than your last sign-in here. Go back, reload the \
             page, and try once more. Nothing was changed.",
        ),
        StatusCode::NOT_FOUND => ("Nothing hangs here", "There is no such page."),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("Not like this", "This address is not for what was tried with it.")
        }
        StatusCode::CONFLICT => (
            "Your sign-in has changed meanwhile",
            "It was ended or renewed in another tab or on another device while this page was at work, so that nothing was \
             changed here.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => (
            "That is too much",
            "There is no room for it where your things are kept. Remove something first. Nothing was changed.",
        ),
        StatusCode::NOT_IMPLEMENTED => {
            ("Not with this store", "Where sessions are kept here, nobody can list them.")
        }
        StatusCode::SERVICE_UNAVAILABLE => (
            "One moment, please",
            "We cannot look into your sign-in right now. You have not been signed out: try again in a moment. If you \
             were sending something, look first whether it has arrived.",
        ),
        _ if status.is_client_error() => (
            "That could not be read",
            "Something was missing from what your browser sent. Go back and try once more.",
        ),
        _ => ("That went wrong", "It is our fault, and has been noted."),
    }
}
