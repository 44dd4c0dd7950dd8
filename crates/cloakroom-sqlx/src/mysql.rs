//! MySQL and MariaDB.

mod meaning;

use std::time::Duration;

use cloakroom_core::Error;
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlQueryResult, MySqlSslMode};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySql, Row as _};

use crate::dialect::{
    Asking, Dialect, Echo, Findings, Listing, Look, Speak, Statements, Step, Stored, Sweeping, Value, Words,
    answer, bound, execute, listing, look_behind_echo, out_of_step, prove, silent, stored_behind_echo,
};
use crate::error::Meaning;
use crate::table::TableName;
use crate::target::{Address, Form, Place, authorities};

const QUOTE: char = '`';

/// The time at which the statement began. Neither the time zone of the connection nor the year 2038 have a part in it.
const NOW: &str = "(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(6)) DIV 1000)";

/// The time at which it is evaluated: by how much that is later is the same in every time zone. Not for statements that
/// write: replicas would repeat them at another time.
const NOW_OR_LATER: &str = "((TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(6)) \
    + TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6))) DIV 1000)";

/// A version, and a time to live, in a statement that changes a row: what `LAST_INSERT_ID` is given comes back with the count of
/// the rows, and is never 0.
const VERSION: &str = "IF(LAST_INSERT_ID(?) = 0, 0, ?)";
const TTL: &str = VERSION;

/// An insert that finds its key taken.
const DUPLICATE: u16 = 1062;

/// What a statement says around a payload, generously.
const AROUND_A_PAYLOAD: usize = 1024;

impl Dialect for MySql {}

impl Speak for MySql {
    const STORE: &'static str = "mysql";
    const TYPE: &'static str = "MysqlStore";
    const ONE_WRITER: bool = false;
    // MariaDB 10.11 with `max_statement_time`: of the deletes that it cut short, one in five said so.
    const MAY_LEAVE_A_ROW: bool = true;
    const NOTHING_IS_MUTE: bool = true;
    const FIRST_BATCH: u32 = 5;
    const FORM: Form = Form {
        database: "MySQL",
        schemes: &["mysql", "mariadb"],
        shape: "mysql://user:password@host:port/database, user and password percent-encoded",
        passed_on: &["socket", "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key"],
        is_file: false,
    };

    fn statements(table: &TableName) -> Statements {
        let words = Words {
            table: table.quoted(QUOTE),
            now: NOW,
            now_or_later: NOW_OR_LATER,
            greatest: "GREATEST",
            is_late: "NULL",
            echo: "CAST(? AS SIGNED), ",
            no_echo: "NULL, ",
            version: VERSION,
        };
        let Words { table, echo, .. } = &words;
        let find = format!(
            "SELECT {echo}id FROM {table} WHERE expires_at <= {NOW} ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED"
        );
        Statements {
            load: words.load_with_echo("").into(),
            create: words.insert().into(),
            take_over: Some(words.take_over().into()),
            replace: words.replace().into(),
            look: words.look_with_echo().into(),
            touch: words.touch(TTL).into(),
            delete: words.delete().into(),
            admissions: words.admissions().into(),
            listing: words.listing().into(),
            sweep: Sweeping {
                find: Some(find.into()),
                remove: format!("DELETE FROM {table} WHERE id = ").into(),
                batch: 0,
            },
        }
    }

    fn schema(table: &TableName) -> String {
        let name = table.quoted(QUOTE);
        let (expiry, principal) =
            (format!("`{}_expires_at`", table.table()), format!("`{}_principal`", table.table()));
        format!(
            "CREATE TABLE IF NOT EXISTS {name} (\n    \
                 id VARBINARY(32) NOT NULL PRIMARY KEY,\n    \
                 version BIGINT NOT NULL,\n    \
                 expires_at BIGINT NOT NULL,\n    \
                 principal VARBINARY(32),\n    \
                 payload MEDIUMBLOB NOT NULL,\n    \
                 INDEX {expiry} (expires_at),\n    \
                 INDEX {principal} (principal)\n\
             ) ENGINE=InnoDB;\n"
        )
    }

