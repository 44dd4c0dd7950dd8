use cloakroom_core::ErrorKind;
use rustls::crypto::CryptoProvider;

use crate::RedisStore;

/// Whether or not the process has chosen one, and without choosing for it.
#[test]
fn tls_brings_its_cryptography() {
    assert!(RedisStore::connect_lazy("rediss://localhost").is_ok());
    assert!(CryptoProvider::get_default().is_none());
}

#[test]
fn what_is_set_wins_over_the_url_and_is_checked() {
    use std::time::Duration;

    let builder = || RedisStore::builder("redis://:s3cret@localhost?prefix=url&timeout=5s");
    let store = builder().with_prefix("set").with_timeout(Duration::from_millis(10)).connect_lazy();
    let shown = format!("{:?}", store.expect("a store"));
    assert!(shown.contains("set") && shown.contains("10ms"), "{shown}");
    assert!(!shown.contains("s3cret") && !format!("{:?}", builder()).contains("s3cret"), "{shown}");
    for wrong in [
        builder().with_prefix("a:b"),
        builder().with_timeout(Duration::from_millis(9)),
        builder().with_timeout(Duration::from_secs(61)),
        builder().with_connect_timeout(Duration::ZERO),
        RedisStore::builder("redis://localhost?timeout=0s"),
        // The verb would end before the wait did, and could not say how it ended.
        builder().with_wait(1).with_wait_timeout(Duration::from_secs(5)),
        RedisStore::builder("redis://localhost?wait=1&timeout=500ms"),
    ] {
        let error = wrong.connect_lazy().expect_err("out of range");
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
    }
}
