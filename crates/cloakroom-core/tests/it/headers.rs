//! What caches are told.

use cloakroom_core::{ResponseHeaders, Session, SessionEventKind};

use crate::world::{Browser, Response, World};

async fn with_headers(
    world: &World,
    browser: &mut Browser,
    handlers: &[(&str, &str)],
    f: impl FnOnce(&Session),
) -> Response {
    let visit = world.visit(browser);
    f(&visit.session().await.unwrap());
    let reply = visit.commit().await;
    browser.take(&reply);
    let mut response = Response::default();
    for (name, value) in handlers {
        response.append_sensitive(name, value);
    }
    reply.write_to(&mut response);
    response
}

fn cache_control(response: &Response) -> String {
    response.values("cache-control").join(" | ")
}

#[tokio::test]
async fn response_with_a_token_is_never_stored() {
    let world = World::new();
    for handler in ["public, max-age=600", "private", "s-maxage=5", "no-cache", "max-age=3600"] {
        world.events();
        let response = with_headers(&world, &mut Browser::default(), &[("cache-control", handler)], |s| {
            s.set("a", &1).unwrap();
        })
        .await;
        assert_eq!(cache_control(&response), "no-store");
        let warned = world.events().contains(&SessionEventKind::CacheRestricted);
        assert_eq!(warned, handler.starts_with("public") || handler.starts_with("s-maxage"), "{handler}");
    }
}

#[tokio::test]
async fn response_to_somebody_known_is_not_stored() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    for (handler, expected) in [
        (vec![], "no-store"),
        (vec![("cache-control", "public, max-age=600")], "no-store"),
        (vec![("cache-control", "private, max-age=600")], "no-store"),
        (vec![("cache-control", "no-store, max-age=0")], "no-store, max-age=0"),
    ] {
        let response = with_headers(&world, &mut browser, &handler, |_| ()).await;
        assert_eq!(cache_control(&response), expected);
    }
}

#[tokio::test]
async fn response_to_an_anonymous_reader_stays_private() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    for (handler, expected) in [
        (vec![], "private"),
        (vec![("cache-control", "public, max-age=600")], "private, max-age=600"),
        (vec![("cache-control", "max-age=600, s-maxage=60")], "private, max-age=600"),
        (vec![("cache-control", "Private, max-age=1")], "Private, max-age=1"),
        (vec![("cache-control", "private=\"set-cookie, x\", max-age=1")], "private, max-age=1"),
        (vec![("cache-control", "no-cache")], "private, no-cache"),
        (vec![("cache-control", "public"), ("cache-control", "max-age=5")], "private, max-age=5"),
        (vec![("cache-control", "No-Store")], "No-Store"),
    ] {
        let response = with_headers(&world, &mut browser, &handler, |_| ()).await;
        assert_eq!(cache_control(&response), expected, "{handler:?}");
        let stranger = with_headers(&world, &mut Browser::default(), &handler, |_| ()).await;
        assert_eq!(cache_control(&stranger), expected, "{handler:?}");
    }
}

#[tokio::test]
async fn shared_caches_can_be_allowed_but_never_with_a_token() {
    let world = World::with(cloakroom_core::SessionManagerBuilder::danger_shared_cache);
    let mut browser = world.logged_in("ada").await;
    let handler = [("cache-control", "public, max-age=600")];
    let response = with_headers(&world, &mut browser, &handler, |_| ()).await;
    assert_eq!(
        (cache_control(&response).as_str(), response.header("vary")),
        ("public, max-age=600", Some("cookie"))
    );
    let response = with_headers(&world, &mut browser, &handler, |s| s.rotate().unwrap()).await;
    assert_eq!(cache_control(&response), "no-store");
}

#[tokio::test]
async fn vary_names_the_cookie_once_the_session_was_looked_at() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    for (handler, expected) in [
        (vec![], "cookie"),
        (vec![("vary", "Accept-Encoding")], "Accept-Encoding, cookie"),
        (vec![("vary", "accept, Cookie")], "accept, Cookie"),
        (vec![("vary", "*")], "*"),
        (vec![("vary", "a"), ("vary", "b")], "a, b, cookie"),
    ] {
        let response = with_headers(&world, &mut browser, &handler, |_| ()).await;
        assert_eq!(response.values("vary").join(" | "), expected);
    }
    let untouched = world.visit(&browser).commit().await;
    let mut response = Response::default();
    untouched.write_to(&mut response);
    assert_eq!(response, Response::default());
}

#[tokio::test]
async fn every_way_to_look_at_a_session_counts() {
    type Look = fn(&Session);
    let looks: [Look; 9] = [
        |_| (),
        |s| {
            let _ = s.contains("a");
        },
        |s| drop(s.keys()),
        |s| {
            let _ = s.len();
        },
        |s| {
            let _ = s.get::<i64>("a").unwrap();
        },
        |s| drop(s.principal()),
        |s| {
            let _ = s.is_new();
        },
        |s| {
            let _ = s.expires_at();
        },
        |s| drop(s.take_flashes::<String>().unwrap()),
    ];
    for look in looks {
        let world = World::new();
        let mut browser = world.logged_in("ada").await;
        let response = with_headers(&world, &mut browser, &[], look).await;
        assert_eq!(
            (response.header("vary"), cache_control(&response).as_str()),
            (Some("cookie"), "no-store")
        );
    }
}

#[tokio::test]
async fn handlers_cookies_are_kept() {
    let world = World::new();
    let mut browser = Browser::default();
    let response =
        with_headers(&world, &mut browser, &[("set-cookie", "theme=dark")], |s| s.set("a", &1).unwrap())
            .await;
    let lines = response.values("set-cookie");
    assert_eq!((lines.len(), lines[0].as_str()), (2, "theme=dark"));
}

#[tokio::test]
async fn one_response_sets_one_cookie() {
    let world = World::new();
    let mut browser = Browser::default();
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    session.save().await.unwrap();
    session.rotate().unwrap();
    session.save().await.unwrap();
    session.authenticate("ada").unwrap();
    session.remember(std::time::Duration::from_secs(600)).unwrap();
    let reply = visit.commit().await;
    let mut response = Response::default();
    reply.write_to(&mut response);
    assert_eq!(response.values("set-cookie").len(), 1);
    browser.take(&reply);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"), "and it is the last token");
}
