//! What the error numbers of MySQL and MariaDB mean.

use cloakroom_core::StoreErrorKind;

use crate::error::Meaning;

/// What a number means, and what to do about it if that is known.
pub(super) fn of(number: u16) -> (Meaning, &'static str) {
    use StoreErrorKind::{Full, Misconfigured, Other, TooLarge, Unavailable};
    let is = Meaning::Is;
    match number {
        // Lock wait timeout, deadlock, and MariaDB's word for a row that changed since it was seen.
        1205 | 1213 | 1020 => (Meaning::Collided, ""),
        1040 | 1203 | 1226 => (Meaning::Collided, "the server has no connection left"),
        // Shutdown, start, killed, and idle for too long.
        1053 | 1077 | 1079 | 1927 | 3169 | 4031 | 1152 | 1184 => (Meaning::Ends, ""),
        1290 | 1792 | 1836 => (
            Meaning::NotHere(Misconfigured),
            "the server is a read replica or read-only; connect to the primary",
        ),
        // A statement that the connection no longer knows, or knows in another shape.
        1243 | 1615 => (Meaning::NotHere(Unavailable), ""),
        // Interrupted, out of time, out of memory, a node of Galera that is not ready, and too many statements.
        1317 | 1969 | 3024 | 1037 | 1038 | 1041 | 1047 | 1461 => (is(Unavailable), ""),
        3 | 1021 | 1114 => (is(Full), "the disk or the tablespace of the server is full"),
        1153 | 1301 | 1406 => (is(TooLarge), ""),
        1044 | 1045 | 1130 | 1131 | 1251 | 1275 | 1698 | 1820 | 1862 | 3118 | 3159 => (
            is(Misconfigured),
            "the server refuses the user, the password or the host; check them, percent-encoded, in the URL",
        ),
        1046 | 1049 => (is(Misconfigured), "the database of the URL does not exist; create it"),
        1142 | 1143 | 1227 | 1370 => (
            is(Misconfigured),
            "the user lacks a right; grant SELECT, INSERT, UPDATE and DELETE on the table, and CREATE for `migrate()`",
        ),
        1146 => (is(Misconfigured), "the table is missing; call `migrate()`, or run the text of `schema()`"),
        1054 | 1048 | 1136 | 1364 => {
            (is(Misconfigured), "the table is not the one of `schema()`; give sessions a table of their own")
        }
        1129 => (is(Misconfigured), "the server has blocked this host; FLUSH HOSTS"),
        1034 | 1194 | 1195 | 1712 => (is(Other), "the table is damaged"),
        _ => (is(Other), ""),
    }
}

#[cfg(test)]
mod tests;
