//! The store and the model store side by side.

use std::time::Duration;

use cloakroom_core::testing::ModelStore;
use cloakroom_core::{Freshness, Record, Store};
use proptest::prelude::*;

use crate::world::{key, now, store, tag, version};

#[derive(Clone, Debug)]
enum Step {
    Load(u64),
    Create(u64, Record),
    Replace(u64, u64, Record),
    Touch(u64, u64, Duration),
    Delete(u64),
    Wait(Duration),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few keys and versions, so that they meet; times that coincide to the millisecond.
    let at = || 0..6_u64;
    let tagged = || 1..6_u64;
    let time = || (0..20_u64).prop_map(Duration::from_millis);
    let bytes = proptest::collection::vec(any::<u8>(), 0..20);
    let written = (bytes, tagged(), time(), proptest::option::of(0..3_u8)).prop_map(
        |(payload, number, ttl, principal)| {
            Record::new(payload, version(number), ttl).with_principal(principal.map(tag))
        },
    );
    let step = prop_oneof![
        at().prop_map(Step::Load),
        (at(), written.clone()).prop_map(|(at, record)| Step::Create(at, record)),
        (at(), tagged(), written).prop_map(|(at, expected, record)| Step::Replace(at, expected, record)),
        (at(), tagged(), time()).prop_map(|(at, expected, ttl)| Step::Touch(at, expected, ttl)),
        at().prop_map(Step::Delete),
        time().prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn it_answers_as_the_model_does(steps in steps()) {
        let (store, clock) = store();
        let model = ModelStore::new(clock.clone());
        for step in steps {
            match step {
                Step::Load(at) => {
                    let loaded = now(store.load(&key(at), Freshness::Latest)).unwrap();
                    prop_assert_eq!(loaded, now(model.load(&key(at), Freshness::Latest)).unwrap());
                }
                Step::Create(at, record) => {
                    let created = now(store.create(&key(at), &record)).unwrap();
                    prop_assert_eq!(created, now(model.create(&key(at), &record)).unwrap());
                }
                Step::Replace(at, expected, record) => {
                    let replaced = now(store.replace(&key(at), version(expected), &record)).unwrap();
                    let expected = now(model.replace(&key(at), version(expected), &record)).unwrap();
                    prop_assert_eq!(replaced, expected);
                }
                Step::Touch(at, expected, ttl) => {
                    let touched = now(store.touch(&key(at), version(expected), ttl)).unwrap();
                    prop_assert_eq!(touched, now(model.touch(&key(at), version(expected), ttl)).unwrap());
                }
                Step::Delete(at) => {
                    let deleted = now(store.delete(&key(at))).unwrap();
                    prop_assert_eq!(deleted, now(model.delete(&key(at))).unwrap());
                }
                Step::Wait(time) => clock.advance(time),
            }
            prop_assert_eq!(store.len(), model.dump().len());
        }
    }
}
