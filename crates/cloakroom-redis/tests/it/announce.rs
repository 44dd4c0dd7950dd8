//! What the store makes of what sentinels say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_core::{Deleted, ErrorKind, Replaced, Store as _, StoreErrorKind};
use cloakroom_redis::RedisStore;

use crate::fake::{Act, Fake, Heard, bulk, say};
use crate::sample;
use cloakroom_testkit::{Clock, until};

/// What the sentinels of a test say.
#[derive(Debug, Default)]
struct Said {
    port: AtomicU16,
    epoch: AtomicU32,
    /// How often somebody asked to be told.
    subscribed: AtomicUsize,
}

impl Said {
    fn say(&self, port: u16, epoch: u32) {
        self.epoch.store(epoch, Ordering::SeqCst);
        self.port.store(port, Ordering::SeqCst);
    }
}

async fn sentinel(said: &Arc<Said>) -> Fake {
    let said = Arc::clone(said);
    Fake::start(move |heard| answer(heard, &said)).await
}

fn answer(heard: &Heard<'_>, said: &Said) -> Act {
    let text = |text: &str| String::from_utf8(bulk(text.as_bytes())).expect("text");
    if heard.name() == "SUBSCRIBE" {
        assert_eq!(heard.words[1], b"+switch-master");
        said.subscribed.fetch_add(1, Ordering::SeqCst);
        return Act::Reply(
            format!(">3\r\n{}{}:1\r\n", text("subscribe"), text("+switch-master")).into_bytes(),
        );
    }
    assert_eq!(heard.name(), "SENTINEL");
    let reply = match heard.words[1].as_slice() {
        b"MASTER" => {
            let epoch = said.epoch.load(Ordering::SeqCst).to_string();
            format!("%2\r\n{}{}{}{}", text("name"), text("main"), text("config-epoch"), text(&epoch))
        }
        _ => format!("*2\r\n{}{}", text("127.0.0.1"), text(&said.port.load(Ordering::SeqCst).to_string())),
    };
    Act::Reply(reply.into_bytes())
}