    fn options(address: &Address, _verb: Duration) -> Result<MySqlConnectOptions, Error> {
        let says = |what| Self::FORM.says(what);
        let Place::Server(server) = &address.place else { return Err(says("names no server")) };
        let mut options = silent(MySqlConnectOptions::new())
            .host(server.host.as_deref().unwrap_or_default())
            .port(server.port.unwrap_or(3306))
            .username(&server.user)
            .database(&server.database);
        if let Some(password) = &server.password {
            options = options.password(password);
        }
        let (mut mode, mut root) = (None, None);
        for (name, value) in &address.passed_on {
            options = match *name {
                "socket" => options.socket(value),
                "ssl-cert" => options.ssl_client_cert(value),
                "ssl-key" => options.ssl_client_key(value),
                "ssl-ca" => {
                    root = Some(authorities(&Self::FORM, name, value)?);
                    options
                }
                _ => {
                    let known = value.parse::<MySqlSslMode>();
                    mode = Some(known.map_err(|_| says(
                        "has an `ssl-mode` that is none of `DISABLED`, `PREFERRED`, `REQUIRED`, `VERIFY_CA` and `VERIFY_IDENTITY`",
                    ))?);
                    options
                }
            };
        }
        if options.get_host().is_empty() && options.get_socket().is_none() {
            return Err(says("names no host"));
        }
        Ok(match (mode, root) {
            (mode, Some(pem)) => options.ssl_mode(asking(mode)?).ssl_ca_from_pem(pem),
            (mode, None) => options.ssl_mode(mode.unwrap_or(MySqlSslMode::Preferred)),
        })
    }

    fn meaning(error: &dyn DatabaseError) -> (Meaning, &'static str) {
        meaning::of(number(error))
    }

    fn code(error: &dyn DatabaseError) -> String {
        number(error).to_string()
    }

    fn change<'c>(connection: &'c mut MySqlConnection, step: &'c Step<'c>) -> Asking<'c, u64> {
        Box::pin(async move {
            let echo = Echo::fresh();
            match execute::<Self>(connection, step, Some(echo)).await {
                Ok(done) => changed(&done, echo),
                Err(sqlx::Error::Database(error)) if number(&*error) == DUPLICATE => Ok(0),
                Err(error) => Err(error),
            }
        })
    }

    /// To that, no server of the kind brings anything back but the count.
    fn delete<'c>(connection: &'c mut MySqlConnection, step: &'c Step<'c>) -> Asking<'c, u64> {
        Box::pin(async move {
            let done = execute::<Self>(connection, step, None).await?;
            match (done.rows_affected(), done.last_insert_id()) {
                (rows @ 0..=1, 0) => Ok(rows),
                _ => Err(out_of_step()),
            }
        })
    }

    fn load<'c>(connection: &'c mut MySqlConnection, step: &'c Step<'c>) -> Asking<'c, Option<Stored>> {
        Box::pin(async move { stored_behind_echo(&answer::<Self>(connection, step).await?) })
    }

    fn look<'c>(connection: &'c mut MySqlConnection, step: &'c Step<'c>) -> Asking<'c, Option<Look>> {
        Box::pin(async move { look_behind_echo(&answer::<Self>(connection, step).await?) })
    }

    fn listing<'c>(connection: &'c mut MySqlConnection, step: &'c Step<'c>) -> Asking<'c, Listing> {
        Box::pin(listing::<Self>(connection, step, Some(Echo::fresh()), |_| Ok(())))
    }

    fn sweep<'c>(connection: &'c mut MySqlConnection, step: &'c Sweeping) -> Asking<'c, u64> {
        Box::pin(async move {
            let Some(find) = &step.find else { return Ok(0) };
            // Else the gaps between the rows that are found are locked as well, and with them new sessions.
            connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
            let mut transaction = connection.begin().await?;
            // All that is in the texts is of ours, a checked name, or bytes as digits.
            let values = [Value::Number(step.batch.into())];
            let (find, echo) = (Step { sql: find, values: &values }, Echo::fresh());
            let found = transaction.fetch_all(bound::<Self>(&find, Some(echo))?).await?;
            if found.is_empty() {
                transaction.commit().await?;
                return Ok(0);
            }
            // One by one, in one go: of a list of keys the server may make a walk over all rows, and wait there for
            // those that somebody else holds.
            let mut text = String::new();
            for row in &found {
                echo.is_in(Some(row))?;
                let id: Vec<u8> = row.try_get(1)?;
                let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
                text.push_str(&format!("{}x'{digits}';", step.remove));
            }
            let removed = transaction.execute(sqlx::raw_sql(AssertSqlSafe(text))).await?.rows_affected();
            transaction.commit().await?;
            Ok(removed)
        })
    }

    fn prove(connection: &mut MySqlConnection) -> Asking<'_, ()> {
        Box::pin(prove::<Self>(connection, "SIGNED"))
    }

    fn inspect<'c>(connection: &'c mut MySqlConnection, table: &'c TableName) -> Asking<'c, Findings> {
        const LOOK: &str = "SELECT CAST(VERSION() AS CHAR), CAST(@@global.read_only AS CHAR), \
            CAST(@@global.max_allowed_packet AS SIGNED), \
            (SELECT CAST(engine AS CHAR) FROM information_schema.tables \
             WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?)";
        Box::pin(async move {
            let query = sqlx::query(LOOK).bind(table.schema()).bind(table.table());
            let row = query.fetch_one(connection).await?;
            let (version, read_only): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let (packet, engine): (i64, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
            if !skips_locked_rows(&version) {
                return Ok(Findings::Refused("the server is older than MySQL 8.0 and MariaDB 10.6"));
            }
            if !matches!(read_only.as_str(), "0" | "OFF") {
                return Ok(Findings::Refused(
                    "the server is a read replica or read-only, where a logout arrives late or never; connect to the primary",
                ));
            }
            Ok(match engine {
                None => Findings::NoTable,
                Some(engine) if engine.eq_ignore_ascii_case("InnoDB") => Findings::Good {
                    longest_payload: usize::try_from(packet)
                        .ok()
                        .map(|packet| packet.saturating_sub(AROUND_A_PAYLOAD)),
                },
                Some(_) => Findings::Refused(
                    "the table is not of the engine InnoDB, without which writes are neither atomic nor durable; ALTER TABLE … ENGINE=InnoDB",
                ),
            })
        })
    }

    fn migrate<'c>(connection: &'c mut MySqlConnection, table: &'c TableName) -> Asking<'c, ()> {
        Box::pin(async move {
            // One statement, for which the server locks the name of the table.
            connection.execute(sqlx::raw_sql(AssertSqlSafe(Self::schema(table)))).await?;
            Ok(())
        })
    }
}

