//! The accounts: one row each, in SQLite.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};

use crate::name::Name;
use crate::password::Hash;

#[cfg(test)]
mod tests;

/// How long a request waits for the file of the accounts.
const PATIENCE: Duration = Duration::from_secs(2);

/// What brought the file to each version; a version is its place in this list, from 1.
const MIGRATIONS: [&str; 1] = ["CREATE TABLE accounts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice: sessions are bound to it
        key TEXT NOT NULL UNIQUE,               -- the name as it is compared
        name TEXT NOT NULL,                     -- the name as it is shown
        hash TEXT NOT NULL                      -- of the password
    ) STRICT"];

/// The accounts.
#[derive(Clone, Debug)]
pub(crate) struct Accounts(SqlitePool);

/// Somebody who can sign in.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    pub(crate) hash: Hash,
}

/// What sessions know an account by. A name can pass to somebody else, a number cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountId(i64);

impl Accounts {
    /// Opens the file, makes it if it is not there, and brings it to the version of this program.
    pub(crate) async fn open(path: &Path) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await?;
        migrate(&pool).await?;
        Ok(Self(pool))
    }

    /// Adds an account; `None` if its name is taken.
    pub(crate) async fn add(&self, name: &Name, hash: &Hash) -> sqlx::Result<Option<Account>> {
        let statement = "INSERT INTO accounts (key, name, hash) VALUES (?, ?, ?) \
                         ON CONFLICT (key) DO NOTHING RETURNING id, name, hash";
        let row = sqlx::query(statement).bind(name.key()).bind(name.as_str()).bind(hash.as_str());
        row.fetch_optional(&self.0).await?.map(account).transpose()
    }

    /// The account of this name.
    pub(crate) async fn by_name(&self, name: &Name) -> sqlx::Result<Option<Account>> {
        let row = sqlx::query("SELECT id, name, hash FROM accounts WHERE key = ?").bind(name.key());
        row.fetch_optional(&self.0).await?.map(account).transpose()
    }

    /// The account of this number.
    pub(crate) async fn by_id(&self, id: AccountId) -> sqlx::Result<Option<Account>> {
        let row = sqlx::query("SELECT id, name, hash FROM accounts WHERE id = ?").bind(id.0);
        row.fetch_optional(&self.0).await?.map(account).transpose()
    }

    /// Replaces the password of an account; `false` if somebody did so since it was read, or it is gone.
    pub(crate) async fn set_hash(&self, account: &Account, hash: &Hash) -> sqlx::Result<bool> {
        let change = sqlx::query("UPDATE accounts SET hash = ? WHERE id = ? AND hash = ?");
        let change = change.bind(hash.as_str()).bind(account.id.0).bind(account.hash.as_str());
        Ok(change.execute(&self.0).await?.rows_affected() == 1)
    }

    /// Removes an account.
    pub(crate) async fn remove(&self, id: AccountId) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM accounts WHERE id = ?").bind(id.0).execute(&self.0).await?;
        Ok(())
    }
}

/// In one transaction that keeps other instances out while it looks.
async fn migrate(pool: &SqlitePool) -> sqlx::Result<()> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let version: i64 = sqlx::query("PRAGMA user_version").fetch_one(&mut *transaction).await?.try_get(0)?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(sqlx::Error::Configuration("the file is of a later version of this program".into()));
    }
    for (migration, number) in MIGRATIONS.into_iter().zip(1..).filter(|(_, number)| *number > version) {
        sqlx::raw_sql(migration).execute(&mut *transaction).await?;
        let done = AssertSqlSafe(format!("PRAGMA user_version = {number}"));
        sqlx::raw_sql(done).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

fn account(row: SqliteRow) -> sqlx::Result<Account> {
    Ok(Account { id: AccountId(row.try_get(0)?), name: row.try_get(1)?, hash: Hash::stored(row.try_get(2)?) })
}

/// The principal of the sessions.
impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AccountId {
    type Err = std::num::ParseIntError;

    fn from_str(principal: &str) -> Result<Self, Self::Err> {
        principal.parse().map(Self)
    }
}
