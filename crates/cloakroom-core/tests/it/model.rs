//! What a handler sees of its session.

use std::time::{Duration, SystemTime};

use cloakroom_core::testing::session;
use cloakroom_core::{ErrorKind, Key, KeyRing, Login, SessionManager};

use crate::world::{Browser, World};

const VISITS: Key<u32> = Key::new("visits");

#[tokio::test]
async fn what_one_request_writes_the_next_one_reads() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", "text").and_then(|()| s.set(VISITS, &7))).await;
    let ((a, visits, missing), _) = world
        .request(&mut browser, |s| {
            Ok((s.get::<String>("a")?, s.get(VISITS)?, s.get::<u8>(String::from("missing"))?))
        })
        .await;
    assert_eq!((a.as_deref(), visits, missing), (Some("text"), Some(7), None));
}

#[test]
fn key_and_login_say_what_they_were_made_with() {
    assert_eq!((VISITS.name(), VISITS.as_ref()), ("visits", "visits"));
    assert_eq!(Login::new("ada").principal(), "ada");
    assert_eq!(Login::from("ada".to_owned()).principal(), "ada");
}

#[tokio::test]
async fn equal_value_is_no_change() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    world.store.reset_calls();
    let (_, response) = world
        .request(&mut browser, |s| {
            s.set("a", &1)?;
            s.remove("absent")?;
            s.set("a", &2)?;
            s.set("a", &1)
        })
        .await;
    assert_eq!(world.store.calls().total(), 1, "one load and nothing else");
    assert_eq!(response.set_cookie(), None);
}

#[tokio::test]
async fn last_of_several_changes_in_one_request_counts() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("gone", &1).and_then(|()| s.set("kept", &1))).await;
    world
        .request(&mut browser, |s| {
            s.set("new", &1)?;
            s.set("new", &2)?;
            s.set("fleeting", &1)?;
            s.remove("fleeting")?;
            s.set("gone", &5)?;
            s.remove("gone")?;
            s.remove("kept")?;
            s.set("kept", &9)
        })
        .await;
    let (seen, _) =
        world.request(&mut browser, |s| Ok((s.keys(), s.get::<i64>("new")?, s.get("kept")?))).await;
    assert_eq!(seen, (vec!["kept".to_owned(), "new".to_owned()], Some(2), Some(9)));
}

#[tokio::test]
async fn one_change_leaves_the_other_values() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1).and_then(|()| s.set("b", &2))).await;
    world.request(&mut browser, |s| s.set("a", &3)).await;
    assert_eq!(world.value(&mut browser, "a").await, Some(3));
    assert_eq!(world.value(&mut browser, "b").await, Some(2));
}

#[tokio::test]
async fn removed_value_leaves_no_byte_behind() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let before = world.model.dump()[0].1.payload.len();
    world.request(&mut browser, |s| s.set("b", &"x".repeat(1000))).await;
    assert!(world.model.dump()[0].1.payload.len() > before + 1000);
    world.request(&mut browser, |s| s.remove("b")).await;
    assert_eq!(world.model.dump()[0].1.payload.len(), before);
}

#[tokio::test]
async fn keys_are_their_own_and_case_matters() {
    let world = World::new();
    let mut browser = Browser::default();
    let names = ["a", "A", "principal", "created_at", "values", "_v", "cookie", "é", "e\u{301}", "a\0"];
    world
        .request(&mut browser, |s| names.iter().enumerate().try_for_each(|(i, name)| s.set(*name, &i)))
        .await;
    let (seen, _) = world
        .request(&mut browser, |s| {
            names.iter().map(|name| s.get::<usize>(*name)).collect::<Result<Vec<_>, _>>()
        })
        .await;
    assert_eq!(seen, (0..names.len()).map(Some).collect::<Vec<_>>());
    let (principal, _) = world.request(&mut browser, |s| Ok(s.principal())).await;
    assert_eq!(principal, None);
}

