//! PostgreSQL.

mod meaning;
mod standby;

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::Error;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Postgres, Row as _};

use crate::dialect::{
    Asking, Dialect, Echo, Findings, Listing, Look, Speak, Statements, Step, Stored, Sweeping, Value, Words,
    answer, listing, look_behind_echo, prove, silent, stored_behind_echo,
};
use crate::error::Meaning;
use crate::table::TableName;
use crate::target::{Address, Form, Place, SEVERAL_HOSTS, authorities};

const QUOTE: char = '"';

/// The time at which it is evaluated: a statement that waited for a lock must not go by an older one.
const NOW: &str = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// The time at which the statement began: it is one number for all rows, so that an index can be used.
const THEN: &str = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

/// Who migrates holds this lock: two that create one table at once would get in each other's way.
const LOCK: i64 = i64::from_be_bytes(*b"cloakrom");

impl Dialect for Postgres {}

impl Speak for Postgres {
    const STORE: &'static str = "postgres";
    const TYPE: &'static str = "PostgresStore";
    const ONE_WRITER: bool = false;
    const FIRST_BATCH: u32 = 500;
    const FORM: Form = Form {
        database: "PostgreSQL",
        schemes: &["postgres", "postgresql"],
        shape: "postgres://user:password@host:port/database, user and password percent-encoded",
        passed_on: &["host", "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name"],
        is_file: false,
    };

    fn statements(table: &TableName) -> Statements {
        let words = Words {
            table: table.quoted(QUOTE),
            now: NOW,
            now_or_later: NOW,
            greatest: "greatest",
            is_late: "pg_is_in_recovery()",
            echo: "$1::bigint, ",
            no_echo: "NULL, ",
            version: "?",
        };
        let table = &words.table;
        // The array is made once, before anything is removed.
        let remove = format!(
            "DELETE FROM {table} WHERE id = ANY(ARRAY(SELECT id FROM {table} WHERE expires_at <= {THEN} \
             ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED))"
        );
        Statements {
            load: numbered(&words.load_with_echo(standby::ASKED)),
            create: counted(&words.insert_or_take_over()),
            take_over: None,
            replace: counted(&words.replace()),
            look: numbered(&words.look_with_echo()),
            touch: counted(&words.touch("?")),
            delete: counted(&words.delete()),
            admissions: numbered(&words.admissions()),
            listing: numbered(&words.listing()),
            sweep: Sweeping { find: None, remove: counted(&remove), batch: 0 },
        }
    }

    fn schema(table: &TableName) -> String {
        let name = table.quoted(QUOTE);
        let index = |suffix| format!("{QUOTE}{}{suffix}{QUOTE}", table.table());
        let (expiry, principal) = (index("_expires_at"), index("_principal"));
        format!(
            "CREATE TABLE IF NOT EXISTS {name} (\n    \
                 id BYTEA NOT NULL PRIMARY KEY,\n    \
                 version BIGINT NOT NULL,\n    \
                 expires_at BIGINT NOT NULL,\n    \
                 principal BYTEA,\n    \
                 payload BYTEA NOT NULL\n\
             );\n\
             CREATE INDEX IF NOT EXISTS {expiry} ON {name} (expires_at);\n\
             CREATE INDEX IF NOT EXISTS {principal} ON {name} (principal) WHERE principal IS NOT NULL;\n"
        )
    }

    fn options(address: &Address, _verb: Duration) -> Result<PgConnectOptions, Error> {
        let says = |what| Self::FORM.says(what);
        let Place::Server(server) = &address.place else { return Err(says("names no server")) };
        let mut options = silent(PgConnectOptions::new_without_pgpass())
            .host(server.host.as_deref().unwrap_or_default())
            .port(server.port.unwrap_or(5432))
            .username(&server.user)
            .password(server.password.as_deref().unwrap_or_default())
            .database(&server.database)
            .application_name("cloakroom");
        let (mut mode, mut root) = (None, None);
        for (name, value) in &address.passed_on {
            options = match *name {
                "host" if value.contains(',') && !value.starts_with('/') => return Err(says(SEVERAL_HOSTS)),
                "host" => options.host(value),
                "sslcert" => options.ssl_client_cert(value),
                "sslkey" => options.ssl_client_key(value),
                "application_name" => options.application_name(value),
                "sslrootcert" => {
                    root = Some(authorities(&Self::FORM, name, value)?);
                    options
                }
                _ => {
                    let known = value.parse::<PgSslMode>();
                    mode = Some(known.map_err(|_| says(
                        "has an `sslmode` that is none of `disable`, `prefer`, `require`, `verify-ca` and `verify-full`",
                    ))?);
                    options
                }
            };
        }
        if options.get_host().is_empty() {
            return Err(says("names no host"));
        }
        let options = match (mode, root) {
            (mode, Some(pem)) => options.ssl_mode(asking(mode)?).ssl_root_cert_from_pem(pem),
            (Some(mode), None) => options.ssl_mode(mode),
            // What the variables of libpq say, or `prefer`.
            (None, None) => options,
        };
        match options.get_ssl_mode() {
            // With libpq, the server may ask for TLS. The client library takes it for `disable`.
            PgSslMode::Allow => Err(says(
                "or PGSSLMODE says `allow`, with which nothing would ever be encrypted; write `prefer`, `require` or, so that nobody can get in between, `verify-full`",
            )),
            _ => Ok(options),
        }
    }

