//! What `connect` makes of URLs, with the features that this build has.

use cloakroom::{ErrorKind, connect};

/// The error that a URL is answered with, which shows nothing of what must not be shown.
async fn refusal(url: &str) -> Option<String> {
    let error = connect(url).await.err()?;
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{url} shows its password");
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
    Some(error.to_string())
}

#[tokio::test]
async fn a_scheme_that_is_not_known_lists_those_that_are() {
    for url in ["", "memory", "/var/run/redis.sock", "s3cret:x", "http://ada:s3cret@cache", "127.0.0.1:6379"]
    {
        let refusal = refusal(url).await.expect("no store is behind this URL");
        assert!(refusal.starts_with("the URL of a session store begins with its scheme"), "{url}: {refusal}");
        for known in ["memory:", "cookie:", "redis://", "rediss://", "redis+unix://"] {
            assert!(refusal.contains(known), "{url}: {refusal}");
        }
    }
}

#[tokio::test]
async fn a_store_of_a_later_release_is_named() {
    let cases = [
        ("sqlite:sessions.db", "`sqlite:`"),
        ("postgres://ada:s3cret@db/shop", "`postgres:`"),
        ("mysql://ada:s3cret@db/shop", "`mysql:`"),
        ("memcache://cache", "`memcache:`"),
        ("redis+sentinel://:s3cret@one,two/main", "`redis+sentinel:`"),
        ("redis+cluster://one,two", "`redis+cluster:`"),
    ];
    for (url, name) in cases {
        let refusal = refusal(url).await.expect("this release has no such store");
        assert!(refusal.contains(name) && refusal.contains("not supported by this release"), "{refusal}");
    }
}

#[cfg(feature = "memory")]
#[tokio::test]
async fn memory_takes_its_bounds() {
    for url in ["memory:", "MEMORY:", "memory:?max_entries=10", "memory:?max_entries=10&max_bytes=4096"] {
        assert_eq!(refusal(url).await, None, "{url}");
    }
    let cases = [
        ("memory://", "nothing but parameters"),
        ("memory:sessions", "nothing but parameters"),
        ("memory:?max_entries=0", "whole numbers from 1"),
        ("memory:?max_entries=many", "whole numbers from 1"),
        ("memory:?max_bytes", "whole numbers from 1"),
        ("memory:?max_entires=5", "unknown parameter"),
    ];
    for (url, reason) in cases {
        let refusal = refusal(url).await.expect("this URL cannot be understood");
        assert!(refusal.contains(reason), "{url}: {refusal}");
    }
}

#[cfg(feature = "memory")]
#[tokio::test]
async fn memory_keeps_to_the_bounds_of_its_url() {
    assert_eq!(store_two_sessions("memory:").await, None);
    assert_eq!(store_two_sessions("memory:?max_bytes=1").await, Some(ErrorKind::TooLarge));
    assert_eq!(store_two_sessions("memory:?max_entries=1").await, Some(ErrorKind::Full));
}

#[cfg(feature = "memory")]
async fn store_two_sessions(url: &str) -> Option<ErrorKind> {
    use cloakroom::{KeyRing, SessionManager};

    let backend = connect(url).await.expect("a URL that is right");
    let sessions = SessionManager::new(backend, KeyRing::generate());
    for _ in 0..2 {
        let visit = sessions.visit([]);
        visit.session().await.expect("an empty session").set("visits", &1).expect("a small value");
        if let Some(refusal) = visit.commit().await.refusal() {
            return Some(refusal.kind());
        }
    }
    None
}

#[tokio::test]
async fn cookie_takes_nothing_else() {
    for url in ["cookie:", "Cookie:"] {
        assert_eq!(refusal(url).await, None, "{url}");
    }
    for url in ["cookie://", "cookie:?max_size=4096", "cookie:s3cret"] {
        let refusal = refusal(url).await.expect("this URL cannot be understood");
        assert!(refusal.contains("nothing can follow `cookie:`"), "{url}: {refusal}");
    }
}

#[cfg(not(feature = "memory"))]
#[tokio::test]
async fn memory_names_the_feature_that_is_off() {
    let refusal = refusal("memory:").await.expect("the feature is off");
    assert!(refusal.contains("`memory`") && refusal.contains("Cargo.toml"), "{refusal}");
}

#[cfg(not(feature = "redis"))]
#[tokio::test]
async fn redis_names_the_feature_that_is_off() {
    for url in ["redis://:s3cret@cache", "rediss://cache", "redis+unix:///run/redis.sock?pass=s3cret"] {
        let refusal = refusal(url).await.expect("the feature is off");
        assert!(refusal.contains("`redis`") && refusal.contains("Cargo.toml"), "{refusal}");
    }
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn redis_reads_its_own_urls() {
    let refusal = refusal("redis://:s3cret@cache?tiemout=1s").await.expect("a parameter is misspelt");
    assert!(refusal.contains("unknown parameter"), "{refusal}");
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_redis_that_is_not_there_is_no_mistake_of_the_url() {
    // Nothing listens on port 1, so that the dial is refused at once.
    let error = connect("redis://:s3cret@127.0.0.1:1").await.expect_err("nobody is there");
    assert!(error.is_transient(), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}
