use std::time::Duration;

use cloakroom_core::{Entry, StoreKey};
use redis::Value;

use super::{micros, read, time};

const NOW: u64 = 1_700_000_000_000_000;

fn bytes(bytes: &[u8]) -> Value {
    Value::BulkString(bytes.to_vec())
}

fn pair(member: &[u8], score: f64) -> Value {
    Value::Array(vec![bytes(member), Value::Double(score)])
}

fn entered(key: u8, score: f64) -> Value {
    pair(&[&b"e"[..], &[key; 32]].concat(), score)
}

#[test]
fn list_is_read_with_its_version_and_ages() {
    let members = vec![
        pair(b"v", -4_503_599_627_370_495.0),
        entered(3, -1_700_000_000_000_500.0),
        entered(2, -1_700_000_000_000_000.0),
        entered(1, -1_699_999_999_000_000.0),
        pair(&[1; 32], 1_699_999_999_999_999.0),
        pair(&[2; 32], 1_700_000_000_000_000.0),
        pair(&[3; 32], 1_700_000_000_000_001.0),
    ];
    let list = read(NOW, members).unwrap();
    assert_eq!(list.version.get(), (1 << 52) - 1);
    // The first is over. The third was entered by somebody after we asked for the time.
    let entry = |key, age| Entry::new(StoreKey::from_bytes([key; 32]), Duration::from_micros(age));
    assert_eq!(list.entries, [entry(2, 0), entry(3, 0)]);
    let late = read(NOW - 1_000_000, vec![entered(1, -1_699_999_998_500_000.0), pair(&[1; 32], 1.8e15)]);
    assert_eq!(late.unwrap().entries, [entry(1, 500_000)]);
}

#[test]
fn no_list_is_an_empty_one() {
    let list = read(NOW, Vec::new()).unwrap();
    assert_eq!((list.entries, list.version.get()), (Vec::new(), 0));
}

#[test]
fn what_is_none_of_ours_is_no_list() {
    for member in [
        pair(b"", -1.0),
        pair(b"w", -1.0),
        pair(b"v", 1.0),
        pair(b"v", -1.5),
        pair(b"v", -1e16),
        pair(b"v", f64::NAN),
        pair(b"v", f64::NEG_INFINITY),
        pair(&[1; 31], 1.0),
        pair(&[1; 33], 1.0),
        // Nobody knows when it was entered.
        pair(&[1; 32], 1.8e15),
        entered(1, 1.0),
        Value::Array(vec![bytes(b"v")]),
        Value::Array(vec![bytes(b"v"), Value::Int(1)]),
        Value::Double(1.0),
        bytes(b"v"),
    ] {
        assert_eq!(read(NOW, vec![member.clone()]), None, "{member:?}");
    }
}

#[test]
fn time_is_told_in_two_numbers() {
    assert_eq!(time(&[bytes(b"1700000000"), bytes(b"7")]), Some(1_700_000_000_000_007));
    for parts in [vec![], vec![bytes(b"1")], vec![bytes(b"1"), bytes(b"x")], vec![Value::Int(1), bytes(b"1")]]
    {
        assert_eq!(time(&parts), None);
    }
    assert_eq!(time(&[bytes(b"18446744073709551615"), bytes(b"0")]), None);
}

#[test]
fn ages_are_rounded_up_and_bounded() {
    let of = |nanos| micros(Duration::from_nanos(nanos));
    assert_eq!([of(0), of(1), of(1_000), of(1_001)], [0, 1, 1, 2]);
    assert_eq!(micros(Duration::MAX), 1 << 53);
}
