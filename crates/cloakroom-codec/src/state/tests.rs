mod limits;

use std::cell::Cell;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::error::ErrorKind;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn count_call() {
    CALLS.set(CALLS.get() + 1);
}

/// How often this thread has looked at a state's bytes.
pub(crate) fn calls() -> u64 {
    CALLS.get()
}

fn empty() -> State {
    State::new(1, 2, 3, SecretHash::from_bytes([4; 32]))
}

fn small() -> Value {
    Value::encode("small").unwrap()
}

/// Of so many bytes, more than 65540.
fn value(len: usize) -> Value {
    let value = Value::encode(&"x".repeat(len - 5)).unwrap();
    assert_eq!(value.len(), len);
    value
}

fn login() -> Login {
    Login { principal: "ada".to_owned(), fingerprint: Some([5; 32]), labels: Vec::new() }
}

fn decode(bytes: &[u8]) -> Result<State, ErrorKind> {
    State::decode(Zeroizing::new(bytes.to_vec())).map_err(|error| error.kind())
}

fn encode(state: &State) -> Result<Vec<u8>, ErrorKind> {
    state.encode().map(|bytes| bytes.to_vec()).map_err(|error| error.kind())
}

/// Every field but the hashes, which have no equality of their own.
fn assert_same(left: &State, right: &State) {
    let numbers = |s: &State| (s.revision, s.generation, s.created_at, s.absolute_deadline, s.idle, s.flags);
    let options = |s: &State| {
        (
            s.authenticated_at,
            s.rotated_at,
            s.renewed_at,
            s.idle_deadline,
            s.lifetime_override,
            s.login.clone(),
        )
    };
    let hashes =
        |s: &State| (*s.secret_hash.as_bytes(), s.predecessor.map(|p| (*p.hash.as_bytes(), p.grace_ends)));
    assert_eq!(numbers(left), numbers(right));
    assert_eq!(options(left), options(right));
    assert_eq!(hashes(left), hashes(right));
    assert_eq!(left.values, right.values);
    assert_eq!(left.flashes, right.flashes);
    assert_eq!(left.extensions, right.extensions);
}

prop_compose! {
    fn logins()(
        principal in "\\PC{0,30}",
        fingerprint: Option<[u8; 32]>,
        labels in btree_map("\\PC{0,10}", "\\PC{0,40}", 0..5),
        backwards: bool,
    ) -> Login {
        let mut labels: Vec<_> = labels.into_iter().collect();
        if backwards {
            labels.reverse();
        }
        Login { principal, fingerprint, labels }
    }
}

prop_compose! {
    fn states()(
        numbers: [u64; 5],
        options: [Option<u64>; 5],
        login in option::of(logins()),
        hash: [u8; 32],
        predecessor: Option<([u8; 32], Option<u64>)>,
        flags: u64,
        values in btree_map("\\PC{1,20}", "\\PC{0,300}", 0..20),
        flashes in vec("\\PC{0,40}", 0..5),
        extensions in btree_map(0..0x8000_u16, vec(any::<u8>(), 0..40), 0..5),
    ) -> State {
        let [revision, generation, created_at, absolute_deadline, idle] = numbers;
        let [authenticated_at, rotated_at, renewed_at, idle_deadline, lifetime_override] = options;
        let mut state = State {
            revision,
            generation,
            authenticated_at,
            rotated_at,
            renewed_at,
            idle_deadline,
            lifetime_override,
            login,
            predecessor: predecessor
                .map(|(hash, grace_ends)| Predecessor { hash: SecretHash::from_bytes(hash), grace_ends }),
            flags: Flags::from_bits(flags),
            flashes: flashes.iter().map(|text| Value::encode(text).unwrap()).collect(),
            ..State::new(created_at, absolute_deadline, idle, SecretHash::from_bytes(hash))
        };
        for (key, text) in &values {
            state.values.insert(key, Value::encode(text).unwrap());
        }
        for (id, bytes) in extensions {
            state.extensions.insert(id, bytes);
        }
        state
    }
}

