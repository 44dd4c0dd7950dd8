//! What nobody may see.

use std::collections::HashSet;
use std::time::Duration;

use cloakroom_core::{Login, Record, Session, SessionManager, Version};

use crate::world::{Browser, World};

const CANARIES: [&str; 4] = ["canary-principal", "canary-value", "canary-key", "canary-label"];

#[tokio::test]
async fn dump_shows_nothing_and_logs_nobody_in() {
    let world = World::new();
    let mut browser = Browser::default();
    let login = Login::new("canary-principal").with_label("canary-label", "canary-value");
    world
        .request(&mut browser, |s| {
            s.authenticate(login)?;
            s.set("canary-key", "canary-value")?;
            s.flash("canary-value")
        })
        .await;
    let token = browser.token.clone().unwrap();
    let raw = decode(&token);
    let (handle, secret) = (&raw[5..21], &raw[21..37]);
    let dump = world.model.dump();
    assert_eq!(dump.len(), 1);
    for (key, record) in &dump {
        let bytes = [key.as_bytes().as_slice(), &record.payload].concat();
        for needle in CANARIES.iter().map(|text| text.as_bytes()).chain([handle, secret]) {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle));
        }
        // The public handle, and every slice of the record that is as long as a token.
        let mut forged = vec![key.public_handle().as_str().to_owned()];
        forged.extend(bytes.windows(53).map(encode));
        for cookie in forged {
            assert_eq!(world.principal(&mut Browser::with(&cookie)).await, None);
        }
    }
}

#[tokio::test]
async fn debug_does_not_leak() {
    let world = World::new();
    let mut browser = world.logged_in("canary-principal").await;
    let token = browser.token.clone().unwrap();
    let visit = world.visit(&browser);
    let session: Session = visit.session().await.unwrap();
    session.set("canary-key", "canary-value").unwrap();
    let manager: &SessionManager = &world.sessions;
    let texts = [
        format!("{session:?} {visit:?} {manager:?} {:?}", session.handle()),
        format!("{:?}", world.model.dump()),
        format!("{:?} {:?}", session.get::<u8>("canary-key").unwrap_err(), world.store),
    ];
    browser.token = None;
    let public = session.handle().unwrap().as_str().to_owned();
    for text in texts {
        for secret in CANARIES.iter().copied().chain([token.as_str(), public.as_str()]) {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test]
async fn two_records_of_one_state_differ() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let before = world.model.dump().remove(0).1;
    world.request(&mut browser, |s| s.set("a", &1)).await;
    world.request(&mut browser, |s| s.remove("a")).await;
    let after = world.model.dump().remove(0).1;
    assert_eq!(before.payload.len(), after.payload.len());
    let equal = before.payload.iter().zip(&after.payload).filter(|(a, b)| a == b).count();
    assert!(equal < 40, "only the header is the same: {equal} equal bytes of {}", after.payload.len());
    world.clock.advance(Duration::from_secs(1));
}

fn decode(token: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).unwrap()
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Bytes of a token, by place: the handle, and the secret.
fn parts(browser: &Browser) -> ([u8; 16], [u8; 16]) {
    let raw = decode(browser.token.as_ref().unwrap());
    (raw[5..21].try_into().unwrap(), raw[21..37].try_into().unwrap())
}

#[tokio::test]
async fn tokens_have_nothing_in_common() {
    let world = World::new();
    let (mut handles, mut secrets) = (HashSet::new(), HashSet::new());
    let mut ones = [0_u32; 256];
    for _ in 0..512 {
        let mut browser = Browser::default();
        world.request(&mut browser, |s| s.set("a", &1)).await;
        let first = parts(&browser);
        world.request(&mut browser, Session::rotate).await;
        let second = parts(&browser);
        assert_eq!(first.0, second.0, "the handle stays");
        assert!(handles.insert(first.0));
        assert!(secrets.insert(first.1) && secrets.insert(second.1));
        assert!(handles.is_disjoint(&secrets));
        let bits = [first.0, second.1].concat();
        for (at, count) in ones.iter_mut().enumerate() {
            *count += u32::from(bits[at / 8] >> (at % 8) & 1);
        }
    }
    // 512 throws of a fair coin: each side at least 256 - 7 standard deviations.
    assert!(ones.iter().all(|count| (176..=336).contains(count)), "{ones:?}");
}

#[tokio::test]
async fn client_cannot_tell_why_its_token_was_not_taken() {
    let world = World::new();
    let stranger = Browser::default();
    let stale = world.logged_in("ada").await;
    world.request(&mut stale.clone(), Session::rotate).await;
    let ended = world.logged_in("ada").await;
    world.logout(&mut ended.clone()).await;
    let spoilt = world.logged_in("ada").await;
    let (handle, _) = world.request(&mut spoilt.clone(), |s| Ok(s.handle().unwrap())).await;
    let (key, record) =
        world.model.dump().into_iter().find(|(key, _)| key.public_handle() == handle).unwrap();
    let garbage = Record::new(b"garbage".to_vec(), Version::random().unwrap(), record.ttl);
    world.model.plant(key, garbage);
    let forged = Browser::with(&"A".repeat(71));
    let (seen, expected) = world.request(&mut stranger.clone(), |s| Ok(s.principal())).await;
    assert_eq!(seen, None);
    for browser in [stale, ended, spoilt, forged] {
        let (seen, response) = world.request(&mut browser.clone(), |s| Ok(s.principal())).await;
        assert_eq!((seen, response), (None, expected.clone()));
    }
}
