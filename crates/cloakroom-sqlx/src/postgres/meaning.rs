//! What the error codes of PostgreSQL mean.

use cloakroom_core::StoreErrorKind;

use crate::error::Meaning;

/// What a code means, and what to do about it if that is known.
pub(super) fn of(code: &str) -> (Meaning, &'static str) {
    use StoreErrorKind::{Full, Misconfigured, Other, TooLarge, Unavailable};
    let is = Meaning::Is;
    match code {
        // Serialization failure, deadlock, a lock that is not to be had, no room for another connection.
        "40001" | "40P01" | "55P03" | "55006" => (Meaning::Collided, ""),
        "53300" => (Meaning::Collided, "the server has no connection left"),
        // Shutdown, crash of another process, start, idle for too long, and an outcome that it does not know.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" | "40003" => (Meaning::Ends, ""),
        _ if code.starts_with("08") => (Meaning::Ends, ""),
        "25006" => (
            Meaning::NotHere(Misconfigured),
            "the server is a read replica or read-only; connect to the primary",
        ),
        // A statement that the connection no longer knows, or knows in another shape.
        "26000" | "0A000" | "42P05" => (
            Meaning::NotHere(Misconfigured),
            "the connection forgets statements; a pooler in between must keep them for each client",
        ),
        "53100" => (is(Full), "the disk of the server is full"),
        "53000" | "53200" | "53400" => (is(Unavailable), "the server is short of memory or of descriptors"),
        "57014" => (is(Unavailable), "the server cancelled the statement"),
        "28P01" | "28000" => (
            is(Misconfigured),
            "the server refuses the user or the password; check both, percent-encoded, in the URL",
        ),
        "3D000" | "57P04" => (is(Misconfigured), "the database of the URL does not exist; create it"),
        "3F000" => (is(Misconfigured), "the schema of the table does not exist; create it"),
        "42501" => (
            is(Misconfigured),
            "the user lacks a right; grant SELECT, INSERT, UPDATE and DELETE on the table, and CREATE for `migrate()`",
        ),
        "42P01" => {
            (is(Misconfigured), "the table is missing; call `migrate()`, or run the text of `schema()`")
        }
        "42703" | "42804" | "42P10" => {
            (is(Misconfigured), "the table is not the one of `schema()`; give sessions a table of their own")
        }
        "XX001" | "XX002" => (is(Other), "the data of the server are damaged"),
        _ if code.starts_with("54") => (is(TooLarge), ""),
        _ if code.starts_with("28") || code.starts_with("42") => (is(Misconfigured), ""),
        _ => (is(Other), ""),
    }
}

#[cfg(test)]
mod tests;
