//! An application that dies between any two of its store calls: another one finds the old session or the new one.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use cloakroom::{KeyRing, SessionManager};
use cloakroom_faults::{Browser, fresh_key};

use crate::bench::{Bench, Effort};
use crate::servers::Backend;

const STEPS: [&str; 5] = ["write", "login", "write-again", "rotate", "logout"];
/// More calls than the visitor ever makes.
const MOST_CALLS: u32 = 30;

/// What a session shows: who is logged in, and the value.
type Seen = (Option<String>, Option<String>);

pub(crate) async fn application_dies_between_any_two_store_calls(backend: Backend, effort: Effort) {
    let bench = Bench::new(backend, Duration::from_secs(2));
    deaths(backend.name, &bench.server.url(), effort.rounds()).await;
}

/// Lets it die before and after each of its calls.
pub(crate) async fn deaths(name: &str, url: &str, rounds: u32) {
    let (mut deaths, mut found) = (0, BTreeMap::<String, u32>::new());
    for _ in 0..rounds {
        for call in 1..MOST_CALLS {
            let mut survived = 0;
            for moment in ["before", "after"] {
                let secret = fresh_key().expect("randomness").public_handle().as_str().to_owned();
                let told = tokio::task::block_in_place(|| victim(url, &secret, call, moment));
                if told.last().is_some_and(|line| line == "end") {
                    survived += 1;
                    continue;
                }
                deaths += 1;
                let what = aftermath(url, &secret, &told).await;
                *found.entry(format!("{}: {what}", STEPS[told.len()])).or_default() += 1;
            }
            if survived == 2 {
                println!(
                    "{name}: {deaths} deaths at {} store calls, one before and one after each: {found:?}",
                    call - 1
                );
                assert!(call > 8, "too few store calls: {call}");
                break;
            }
        }
    }
    assert!(deaths >= 18 * rounds, "{deaths}");
    // The judge objects to what is neither.
    for (step, seen) in [
        (1, (Some("ada"), Some("one"))),
        (2, (None, Some("two"))),
        (2, (Some("ada"), None)),
        (3, (None, Some("two"))),
        (4, (Some("ada"), Some("one"))),
    ] {
        let seen = (seen.0.map(str::to_owned), seen.1.map(str::to_owned));
        assert!(judged(step, &seen).is_none(), "{seen:?} passes in {}", STEPS[step]);
    }
}

/// Runs the application to its death; what it told.
fn victim(url: &str, secret: &str, call: u32, moment: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_victim"))
        .args([url, secret, &call.to_string(), moment])
        .output()
        .expect("it starts");
    let told = String::from_utf8(output.stdout).expect("text");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_none_or(|code| code == 0), "it failed by itself: {complaint}");
    told.lines().map(str::to_owned).collect()
}

/// Looks with the cookie that the visitor had, from another application.
async fn aftermath(url: &str, secret: &str, told: &[String]) -> &'static str {
    let backend = cloakroom::connect(url).await.expect("a store");
    let sessions = SessionManager::new(backend, KeyRing::parse(secret).expect("a secret"));
    let cookie = told.last().and_then(|line| line.split(' ').nth(1)).map(str::to_owned);
    let mut visitor = Browser::with_cookie(cookie);
    let look = |session: &cloakroom::Session| Ok((session.principal(), session.get("value")?));
    let seen: Seen = visitor.request(&sessions, look).await.expect("an answer");
    let step = told.len();
    let found = judged(step, &seen).unwrap_or_else(|| {
        panic!("half a session after a death in {}: {seen:?}", STEPS[step]);
    });
    // The visitor is not stuck: whatever his cookie is worth, he can log in.
    visitor.request(&sessions, |session| session.authenticate("ada")).await.expect("a login");
    let (principal, _): Seen = visitor.request(&sessions, look).await.expect("an answer");
    assert_eq!(principal.as_deref(), Some("ada"));
    found
}

/// Which session this is, where the application died in this step; `None` for neither the old nor the new one.
fn judged(step: usize, (principal, value): &Seen) -> Option<&'static str> {
    match (STEPS[step], principal.as_deref(), value.as_deref()) {
        // Nobody has heard of it.
        ("write", None, None) => Some("nothing"),
        ("login", None, Some("one"))
        | ("write-again", Some("ada"), Some("one"))
        | ("rotate" | "logout", Some("ada"), Some("two")) => Some("the old session"),
        // The old cookie is worth nothing any more.
        ("login" | "rotate", None, None) => Some("the new session, out of reach for the old cookie"),
        ("write-again", Some("ada"), Some("two")) => Some("the new session"),
        ("logout", None, None) => Some("no session"),
        _ => None,
    }
}
