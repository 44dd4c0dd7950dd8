//! What a response carries, and what it does not.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse, web};
use cloakroom_actix::{Result, Session, SessionMiddleware};
use cloakroom_core::{CookiePolicy, KeyRing, SessionManager};

use crate::{counted, get, read};

async fn count(session: Session) -> Result<String> {
    Ok(session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?.to_string())
}

#[actix_web::test]
async fn a_session_that_nobody_asks_for_costs_nothing_and_shows_nowhere() {
    let (store, sessions) = counted();
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions))
        .route("/count", web::get().to(count))
        .route("/untouched", web::get().to(async || "ok"));
    let app = init_service(app).await;
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

#[actix_web::test]
async fn a_session_that_is_only_read_sets_no_cookie() {
    let (store, sessions) = counted();
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions))
        .route("/read", web::get().to(async |session: Session| session.len().to_string()));
    let app = init_service(app).await;
    let answer = get(&app, "/read", &[("cookie", "__Host-session=forged")]).await;
    assert_eq!(answer.all("vary"), ["cookie"]);
    assert_eq!(answer.all("cache-control"), ["private"]);
    assert!(answer.all("set-cookie").is_empty());
    assert_eq!(store.calls().total(), 0);
}

#[actix_web::test]
async fn the_headers_of_a_handler_are_kept_beside_those_of_its_session() {
    let (_, sessions) = counted();
    let handler = async |session: Session| -> Result<HttpResponse> {
        session.set("theme", "dark")?;
        let mut response = HttpResponse::ImATeapot();
        for header in [
            ("set-cookie", "language=en"),
            ("vary", "accept-encoding"),
            ("vary", "origin"),
            ("cache-control", "public, max-age=60"),
            ("x-own", "kept"),
        ] {
            response.append_header(header);
        }
        Ok(response.body("body"))
    };
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(handler));
    let answer = get(&init_service(app).await, "/", &[]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::IM_A_TEAPOT, "body"));
    assert_eq!(answer.all("x-own"), ["kept"]);
    assert_eq!(answer.all("vary"), ["accept-encoding, origin, cookie"]);
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").collect();
    assert_eq!(cookies[0], "language=en");
    assert!(!cookies[0].is_sensitive() && cookies[1].is_sensitive() && cookies.len() == 2);
}

#[actix_web::test]
async fn the_token_is_found_among_many_headers_and_strange_bytes() {
    let (store, sessions) = counted();
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(count));
    let app = init_service(app).await;
    let cookie = get(&app, "/", &[]).await.cookie();
    let asked = TestRequest::get()
        .append_header(("cookie", "a=1"))
        .append_header(("cookie", format!("b=2; {cookie}")))
        .append_header(("cookie", HeaderValue::from_bytes(b"name=J\xf6rg").unwrap()));
    let response = actix_web::test::call_service(&app, asked.to_request()).await;
    assert_eq!(read(response.into_parts().1).await.body, "2");
    assert_eq!((store.calls().loads, store.calls().creates, store.calls().replaces), (1, 1, 1));
}

#[actix_web::test]
async fn a_header_of_its_own_carries_the_token_as_well() {
    let (store, _) = counted();
    let sessions =
        SessionManager::builder(store, KeyRing::generate()).with_header("x-session").build().unwrap();
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(count));
    let app = init_service(app).await;
    let first = get(&app, "/", &[]).await;
    assert_eq!(first.all("vary"), ["x-session"]);
    assert!(first.all("set-cookie").is_empty());
    assert!(first.headers.get("x-session").unwrap().is_sensitive());
    let second = get(&app, "/", &[("x-session", first.all("x-session")[0])]).await;
    assert_eq!(second.body, "2");
}

#[actix_web::test]
async fn the_cookie_is_that_of_the_policy() {
    let (store, _) = counted();
    let sessions = SessionManager::builder(store, KeyRing::generate())
        .with_cookie(CookiePolicy::new("shop").with_path("/shop"))
        .build()
        .unwrap();
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/shop", web::get().to(count));
    let answer = get(&init_service(app).await, "/shop", &[]).await;
    let cookie = answer.all("set-cookie")[0];
    assert!(cookie.starts_with("shop="), "{cookie}");
    for attribute in ["Path=/shop", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
    }
}
