//! What a response carries, and what it does not.

use axum::Router;
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::get as on_get;
use cloakroom_axum::{Result, Session, SessionLayer};
use cloakroom_core::{CookiePolicy, KeyRing, SessionManager};
use http::StatusCode;

use crate::{counted, get, request};

async fn count(session: Session) -> Result<String> {
    Ok(session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?.to_string())
}

#[tokio::test]
async fn a_session_that_nobody_asks_for_costs_nothing_and_shows_nowhere() {
    let (store, sessions) = counted();
    let app = Router::new()
        .route("/count", on_get(count))
        .route("/untouched", on_get(async || "ok"))
        .layer(SessionLayer::new(sessions));
    let cookie = get(&app, "/count", &[]).await.cookie();
    store.reset_calls();
    for headers in [&[][..], &[("cookie", &*cookie)], &[("cookie", "__Host-session=forged")]] {
        let answer = get(&app, "/untouched", headers).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "ok"));
        for name in ["vary", "cache-control", "set-cookie"] {
            assert!(!answer.headers.contains_key(name), "{answer:?}");
        }
    }
    assert_eq!(store.calls().total(), 0);
}

#[tokio::test]
async fn a_session_that_is_only_read_sets_no_cookie() {
    let (store, sessions) = counted();
    let app = Router::new()
        .route("/read", on_get(async |session: Session| session.len().to_string()))
        .layer(SessionLayer::new(sessions));
    let answer = get(&app, "/read", &[("cookie", "__Host-session=forged")]).await;
    assert_eq!(answer.all("vary"), ["cookie"]);
    assert_eq!(answer.all("cache-control"), ["private"]);
    assert!(answer.all("set-cookie").is_empty());
    assert_eq!(store.calls().total(), 0);
}

#[tokio::test]
async fn the_headers_of_a_handler_are_kept_beside_those_of_its_session() {
    let (_, sessions) = counted();
    let handler = async |session: Session| -> Result<_> {
        session.set("theme", "dark")?;
        let headers = [
            ("set-cookie", "language=en"),
            ("vary", "accept-encoding"),
            ("vary", "origin"),
            ("cache-control", "public, max-age=60"),
            ("x-own", "kept"),
        ];
        Ok((StatusCode::IM_A_TEAPOT, AppendHeaders(headers), "body").into_response())
    };
    let app = Router::new().route("/", on_get(handler)).layer(SessionLayer::new(sessions));
    let answer = get(&app, "/", &[]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::IM_A_TEAPOT, "body"));
    assert_eq!(answer.all("x-own"), ["kept"]);
    assert_eq!(answer.all("vary"), ["accept-encoding, origin, cookie"]);
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies[0], "language=en");
    assert!(!cookies[0].is_sensitive() && cookies[1].is_sensitive() && cookies.len() == 2);
}

#[tokio::test]
async fn the_token_is_found_among_many_headers_and_strange_bytes() {
    let (store, sessions) = counted();
    let app = Router::new().route("/", on_get(count)).layer(SessionLayer::new(sessions));
    let cookie = get(&app, "/", &[]).await.cookie();
    let mut asked = request("/", &[("cookie", "a=1"), ("cookie", &format!("b=2; {cookie}"))]);
    asked.headers_mut().append("cookie", http::HeaderValue::from_bytes(b"name=J\xf6rg").unwrap());
    let response = tower::ServiceExt::oneshot(app.clone(), asked).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), 64).await.unwrap();
    assert_eq!(body, "2");
    assert_eq!((store.calls().loads, store.calls().creates, store.calls().replaces), (1, 1, 1));
}

#[tokio::test]
async fn a_header_of_its_own_carries_the_token_as_well() {
    let (store, _) = counted();
    let sessions =
        SessionManager::builder(store, KeyRing::generate()).with_header("x-session").build().unwrap();
    let app = Router::new().route("/", on_get(count)).layer(SessionLayer::new(sessions));
    let first = get(&app, "/", &[]).await;
    assert_eq!(first.all("vary"), ["x-session"]);
    assert!(first.all("set-cookie").is_empty() && first.headers["x-session"].is_sensitive());
    let second = get(&app, "/", &[("x-session", first.all("x-session")[0])]).await;
    assert_eq!(second.body, "2");
}

#[tokio::test]
async fn the_cookie_is_that_of_the_policy() {
    let (store, _) = counted();
    let sessions = SessionManager::builder(store, KeyRing::generate())
        .with_cookie(CookiePolicy::new("shop").with_path("/shop"))
        .build()
        .unwrap();
    let app = Router::new().route("/shop", on_get(count)).layer(SessionLayer::new(sessions));
    let answer = get(&app, "/shop", &[]).await;
    let cookie = answer.all("set-cookie")[0];
    assert!(cookie.starts_with("shop="), "{cookie}");
    for attribute in ["Path=/shop", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
    }
}
