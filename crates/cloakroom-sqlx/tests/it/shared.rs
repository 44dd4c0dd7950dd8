//! The servers of one run of the suite, shared by tests that only use tables of their own.

use std::time::Duration;

use cloakroom_sqlx::{Dialect, SqlStore};

use crate::sample;

pub(crate) const POSTGRES: &str = "CLOAKROOM_TEST_POSTGRES_URL";
pub(crate) const MARIADB: &str = "CLOAKROOM_TEST_MARIADB_URL";

pub(crate) fn url(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
}

/// A store with a table of its own.
pub(crate) async fn open<D: Dialect>(url: &str) -> SqlStore<D> {
    open_table(url, &sample::table()).await
}

pub(crate) async fn open_table<D: Dialect>(url: &str, table: &str) -> SqlStore<D> {
    let table = table.parse().expect("a name");
    let builder = SqlStore::builder(url).with_table(table);
    // What is tested here is what the answers are; on a busy machine they take their time.
    let builder = builder.with_timeout(Duration::from_secs(20)).with_connect_timeout(Duration::from_secs(10));
    builder.connect().await.expect("the shared server")
}
