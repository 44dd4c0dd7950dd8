//! Each absence, with the presence planted that it is there to find.

use super::{adapters, clocks, codec, core, environment, store_calls, stores};
use crate::planted::{MANIFEST, in_file};

#[test]
fn clocks_elsewhere_are_found() {
    let wall = "fn a() { std::time::SystemTime::now(); }";
    let monotonic = "fn a() { Instant::now(); }";
    assert_eq!(in_file("crates/cloakroom-core/src/clock.rs", wall, clocks), 0);
    assert_eq!(in_file("crates/cloakroom-core/src/clock.rs", monotonic, clocks), 0);
    assert_eq!(in_file("crates/cloakroom-core/src/expiry.rs", wall, clocks), 1);
    assert_eq!(in_file("crates/cloakroom-core/src/expiry.rs", monotonic, clocks), 1);
    assert_eq!(in_file("crates/cloakroom-memory/src/store.rs", monotonic, clocks), 1);
    assert_eq!(in_file("crates/cloakroom-redis/src/store.rs", monotonic, clocks), 0);
    assert_eq!(in_file("crates/cloakroom-redis/src/store.rs", wall, clocks), 1);
    assert_eq!(
        in_file("crates/cloakroom-core/src/expiry.rs", "#[cfg(test)]\nmod tests { Instant::now() }", clocks),
        0
    );
    assert_eq!(in_file("crates/cloakroom-core/tests/it.rs", monotonic, clocks), 0);
    assert_eq!(in_file("examples/quickstart/src/main.rs", wall, clocks), 0);
}

#[test]
fn store_calls_elsewhere_are_found() {
    let found =
        |file: &str, code: &str| in_file(&format!("crates/cloakroom-core/src/{file}.rs"), code, store_calls);
    for call in [
        "self.store.load(&key, Freshness::Latest)",
        "backend.create(&key, &record)",
        "it.replace(&key, version, &self.record(a, b)).await",
        "it\n    .touch(&key, version, ttl)\n    .await",
        "manager.store().delete(&key)",
    ] {
        let code = format!("async fn a() {{ {call}; }}");
        assert_eq!(found("session", &code), 1, "{call}");
        for caller in ["visit", "commit", "manager", "manager/administration", "testing/model_store"] {
            assert_eq!(found(caller, &code), 0, "{call} in {caller}");
        }
    }
    for call in ["self.wall.load(Ordering::SeqCst)", "name.replace('a', \"b\")", "slot.replace(a(b))"] {
        assert_eq!(found("session", &format!("fn a() {{ {call}; }}")), 0, "{call}");
    }
}

#[test]
fn decisions_in_adapters_are_found() {
    let layer = "crates/cloakroom-axum/src/layer.rs";
    assert_eq!(in_file(layer, "use cloakroom_core::{Store, SessionManager};", adapters), 1);
    assert_eq!(in_file(layer, "fn a(record: &Record) -> Version { b }", adapters), 2);
    assert_eq!(
        in_file("crates/cloakroom-actix/src/extract.rs", "use cloakroom_codec::KeyRing;", adapters),
        1
    );
    assert_eq!(in_file(layer, "use cloakroom_core::{Reply, StoreError};", adapters), 0);
    assert_eq!(in_file("crates/cloakroom-axum/tests/it.rs", "use cloakroom_core::Store;", adapters), 0);
}

#[test]
fn plaintext_in_stores_is_found() {
    let store = "crates/cloakroom-redis/src/store.rs";
    assert_eq!(in_file(store, "use serde::Serialize;", stores), 2);
    assert_eq!(in_file(store, "fn a(session: &Session) {}", stores), 1);
    assert_eq!(in_file(store, "use cloakroom_core::{Record, Store};", stores), 0);
    let manifest = format!("{MANIFEST}\n[dependencies]\ncloakroom-codec.workspace = true\n");
    assert_eq!(in_file("crates/cloakroom-memory/Cargo.toml", &manifest, stores), 1);
}

#[test]
fn input_and_output_in_the_codec_is_found() {
    let seal = "crates/cloakroom-codec/src/seal.rs";
    assert_eq!(in_file(seal, "pub async fn seal() {}", codec), 1);
    assert_eq!(in_file(seal, "use std::fs::File;", codec), 1);
    assert_eq!(in_file(seal, "use std::io::Cursor;", codec), 0);
}

#[test]
fn timers_and_runtimes_in_core_are_found() {
    let visit = "crates/cloakroom-core/src/visit.rs";
    assert_eq!(in_file(visit, "async fn a() { tokio::time::sleep(b).await }", core), 2);
    assert_eq!(in_file(visit, "fn a(headers: &http::HeaderMap) {}", core), 1);
    assert_eq!(in_file(visit, "async fn a() { b.await }", core), 0);
}

#[test]
fn environment_readers_in_libraries_are_found() {
    let read = "fn a() { std::env::var(\"A\"); }";
    assert_eq!(in_file("crates/cloakroom/src/lib.rs", read, environment), 1);
    assert_eq!(
        in_file("crates/cloakroom/src/lib.rs", "const A: Option<&str> = option_env!(\"A\");", environment),
        1
    );
    assert_eq!(
        in_file("crates/cloakroom/src/lib.rs", "const A: &str = env!(\"CARGO_PKG_NAME\");", environment),
        0
    );
    assert_eq!(in_file("crates/cloakroom-cli/src/main.rs", read, environment), 0);
    assert_eq!(in_file("crates/cloakroom-redis/tests/it.rs", read, environment), 0);
    assert_eq!(in_file("examples/quickstart/src/main.rs", read, environment), 0);
}
