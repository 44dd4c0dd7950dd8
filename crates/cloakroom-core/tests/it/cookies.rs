//! Cookies that come and go.

use std::time::Duration;

use cloakroom_core::{
    CookieLifetime, CookiePolicy, Expiry, Partition, RejectReason, Renewal, SameSite, SessionEventKind,
    SessionManagerBuilder,
};
use proptest::prelude::*;

use crate::fleet::Fleet;
use crate::world::{Browser, World};

async fn issued(policy: CookiePolicy) -> (String, String) {
    let world = World::with(|builder: SessionManagerBuilder| builder.with_cookie(policy.clone()));
    let visit = world.sessions.visit([]);
    visit.session().await.unwrap().set("a", &1).unwrap();
    let mut browser = Browser::default();
    let line = browser.take(&visit.commit().await).set_cookie().unwrap().to_owned();
    let token = browser.token.unwrap();
    let visit = world.sessions.visit([format!("{}={token}", policy.name()).as_bytes()]);
    visit.session().await.unwrap().logout();
    let removal = Browser::default().take(&visit.commit().await).set_cookie().unwrap().to_owned();
    (line.replace(&token, "T"), removal)
}

#[tokio::test]
async fn lines_are_exact_and_removal_has_the_same_attributes() {
    let gone = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    let cases = [
        (CookiePolicy::default(), "__Host-session=T; Path=/; Secure; HttpOnly; SameSite=Lax", ""),
        (
            CookiePolicy::new("__Secure-id").with_domain("example.com").with_path("/app"),
            "__Secure-id=T; Path=/app; Domain=example.com; Secure; HttpOnly; SameSite=Lax",
            "",
        ),
        (
            CookiePolicy::default().with_same_site(SameSite::Strict),
            "__Host-session=T; Path=/; Secure; HttpOnly; SameSite=Strict",
            "",
        ),
        (
            CookiePolicy::default().with_same_site(SameSite::None).with_partition(Partition::Partitioned),
            "__Host-session=T; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
            "",
        ),
        (
            CookiePolicy::default().with_lifetime(CookieLifetime::Persistent),
            "__Host-session=T; Path=/; Secure; HttpOnly; SameSite=Lax",
            "; Max-Age=43200",
        ),
        (CookiePolicy::default().danger_insecure_cookie(), "session=T; Path=/; HttpOnly; SameSite=Lax", ""),
    ];
    for (policy, line, max_age) in cases {
        let (issue, removal) = issued(policy).await;
        assert_eq!(issue, format!("{line}{max_age}"));
        assert_eq!(removal, format!("{}{gone}", line.replace("=T;", "=;")));
    }
}

#[tokio::test]
async fn persistent_cookie_ends_with_the_session_and_within_400_days() {
    let years = Duration::from_secs(800 * 24 * 3600);
    let world = World::with(|builder| {
        builder
            .with_cookie(CookiePolicy::default().with_lifetime(CookieLifetime::Persistent))
            .with_expiry(Expiry::new(years, years))
    });
    let mut browser = Browser::default();
    let (_, response) = world.request(&mut browser, |s| s.set("a", &1)).await;
    assert!(response.set_cookie().unwrap().ends_with("Max-Age=34560000"), "{response:?}");
}

#[tokio::test]
async fn logout_without_an_authentic_token_sends_no_cookie() {
    let world = World::new();
    let forged = "A".repeat(71);
    for mut browser in [Browser::default(), Browser::with("x"), Browser::with(&forged)] {
        let (_, response) = world.logout(&mut browser).await;
        assert_eq!((response.status, response.set_cookie()), (None, None));
    }
    assert_eq!(world.store.calls().total(), 0);
    let mut browser = world.logged_in("ada").await;
    let old = browser.clone();
    world.logout(&mut browser).await;
    let (_, response) = world.logout(&mut old.clone()).await;
    assert!(response.set_cookie().unwrap().contains("Max-Age=0"), "a dead session's cookie goes at logout");
}

#[tokio::test]
async fn unknown_session_sends_no_removal_cookie() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let old = browser.clone();
    world.logout(&mut browser).await;
    let (_, response) = world.request(&mut old.clone(), |s| Ok(s.principal())).await;
    assert_eq!(response.set_cookie(), None);
    let (_, response) = world.request(&mut old.clone(), |s| s.set("a", &1)).await;
    let line = response.set_cookie().unwrap();
    assert!(!line.contains(old.token.as_ref().unwrap()), "a new token, never the dead one");
}

/// Headers, and whether the request of the one who is logged in is known.
async fn known(world: &World, headers: &[Vec<u8>]) -> bool {
    let visit = world.sessions.visit(headers.iter().map(Vec::as_slice));
    visit.session().await.unwrap().principal().is_some()
}

