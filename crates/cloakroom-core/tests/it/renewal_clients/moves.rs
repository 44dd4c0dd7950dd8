//! What may happen to clients, handlers and stores.

use cloakroom_core::StoreErrorKind;
use cloakroom_core::testing::{Failure, Verb};
use proptest::prelude::*;

use super::GRACE;

#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    /// A tab sends a request with the cookie of the moment.
    Send,
    /// A tab sends a request, which is answered at once.
    Request(u8),
    /// The thief copies the cookie.
    Steal,
    /// The thief sends a request with one of the tokens that he has.
    Abuse(u8),
    /// A request reaches an instance, whose handler asks for the session.
    Reach(u8),
    /// A handler works on.
    Work(u8, Work),
    /// A handler is done.
    Answer(u8),
    /// Two handlers are done at once.
    AnswerTwo(u8, u8),
    /// A handler is cut short in its commit, or before.
    Cut(u8, u8),
    /// A response arrives.
    Arrive(u8),
    /// A response is lost.
    Lose(u8),
    Wait(u64),
    /// A store call of one instance will fail.
    Fail(u8, Verb, Failure),
    Heal,
    /// Another instance writes with the second key.
    ChangeKeys,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    Update,
    Save,
    Remember,
}

/// What may happen.
pub(super) fn moves(period: u64) -> impl Strategy<Value = Vec<Move>> {
    use StoreErrorKind::{Ambiguous, Timeout, Unavailable};
    let wait = prop_oneof![
        Just(1),
        1..GRACE,
        Just(GRACE - 1),
        Just(GRACE),
        period - GRACE..period,
        Just(period),
        Just(2 * period + GRACE),
    ];
    let work = prop_oneof![4 => Just(Work::Update), 3 => Just(Work::Save), 1 => Just(Work::Remember)];
    let failure = prop_oneof![
        Just((Verb::Load, Failure::Before(Unavailable))),
        Just((Verb::Replace, Failure::Before(Unavailable))),
        Just((Verb::Replace, Failure::Before(Timeout))),
        Just((Verb::Replace, Failure::After(Ambiguous))),
        Just((Verb::Replace, Failure::After(Timeout))),
        Just((Verb::Touch, Failure::After(Timeout))),
        Just((Verb::Touch, Failure::Before(Unavailable))),
    ];
    let one = prop_oneof![
        8 => Just(Move::Send),
        8 => any::<u8>().prop_map(Move::Request),
        2 => Just(Move::Steal),
        5 => any::<u8>().prop_map(Move::Abuse),
        9 => any::<u8>().prop_map(Move::Reach),
        4 => (any::<u8>(), work).prop_map(|(at, work)| Move::Work(at, work)),
        8 => any::<u8>().prop_map(Move::Answer),
        3 => any::<(u8, u8)>().prop_map(|(one, two)| Move::AnswerTwo(one, two)),
        1 => (any::<u8>(), 0u8..4).prop_map(|(at, polls)| Move::Cut(at, polls)),
        8 => any::<u8>().prop_map(Move::Arrive),
        2 => any::<u8>().prop_map(Move::Lose),
        8 => wait.prop_map(Move::Wait),
        2 => (any::<u8>(), failure).prop_map(|(at, (verb, failure))| Move::Fail(at, verb, failure)),
        2 => Just(Move::Heal),
        1 => Just(Move::ChangeKeys),
    ];
    prop::collection::vec(one, 1..120)
}

/// Some periods between renewals.
pub(super) fn periods() -> impl Strategy<Value = u64> {
    prop_oneof![Just(GRACE), Just(2 * GRACE), Just(3 * GRACE), Just(10 * GRACE)]
}