proptest! {
    #[test]
    fn a_state_comes_back(state in states()) {
        let bytes = encode(&state).unwrap();
        let again = State::decode(state.encode().unwrap()).unwrap();
        assert_same(&state, &again);
        prop_assert_eq!(encode(&again).unwrap(), bytes, "unknown flags and extensions with it");
    }

    #[test]
    fn values_answer_as_a_map_does(
        state in states(),
        steps in vec(("[a-c]{1,2}", option::of(any::<u8>())), 0..20),
    ) {
        // Half of the entries are ranges of a decoded buffer, the others are new.
        let mut values = State::decode(state.encode().unwrap()).unwrap().values;
        let mut model: std::collections::BTreeMap<String, Value> =
            values.iter().map(|(key, value)| (key.to_owned(), value)).collect();
        for (key, step) in steps {
            let (ours, theirs) = match step {
                Some(number) => {
                    let value = Value::encode(&number).unwrap();
                    (values.insert(&key, value.clone()), model.insert(key.clone(), value))
                }
                None => (values.remove(&key), model.remove(&key)),
            };
            prop_assert_eq!(ours, theirs);
            prop_assert_eq!(values.get(&key), model.get(&key).cloned());
            prop_assert_eq!(values.contains(&key), model.contains_key(&key));
        }
        prop_assert!(values.iter().eq(model.iter().map(|(key, value)| (key.as_str(), value.clone()))));
        prop_assert!(values.keys().eq(model.keys()));
        prop_assert_eq!((values.len(), values.is_empty()), (model.len(), model.is_empty()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_bytes_are_a_state_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_read_is_what_would_be_written(
        state in states(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&state).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(state) = decode(&bytes) {
            prop_assert_eq!(encode(&state), Ok(bytes));
        }
    }
}

#[test]
fn cut_or_continued_bytes_are_malformed() {
    let mut state = empty();
    state.login = Some(Login { labels: vec![("device".to_owned(), "phone".to_owned())], ..login() });
    state.predecessor = Some(Predecessor { hash: state.secret_hash, grace_ends: Some(9) });
    state.values.insert("key", small());
    state.flashes.push(small());
    state.extensions.insert(1, vec![1]);
    let bytes = encode(&state).unwrap();
    for len in 0..bytes.len() {
        assert_eq!(decode(&bytes[..len]).err(), Some(ErrorKind::Malformed), "{len} bytes");
    }
    assert_eq!(decode(&[&bytes[..], &[0xc0]].concat()).err(), Some(ErrorKind::Malformed));
}

#[test]
fn unknown_extensions_are_kept_unless_critical() {
    for (id, outcome) in [
        (0, None),
        (0x7fff, None),
        (0x8000, Some(ErrorKind::Unsupported)),
        (0xffff, Some(ErrorKind::Unsupported)),
    ] {
        let mut state = empty();
        assert!(state.extensions.is_empty());
        state.extensions.insert(id, vec![1, 2, 3]);
        assert_eq!((state.extensions.is_empty(), state.extensions.len()), (false, 1));
        let read = decode(&encode(&state).unwrap());
        assert_eq!(read.as_ref().err().copied(), outcome, "{id:#x}");
        if let Ok(read) = read {
            assert_eq!(read.extensions.get(id), Some(&[1, 2, 3][..]));
        }
    }
}

#[test]
fn another_schema_is_unsupported_and_not_malformed() {
    let mut bytes = encode(&empty()).unwrap();
    assert_eq!(bytes[..4], [0xdc, 0, 18, 1]);
    bytes[3] = 2;
    assert_eq!(decode(&bytes).err(), Some(ErrorKind::Unsupported));
    // A later schema may have more fields.
    assert_eq!(decode(&[0x92, 2, 0xc0]).err(), Some(ErrorKind::Unsupported));
    assert_eq!(decode(&[0x92, 1, 0xc0]).err(), Some(ErrorKind::Malformed));
}

#[test]
fn reading_one_key_decodes_one() {
    let mut state = empty();
    for key in ["a", "b", "c"] {
        state.values.insert(key, small());
    }
    let bytes = state.encode().unwrap();
    let before = crate::scan::tests::calls();
    let state = State::decode(bytes).unwrap();
    assert_eq!(crate::scan::tests::calls(), before, "none is looked at");
    let _: String = state.values.get("b").unwrap().decode().unwrap();
    assert_eq!(crate::scan::tests::calls(), before + 1, "one is");
}

#[test]
fn debug_does_not_leak_what_a_session_holds() {
    let mut state = empty();
    state.login = Some(Login {
        labels: vec![("canary".to_owned(), "canary".to_owned())],
        principal: "canary".to_owned(),
        ..login()
    });
    state.values.insert("canary", Value::encode("canary").unwrap());
    state.flashes.push(Value::encode("canary").unwrap());
    state.predecessor = Some(Predecessor { hash: SecretHash::from_bytes([0xca; 32]), grace_ends: None });
    let shown =
        format!("{state:?} {:?} {:?} {:?} {:?}", state.login, state.values, state.flashes, state.predecessor);
    assert!(!shown.contains("canary") && !shown.contains("202"), "{shown}");
}

#[test]
fn flags_are_set_cleared_and_looked_at_bit_by_bit() {
    let [none, one, two, both] = [0, 1, 2, 3].map(Flags::from_bits);
    for (flags, wanted, contains) in [
        (none, none, true),
        (none, one, false),
        (one, one, true),
        (one, two, false),
        (one, both, false),
        (both, one, true),
        (both, both, true),
        (two, none, true),
    ] {
        assert_eq!(flags.contains(wanted), contains, "{flags:?} {wanted:?}");
    }
    assert_eq!([one.with(two), one.with(one), none.with(two), both.with(one)], [both, one, two, both]);
    assert_eq!(
        [both.without(one), one.without(two), one.without(one), two.without(both)],
        [two, one, none, none]
    );
}

#[test]
fn values_of_states_are_equal_by_names_and_bytes() {
    let of = |name: &str, value: u64| {
        let mut state = empty();
        state.values.insert(name, Value::encode(&value).unwrap());
        state.values
    };
    assert_eq!(of("a", 1), of("a", 1));
    for other in [of("a", 2), of("b", 1), empty().values] {
        assert_ne!(of("a", 1), other);
    }
}