#[tokio::test]
async fn hostile_cookie_headers_find_the_honest_session_or_none() {
    let world = World::new();
    let token = world.logged_in("ada").await.token.unwrap();
    let good = format!("__Host-session={token}");
    let junk: String = (0..200).map(|i| format!("junk{i}=value; ")).collect();
    let four: String = (0..4).map(|i| format!("__Host-session={i}; ")).collect();
    let cases: Vec<(Vec<Vec<u8>>, bool)> = vec![
        (vec![good.clone().into()], true),
        (vec![format!("a=b; {good}").into()], true),
        (vec![format!("a=b;{good};c=d").into()], true),
        (vec![format!(" \t{good} \t;").into()], true),
        (vec![b"a=b".to_vec(), good.clone().into()], true),
        (vec![format!("__Host-session=evil; {good}").into()], true),
        (vec![format!("{good}; __Host-session=evil").into()], true),
        (vec![format!("{good}; {good}").into()], true),
        (vec![[b"x=\xff\xfe; ".as_slice(), good.as_bytes()].concat()], true),
        (vec![format!("x=\"; {good}; y=\"").into()], true),
        (vec![format!("$Version=1; {good}; $Path=/").into()], true),
        (vec![format!("{junk}{good}").into()], true),
        (vec![format!("=; =x; ;; a; {good}").into()], true),
        // Names that are not ours.
        (vec![format!("__%48ost-session={token}").into()], false),
        (vec![format!("__host-session={token}").into()], false),
        (vec![format!("=__Host-session={token}").into()], false),
        (vec![format!("__Host-session ={token}").into()], false),
        (vec![format!("\u{2000}__Host-session={token}").into()], false),
        (vec![format!("\u{a0}__Host-session={token}").into()], false),
        (vec![format!("\u{85}__Host-session={token}").into()], false),
        (vec![format!("\u{3000}__Host-session={token}").into()], false),
        (vec![format!("\x0b__Host-session={token}").into()], false),
        (vec![format!("\x0c__Host-session={token}").into()], false),
        (vec![format!("x__Host-session={token}").into()], false),
        (vec![format!("__Host-sessionx={token}").into()], false),
        (vec![format!("a=b, {good}").into()], false),
        // Values that are not ours.
        (vec![format!("__Host-session=\"{token}\"").into()], false),
        (vec![format!("__Host-session= {token}").into()], false),
        (vec![format!("__Host-session={token}=").into()], false),
        (vec![format!("__Host-session={token}A").into()], false),
        (vec![format!("__Host-session={}", &token[..70]).into()], false),
        (vec![format!("__Host-session=%{:02X}{}", token.as_bytes()[0], &token[1..]).into()], false),
        (vec![b"__Host-session=".to_vec()], false),
        (vec![b"__Host-session".to_vec()], false),
        (vec![Vec::new()], false),
        // Beyond the limits.
        (vec![format!("{four}{good}").into()], false),
        (vec![format!("x={}; {good}", "y".repeat(16 * 1024)).into()], false),
        (vec![vec![b'x'; 16 * 1024], good.clone().into()], false),
        (vec![vec![b';'; 64 * 1024]], false),
    ];
    for (headers, expected) in cases {
        let text = String::from_utf8_lossy(&headers.concat()).chars().take(120).collect::<String>();
        assert_eq!(known(&world, &headers).await, expected, "{text}");
    }
}

#[tokio::test]
async fn header_cut_at_the_limit_is_not_read_half() {
    let world = World::new();
    let token = world.logged_in("ada").await.token.unwrap();
    let good = format!("__Host-session={token}");
    // The limit falls right behind the token, of which more may follow.
    let pad = 16 * 1024 - good.len() - 1;
    let cut = format!("{};{good}", "x".repeat(pad));
    assert_eq!(cut.len(), 16 * 1024);
    assert!(known(&world, &[cut.clone().into()]).await);
    assert!(!known(&world, &[format!("{cut}XYZ").into()]).await);
}

#[tokio::test]
async fn two_authentic_tokens_are_none() {
    let world = World::new();
    let ada = world.logged_in("ada").await.token.unwrap();
    let eve = world.logged_in("eve").await.token.unwrap();
    world.events();
    world.store.reset_calls();
    let planted = format!("__Host-session={ada}; __Host-session={eve}");
    assert!(!known(&world, &[planted.into()]).await);
    assert_eq!(world.store.calls().total(), 0);
    assert_eq!(world.events(), [SessionEventKind::TokenRejected(RejectReason::Ambiguous)]);
}

#[tokio::test]
async fn two_tokens_of_one_session_are_one() {
    let fleet = Fleet::new(false);
    let before = fleet.world(&[1], |b| b).logged_in("ada").await.token.unwrap();
    let world = fleet.world(&[2, 1], |b| b);
    let mut browser = Browser::with(&before);
    world.request(&mut browser, |session| session.set("a", &1)).await;
    let after = browser.token.unwrap();
    assert_ne!(before, after, "it is signed anew");
    assert!(known(&world, &[format!("__Host-session={before}; __Host-session={after}").into()]).await);
}

