//! SQLite: a file, or the memory of this process.

use std::future::ready;
use std::time::Duration;

use cloakroom_core::{Error, StoreErrorKind};
use sqlx::AssertSqlSafe;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{Connection as _, Executor as _, Row as _, Sqlite, SqliteConnection};

use crate::dialect::{
    Asking, Dialect, Findings, Listing, Look, Speak, Statements, Step, Stored, Sweeping, Value, Words,
    execute, listing, look, one, silent, stored,
};
use crate::error::{Meaning, NO_DESCRIPTOR, has_no_descriptor_left};
use crate::table::TableName;
use crate::target::{Address, Form, Place};

const QUOTE: char = '"';

/// The clock tells milliseconds; as a number with a fraction it may be a trifle below one.
const NOW: &str = "CAST(ROUND(unixepoch('now', 'subsec') * 1000) AS INTEGER)";

/// The result code of a file that cannot be opened, whatever the reason.
const CANTOPEN: u32 = 14;

const CLOSED: &str =
    "the file can no longer be opened; this process may have too many files open, or it was moved away";

impl Dialect for Sqlite {}

impl Speak for Sqlite {
    const STORE: &'static str = "sqlite";
    const TYPE: &'static str = "SqliteStore";
    const ONE_WRITER: bool = true;
    const FIRST_BATCH: u32 = 5;
    const FORM: Form = Form {
        database: "SQLite",
        schemes: &["sqlite"],
        shape: "sqlite:PATH or sqlite::memory:",
        passed_on: &[],
        is_file: true,
    };

    fn statements(table: &TableName) -> Statements {
        let words = Words {
            table: table.quoted(QUOTE),
            now: NOW,
            now_or_later: NOW,
            greatest: "max",
            is_late: "NULL",
            // Nothing is in between.
            echo: "",
            no_echo: "",
            version: "?",
        };
        let Words { table, now, .. } = &words;
        let remove = format!(
            "DELETE FROM {table} WHERE rowid IN \
             (SELECT rowid FROM {table} WHERE expires_at <= {now} ORDER BY expires_at LIMIT ?)"
        );
        Statements {
            load: words.load().into(),
            create: words.insert_or_take_over().into(),
            take_over: None,
            replace: words.replace().into(),
            look: words.look().into(),
            touch: words.touch("?").into(),
            delete: words.delete().into(),
            admissions: words.admissions().into(),
            listing: words.listing().into(),
            sweep: Sweeping { find: None, remove: remove.into(), batch: 0 },
        }
    }

    fn schema(table: &TableName) -> String {
        let (name, expiry, principal) =
            (table.quoted(QUOTE), table.beside(QUOTE, "_expires_at"), table.beside(QUOTE, "_principal"));
        format!(
            "CREATE TABLE IF NOT EXISTS {name} (\n    \
                 id BLOB NOT NULL PRIMARY KEY,\n    \
                 version INTEGER NOT NULL,\n    \
                 expires_at INTEGER NOT NULL,\n    \
                 principal BLOB,\n    \
                 payload BLOB NOT NULL\n\
             ) STRICT;\n\
             CREATE INDEX IF NOT EXISTS {expiry} ON {name} (expires_at);\n\
             CREATE INDEX IF NOT EXISTS {principal} ON {name} (principal) WHERE principal IS NOT NULL;\n"
        )
    }

    fn options(address: &Address, verb: Duration) -> Result<SqliteConnectOptions, Error> {
        let options = silent(SqliteConnectOptions::new())
            // Less than a verb has, so that it can say that it was the lock.
            .busy_timeout(verb / 2)
            .synchronous(SqliteSynchronous::Full);
        match &address.place {
            Place::File(path) => Ok(options.filename(path).create_if_missing(true)),
            Place::Memory | Place::Server(_) => Ok(options.in_memory(true)),
        }
    }

    fn code(error: &dyn DatabaseError) -> String {
        error.code().unwrap_or_default().into_owned()
    }

    fn meaning(error: &dyn DatabaseError) -> (Meaning, &'static str) {
        let code = error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default();
        meaning(code, error.message().starts_with("no such"))
    }

    /// A file that could be opened before is no wrong path.
    fn meaning_later(error: &dyn DatabaseError) -> (Meaning, &'static str) {
        match Self::code(error).parse::<u32>() {
            Ok(code) if code & 0xFF == CANTOPEN => (Meaning::NotHere(StoreErrorKind::Unavailable), CLOSED),
            Ok(_) | Err(_) => Self::meaning(error),
        }
    }

