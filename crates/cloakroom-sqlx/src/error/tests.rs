use std::error::Error as _;
use std::io;

use cloakroom_core::StoreErrorKind::{self, Ambiguous, Misconfigured, Other, Timeout, Unavailable};

use super::{Doubt, Effect, Failure, Meaning, Remedy};

fn kind(failure: Failure, effect: Effect, doubt: Doubt) -> StoreErrorKind {
    failure.into_store_error("test", effect, doubt).kind()
}

/// A failure by name, and what a read, a write and a write in doubt answer then.
type Case = (&'static str, fn() -> Failure, [StoreErrorKind; 3]);

#[test]
fn failures_become_kinds_of_errors() {
    let reset = || sqlx::Error::Io(io::ErrorKind::ConnectionReset.into());
    let cases: [Case; 7] = [
        ("late", || Failure::Late, [Timeout, Timeout, Timeout]),
        (
            "lost",
            || Failure::broken(&sqlx::Error::Io(io::ErrorKind::ConnectionReset.into())),
            [Unavailable, Ambiguous, Ambiguous],
        ),
        ("ends", || Failure::said(Meaning::Ends, "57P01", ""), [Unavailable, Ambiguous, Ambiguous]),
        ("collided", || Failure::said(Meaning::Collided, "40001", ""), [Unavailable, Unavailable, Ambiguous]),
        ("other", || Failure::said(Meaning::Is(Other), "XX000", ""), [Other, Other, Ambiguous]),
        ("pool", || Failure::unreached(&sqlx::Error::PoolTimedOut), [Unavailable, Unavailable, Ambiguous]),
        (
            "greeting",
            || Failure::said(Meaning::Ends, "57P01", "").before_anything_was_sent(),
            [Unavailable, Unavailable, Ambiguous],
        ),
    ];
    for (what, failure, [read, write, in_doubt]) in cases {
        assert_eq!(kind(failure(), Effect::Read, Doubt::None), read, "{what}");
        assert_eq!(kind(failure(), Effect::Write, Doubt::None), write, "{what}");
        assert_eq!(kind(failure(), Effect::Write, Doubt::EarlierTry), in_doubt, "{what}");
    }
    assert!(Failure::broken(&reset()).may_have_taken_effect());
    assert!(!Failure::unreached(&reset()).may_have_taken_effect());
}

#[test]
fn failures_that_no_server_gave_have_a_remedy() {
    let io = |kind: io::ErrorKind| sqlx::Error::Io(kind.into());
    for (error, kind, remedy) in [
        (io(io::ErrorKind::UnexpectedEof), Unavailable, Remedy::OtherConnection),
        (io(io::ErrorKind::InvalidData), Misconfigured, Remedy::None),
        (io(io::ErrorKind::PermissionDenied), Misconfigured, Remedy::None),
        (sqlx::Error::Tls("no".into()), Misconfigured, Remedy::None),
        (sqlx::Error::Protocol("no".to_owned()), Misconfigured, Remedy::None),
        (sqlx::Error::PoolTimedOut, Unavailable, Remedy::None),
        (sqlx::Error::PoolClosed, Unavailable, Remedy::None),
        (sqlx::Error::WorkerCrashed, Unavailable, Remedy::None),
    ] {
        let failure = Failure::unreached(&error);
        assert_eq!(failure.remedy(), remedy, "{error:?}");
        assert_eq!(self::kind(failure, Effect::Write, Doubt::None), kind, "{error:?}");
    }
    let decoded = Failure::broken(&sqlx::Error::Decode("no".into()));
    assert_eq!(kind(decoded, Effect::Write, Doubt::None), Misconfigured);
}

#[test]
fn only_a_sound_connection_goes_back() {
    assert!(Failure::Late.spoils_the_connection());
    assert!(Failure::said(Meaning::Ends, "", "").spoils_the_connection());
    assert!(Failure::said(Meaning::NotHere(Misconfigured), "", "").spoils_the_connection());
    assert!(!Failure::said(Meaning::Collided, "", "").spoils_the_connection());
    assert!(!Failure::said(Meaning::Is(Other), "", "").spoils_the_connection());
}

#[test]
fn words_of_the_server_are_not_repeated() {
    for (code, advice, words) in [
        ("XX000", "", "the database answered with error XX000"),
        ("Duplicate entry 'key'", "", "the database answered with an error"),
        ("", "", "the database answered with an error"),
        ("42P01", "the table is missing", "the table is missing (error 42P01)"),
        ("key\u{7}", "the table is missing", "the table is missing"),
    ] {
        let error = Failure::said(Meaning::Is(Other), code, advice).into_store_error(
            "test",
            Effect::Read,
            Doubt::None,
        );
        assert_eq!(error.source().expect("a cause").to_string(), words);
    }
    let io = sqlx::Error::Io(io::Error::other("key s3cret"));
    let error = Failure::broken(&io).into_store_error("test", Effect::Read, Doubt::None);
    assert!(!format!("{error:?}").contains("s3cret"));
}