#[tokio::test]
async fn two_secrets_of_one_session_are_none() {
    let world = World::with(|builder| builder.with_renewal(Renewal::every(Duration::from_secs(600))));
    let mut browser = world.logged_in("ada").await;
    let before = browser.token.clone().unwrap();
    world.clock.advance(Duration::from_secs(601));
    world.request(&mut browser, |session| session.set("a", &1)).await;
    let after = browser.token.unwrap();
    world.events();
    assert!(!known(&world, &[format!("__Host-session={before}; __Host-session={after}").into()]).await);
    assert_eq!(world.events(), [SessionEventKind::TokenRejected(RejectReason::Ambiguous)]);
}

#[tokio::test]
async fn later_end_is_told_to_a_browser_that_keeps_the_token_itself() {
    let later = Expiry::new(Duration::from_secs(1800), Duration::from_secs(40 * 24 * 3600));
    for (lifetime, is_told) in [(CookieLifetime::Persistent, true), (CookieLifetime::BrowserSession, false)] {
        let world = World::with(|b| b.with_cookie(CookiePolicy::default().with_lifetime(lifetime)));
        let mut browser = world.logged_in("ada").await;
        let (_, response) = world.request(&mut browser, |session| session.set_expiry(later)).await;
        assert_eq!(response.set_cookie().is_some(), is_told, "{lifetime:?}");
        if let Some(line) = response.set_cookie() {
            assert!(line.contains("; Max-Age=3456000"), "{line}");
        }
        let (_, response) = world.request(&mut browser, |session| session.set("a", &1)).await;
        assert_eq!(response.set_cookie(), None, "once");
    }
}

#[tokio::test]
async fn forged_token_costs_no_store_call_and_is_an_event() {
    let world = World::new();
    let token = world.logged_in("ada").await.token.unwrap();
    world.store.reset_calls();
    for at in 0..token.len() {
        for with in [b'A', b'B', b'-'] {
            let mut bytes = token.clone().into_bytes();
            if bytes[at] == with {
                continue;
            }
            bytes[at] = with;
            world.events();
            assert!(!known(&world, &[[b"__Host-session=".as_slice(), &bytes].concat()]).await);
            assert_eq!(world.events(), [SessionEventKind::TokenRejected(RejectReason::Forged)]);
        }
    }
    assert_eq!(world.store.calls().total(), 0);
}

#[tokio::test]
async fn client_cannot_choose_its_id() {
    let world = World::new();
    for chosen in ["attacker-chosen", &"A".repeat(71), &"-".repeat(71), "../../etc/passwd", "a\0b"] {
        let mut browser = Browser::with(chosen);
        world.request(&mut browser, |s| s.set("a", &1)).await;
        assert_ne!(browser.token.as_deref(), Some(chosen));
    }
    assert_eq!(world.model.dump().len(), 5);
}

#[tokio::test]
async fn header_transport_sets_no_cookie() {
    let world = World::with(|builder| builder.with_header("X-Session"));
    assert_eq!(world.sessions.request_header(), "x-session");
    let visit = world.sessions.visit([]);
    visit.session().await.unwrap().authenticate("ada").unwrap();
    let mut response = crate::world::Response::default();
    visit.commit().await.write_to(&mut response);
    let token = response.header("x-session").unwrap().to_owned();
    assert_eq!((token.len(), response.set_cookie()), (71, None));
    assert_eq!(
        (response.header("vary"), response.header("cache-control")),
        (Some("x-session"), Some("no-store"))
    );
    let visit = world.sessions.visit([token.as_bytes()]);
    let session = visit.session().await.unwrap();
    assert_eq!(session.principal().as_deref(), Some("ada"));
    session.logout();
    let mut response = crate::world::Response::default();
    visit.commit().await.write_to(&mut response);
    assert_eq!((response.header("x-session"), response.set_cookie()), (Some(""), None));
}

proptest! {
    /// Whatever stands in other cookies, ours is found; whatever stands in a header, nothing else is.
    #[test]
    fn other_cookies_do_not_matter(
        before in prop::collection::vec(prop::collection::vec(any::<u8>().prop_filter("a separator", |b| *b != b';'), 0..40), 0..8),
        after in prop::collection::vec(prop::collection::vec(any::<u8>().prop_filter("a separator", |b| *b != b';'), 0..40), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let token = world.logged_in("ada").await.token.unwrap();
            let good = format!("__Host-session={token}").into_bytes();
            let with: Vec<Vec<u8>> = before.iter().cloned().chain([good]).chain(after.iter().cloned()).collect();
            prop_assert!(known(&world, &[with.join(b"; ".as_slice())]).await);
            let without: Vec<Vec<u8>> = before.into_iter().chain(after).collect();
            prop_assert!(!known(&world, &[without.join(b"; ".as_slice())]).await);
            Ok(())
        })?;
    }
}
