use std::time::Duration;

use tokio::time::Instant;

use super::Facts;
use crate::interview::Told;
use crate::lifetime::Lifetime;

const DAY: Duration = Duration::from_secs(86_400);

fn facts(time: u64) -> Facts {
    Facts::new(Told { item_size_max: 1 << 20, time }, Instant::now(), 0)
}

#[test]
fn expiry_is_seconds_up_to_30_days_and_then_a_date_of_the_server() {
    let facts = facts(1_000_000_000);
    for (lifetime, expiry) in [
        (Duration::ZERO, 2),
        (Duration::from_millis(1), 2),
        (Duration::from_secs(1), 2),
        (Duration::from_millis(1001), 3),
        (DAY * 30 - Duration::from_secs(1), 2_592_000),
    ] {
        assert_eq!(facts.expiry(Lifetime::of(lifetime)), expiry, "{lifetime:?}");
    }
    // One second more is one too many for a number of seconds.
    for lifetime in [DAY * 30, DAY * 31, DAY * 400] {
        let seconds = u32::try_from(lifetime.as_secs()).expect("it fits");
        let expiry = facts.expiry(Lifetime::of(lifetime)) - 1_000_000_000 - seconds;
        // The extra tick, and what passed since the server was asked, rounded up.
        assert!((1..=10).contains(&expiry), "{lifetime:?}: {expiry}");
    }
}

#[test]
fn date_stays_below_what_the_server_takes_for_negative() {
    assert_eq!(facts(2_100_000_000).expiry(Lifetime::of(Duration::MAX)), 0x7FFF_FFFF);
    assert_eq!(facts(u64::MAX).expiry(Lifetime::of(DAY * 31)), 0x7FFF_FFFF);
}

#[test]
fn facts_hold_until_a_connection_ends_and_dates_for_ten_minutes() {
    let short = Lifetime::of(DAY);
    let long = Lifetime::of(DAY * 31);
    let fresh = facts(1);
    assert!(fresh.hold(short, 0) && fresh.hold(long, 0));
    assert!(!fresh.hold(short, 1) && !fresh.hold(long, 1));
    let Some(past) = Instant::now().checked_sub(Duration::from_secs(601)) else { return };
    let old = Facts::new(Told { item_size_max: 1, time: 1 }, past, 0);
    assert!(old.hold(short, 0) && !old.hold(long, 0));
}
