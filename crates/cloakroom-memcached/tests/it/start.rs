//! Starts that fail, and what `connect` tells.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use cloakroom_core::{ErrorKind, Freshness, Store as _, StoreErrorKind};
use cloakroom_memcached::MemcachedStore;
use cloakroom_testkit::Log;
use xtask::server::MemcachedServer;

use crate::fake::{Act, Fake, TOLD};
use crate::sample;

#[tokio::test]
async fn absent_server_is_unavailable() {
    let gone = Fake::start(|_| Act::Silence).await.url();
    let error = MemcachedStore::connect(&gone).await.expect_err("nobody there");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn refusals_at_the_start_say_what_to_do() {
    for (told, kind, advice) in [
        ("CLIENT_ERROR unauthenticated\r\n", ErrorKind::Misconfigured, "a user and a password"),
        ("ERROR\r\nEND\r\n", ErrorKind::Misconfigured, "older than Memcached 1.6.18"),
        ("EN\r\nEND\r\n", ErrorKind::Misconfigured, "older than Memcached 1.6.18"),
        ("EN O2\r\nEND\r\n", ErrorKind::Misconfigured, "does not speak the meta protocol"),
        ("HTTP/1.1 400 Bad Request\r\n", ErrorKind::Misconfigured, "does not speak the meta protocol"),
        ("-ERR unknown command 'mg'\r\n", ErrorKind::Misconfigured, "does not speak the meta protocol"),
        (
            "EN O1\r\nSTAT item_size_max 1048576\r\nSTAT cas_enabled no\r\nEND\r\nSTAT time 1\r\nEND\r\n",
            ErrorKind::Misconfigured,
            "-C",
        ),
        ("EN O1\r\nEND\r\nSTAT time 1\r\nEND\r\n", ErrorKind::Misconfigured, "`stats`"),
        ("EN O1\r\nSTAT item_size_max 1048576\r\nEND\r\nEND\r\n", ErrorKind::Misconfigured, "`stats`"),
        (
            "EN O1\r\nSTAT item_size_max lots\r\nEND\r\nSTAT time 1\r\nEND\r\n",
            ErrorKind::Misconfigured,
            "`stats`",
        ),
        ("EN O1\r\nERROR\r\nERROR\r\n", ErrorKind::Misconfigured, "`stats`"),
        ("ERROR Too many open connections\r\n", ErrorKind::Unavailable, ""),
        ("", ErrorKind::Unavailable, ""),
        ("EN O1\r\nSTAT item_si", ErrorKind::Unavailable, ""),
    ] {
        let fake = Fake::start_telling(Act::Reset(told.into()), |_| Act::Silence).await;
        let error = MemcachedStore::connect(&fake.url()).await.expect_err("a refusal");
        assert_eq!(error.kind(), kind, "{told}: {error:?}");
        assert!(error.to_string().contains(advice), "{told}: {error}");
        // A store that starts later meets the same, and sends nothing that it would regret.
        let error = fake.store().create(&sample::key(), &sample::record()).await.expect_err("a refusal");
        let wanted = match kind {
            ErrorKind::Misconfigured => StoreErrorKind::Misconfigured,
            _ => StoreErrorKind::Unavailable,
        };
        assert_eq!(error.kind(), wanted, "{told}: {error:?}");
        assert_eq!(fake.connections(), 0, "{told}");
    }
}

#[tokio::test]
async fn endless_answer_ends() {
    let told = ["EN O1\r\n".to_owned(), "STAT x y\r\n".repeat(100_000)].concat();
    let fake = Fake::start_telling(Act::Reply(told.into_bytes()), |_| Act::Silence).await;
    let error = MemcachedStore::connect(&fake.url()).await.expect_err("no end");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn server_without_compare_and_set_is_refused() {
    let server = MemcachedServer::builder().with_arguments(["-C"]).start().expect("a server");
    let error = MemcachedStore::connect(&server.url()).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("-C"), "{error}");
    let store = MemcachedStore::connect_lazy(&server.url()).expect("a URL");
    let error = store.create(&sample::key(), &sample::record()).await.expect_err("a refusal");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn server_with_small_items_is_warned_of() {
    for (size, url, warned) in [("1m", "", false), ("512k", "", true), ("512k", "?max_item_size=512k", false)]
    {
        let server = MemcachedServer::builder().with_arguments(["-I", size]).start().expect("a server");
        let (log, _guard) = Log::listen();
        MemcachedStore::connect(&format!("{}{url}", server.url())).await.expect("a server");
        let text = log.text();
        assert_eq!(text.contains("WARN cloakroom::memcached"), warned, "{size} {url}: {text}");
        assert_eq!(text.contains("bytes=524288"), warned, "{size} {url}: {text}");
    }
}

#[tokio::test]
async fn start_that_fails_names_the_server_in_the_log() {
    let good = Fake::start_telling(Act::Reply(TOLD.into()), |_| Act::Silence).await;
    let gone = Fake::start(|_| Act::Silence).await.url();
    let (log, _guard) = Log::listen();
    let gone = gone.trim_start_matches("memcache://");
    let error = MemcachedStore::connect(&format!("{},{gone}", good.url())).await.expect_err("one is down");
    assert!(!format!("{error} {error:?}").contains(gone), "{error:?}");
    let text = log.text();
    assert!(text.contains("WARN cloakroom::memcached") && text.contains(gone), "{text}");
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn log_and_debug_show_no_key_and_no_payload() {
    let mut server = MemcachedServer::start().expect("a server");
    let (log, _guard) = Log::listen();
    let store = MemcachedStore::connect(&server.url()).await.expect("a server");
    let (key, record) = (sample::key(), sample::record());
    let mut shown = format!("{store:?}");
    let _ = store.create(&key, &record).await.expect("an answer");
    server.stop().expect("a frozen server");
    let hasty = MemcachedStore::builder(&server.url()).with_timeout(std::time::Duration::from_millis(20));
    let hasty = hasty.connect_lazy().expect("a URL");
    let error = hasty.load(&key, Freshness::Latest).await.expect_err("a timeout");
    shown += &format!("{error} {error:?}");
    server.cont().expect("a running server");
    server.kill9();
    for _ in 0..2 {
        let error = store.load(&key, Freshness::Latest).await.expect_err("an outage");
        shown += &format!("{error} {error:?}");
        let error = store.replace(&key, record.version, &record).await.expect_err("an outage");
        shown += &format!("{error} {error:?}");
    }
    shown += &log.text();
    for secret in [key.public_handle().as_str(), "payload"] {
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
    let fake = served.block_on(Fake::start(|heard| heard.answer("HD")));
    let homeless = fake.store();
    let (key, record, version) = (sample::key(), sample::record(), sample::version());
    for store in [served.block_on(async { fake.store() }), homeless] {
        let errors = [
            once(store.load(&key, Freshness::Latest)).err(),
            once(store.create(&key, &record)).err(),
            once(store.replace(&key, version, &record)).err(),
            once(store.touch(&key, version, sample::MINUTE)).err(),
            once(store.delete(&key)).err(),
        ];
        for error in errors {
            let error = error.expect("no runtime");
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
            assert!(format!("{error:?}").contains("outside of a Tokio runtime"), "{error:?}");
        }
        // Where there is one, all is well.
        assert!(served.block_on(store.delete(&key)).is_ok());
    }
    let error = once(MemcachedStore::connect(&fake.url())).expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("outside of a Tokio runtime"), "{error}");
}

fn once<T>(verb: impl Future<Output = T>) -> T {
    match pin!(verb).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits for something"),
    }
}
