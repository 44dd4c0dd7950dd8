use std::time::Duration;

use cloakroom_core::{PrincipalTag, Version};

use super::{Stored, Value, millis, record, version};

fn number(value: Value<'_>) -> i64 {
    match value {
        Value::Number(number) => number,
        Value::Bytes(_) | Value::Maybe(_) => panic!("no number"),
    }
}

fn row(version: i64, left: i64) -> Stored {
    Stored { payload: vec![1, 2], version, left, principal: Some(vec![3; 32]) }
}

#[test]
fn times_are_rounded_up_and_bounded() {
    let ten_years = 10 * 365 * 24 * 60 * 60 * 1000;
    for (ttl, wanted) in [
        (Duration::ZERO, 1),
        (Duration::from_nanos(1), 1),
        (Duration::from_millis(1), 1),
        (Duration::from_micros(1001), 2),
        (Duration::from_secs(400 * 24 * 60 * 60), 400 * 24 * 60 * 60 * 1000),
        (Duration::MAX, ten_years),
    ] {
        assert_eq!(number(millis(ttl)), wanted, "{ttl:?}");
    }
}

#[test]
fn versions_keep_all_their_bits() {
    for tag in [1, u64::MAX, 1 << 63, i64::MAX.unsigned_abs()] {
        let tag = Version::new(tag).expect("not zero");
        let found = record(row(number(version(tag)), 5)).expect("a record");
        assert_eq!(found.version, tag);
    }
}

#[test]
fn rows_become_records() {
    let found = record(row(7, 1500)).expect("a record");
    assert_eq!(found.payload, [1, 2]);
    assert_eq!(found.ttl, Duration::from_millis(1500));
    assert_eq!(found.principal, Some(PrincipalTag::from_bytes([3; 32])));
    assert_eq!(record(row(7, -1)).expect("a record").ttl, Duration::ZERO);
    assert!(record(row(0, 5)).is_none());
    assert!(record(Stored { principal: Some(vec![3; 31]), ..row(7, 5) }).is_none());
    assert_eq!(record(Stored { principal: None, ..row(7, 5) }).expect("a record").principal, None);
}