    fn meaning(error: &dyn DatabaseError) -> (Meaning, &'static str) {
        meaning::of(&Self::code(error))
    }

    fn change<'c>(connection: &'c mut PgConnection, step: &'c Step<'c>) -> Asking<'c, u64> {
        Box::pin(count(connection, step))
    }

    fn load<'c>(connection: &'c mut PgConnection, step: &'c Step<'c>) -> Asking<'c, Option<Stored>> {
        Box::pin(async move {
            let row = answer::<Self>(connection, step).await?;
            standby::refuse(&row)?;
            stored_behind_echo(&row)
        })
    }

    fn look<'c>(connection: &'c mut PgConnection, step: &'c Step<'c>) -> Asking<'c, Option<Look>> {
        Box::pin(async move { look_behind_echo(&answer::<Self>(connection, step).await?) })
    }

    fn listing<'c>(connection: &'c mut PgConnection, step: &'c Step<'c>) -> Asking<'c, Listing> {
        Box::pin(listing::<Self>(connection, step, Some(Echo::fresh()), standby::refuse))
    }

    fn sweep<'c>(connection: &'c mut PgConnection, step: &'c Sweeping) -> Asking<'c, u64> {
        Box::pin(async move {
            let values = [Value::Number(step.batch.into())];
            let step = Step { sql: &step.remove, values: &values };
            count(connection, &step).await
        })
    }

    fn prove(connection: &mut PgConnection) -> Asking<'_, ()> {
        Box::pin(prove::<Self>(connection, "bigint"))
    }

    fn inspect<'c>(connection: &'c mut PgConnection, table: &'c TableName) -> Asking<'c, Findings> {
        const LOOK: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', \
            (SELECT relpersistence::text FROM pg_class WHERE oid = to_regclass($1))";
        Box::pin(async move {
            let row = sqlx::query(LOOK).bind(table.quoted(QUOTE)).fetch_one(connection).await?;
            let (replica, read_only): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
            let persistence: Option<String> = row.try_get(2)?;
            Ok(match persistence.as_deref() {
                _ if replica => Findings::Refused(
                    "the server is a read replica, where a logout arrives late; connect to the primary",
                ),
                _ if read_only => Findings::Refused("transactions are read-only for this user or database"),
                None => Findings::NoTable,
                Some("u") => Findings::Refused(
                    "the table is UNLOGGED, so that a crash of the server empties it; ALTER TABLE … SET LOGGED",
                ),
                Some("t") => Findings::Refused("the table is a temporary one"),
                Some(_) => Findings::Good { longest_payload: None },
            })
        })
    }

    fn migrate<'c>(connection: &'c mut PgConnection, table: &'c TableName) -> Asking<'c, ()> {
        Box::pin(async move {
            // The lock goes with the transaction, however that ends.
            let mut transaction = connection.begin().await?;
            let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK);
            transaction.execute(lock).await?;
            // All that is in the text is of ours, or a checked name.
            transaction.execute(sqlx::raw_sql(AssertSqlSafe(Self::schema(table)))).await?;
            transaction.commit().await
        })
    }
}

/// Executes a statement that changes rows, and tells how many.
async fn count(connection: &mut PgConnection, step: &Step<'_>) -> Result<u64, sqlx::Error> {
    let rows: i64 = answer::<Postgres>(connection, step).await?.try_get(1)?;
    Ok(rows.unsigned_abs())
}

/// The mode in which an authority that the URL names is asked.
fn asking(mode: Option<PgSslMode>) -> Result<PgSslMode, Error> {
    match mode {
        None | Some(PgSslMode::VerifyFull) => Ok(PgSslMode::VerifyFull),
        // As libpq reads it; the client library would ask nobody.
        Some(PgSslMode::VerifyCa | PgSslMode::Require) => Ok(PgSslMode::VerifyCa),
        Some(PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer) => Err(Postgres::FORM.says(
            "names an authority, and an `sslmode` that does not ask it; write `verify-full`, or leave it out",
        )),
    }
}

/// The text of a change whose answer is one row: the echo, and how many rows were changed.
fn counted(text: &str) -> Arc<str> {
    numbered(&format!("WITH changed AS ({text} RETURNING 1) SELECT $1::bigint, count(*) FROM changed"))
}

/// The text with `$2`, `$3` and so on for its question marks: the first value is the echo.
fn numbered(text: &str) -> Arc<str> {
    let mut parts = text.split('?');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for (number, part) in (2..).zip(parts) {
        numbered.push_str(&format!("${number}{part}"));
    }
    numbered.into()
}

#[cfg(test)]
mod tests;
