//! What must not be seen: not in logs at any level, not in errors, not in `Debug`.

use std::error::Error as _;
use std::time::Duration;

use cloakroom_core::{
    Admitted, Created, Freshness, IndexVersion, PrincipalIndex as _, PrincipalTag, Record, Store as _,
};
use cloakroom_sqlx::{Dialect, SqlStore};
use cloakroom_testkit::Log;

use crate::sample::{self, MINUTE};
use crate::scratch::Scratch;
use crate::shared::{self, MARIADB, POSTGRES};

const PAYLOAD: &[u8] = b"the-sealed-payload-of-somebody";

/// Every verb, in its good and its bad cases, with everything that is written or answered meanwhile.
async fn everything<D: Dialect>(url: &str) {
    let (log, _guard) = Log::listen();
    let key = sample::key();
    let tag = PrincipalTag::from_bytes(*sample::key().as_bytes());
    let record = Record::new(PAYLOAD.to_vec(), sample::version(), MINUTE).with_principal(Some(tag));
    let table = sample::table();
    let builder = || SqlStore::<D>::builder(url).with_table(table.parse().expect("a name"));
    let mut said = format!("{:?}", builder());
    let store = builder().connect().await.expect("a store");
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    assert_eq!(store.create(&key, &sample::record()).await.expect("an answer"), Created::Occupied);
    let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
    assert_eq!(found.principal, Some(tag));
    let _ = store.replace(&key, record.version, &record).await.expect("an answer");
    let _ = store.replace(&key, sample::version(), &record).await.expect("an answer");
    let _ = store.touch(&key, sample::version(), MINUTE).await.expect("an answer");
    let (other, none) = (sample::key(), IndexVersion::new(0));
    assert_eq!(store.admit(&tag, none, &other, MINUTE, &[key]).await.expect("an answer"), Admitted::Admitted);
    assert_eq!(store.admit(&tag, none, &other, MINUTE, &[]).await.expect("an answer"), Admitted::Conflict);
    said.push_str(&format!("{:?}", store.entries(&tag).await.expect("an answer")));
    store.remove(&tag, &[other], Duration::ZERO).await.expect("an answer");
    let _ = store.sweep(10).await.expect("an answer");
    // And where the database answers with errors that quote.
    let missing = SqlStore::<D>::builder(url).with_table(sample::table().parse().expect("a name"));
    let missing = missing.connect_lazy().expect("a URL");
    for error in [
        missing.create(&key, &record).await.expect_err("no table"),
        missing.load(&key, Freshness::Latest).await.expect_err("no table"),
        missing.delete(&key).await.expect_err("no table"),
        missing.entries(&tag).await.expect_err("no table"),
        missing.admit(&tag, none, &other, MINUTE, &[key]).await.expect_err("no table"),
        missing.remove(&tag, &[key], Duration::ZERO).await.expect_err("no table"),
    ] {
        said.push_str(&format!("{error} {error:?} {:?}", error.source()));
    }
    let _ = store.delete(&key).await.expect("an answer");
    said.push_str(&format!("{store:?} {store:#?}"));
    said.push_str(&log.text());
    assert!(said.contains("sessions are kept in a table"), "{said}");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let listed = |bytes: &[u8]| format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    for secret in [key.as_bytes().as_slice(), tag.as_bytes(), other.as_bytes(), PAYLOAD] {
        for shown in [hex(secret), hex(secret).to_uppercase(), listed(secret)] {
            assert!(!said.contains(&shown), "{shown} in {said}");
        }
    }
    for secret in ["s3cret", key.public_handle().as_str(), "the-sealed-payload", "SELECT payload"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

#[tokio::test]
async fn nothing_is_told_of_sqlite() {
    let scratch = Scratch::new();
    everything::<sqlx::Sqlite>(&scratch.url()).await;
}

#[tokio::test]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn nothing_is_told_of_postgres() {
    everything::<sqlx::Postgres>(&shared::url(POSTGRES)).await;
}

#[tokio::test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn nothing_is_told_of_mariadb() {
    everything::<sqlx::MySql>(&shared::url(MARIADB)).await;
}