#[test]
fn value_of_another_type_spoils_only_itself() {
    let session = session(|s| s.set("n", &1).and_then(|()| s.set("text", "one"))).unwrap();
    assert_eq!(session.get::<u64>("text").unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(session.take::<u64>("text").unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(session.get::<String>("text").unwrap().as_deref(), Some("one"), "still there");
    assert_eq!(session.get::<u64>("n").unwrap(), Some(1));
}

#[test]
fn take_hands_a_value_out_once() {
    let session = session(|s| s.set("ticket", &1)).unwrap();
    assert_eq!(session.take::<i64>("ticket").unwrap(), Some(1));
    assert_eq!(session.take::<i64>("ticket").unwrap(), None);
    assert!(!session.contains("ticket"));
}

#[test]
fn update_starts_from_what_is_there() {
    let session = session(|_| Ok(())).unwrap();
    assert_eq!(session.update(VISITS, |n| n.unwrap_or(0) + 1).unwrap(), 1);
    assert_eq!(session.update(VISITS, |n| n.unwrap_or(0) + 1).unwrap(), 2);
    session.set("visits", "text").unwrap();
    assert_eq!(session.update(VISITS, |_| 0).unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(session.get::<String>("visits").unwrap().as_deref(), Some("text"));
}

#[test]
fn closures_may_use_the_session() {
    let session = session(|s| s.set("step", &5)).unwrap();
    let inner = session.clone();
    let n = session
        .update("n", move |n: Option<i64>| n.unwrap_or(0) + inner.get::<i64>("step").unwrap().unwrap())
        .unwrap();
    assert_eq!(n, 5);
}

#[test]
fn keys_are_sorted_and_clear_keeps_the_principal() {
    let session = session(|s| {
        s.authenticate("ada")?;
        s.flash("hello")?;
        ["b", "a", "c"].iter().try_for_each(|key| s.set(*key, &0))
    })
    .unwrap();
    assert_eq!(session.keys(), ["a", "b", "c"]);
    assert_eq!((session.len(), session.is_empty()), (3, false));
    assert!(session.contains("a") && !session.contains("d"));
    session.clear().unwrap();
    assert_eq!((session.len(), session.principal().as_deref()), (0, Some("ada")));
    assert!(session.is_empty() && !session.contains("a"));
    assert_eq!(session.take_flashes::<String>().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn clear_removes_values_and_flash_messages_alone_and_together() {
    let world = World::new();
    for (value, flash) in [(true, false), (false, true), (true, true)] {
        let mut browser = world.logged_in("ada").await;
        if value {
            world.request(&mut browser, |s| s.set("a", &1)).await;
        }
        if flash {
            world.request(&mut browser, |s| s.flash("hello")).await;
        }
        world.store.reset_calls();
        world.request(&mut browser, |s| s.clear()).await;
        assert_eq!(world.store.calls().replaces, 1);
        let left = world.request(&mut browser, |s| Ok((s.len(), s.take_flashes::<String>()?.len()))).await.0;
        assert_eq!(left, (0, 0));
        world.store.reset_calls();
        world.request(&mut browser, |s| s.clear()).await;
        assert_eq!(world.store.calls().replaces, 0, "there was nothing to clear");
    }
}

#[tokio::test]
async fn time_of_the_login_is_told() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    assert_eq!(world.request(&mut browser, |s| Ok(s.authenticated_at())).await.0, None);
    world.clock.advance(Duration::from_secs(5));
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    let then = SystemTime::UNIX_EPOCH + world.clock.wall();
    world.clock.advance(Duration::from_secs(5));
    let told = world.request(&mut browser, |s| Ok(s.authenticated_at())).await.0.unwrap();
    assert!(then.duration_since(told).unwrap() < Duration::from_millis(1), "in whole milliseconds");
}

#[tokio::test]
async fn flash_messages_are_seen_once_and_in_order() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.flash("first").and_then(|()| s.flash("second"))).await;
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let (seen, _) = world.request(&mut browser, |s| s.take_flashes::<String>()).await;
    assert_eq!(seen, ["first", "second"]);
    let (seen, _) = world.request(&mut browser, |s| s.take_flashes::<String>()).await;
    assert!(seen.is_empty());
}

#[tokio::test]
async fn flash_of_another_type_stays() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.flash("text")).await;
    let (kind, _) = world.request(&mut browser, |s| Ok(s.take_flashes::<u8>().unwrap_err().kind())).await;
    assert_eq!(kind, ErrorKind::Value);
    assert_eq!(world.request(&mut browser, |s| s.take_flashes::<String>()).await.0, ["text"]);
}