/// A primary whose replies to everything else are these.
async fn primary(reply: impl Fn(&Heard<'_>) -> Act + Send + Sync + 'static) -> Fake {
    Fake::start(move |heard| match heard.name() {
        "ROLE" => say("*3\r\n$6\r\nmaster\r\n:0\r\n*0"),
        "PING" => say("+PONG"),
        "INFO" => say("-NOPERM no right"),
        _ => reply(heard),
    })
    .await
}

fn url(sentinels: &[&Fake]) -> String {
    let hosts: Vec<_> = sentinels.iter().map(|fake| format!("127.0.0.1:{}", fake.port())).collect();
    format!("redis+sentinel://{}/main", hosts.join(","))
}

fn store(sentinels: &[&Fake]) -> RedisStore {
    RedisStore::connect_lazy(&url(sentinels)).expect("a URL")
}

#[tokio::test]
async fn idle_connection_moves_when_the_sentinels_do() {
    let said = Arc::new(Said::default());
    let (old, new) = (primary(|_| say(":0")).await, primary(|_| say(":1")).await);
    let sentinels = [sentinel(&said).await, sentinel(&said).await, sentinel(&said).await];
    said.say(old.port(), 1);
    let store = store(&sentinels.each_ref());
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Missing);
    said.say(new.port(), 2);
    // Nobody uses the store meanwhile. Two rounds of questions are enough.
    let clock = Clock::start();
    while format!("{store:?}").contains("servers: connected") {
        assert!(clock.elapsed() < Duration::from_millis(1500), "{store:?} after {clock:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    assert_eq!(old.connections(), 1);
}

/// Asking now and then would find out too, a second later.
#[tokio::test]
async fn sentinel_that_speaks_up_is_heard() {
    let (said, stale) = (Arc::new(Said::default()), Arc::new(Said::default()));
    let (old, new) = (primary(|_| say(":0")).await, primary(|_| say(":1")).await);
    let (one, two, three) = (sentinel(&stale).await, sentinel(&said).await, sentinel(&stale).await);
    for said in [&said, &stale] {
        said.say(old.port(), 1);
    }
    let store = store(&[&one, &two, &three]);
    for epoch in 2..6 {
        let (to, answer) = if epoch % 2 == 0 { (&new, Deleted::Deleted) } else { (&old, Deleted::Missing) };
        assert_ne!(store.delete(&sample::key()).await.expect("an answer"), answer);
        // Who has not subscribed yet hears nothing.
        let heard_by = |said: &Said| said.subscribed.load(Ordering::SeqCst);
        until(|| heard_by(&said) >= 1 && heard_by(&stale) >= 2).await;
        // Only one of them knows by now.
        said.say(to.port(), epoch);
        let text = |text: &str| String::from_utf8(bulk(text.as_bytes())).expect("text");
        let words = [text("message"), text("+switch-master"), text("main 127.0.0.1 1 127.0.0.1 2")];
        two.push(format!(">3\r\n{}", words.concat()).as_bytes());
        let clock = Clock::start();
        while store.delete(&sample::key()).await.expect("an answer") != answer {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("moved after {clock:?}");
        assert!(clock.elapsed() < Duration::from_millis(700), "{clock:?}");
    }
}

#[tokio::test]
async fn request_at_a_frozen_primary_moves_to_the_new_one() {
    for (word, wanted) in [("own", Some(Replaced::Replaced)), ("conflict", None)] {
        let said = Arc::new(Said::default());
        let asked = Arc::new(AtomicBool::new(false));
        let is_asked = Arc::clone(&asked);
        let old = primary(move |_| {
            is_asked.store(true, Ordering::SeqCst);
            Act::Silence
        })
        .await;
        let new = primary(move |_| Act::Reply(bulk(word.as_bytes()))).await;
        let sentinel = sentinel(&said).await;
        said.say(old.port(), 1);
        let store = store(&[&sentinel]);
        let (key, record) = (sample::key(), sample::record());
        let (replaced, ()) = tokio::join!(store.replace(&key, sample::version(), &record), async {
            until(|| asked.load(Ordering::SeqCst)).await;
            said.say(new.port(), 2);
        });
        match (replaced, wanted) {
            (Ok(found), Some(wanted)) => assert_eq!(found, wanted),
            // The frozen one may have done it for a moment.
            (Err(error), None) => assert_eq!(error.kind(), StoreErrorKind::Ambiguous),
            other => panic!("{word}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn sentinel_that_is_behind_the_times_is_not_believed() {
    let (stale, said) = (Arc::new(Said::default()), Arc::new(Said::default()));
    let (old, new) = (primary(|_| say(":0")).await, primary(|_| say(":1")).await);
    stale.say(old.port(), 6);
    said.say(new.port(), 7);
    let (cut_off, other) = (sentinel(&stale).await, sentinel(&said).await);
    let store = store(&[&cut_off, &other]);
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    // Not even when it is the only one left.
    drop(other);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    assert_eq!(old.connections(), 0);
}

/// The one who knows of the new primary may be slow, or gone, before it told the others.
#[tokio::test]
async fn most_sentinels_may_be_behind_the_times() {
    let (stale, said) = (Arc::new(Said::default()), Arc::new(Said::default()));
    let (old, new) = (primary(|_| say(":0")).await, primary(|_| say(":1")).await);
    stale.say(old.port(), 6);
    said.say(new.port(), 7);
    let (one, two, knows) = (sentinel(&stale).await, sentinel(&stale).await, sentinel(&said).await);
    let store = store(&[&one, &two, &knows]);
    // Two are enough to begin with, and they may be those.
    while store.delete(&sample::key()).await.expect("an answer") != Deleted::Deleted {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = old.connections();
    drop(knows);
    for _ in 0..100 {
        assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(old.connections(), before);
}

#[tokio::test]
async fn demoted_primary_is_waited_out() {
    let said = Arc::new(Said::default());
    let left = AtomicUsize::new(3);
    let server = Fake::start(move |heard| match heard.name() {
        "ROLE" if left.load(Ordering::SeqCst) > 0 => {
            left.fetch_sub(1, Ordering::SeqCst);
            say("*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:1")
        }
        "ROLE" => say("*3\r\n$6\r\nmaster\r\n:0\r\n*0"),
        _ => say(":1"),
    })
    .await;
    let sentinel = sentinel(&said).await;
    said.say(server.port(), 1);
    let deleted = store(&[&sentinel]).delete(&sample::key()).await;
    assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn server_that_stays_a_replica_is_unavailable() {
    let said = Arc::new(Said::default());
    let server = Fake::start(|heard| match heard.name() {
        "ROLE" => say("*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:1"),
        _ => panic!("a replica is used"),
    })
    .await;
    let sentinel = sentinel(&said).await;
    said.say(server.port(), 1);
    let clock = Clock::start();
    let error = store(&[&sentinel]).delete(&sample::key()).await.expect_err("no primary");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(clock.elapsed() < Duration::from_millis(1300), "{clock:?}");
}

#[tokio::test]
async fn sentinels_may_be_dead() {
    let said = Arc::new(Said::default());
    let server = primary(|_| say(":1")).await;
    let alive = sentinel(&said).await;
    said.say(server.port(), 1);
    let gone = Fake::start(|_| Act::Silence).await;
    let silent = Fake::start_rude(|_| Act::Silence).await;
    let url = url(&[&gone, &silent, &alive]);
    drop(gone);
    let clock = Clock::start();
    RedisStore::connect(&url).await.expect("a primary");
    assert!(clock.elapsed() < Duration::from_millis(900), "{clock:?}");
}

#[tokio::test]
async fn sentinels_that_are_gone_leave_the_primary_in_use() {
    let said = Arc::new(Said::default());
    let server = primary(|_| say(":1")).await;
    let sentinel = sentinel(&said).await;
    said.say(server.port(), 1);
    let store = store(&[&sentinel]);
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    drop(sentinel);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let clock = Clock::start();
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    assert!(clock.elapsed() < Duration::from_millis(100), "{clock:?}");
    // With the primary, there is nobody left.
    drop(server);
    let clock = Clock::start();
    while store.delete(&sample::key()).await.is_ok() {
        // It hangs up when it comes to it.
        assert!(clock.elapsed() < Duration::from_secs(1));
    }
    for _ in 0..3 {
        let error = store.delete(&sample::key()).await.expect_err("nobody");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    assert!(clock.elapsed() < Duration::from_millis(600), "{clock:?}");
}

#[tokio::test]
async fn refusals_of_sentinels_say_what_to_do() {
    for (line, kind, advice) in [
        ("_", ErrorKind::Misconfigured, "no service of the name"),
        (
            "-ERR unknown command `SENTINEL`, with args beginning with: `MASTER`",
            ErrorKind::Misconfigured,
            "is none",
        ),
        ("-NOAUTH Authentication required.", ErrorKind::Misconfigured, "wants a password"),
        (
            "-NOPERM this user has no permissions to run the 'sentinel|master' command",
            ErrorKind::Misconfigured,
            "lacks a right",
        ),
    ] {
        let fake = Fake::start(move |heard| match (line, heard.words[1].as_slice()) {
            ("_", b"MASTER" | b"+switch-master") => say("-ERR No such master with that name"),
            _ => say(line),
        })
        .await;
        let url = format!("{}?sentinel_pass=s3cret", url(&[&fake]).replace("://", "://:s3cret@"));
        let error = RedisStore::connect(&url).await.expect_err("a refusal");
        assert_eq!(error.kind(), kind, "{line}: {error:?}");
        assert!(error.to_string().contains(advice), "{line}: {error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
    let fake = Fake::start_rude(|_| say("-WRONGPASS invalid username-password pair")).await;
    let store = store(&[&fake]);
    for _ in 0..20 {
        let error = store.delete(&sample::key()).await.expect_err("a refusal");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    }
    assert_eq!(fake.connections(), 1);
}

/// Each is greeted with its own user and password, and never with those of the other.
#[tokio::test]
async fn sentinels_and_primary_have_passwords_of_their_own() {
    let said = Arc::new(Said::default());
    let greeted = |user: &'static str, heard: &Heard<'_>| {
        let words: Vec<_> =
            heard.words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        assert_eq!(words.join(" "), format!("HELLO 3 AUTH {user} of-{user}"));
        say("%1\r\n+server\r\n+redis")
    };
    let server = Fake::start_rude(move |heard| match heard.name() {
        "HELLO" => greeted("shop", heard),
        "ROLE" => say("*3\r\n$6\r\nmaster\r\n:0\r\n*0"),
        _ => say(":1"),
    })
    .await;
    said.say(server.port(), 1);
    let sentinel = Fake::start_rude(move |heard| match heard.name() {
        "HELLO" => greeted("watch", heard),
        _ => answer(heard, &said),
    })
    .await;
    let url = url(&[&sentinel]).replace("://", "://shop:of-shop@");
    let store = RedisStore::connect_lazy(&format!("{url}?sentinel_user=watch&sentinel_pass=of-watch"));
    assert_eq!(store.expect("a URL").delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
}
