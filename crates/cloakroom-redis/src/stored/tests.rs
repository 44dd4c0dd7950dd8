use std::time::Duration;

use cloakroom_core::{Record, Version};

use super::{millis, record, value};

fn version(tag: u64) -> Version {
    Version::new(tag).expect("not zero")
}

#[test]
fn value_is_version_big_endian_then_payload() {
    let record = Record::new(vec![0xAA, 0, 0xBB], version(0x0102_0304_0506_0708), Duration::ZERO);
    assert_eq!(value(&record), ([1, 2, 3, 4, 5, 6, 7, 8], &[0xAA, 0, 0xBB][..]));
}

#[test]
fn value_is_read_back() {
    for len in [0, 1, 7, 8, 9, 70_000] {
        let kept = Record::new(vec![7; len], version(u64::MAX), Duration::from_millis(1234));
        assert_eq!(record([&value(&kept).0, value(&kept).1].concat(), 1234), Some(kept));
    }
}

#[test]
fn foreign_values_are_not_records() {
    assert_eq!(record(vec![], 1), None);
    assert_eq!(record(vec![1; 7], 1), None);
    assert_eq!(record(vec![0; 8], 1), None);
    assert_eq!(record(vec![0; 90], 1), None);
    assert!(record(vec![1; 8], 1).is_some());
}

#[test]
fn key_without_expiry_has_no_time_left() {
    assert_eq!(record(vec![1; 8], -1).map(|record| record.ttl), Some(Duration::ZERO));
}

#[test]
fn time_to_live_is_rounded_up_and_bounded() {
    assert_eq!(millis(Duration::ZERO), 1);
    assert_eq!(millis(Duration::from_nanos(1)), 1);
    assert_eq!(millis(Duration::from_millis(1)), 1);
    assert_eq!(millis(Duration::from_micros(1001)), 2);
    assert_eq!(millis(Duration::from_secs(400 * 86_400)), 400 * 86_400_000);
    assert_eq!(millis(Duration::MAX), 10 * 365 * 86_400_000);
}