/// How many rows were found, whether or not a value changed: the library asks the server to count so.
///
/// Of a statement that found none, the server may not have come to the echo: that is [proved](Speak::prove) afterwards.
fn changed(done: &MySqlQueryResult, echo: Echo) -> Result<u64, sqlx::Error> {
    match (done.rows_affected(), done.last_insert_id()) {
        (0, 0) => Ok(0),
        (rows, number) => echo.is(number).map(|()| rows),
    }
}

/// The mode in which an authority that the URL names is asked.
fn asking(mode: Option<MySqlSslMode>) -> Result<MySqlSslMode, Error> {
    match mode {
        None | Some(MySqlSslMode::VerifyIdentity) => Ok(MySqlSslMode::VerifyIdentity),
        Some(MySqlSslMode::VerifyCa | MySqlSslMode::Required) => Ok(MySqlSslMode::VerifyCa),
        Some(MySqlSslMode::Disabled | MySqlSslMode::Preferred) => Err(MySql::FORM.says(
            "names an authority, and an `ssl-mode` that does not ask it; write `VERIFY_IDENTITY`, or leave it out",
        )),
    }
}

fn number(error: &dyn DatabaseError) -> u16 {
    error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number)
}

/// Whether the server is MySQL 8.0 or MariaDB 10.6, or newer.
fn skips_locked_rows(version: &str) -> bool {
    // What MariaDB says to clients that know only MySQL.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut numbers =
        version.split(|sign: char| !sign.is_ascii_digit()).map(|digits| digits.parse::<u32>().ok());
    let numbers = (numbers.next().flatten().unwrap_or(0), numbers.next().flatten().unwrap_or(0));
    numbers >= if version.contains("MariaDB") { (10, 6) } else { (8, 0) }
}

#[cfg(test)]
mod tests;
