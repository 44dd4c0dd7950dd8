use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{Html, IntoResponse, Response};
use cloakroom::ErrorKind;
use cloakroom::axum::Error;

use super::{Deed, render};

fn refused(kind: ErrorKind) -> Response {
    Error::from(cloakroom::Error::new(kind)).into_response()
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 10_000).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn what_a_session_refuses_is_told_in_words_of_its_own() {
    for (kind, status, words) in [
        (ErrorKind::CrossSite, 403, "It was sent by another site"),
        (ErrorKind::StaleForm, 403, "reload it, and try once more"),
        (ErrorKind::Ended, 409, "It was ended or renewed in another tab"),
        (ErrorKind::TooLarge, 413, "There is no room for it"),
        (ErrorKind::Other, 500, "It is our fault"),
        (ErrorKind::Unsupported, 501, "nobody can list them"),
        (ErrorKind::Unavailable, 503, "You have not been signed out"),
        (ErrorKind::OutcomeUnknown, 503, "look whether what you sent is there"),
    ] {
        let page = render(refused(kind), Deed::Look);
        assert_eq!(page.status().as_u16(), status, "{kind:?}");
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(page.headers()[CACHE_CONTROL], "no-store");
        assert!(text(page).await.contains(words), "{kind:?}");
    }
}

#[tokio::test]
async fn nothing_is_promised_of_a_change_that_met_an_outage() {
    let page = text(render(refused(ErrorKind::Unavailable), Deed::Change)).await;
    assert!(
        page.contains("Perhaps a part of what you sent was taken") && !page.contains("signed out"),
        "{page}"
    );
}

#[tokio::test]
async fn form_that_is_too_long_is_not_said_to_find_no_room() {
    let page = text(render(StatusCode::PAYLOAD_TOO_LARGE.into_response(), Deed::Change)).await;
    assert!(page.contains("longer than any that we have"), "{page}");
}

#[tokio::test]
async fn headers_of_a_refusal_stay() {
    assert_eq!(render(refused(ErrorKind::Contention), Deed::Look).headers()[RETRY_AFTER], "1");
}

#[tokio::test]
async fn pages_and_whatever_went_well_are_left_alone() {
    let form = (StatusCode::UNPROCESSABLE_ENTITY, Html("a form, once more")).into_response();
    assert_eq!(text(render(form, Deed::Change)).await, "a form, once more");
    let style = ([(CONTENT_TYPE, "text/css")], "p {}").into_response();
    assert_eq!(text(render(style, Deed::Look)).await, "p {}");
}
