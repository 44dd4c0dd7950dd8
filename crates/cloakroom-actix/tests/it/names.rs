//! Several sessions of one request.

use actix_web::http::StatusCode;
use actix_web::test::init_service;
use actix_web::{App, web};
use cloakroom_actix::{Named, Result, Session, SessionMiddleware};
use cloakroom_core::testing::{Failure, Verb};
use cloakroom_core::{CookiePolicy, KeyRing, SessionManager, StoreErrorKind};

use crate::{counted, get};

enum Admin {}
enum Unknown {}

async fn both(shop: Session, admin: Named<Admin>) -> Result<String> {
    let count = |visits: Option<u32>| visits.unwrap_or(0) + 1;
    Ok(format!("{} {}", shop.update("visits", count)?, admin.update("visits", count)?))
}

async fn one(admin: Named<Admin>) -> Result<String> {
    Ok(admin.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 10)?.to_string())
}

#[actix_web::test]
async fn each_name_has_a_session_a_cookie_and_a_commit_of_its_own() {
    let (shop_store, shop) = counted();
    let (admin_store, _) = counted();
    let admin = SessionManager::builder(admin_store.clone(), KeyRing::generate())
        .with_cookie(CookiePolicy::new("__Host-admin"))
        .build()
        .unwrap();
    let app = App::new()
        .wrap(SessionMiddleware::new(shop))
        .wrap(SessionMiddleware::new(admin).named::<Admin>())
        .route("/both", web::get().to(both))
        .route("/admin", web::get().to(one))
        .route("/unknown", web::get().to(async |_: Named<Unknown>| "never"));
    let app = init_service(app).await;

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
    assert_eq!((shop_store.calls().creates, shop_store.calls().loads), (2, 0));
    assert_eq!((admin_store.calls().creates, admin_store.calls().replaces), (1, 2));
    assert_eq!(get(&app, "/unknown", &[]).await.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[actix_web::test]
async fn refusal_of_one_session_keeps_the_token_of_the_other() {
    async fn login(shop: Session, admin: Named<Admin>) -> Result<String> {
        shop.set("visits", &1)?;
        admin.authenticate("root")?;
        Ok(String::new())
    }
    async fn who(admin: Named<Admin>) -> String {
        format!("{:?}", admin.principal())
    }
    let (shop_store, shop) = counted();
    let (admin_store, _) = counted();
    let admin = SessionManager::builder(admin_store, KeyRing::generate())
        .with_cookie(CookiePolicy::new("__Host-admin"))
        .build()
        .unwrap();
    let app = App::new()
        .wrap(SessionMiddleware::new(admin).named::<Admin>())
        .wrap(SessionMiddleware::new(shop))
        .route("/login", web::get().to(login))
        .route("/who", web::get().to(who));
    let app = init_service(app).await;
    shop_store.fail_next(Verb::Create, Failure::Before(StoreErrorKind::Unavailable));
    let answer = get(&app, "/login", &[]).await;
    assert_eq!(answer.status, 503);
    let cookie = answer.cookie();
    assert!(cookie.starts_with("__Host-admin="));
    assert_eq!(get(&app, "/who", &[("cookie", &cookie)]).await.body, "Some(\"root\")");
}
