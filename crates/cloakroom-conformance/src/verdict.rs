//! Says what a store did and what the law wants.
#![allow(clippy::panic, reason = "a law panics when a store breaks it")]

use std::fmt::{Debug, Display};
use std::time::Duration;

use cloakroom_core::{Record, StoreError, StoreKey};

use crate::sample::is_genuine;

/// Ends the law.
#[track_caller]
pub(crate) fn broken(did: impl Display, wanted: impl Display) -> ! {
    panic!("the store broke the law: {did}; the law wants {wanted}");
}

/// Wants `what` to have been answered like this.
#[track_caller]
pub(crate) fn answered<T: PartialEq + Debug>(what: impl Display, got: &T, wanted: &T) {
    if got != wanted {
        broken(format_args!("{what} answered {got:?}"), format_args!("{wanted:?}"));
    }
}

/// Wants an answer, not an error: the backend is up.
#[track_caller]
pub(crate) fn no_error<T>(verb: &str, result: Result<T, StoreError>) -> T {
    match result {
        Ok(answer) => answer,
        Err(error) => broken(format_args!("{verb} failed ({:?}: {error})", error.kind()), "an answer"),
    }
}

/// Wants no record.
#[track_caller]
pub(crate) fn gone(when: impl Display, got: Option<&Record>) {
    if let Some(record) = got {
        broken(format_args!("load {when} found {record:?}"), "None");
    }
}

/// Wants this record, byte for byte; its time to live is not looked at.
#[track_caller]
pub(crate) fn kept(when: impl Display, got: Option<Record>, wanted: &Record) -> Record {
    let Some(got) = got else {
        broken(format_args!("load {when} found nothing"), format_args!("{wanted:?}"));
    };
    if got.version != wanted.version {
        broken(format_args!("load {when} found {got:?}"), format_args!("{wanted:?}"));
    }
    if got.payload != wanted.payload {
        broken(
            format_args!("load {when} found another payload, of {} bytes", got.payload.len()),
            format_args!("the {} bytes that were stored", wanted.payload.len()),
        );
    }
    got
}

/// Wants a time to live between these two, both included.
#[track_caller]
pub(crate) fn lives(when: impl Display, got: &Record, at_least: Duration, at_most: Duration) {
    if got.ttl < at_least || got.ttl > at_most || got.ttl.is_zero() {
        broken(
            format_args!("load {when} told {:?} left to live", got.ttl),
            format_args!("between {at_least:?} and {at_most:?}, and never zero"),
        );
    }
}

/// Wants a record that is whole and was written under this key.
#[track_caller]
pub(crate) fn is_whole(when: impl Display, key: &StoreKey, got: &Record) {
    if !is_genuine(key, got) {
        broken(
            format_args!("load {when} found a mixture, or a record of another key: {got:?}"),
            "a whole one",
        );
    }
}
