//! Starts that fail, and what `connect` tells.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use cloakroom_core::{ErrorKind, Freshness, PrincipalIndex as _, Store as _, StoreErrorKind};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::Log;
use xtask::server::RedisServer;

use crate::fake::{Act, Fake, bulk, say};
use crate::{index, sample};

async fn refusal(url: &str) -> cloakroom_core::Error {
    let error = RedisStore::connect(url).await.expect_err("a refusal");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    error
}

#[tokio::test]
async fn absent_server_is_unavailable() {
    let gone = Fake::start(|_| Act::Silence).await.url();
    assert_eq!(refusal(&gone).await.kind(), ErrorKind::Unavailable);
    assert_eq!(refusal("redis+unix:///nowhere/redis.sock").await.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn refusals_at_the_start_say_what_to_do() {
    for (line, kind, advice) in [
        ("-WRONGPASS invalid username-password pair", ErrorKind::Misconfigured, "the user or the password"),
        (
            "-NOAUTH HELLO must be called with the client already",
            ErrorKind::Misconfigured,
            "wants a password",
        ),
        ("-DENIED Redis is running in protected mode", ErrorKind::Misconfigured, "protected mode"),
        ("-NOPERM this user has no permissions", ErrorKind::Misconfigured, "lacks a right"),
        ("-ERR unknown command `HELLO`, with args beginning with: `3`", ErrorKind::Misconfigured, "Redis 6"),
        ("HTTP/1.1 400 Bad Request", ErrorKind::Misconfigured, "does not speak the protocol"),
        ("-ERR max number of clients reached", ErrorKind::Unavailable, ""),
    ] {
        let fake = Fake::start_rude(move |_| say(line)).await;
        let error = refusal(&fake.url()).await;
        assert_eq!(error.kind(), kind, "{line}: {error:?}");
        assert!(error.to_string().contains(advice), "{line}: {error}");
    }
}

/// Whoever is out of step already says nothing about itself either.
#[tokio::test]
async fn reply_to_another_command_is_no_greeting() {
    for odd in ["HELLO", "SELECT", "INFO"] {
        let fake = Fake::start_rude(move |heard| match heard.name() {
            name if name == odd => say(":1"),
            "HELLO" => say("%1\r\n+server\r\n+redis"),
            "SELECT" => say("+OK"),
            "INFO" => Act::Reply(bulk(b"role:master\r\n")),
            _ => say(":1"),
        })
        .await;
        let store = RedisStore::connect_lazy(&format!("{}/1", fake.url())).expect("a URL");
        let error = store.delete(&sample::key()).await.expect_err("no server");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{odd}: {error:?}");
    }
}

#[tokio::test]
async fn loading_server_is_unavailable() {
    let fake = Fake::start(|_| say("-LOADING Redis is loading the dataset in memory")).await;
    assert_eq!(refusal(&fake.url()).await.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn refused_database_is_misconfigured() {
    let fake = Fake::start(|heard| match heard.name() {
        "SELECT" => say("-ERR DB index is out of range"),
        _ => say("+OK"),
    })
    .await;
    let error = refusal(&format!("{}/99", fake.url())).await;
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("the number of the database"), "{error}");
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn passwords_are_checked_by_the_server() {
    let server = RedisServer::builder().with_password("s3cret").start().expect("a server");
    let right = server.url();
    RedisStore::connect(&right).await.expect("the right password");
    RedisStore::connect(&server.unix_url()).await.expect("the right password");
    for url in [right.replace(":s3cret@", ""), right.replace("s3cret", "s3cret0")] {
        assert_eq!(refusal(&url).await.kind(), ErrorKind::Misconfigured);
    }
    let error = refusal(&format!("{right}99")).await;
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("the number of the database"), "{error}");
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn user_and_password_with_every_sign_get_in() {
    let server = RedisServer::start().expect("a server");
    let answer = server.cli(&["ACL", "SETUSER", "a@b/c", "on", ">p:w/?#%&+ä", "allkeys", "+@all"]);
    assert_eq!(answer.expect("a user"), "OK");
    let url = server.url().replace("redis://", "redis://a%40b%2Fc:p%3Aw%2F%3F%23%25%26+%C3%A4@");
    RedisStore::connect(&url).await.expect("the right password");
    let url = format!("{}?user=a%40b%2Fc&pass=p%3Aw%2F%3F%23%25%26%2B%C3%A4", server.unix_url());
    RedisStore::connect(&url).await.expect("the right password");
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn server_that_evicts_sessions_is_warned_of() {
    for (limit, policy, warned) in [
        ("64mb", "allkeys-lru", true),
        ("64mb", "volatile-ttl", true),
        ("64mb", "noeviction", false),
        ("0", "allkeys-lru", false),
    ] {
        let arguments = ["--maxmemory", limit, "--maxmemory-policy", policy];
        let server = RedisServer::builder().with_arguments(arguments).start().expect("a server");
        let (log, _guard) = Log::listen();
        RedisStore::connect(&server.url()).await.expect("a server");
        let text = log.text();
        assert_eq!(text.contains("WARN cloakroom::redis"), warned, "{limit} {policy}: {text}");
        assert_eq!(text.contains(policy), warned, "{limit} {policy}: {text}");
    }
}

#[tokio::test]
async fn server_that_hides_its_policy_is_used_all_the_same() {
    let fake = Fake::start(|heard| match heard.name() {
        "PING" => say("+PONG"),
        _ => say("-NOPERM this user has no permissions to run the 'info' command"),
    })
    .await;
    let (log, _guard) = Log::listen();
    RedisStore::connect(&fake.url()).await.expect("a server");
    assert!(log.text().contains("DEBUG cloakroom::redis"), "{}", log.text());
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn log_and_debug_show_no_key_payload_or_password() {
    let mut server = RedisServer::builder().with_password("s3cret").start().expect("a server");
    let (log, _guard) = Log::listen();
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    let (key, record) = (sample::key(), sample::record());
    let mut shown = format!("{store:?}");
    let _ = store.create(&key, &record).await.expect("an answer");
    let tag = index::tag();
    store.enter(&tag, &key, sample::MINUTE).await.expect("an answer");
    server.cli(&["SET", &index::name(&tag), "foreign"]).expect("SET");
    let error = store.entries(&tag).await.expect_err("no index");
    shown += &format!("{error} {error:?}");
    server.kill9();
    for _ in 0..2 {
        let error = store.load(&key, Freshness::Latest).await.expect_err("an outage");
        shown += &format!("{error} {error:?}");
        let error = store.enter(&tag, &key, sample::MINUTE).await.expect_err("an outage");
        shown += &format!("{error} {error:?}");
    }
    shown += &log.text();
    let name = index::name(&tag);
    let (_, principal) = name.split_at("cloakroom:of:".len());
    for secret in ["s3cret", principal, key.public_handle().as_str(), "payload"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

/// Nothing can be waited for there: the verb says so, whether or not the runtime of the store still lives.
#[test]
fn verb_outside_of_a_runtime_is_refused() {
    let served = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let fake = served.block_on(Fake::start(|heard| match heard.name() {
        "DEL" => say(":1"),
        _ => Act::Silence,
    }));
    let homeless = fake.store();
    let (key, record, version) = (sample::key(), sample::record(), sample::version());
    let tag = index::tag();
    for store in [served.block_on(async { fake.store() }), homeless] {
        let errors = [
            once(store.load(&key, Freshness::Latest)).err(),
            once(store.create(&key, &record)).err(),
            once(store.replace(&key, version, &record)).err(),
            once(store.touch(&key, version, sample::MINUTE)).err(),
            once(store.delete(&key)).err(),
            once(store.enter(&tag, &key, sample::MINUTE)).err(),
            once(store.entries(&tag)).err(),
            once(store.remove(&tag, &[key], sample::MINUTE)).err(),
        ];
        for error in errors {
            let error = error.expect("no runtime");
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
            assert!(format!("{error:?}").contains("outside of a Tokio runtime"), "{error:?}");
        }
        // Where there is one, all is well.
        assert!(served.block_on(store.delete(&key)).is_ok());
    }
    let error = once(RedisStore::connect(&fake.url())).expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("outside of a Tokio runtime"), "{error}");
}

fn once<T>(verb: impl Future<Output = T>) -> T {
    match pin!(verb).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits for something"),
    }
}
