use std::error::Error as _;
use std::io;

use cloakroom_core::{ErrorKind, StoreErrorKind};
use memcache::exp::{Error as ClientError, MetaResponse};

use super::{Cause, Doubt, Effect, Failure, Refusal, at_start};

/// What the client library makes of a line.
fn line(line: &str) -> ClientError {
    MetaResponse::parse_header(line.as_bytes()).expect_err(line)
}

#[test]
fn every_error_line_has_its_kind() {
    use StoreErrorKind::{Ambiguous, Full, Misconfigured, Other, TooLarge, Unavailable};
    for (text, kinds) in [
        ("SERVER_ERROR out of memory storing object", [Unavailable, Full, Full]),
        ("SERVER_ERROR Out of memory allocating new item", [Unavailable, Full, Full]),
        ("SERVER_ERROR object too large for cache", [Unavailable, TooLarge, Other]),
        ("SERVER_ERROR backend failure", [Unavailable, Ambiguous, Ambiguous]),
        ("SERVER_ERROR", [Unavailable, Ambiguous, Ambiguous]),
        ("CLIENT_ERROR unauthenticated", [Misconfigured; 3]),
        ("CLIENT_ERROR authentication failure", [Misconfigured; 3]),
        ("CLIENT_ERROR bad data chunk", [Misconfigured; 3]),
        ("CLIENT_ERROR", [Misconfigured; 3]),
        ("ERROR", [Unavailable; 3]),
        ("ERROR Too many open connections", [Unavailable; 3]),
    ] {
        let refusal = Refusal::of(&line(text)).expect(text);
        for (effect, kind) in [Effect::Look, Effect::Create, Effect::Change].into_iter().zip(kinds) {
            let error = Failure::Refused(refusal).into_store_error(effect, Doubt::None);
            assert_eq!(error.kind(), kind, "{text} {effect:?}");
            let error = Failure::Refused(refusal).into_store_error(effect, Doubt::EarlierTry);
            assert_eq!(error.kind(), Ambiguous, "{text} {effect:?}");
        }
    }
    assert_eq!(Refusal::of(&line("HELLO")), None);
}

#[test]
fn words_of_server_and_library_are_never_repeated() {
    let io = io::Error::other("SECRETKEY");
    for error in [
        line("CLIENT_ERROR bad command SECRETKEY"),
        line("SERVER_ERROR SECRETKEY is not mine"),
        line("SECRETKEY"),
        ClientError::Timeout { key: b"SECRETKEY".to_vec() },
        ClientError::Io(io),
        ClientError::Usage("SECRETKEY"),
    ] {
        let failure = match Refusal::of(&error) {
            Some(refusal) => Failure::Refused(refusal),
            None => Failure::Lost(Cause::of(&error)),
        };
        let error = failure.clone().into_store_error(Effect::Change, Doubt::None);
        let cause = error.source().expect("a cause");
        let shown = format!(
            "{error} {error:?} {cause} {cause:?} {failure:?} {}",
            at_start(failure.clone().into_store_error(Effect::Look, Doubt::None))
        );
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}

#[test]
fn only_what_may_have_taken_effect_is_in_doubt() {
    let cause = || Cause::from(io::Error::from(io::ErrorKind::BrokenPipe));
    let kind = |failure: Failure, effect, doubt| failure.into_store_error(effect, doubt).kind();
    let none = Doubt::None;
    assert_eq!(kind(Failure::Lost(cause()), Effect::Change, none), StoreErrorKind::Ambiguous);
    assert_eq!(kind(Failure::Lost(cause()), Effect::Create, none), StoreErrorKind::Ambiguous);
    assert_eq!(kind(Failure::Lost(cause()), Effect::Look, none), StoreErrorKind::Unavailable);
    assert_eq!(kind(Failure::Unreached(cause()), Effect::Change, none), StoreErrorKind::Unavailable);
    assert_eq!(kind(Failure::Unfit(cause()), Effect::Change, none), StoreErrorKind::Misconfigured);
    for effect in [Effect::Look, Effect::Create, Effect::Change] {
        assert_eq!(kind(Failure::Late, effect, none), StoreErrorKind::Timeout);
        // The first try may have gone through, whatever became of the second.
        for failure in [Failure::Lost(cause()), Failure::Unreached(cause()), Failure::Unfit(cause())] {
            assert_eq!(kind(failure, effect, Doubt::EarlierTry), StoreErrorKind::Ambiguous);
        }
    }
}

#[test]
fn start_tells_configuration_from_outage() {
    let refused = |refusal| at_start(Failure::Refused(refusal).into_store_error(Effect::Look, Doubt::None));
    let wrong = refused(Refusal::Unauthenticated);
    assert_eq!(wrong.kind(), ErrorKind::Misconfigured);
    assert!(wrong.to_string().contains("a user and a password"), "{wrong}");
    assert_eq!(refused(Refusal::Unknown).kind(), ErrorKind::Unavailable);
}
