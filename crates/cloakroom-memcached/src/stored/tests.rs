use std::time::Duration;

use cloakroom_core::Version;

use super::{Stored, parse, value};
use crate::lifetime::Lifetime;

fn version(tag: u64) -> Version {
    Version::new(tag).expect("not zero")
}

/// Golden: whoever changes this layout ends every session.
#[test]
fn value_is_version_and_lifetime_big_endian_then_payload() {
    let lifetime = Lifetime::of(Duration::from_millis(0x0A0B_0C0D));
    assert_eq!(
        value(version(0x0102_0304_0506_0708), lifetime, &[0xAA, 0, 0xBB]),
        [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0x0A, 0x0B, 0x0C, 0x0D, 0xAA, 0, 0xBB]
    );
}

#[test]
fn value_is_read_back() {
    let lifetime = Lifetime::of(Duration::from_secs(3));
    for len in [0, 1, 7, 8, 9, 70_000] {
        let kept = Stored { version: version(u64::MAX), lifetime, payload: vec![7; len] };
        assert_eq!(parse(value(kept.version, lifetime, &kept.payload)), Some(kept));
    }
}

#[test]
fn foreign_values_are_not_records() {
    let ours = value(version(1), Lifetime::of(Duration::from_secs(1)), b"payload");
    for len in 0..16 {
        assert_eq!(parse(ours[..len].to_vec()), None, "{len}");
    }
    assert_eq!(parse(vec![0; 90]), None);
    // A version without a lifetime, and a lifetime that nobody asks for.
    assert_eq!(parse([vec![1; 8], vec![0; 82]].concat()), None);
    assert_eq!(parse(vec![0xFF; 90]), None);
    assert!(parse(ours).is_some());
}
