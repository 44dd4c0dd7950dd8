//! Several sessions of one request.

use axum::Router;
use axum::routing::get as on_get;
use cloakroom_axum::{Named, Result, Session, SessionLayer};
use cloakroom_core::testing::{FailingStore, Failure, Verb};
use cloakroom_core::{CookiePolicy, KeyRing, SessionManager, StoreErrorKind};
use http::StatusCode;

use crate::{counted, get};

enum Admin {}
enum Unknown {}

fn app() -> (FailingStore, FailingStore, Router) {
    let (shop_store, shop) = counted();
    let (admin_store, _) = counted();
    let admin = SessionManager::builder(admin_store.clone(), KeyRing::generate())
        .with_cookie(CookiePolicy::new("__Host-admin"))
        .build()
        .unwrap();
    let both = async |shop: Session, admin: Named<Admin>| -> Result<String> {
        let count = |visits: Option<u32>| visits.unwrap_or(0) + 1;
        Ok(format!("{} {}", shop.update("visits", count)?, admin.update("visits", count)?))
    };
    let one = async |admin: Named<Admin>| -> Result<String> {
        Ok(admin.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 10)?.to_string())
    };
    let app = Router::new()
        .route("/both", on_get(both))
        .route("/admin", on_get(one))
        .route("/unknown", on_get(async |_: Named<Unknown>| "never"))
        .layer(SessionLayer::new(shop))
        .layer(SessionLayer::new(admin).named::<Admin>());
    (shop_store, admin_store, app)
}

#[tokio::test]
async fn each_name_has_a_session_a_cookie_and_a_commit_of_its_own() {
    let (shop, admin, app) = app();
    let first = get(&app, "/both", &[]).await;
    let cookies = first.all("set-cookie");
    assert_eq!((cookies.len(), first.all("vary")), (2, vec!["cookie"]));
    let token = |name: &str| {
        let cookie = cookies.iter().find(|cookie| cookie.starts_with(name)).unwrap();
        cookie.split(';').next().unwrap().to_owned()
    };
    let (shop_token, admin_token) = (token("__Host-session="), token("__Host-admin="));

    let answer = get(&app, "/admin", &[("cookie", &format!("{shop_token}; {admin_token}"))]).await;
    assert_eq!((&*answer.body, answer.all("set-cookie").len()), ("11", 0));
    let answer = get(&app, "/both", &[("cookie", &admin_token)]).await;
    assert_eq!((&*answer.body, answer.all("set-cookie").len()), ("1 12", 1));
    assert_eq!((shop.calls().creates, shop.calls().loads), (2, 0));
    assert_eq!((admin.calls().creates, admin.calls().replaces), (1, 2));
}

#[tokio::test]
async fn the_token_of_one_name_is_nothing_to_the_other() {
    let (_, admin, app) = app();
    let first = get(&app, "/both", &[]).await;
    let shop_token = first.all("set-cookie").into_iter().find_map(|cookie| {
        cookie.split(';').next().unwrap().strip_prefix("__Host-session=").map(str::to_owned)
    });
    let forged = format!("__Host-admin={}", shop_token.unwrap());
    admin.reset_calls();
    assert_eq!(get(&app, "/admin", &[("cookie", &forged)]).await.body, "10");
    assert_eq!(admin.calls().loads, 0);
}

#[tokio::test]
async fn a_name_without_a_layer_is_a_missing_layer() {
    let (_, _, app) = app();
    assert_eq!(get(&app, "/unknown", &[]).await.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn refusal_of_one_session_keeps_the_token_of_the_other() {
    let (shop_store, shop) = counted();
    let (admin_store, _) = counted();
    let admin = SessionManager::builder(admin_store, KeyRing::generate())
        .with_cookie(CookiePolicy::new("__Host-admin"))
        .build()
        .unwrap();
    let login = async |shop: Session, admin: Named<Admin>| -> Result<()> {
        shop.set("visits", &1)?;
        Ok(admin.authenticate("root")?)
    };
    let who = async |admin: Named<Admin>| format!("{:?}", admin.principal());
    let app = Router::new()
        .route("/login", on_get(login))
        .route("/who", on_get(who))
        .layer(SessionLayer::new(admin).named::<Admin>())
        .layer(SessionLayer::new(shop));
    shop_store.fail_next(Verb::Create, Failure::Before(StoreErrorKind::Unavailable));
    let answer = get(&app, "/login", &[]).await;
    assert_eq!(answer.status, 503);
    let cookie = answer.cookie();
    assert!(cookie.starts_with("__Host-admin="));
    assert_eq!(get(&app, "/who", &[("cookie", &cookie)]).await.body, "Some(\"root\")");
}
