//! The search against another one that remembers nothing, on all sorts of short histories.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::{Duration, Instant};

use cloakroom_core::Version;
use proptest::prelude::*;
use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester, SequentialSpec};

use super::{Found, Placed, search};
use crate::history::{Act, Answer, Written};
use crate::model::{Call, Model};
use crate::rules::{Resending, Rules};

impl SequentialSpec for Model {
    type Op = Call;
    type Ret = Answer;

    fn invoke(&mut self, call: &Call) -> Answer {
        self.take(call);
        Answer::Absent
    }

    fn is_valid_step(&mut self, call: &Call, answer: &Answer) -> bool {
        self.agrees(call, answer)
    }
}

/// What a search that tries all orders says.
fn all_orders(calls: &[Placed], model: Model) -> bool {
    let mut points = Vec::new();
    for (thread, placed) in calls.iter().enumerate() {
        points.push((placed.invoked, thread, None));
        points.extend(placed.returned.map(|(at, answer)| (at, thread, Some(answer))));
    }
    points.sort_by_key(|(at, ..)| *at);
    let mut tester = LinearizabilityTester::new(model);
    for (_, thread, answer) in points {
        match answer {
            None => tester.on_invoke(thread, calls.get(thread).unwrap().call).map(drop).unwrap(),
            Some(answer) => tester.on_return(thread, answer).map(drop).unwrap(),
        }
    }
    tester.is_consistent()
}

fn written(tag: u64) -> Written {
    Written { version: Version::new(tag).unwrap(), digest: tag, ttl: Duration::from_secs(3600) }
}

fn acts() -> impl Strategy<Value = (Act, Answer)> {
    let expected = || (1..4_u64).prop_map(|tag| Version::new(tag).unwrap());
    let tag = 1..4_u64;
    prop_oneof![
        (tag.clone(), any::<bool>()).prop_map(|(tag, found)| {
            (Act::Load, if found { Answer::Found(written(tag)) } else { Answer::Absent })
        }),
        (tag.clone(), any::<bool>()).prop_map(|(tag, created)| {
            (Act::Create(written(tag)), if created { Answer::Created } else { Answer::Occupied })
        }),
        (expected(), tag, 0..3_usize).prop_map(|(expected, tag, end)| {
            let end = [Answer::Replaced, Answer::Conflict, Answer::Missing].get(end).copied();
            (Act::Replace { expected, record: written(tag) }, end.unwrap())
        }),
        (expected(), 0..3_usize).prop_map(|(expected, end)| {
            let end = [Answer::Touched, Answer::Conflict, Answer::Missing].get(end).copied();
            (Act::Touch { expected, ttl: Duration::from_secs(3600) }, end.unwrap())
        }),
        any::<bool>()
            .prop_map(|deleted| { (Act::Delete, if deleted { Answer::Deleted } else { Answer::Missing }) }),
    ]
}

/// Up to seven calls; each has a place for its invocation and one for its return, if it returned.
fn histories() -> impl Strategy<Value = Vec<Placed>> {
    let call = (acts(), 0..40_u64, 1..20_u64, 0..4_u8);
    proptest::collection::vec(call, 1..8).prop_map(|calls| {
        let count = calls.len() as u64;
        let place = |((act, answer), from, length, open): &((Act, Answer), u64, u64, u8), number: u64| {
            // No two points in one place.
            let (invoked, ended) = (from * count + number, (from + length) * count + number);
            let returned = (*open > 0).then_some((ended, *answer));
            let at = Duration::from_millis;
            let call =
                Call { act: *act, invoked: at(invoked), returned: returned.map(|(ended, _)| at(ended)) };
            Placed { call, invoked, returned }
        };
        calls.iter().zip(0..).map(|(call, number)| place(call, number)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn search_agrees_with_one_that_tries_all_orders(calls in histories(), resends: bool) {
        let resending = if resends { Resending::AfterALostReply } else { Resending::Never };
        let model = || Model::new(Rules::strict().with_resending(resending));
        let expected = if all_orders(&calls, model()) { Found::Order } else { Found::Nothing };
        prop_assert_eq!(search(&calls, model()), expected);
    }
}

/// So many open writes, and a look at the end that none of them explains.
fn open_writes(count: u64, seen: u64) -> Vec<Placed> {
    let at = Duration::from_millis;
    let open = |number| {
        let expected = Version::new(number).unwrap();
        let act = Act::Replace { expected, record: written(number + 1) };
        Placed { call: Call { act, invoked: at(0), returned: None }, invoked: number, returned: None }
    };
    let ended = |act, from, answer| Placed {
        call: Call { act, invoked: at(from), returned: Some(at(from + 1)) },
        invoked: from,
        returned: Some((from + 1, answer)),
    };
    let mut calls: Vec<_> = (1..=count).map(open).collect();
    calls.push(ended(Act::Create(written(1)), 100, Answer::Created));
    calls.push(ended(Act::Load, 200, Answer::Found(written(seen))));
    calls
}

#[test]
fn open_calls_make_a_search_wider_and_never_endless() {
    let model = || Model::new(Rules::strict());
    let start = Instant::now();
    assert_eq!(search(&open_writes(12, 13), model()), Found::Order);
    assert_eq!(search(&open_writes(12, 14), model()), Found::Nothing);
    // More than can be looked at is told, not waited for.
    assert_eq!(search(&open_writes(60, 99), model()), Found::TooMuch);
    assert_eq!(search(&vec![*open_writes(1, 1).first().unwrap(); 129], model()), Found::TooMuch);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