#[tokio::test]
async fn is_new_only_before_the_first_write() {
    let world = World::new();
    let mut browser = Browser::default();
    assert!(world.request(&mut browser, |s| s.set("a", &1).map(|()| s.is_new())).await.0);
    assert!(!world.request(&mut browser, |s| Ok(s.is_new())).await.0);
}

#[tokio::test]
async fn birth_is_fixed_and_the_end_moves() {
    let world = World::new();
    let mut browser = Browser::default();
    let (first, _) =
        world.request(&mut browser, |s| s.set("a", &1).map(|()| (s.created_at(), s.expires_at()))).await;
    world.clock.advance(Duration::from_secs(600));
    let (later, _) = world.request(&mut browser, |s| Ok((s.created_at(), s.expires_at()))).await;
    assert_eq!(later, (first.0, first.1 + Duration::from_secs(600)));
}

#[tokio::test]
async fn anonymous_visitors_cost_nothing() {
    let world = World::new();
    let mut browser = Browser::default();
    let (_, response) = world
        .request(&mut browser, |s| {
            s.set("a", &1)?;
            s.remove("a")?;
            s.rotate()?;
            s.clear()?;
            s.get::<u8>("a")
        })
        .await;
    assert_eq!((world.store.calls().total(), response.set_cookie()), (0, None));
    let untouched = world.visit(&browser).commit().await;
    assert!(untouched.is_untouched());
}

#[tokio::test]
async fn one_request_loads_once() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.store.reset_calls();
    let visit = world.visit(&browser);
    let (one, two) = futures_util::join!(visit.session(), visit.session());
    one.unwrap().set("a", &1).unwrap();
    assert_eq!(two.unwrap().get::<i64>("a").unwrap(), Some(1), "both are one session");
    browser.take(&visit.commit().await);
    let calls = world.store.calls();
    assert_eq!((calls.loads, calls.replaces, calls.total()), (1, 1, 2));
}

#[tokio::test]
async fn untouched_session_is_not_loaded() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    world.store.reset_calls();
    assert!(world.visit(&browser).commit().await.is_untouched());
    assert_eq!(world.store.calls().total(), 0);
}

#[tokio::test]
async fn after_logout_reads_are_empty_and_writes_are_errors() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let (_, response) = world
        .request(&mut browser, |s| {
            s.logout();
            s.logout();
            assert_eq!((s.principal(), s.keys(), s.len(), s.contains("a")), (None, vec![], 0, false));
            assert_eq!(s.get::<i64>("a")?, None);
            for refused in
                [s.set("a", &2), s.remove("a"), s.clear(), s.flash("x"), s.rotate(), s.authenticate("eve")]
            {
                assert_eq!(refused.unwrap_err().kind(), ErrorKind::LoggedOut);
            }
            Ok(())
        })
        .await;
    assert!(response.set_cookie().unwrap().contains("Max-Age=0"));
    assert!(world.model.dump().is_empty());
    assert_eq!(browser.token, None);
}

#[tokio::test]
async fn after_the_commit_every_write_is_an_error() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    let _ = visit.commit().await;
    for refused in [
        session.set("a", &1),
        session.remove("a"),
        session.clear(),
        session.flash("x"),
        session.rotate(),
        session.authenticate("eve"),
        session.remember(Duration::from_secs(60)),
        session.update("n", |n: Option<i64>| n.unwrap_or(0)).map(drop),
        session.take::<i64>("a").map(drop),
        session.end().await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Committed);
    }
    session.logout();
    assert_eq!(world.model.dump().len(), 1, "a late logout does nothing");
}

#[tokio::test]
async fn save_stores_now_and_only_once() {
    let world = World::new();
    let mut browser = Browser::default();
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    session.save().await.unwrap();
    assert_eq!(world.store.calls().creates, 1);
    session.save().await.unwrap();
    session.set("b", &2).unwrap();
    session.save().await.unwrap();
    session.set("c", &3).unwrap();
    browser.take(&visit.commit().await);
    let calls = world.store.calls();
    assert_eq!((calls.creates, calls.replaces, calls.total()), (1, 2, 3));
    assert_eq!(world.request(&mut browser, |s| Ok(s.keys())).await.0, ["a", "b", "c"]);
}

