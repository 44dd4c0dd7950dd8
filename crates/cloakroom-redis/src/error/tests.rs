use std::error::Error as _;
use std::io;

use cloakroom_core::{ErrorKind, StoreErrorKind};
use redis::{RedisError, ServerError, Value};

use super::{Doubt, Effect, Failure, at_start, not_waited, refused, too_few_replicas, turned_away};

fn reply(line: &str) -> ServerError {
    match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
        Ok(Value::ServerError(error)) => error,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn every_error_reply_has_its_kind() {
    use StoreErrorKind::{Corrupt, Full, Misconfigured, Other, Unavailable};
    for (line, kind) in [
        ("LOADING Redis is loading the dataset in memory", Unavailable),
        ("MASTERDOWN Link with MASTER is down", Unavailable),
        ("CLUSTERDOWN The cluster is down", Unavailable),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Unavailable),
        ("BUSY Redis is busy running a script", Unavailable),
        ("UNKILLABLE Sorry the script already executed write commands", Unavailable),
        ("NOREPLICAS Not enough good replicas to write.", Unavailable),
        ("MISCONF Redis is configured to save RDB snapshots", Unavailable),
        ("OOM command not allowed when used memory > 'maxmemory'.", Full),
        ("READONLY You can't write against a read only replica.", Misconfigured),
        ("NOAUTH Authentication required.", Misconfigured),
        ("WRONGPASS invalid username-password pair", Misconfigured),
        ("NOPERM this user has no permissions", Misconfigured),
        ("DENIED Redis is running in protected mode", Misconfigured),
        ("MOVED 3999 127.0.0.1:6381", Misconfigured),
        ("ASK 3999 127.0.0.1:6381", Misconfigured),
        ("CROSSSLOT Keys in request don't hash to the same slot", Misconfigured),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", Corrupt),
        ("NOSCRIPT No matching script", Other),
        ("EXECABORT Transaction discarded", Other),
        ("ERR unknown command", Other),
        ("WHATEVER may come", Other),
    ] {
        assert_eq!(refused(&reply(line), Doubt::None).kind(), kind, "{line}");
    }
}

#[test]
fn text_of_the_server_is_never_repeated() {
    for line in [
        "ERR unknown command 'GETT', with args beginning with: 'cloakroom:SECRETKEY' ",
        "SECRETKEY:payload more",
        "WRONGPASS invalid password SECRETKEY",
        "SECRETKEYSECRETKEYSECRETKEYSECRETKEY x",
        "MOVED 3999 SECRETKEY:6381",
    ] {
        let error = refused(&reply(line), Doubt::None);
        let cause = error.source().expect("a cause");
        let shown =
            format!("{error} {error:?} {cause} {cause:?} {}", at_start(refused(&reply(line), Doubt::None)));
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}

#[test]
fn broken_connection_leaves_only_writes_in_doubt() {
    let lost = || Failure::Lost(RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe)));
    let kind = |failure: Failure, effect, doubt| failure.into_store_error(effect, doubt).kind();
    assert_eq!(kind(lost(), Effect::Write, Doubt::None), StoreErrorKind::Ambiguous);
    assert_eq!(kind(lost(), Effect::Read, Doubt::None), StoreErrorKind::Unavailable);
    assert_eq!(kind(Failure::Late, Effect::Read, Doubt::None), StoreErrorKind::Timeout);
    assert_eq!(kind(Failure::Late, Effect::Write, Doubt::None), StoreErrorKind::Timeout);
    let refused = || Failure::Unreached(RedisError::from(io::Error::from(io::ErrorKind::ConnectionRefused)));
    assert_eq!(kind(refused(), Effect::Write, Doubt::None), StoreErrorKind::Unavailable);
    // The first try may have gone through, whatever became of the second.
    assert_eq!(kind(lost(), Effect::Read, Doubt::EarlierTry), StoreErrorKind::Ambiguous);
    let loading = super::refused(&reply("LOADING Redis is loading"), Doubt::EarlierTry);
    assert_eq!(loading.kind(), StoreErrorKind::Ambiguous);
    assert_eq!(kind(refused(), Effect::Write, Doubt::EarlierTry), StoreErrorKind::Ambiguous);
}

#[test]
fn failed_dials_are_told_apart() {
    let io = |kind| RedisError::from(io::Error::from(kind));
    let select = RedisError::from((
        redis::ErrorKind::Server(redis::ServerErrorKind::ResponseError),
        "Redis server refused to switch database",
        "DB index is out of range".to_owned(),
    ));
    for (error, kind) in [
        (io(io::ErrorKind::ConnectionRefused), StoreErrorKind::Unavailable),
        (io(io::ErrorKind::NotFound), StoreErrorKind::Unavailable),
        (io(io::ErrorKind::TimedOut), StoreErrorKind::Unavailable),
        (io(io::ErrorKind::UnexpectedEof), StoreErrorKind::Unavailable),
        (io(io::ErrorKind::InvalidData), StoreErrorKind::Misconfigured),
        (io(io::ErrorKind::PermissionDenied), StoreErrorKind::Misconfigured),
        (reply("ERR max number of clients reached").into(), StoreErrorKind::Unavailable),
        (reply("LOADING Redis is loading").into(), StoreErrorKind::Unavailable),
        (reply("WRONGPASS invalid username-password pair").into(), StoreErrorKind::Misconfigured),
        (reply("NOAUTH HELLO must be called").into(), StoreErrorKind::Misconfigured),
        (select, StoreErrorKind::Misconfigured),
    ] {
        let shown = format!("{error}");
        let failure = Failure::Unreached(error);
        assert_eq!(failure.is_refusal(), kind == StoreErrorKind::Misconfigured, "{shown}");
        assert_eq!(failure.into_store_error(Effect::Write, Doubt::None).kind(), kind, "{shown}");
    }
}

#[test]
fn nobody_to_ask_is_no_effect_unless_there_was_one_who_was_asked() {
    for (kind, is_refusal) in [(StoreErrorKind::Unavailable, false), (StoreErrorKind::Misconfigured, true)] {
        let nobody = Failure::Nobody { kind, why: "nobody" };
        assert_eq!(nobody.is_refusal(), is_refusal);
        assert_eq!(nobody.clone().into_store_error(Effect::Write, Doubt::None).kind(), kind);
        let doubtful = nobody.into_store_error(Effect::Write, Doubt::EarlierTry);
        assert_eq!(doubtful.kind(), StoreErrorKind::Ambiguous);
    }
}

#[test]
fn write_that_lacks_replicas_may_be_tried_again() {
    for error in [too_few_replicas(), not_waited(&reply("NOPERM no right to wait"))] {
        assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
        assert!(error.is_ambiguous() && error.is_transient() && error.source().is_some(), "{error:?}");
    }
}

#[test]
fn start_tells_configuration_from_outage() {
    let wrong = at_start(refused(&reply("WRONGPASS invalid username-password pair"), Doubt::None));
    assert_eq!(wrong.kind(), ErrorKind::Misconfigured);
    assert!(wrong.to_string().contains("the user or the password"), "{wrong}");
    let loading = at_start(refused(&reply("LOADING Redis is loading"), Doubt::None));
    assert_eq!(loading.kind(), ErrorKind::Unavailable);
}

#[test]
fn only_what_another_connection_may_mend_is_asked_again() {
    assert!(turned_away(&reply("READONLY You can't write")));
    assert!(turned_away(&reply("NOAUTH Authentication required.")));
    assert!(!turned_away(&reply("NOPERM no")));
    assert!(!turned_away(&reply("LOADING no")));
}
