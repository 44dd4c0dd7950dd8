use std::time::Duration;

use cloakroom_core::ErrorKind;

use crate::MemcachedStore;

#[test]
fn what_is_set_wins_over_the_url_and_is_checked() {
    let builder = || MemcachedStore::builder("memcache://h?prefix=url&timeout=5s&max_item_size=2k");
    let store = builder().with_prefix("set").with_timeout(Duration::from_millis(10)).connect_lazy();
    let shown = format!("{:?}", store.expect("a store"));
    assert!(shown.contains("set") && shown.contains("10ms") && shown.contains("h:11211"), "{shown}");
    for wrong in [
        builder().with_prefix("a:b"),
        builder().with_timeout(Duration::from_millis(9)),
        builder().with_timeout(Duration::from_secs(61)),
        builder().with_connect_timeout(Duration::ZERO),
        builder().with_max_connections(0),
        builder().with_max_item_size(1024),
        MemcachedStore::builder("memcache://localhost?timeout=0s"),
    ] {
        let error = wrong.connect_lazy().expect_err("out of range");
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
    }
}