    fn change<'c>(connection: &'c mut SqliteConnection, step: &'c Step<'c>) -> Asking<'c, u64> {
        Box::pin(async move { Ok(execute::<Self>(connection, step, None).await?.rows_affected()) })
    }

    fn load<'c>(connection: &'c mut SqliteConnection, step: &'c Step<'c>) -> Asking<'c, Option<Stored>> {
        Box::pin(
            async move { one::<Self>(connection, step, None).await?.map(|row| stored(&row, 0)).transpose() },
        )
    }

    fn look<'c>(connection: &'c mut SqliteConnection, step: &'c Step<'c>) -> Asking<'c, Option<Look>> {
        Box::pin(async move { one::<Self>(connection, step, None).await?.as_ref().map(look).transpose() })
    }

    fn listing<'c>(connection: &'c mut SqliteConnection, step: &'c Step<'c>) -> Asking<'c, Listing> {
        Box::pin(listing::<Self>(connection, step, None, |_| Ok(())))
    }

    fn sweep<'c>(connection: &'c mut SqliteConnection, step: &'c Sweeping) -> Asking<'c, u64> {
        Box::pin(async move {
            let values = [Value::Number(step.batch.into())];
            let step = Step { sql: &step.remove, values: &values };
            Ok(execute::<Self>(connection, &step, None).await?.rows_affected())
        })
    }

    /// Nothing is in between.
    fn prove(_connection: &mut SqliteConnection) -> Asking<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn inspect<'c>(connection: &'c mut SqliteConnection, table: &'c TableName) -> Asking<'c, Findings> {
        Box::pin(async move {
            if table.schema().is_some() {
                return Ok(Findings::Refused("SQLite has no schemas: write `table`, not `schema.table`"));
            }
            let query = sqlx::query("SELECT type FROM sqlite_schema WHERE name = ?").bind(table.table());
            match query.fetch_optional(connection).await? {
                None => Ok(Findings::NoTable),
                Some(row) if row.try_get::<String, _>(0)? == "table" => {
                    Ok(Findings::Good { longest_payload: None })
                }
                Some(_) => Ok(Findings::Refused("what has the name of the table is no table")),
            }
        })
    }

    fn migrate<'c>(connection: &'c mut SqliteConnection, table: &'c TableName) -> Asking<'c, ()> {
        Box::pin(async move {
            // It stays with the file. Readers then never wait for a writer, nor it for them.
            connection.execute("PRAGMA journal_mode = WAL").await?;
            // The lock of the writer from the beginning: two that begin as readers would never both end.
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            // All that is in the text is of ours, or a checked name.
            transaction.execute(sqlx::raw_sql(AssertSqlSafe(Self::schema(table)))).await?;
            transaction.commit().await
        })
    }
}

/// What a result code means; the primary code is its lowest byte.
fn meaning(code: u32, no_such_table: bool) -> (Meaning, &'static str) {
    use StoreErrorKind::{Full, Misconfigured, Other, TooLarge, Unavailable};
    const SHM_IS_FULL: u32 = 4874;
    let (kind, advice) = match code & 0xFF {
        1 if no_such_table => (Misconfigured, "the table or a column is missing; call `migrate()`"),
        // BUSY, LOCKED.
        5 | 6 => return (Meaning::Collided, "the file is locked by somebody else"),
        // PERM, AUTH.
        3 | 23 => (Misconfigured, "the file may not be used"),
        // ABORT, NOMEM, INTERRUPT, PROTOCOL.
        4 | 7 | 9 | 15 => (Unavailable, ""),
        8 => (Misconfigured, "the file or its directory is read-only, or was replaced underneath"),
        10 if code == SHM_IS_FULL => (Full, "the disk is full"),
        11 => (Other, "the file is damaged"),
        13 => (Full, "the disk is full"),
        CANTOPEN if std::fs::File::open("/dev/null").is_err_and(|error| has_no_descriptor_left(&error)) => {
            return (Meaning::NotHere(Unavailable), NO_DESCRIPTOR);
        }
        CANTOPEN => (Misconfigured, "the file cannot be opened; check its directory and the rights there"),
        18 => (TooLarge, ""),
        26 => (Misconfigured, "the file is no SQLite database"),
        _ => (Other, ""),
    };
    (Meaning::Is(kind), advice)
}

#[cfg(test)]
mod tests;