#[tokio::test]
async fn end_deletes_now() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.end().await.unwrap();
    assert!(world.model.dump().is_empty());
    session.end().await.unwrap();
    browser.take(&visit.commit().await);
    assert_eq!((browser.token, world.store.calls().deletes), (None, 1));
}

#[tokio::test]
async fn too_large_and_too_deep_are_refused_and_nothing_is_stored() {
    let world = World::with(|builder| builder.with_max_size(2048));
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    world
        .request(&mut browser, |s| {
            // Three bytes say how long the text is.
            assert_eq!(s.set("big", &"x".repeat(2046)).unwrap_err().kind(), ErrorKind::TooLarge);
            s.set("big", &"x".repeat(2045))?;
            s.remove("big")?;
            assert_eq!(s.set("k".repeat(129), &1).unwrap_err().kind(), ErrorKind::TooLarge);
            assert_eq!(s.set("", &1).unwrap_err().kind(), ErrorKind::Value);
            assert_eq!(s.authenticate("p".repeat(1025)).unwrap_err().kind(), ErrorKind::TooLarge);
            s.set("k".repeat(128), &1)
        })
        .await;
    let (_, response) = world
        .request(&mut browser, |s| (0..4).try_for_each(|i| s.set(format!("k{i}"), &"x".repeat(1000))))
        .await;
    assert_eq!((response.status, response.set_cookie()), (Some(413), None));
    assert_eq!(world.request(&mut browser, |s| Ok(s.len())).await.0, 2, "what was there is there");

    let mut deep = serde_deep(40);
    world
        .request(&mut browser, |s| {
            assert_eq!(s.set("deep", &deep).unwrap_err().kind(), ErrorKind::Value);
            deep = serde_deep(20);
            s.set("deep", &deep)
        })
        .await;
}

#[derive(serde::Serialize)]
struct Nested(Option<Box<Self>>, u8);

fn serde_deep(levels: usize) -> Nested {
    (0..levels).fold(Nested(None, 0), |inner, _| Nested(Some(Box::new(inner)), 0))
}

#[tokio::test]
async fn namespaces_with_one_store_and_one_secret_are_apart() {
    let world = World::new();
    let secret = [[7u8; 16], [9u8; 16]].concat();
    let manager = |namespace: &str| {
        SessionManager::builder(world.store.clone(), KeyRing::from_secrets([&secret]).unwrap())
            .with_namespace(namespace)
            .build()
            .unwrap()
    };
    let (one, two) = (manager("one"), manager("two"));
    let visit = one.visit([]);
    visit.session().await.unwrap().authenticate("ada").unwrap();
    let mut browser = Browser::default();
    browser.take(&visit.commit().await);
    let cookie = format!("__Host-session={}", browser.token.unwrap());
    let there = two.visit([cookie.as_bytes()]).session().await.unwrap();
    assert_eq!(there.principal(), None);
    let here = one.visit([cookie.as_bytes()]).session().await.unwrap();
    assert_eq!(here.principal().as_deref(), Some("ada"));
}

#[tokio::test]
async fn none_is_a_value_and_not_a_removal() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("choice", &1)).await;
    world.request(&mut browser, |s| s.set("choice", &None::<i64>)).await;
    let (seen, _) = world.request(&mut browser, |s| Ok((s.keys(), s.get::<Option<i64>>("choice")?))).await;
    assert_eq!(seen, (vec!["choice".to_owned()], Some(None)));
}

#[tokio::test]
async fn session_without_a_value_is_kept() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    assert_eq!(world.request(&mut browser, |s| Ok((s.len(), s.is_new()))).await.0, (0, false));
    world.request(&mut browser, |s| s.set("a", &1)).await;
    world.request(&mut browser, |s| s.remove("a")).await;
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    // Nor does the last value take the session of a visitor with it.
    let mut visitor = Browser::default();
    world.request(&mut visitor, |s| s.set("a", &1)).await;
    world.request(&mut visitor, cloakroom_core::Session::clear).await;
    assert!(!world.request(&mut visitor, |s| Ok(s.is_new())).await.0);
}
