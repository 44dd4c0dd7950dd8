use std::time::Duration;

use super::Lifetime;

fn ms(millis: u64) -> Lifetime {
    Lifetime::of(Duration::from_millis(millis))
}

#[test]
fn lifetimes_are_rounded_up_and_bounded() {
    assert_eq!(Lifetime::of(Duration::ZERO), ms(1));
    assert_eq!(Lifetime::of(Duration::from_nanos(1)), ms(1));
    assert_eq!(Lifetime::of(Duration::from_micros(1001)), ms(2));
    assert_eq!(Lifetime::of(Duration::MAX), ms(10 * 365 * 86_400_000));
}

#[test]
fn server_keeps_a_record_at_least_as_long() {
    for (millis, ticks) in [(1, 2), (999, 2), (1000, 2), (1001, 3), (60_000, 61), (86_400_000, 86_401)] {
        assert_eq!(ms(millis).ticks(), ticks, "{millis}");
    }
}

#[test]
fn time_left_is_never_more_than_asked_for() {
    for (millis, ticks, left) in [
        (1500, 3, 1500),
        (1500, 2, 500),
        (1500, 1, 0),
        (1500, 0, 0),
        // The server rounded a date up, or somebody else extended it.
        (1500, 4, 1500),
        (1500, i64::MAX, 1500),
        // No expiry at all: to be touched soon.
        (1500, -1, 0),
        (60_000, 61, 60_000),
        (60_000, 60, 59_000),
        (1, 2, 1),
        (1, 1, 0),
    ] {
        assert_eq!(ms(millis).left(ticks), Duration::from_millis(left), "{millis} at {ticks}");
    }
}

#[test]
fn bytes_are_read_back() {
    for lifetime in [ms(1), ms(1234), Lifetime::of(Duration::MAX)] {
        assert_eq!(Lifetime::from_be_bytes(lifetime.to_be_bytes()), Some(lifetime));
    }
    assert_eq!(Lifetime::from_be_bytes([0; 8]), None);
    assert_eq!(Lifetime::from_be_bytes([0xFF; 8]), None);
}
