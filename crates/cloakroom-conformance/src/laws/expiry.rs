//! Expiry.
//!
//! A law that waits begins with a short life. Where the machine was too slow to look before that life was
//! over, it begins again with a longer one, and fails if that does not help: it never passes unproved.

use std::time::{Duration, Instant};

use cloakroom_core::{Record, Replaced, StoreKey, Touched, Version};

use crate::harness::Harness;
use crate::probe::{Probe, one, two};
use crate::sample::{HOUR, MINUTE, fresh_version, key, record};
use crate::verdict::{answered, broken, gone, kept, lives};

const DAY: Duration = Duration::from_secs(86_400);

/// Wants a record to go at or shortly after its time to live, and never before.
pub async fn expired_record_is_gone<H: Harness>(h: &H) {
    let one = one(h).await;
    for (number, ttl) in lifetimes() {
        let (key, record) = (key(number), record(&key(number), ttl));
        let life = Life::begins(ttl);
        one.begin(&key, &record).await;
        h.elapse(ttl / 20 * 18).await;
        if !life.holds(one.load(&key).await, &record) {
            continue;
        }
        h.elapse(ttl / 20).await;
        // So near the end only a quick machine can tell; a slow one has told enough.
        let _ = life.holds(one.load(&key).await, &record);
        h.elapse(ttl / 20 + h.resolution()).await;
        gone("after the time to live", one.load(&key).await.as_ref());
        return;
    }
    too_slow();
}

/// Wants `Missing` from a replace after the time to live, whatever version it expects.
pub async fn expired_record_cannot_be_replaced<H: Harness>(h: &H) {
    let one = one(h).await;
    let (key, old) = expired(h, &one).await;
    let new = record(&key, HOUR);
    for expected in [old.version, new.version] {
        let answer = one.replace(&key, expected, &new).await;
        answered("replace of an expired record", &answer, &Replaced::Missing);
    }
    let answer = one.replace(&key, fresh_version(), &old).await;
    answered("replace by the expired record", &answer, &Replaced::Missing);
    gone("after a replace of an expired record", one.load(&key).await.as_ref());
}

/// Wants `Missing` from a touch after the time to live.
pub async fn expired_record_cannot_be_touched<H: Harness>(h: &H) {
    let one = one(h).await;
    let (key, old) = expired(h, &one).await;
    let answer = one.touch(&key, old.version, HOUR).await;
    answered("touch of an expired record", &answer, &Touched::Missing);
    gone("after a touch of an expired record", one.load(&key).await.as_ref());
}

/// Wants expiry to be absence: the key can be created again, and the new record lives its own life.
pub async fn expired_key_can_be_created_again<H: Harness>(h: &H) {
    let one = one(h).await;
    let (key, _) = expired(h, &one).await;
    let new = record(&key, HOUR);
    one.begin(&key, &new).await;
    let got = kept("after create of an expired key", one.load(&key).await, &new);
    lives("after create of an expired key", &got, HOUR - MINUTE, HOUR);
}

/// Wants the time left, never more than what was asked for, and less as time passes.
pub async fn load_tells_the_time_left<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let records: Vec<_> = (0..)
        .zip([MINUTE, HOUR, 12 * HOUR])
        .map(|(number, ttl)| (key(number), record(&key(number), ttl)))
        .collect();
    let step = Duration::from_millis(300) + h.resolution();
    let began = Instant::now();
    for (key, record) in &records {
        one.begin(key, record).await;
    }
    for steps in 0..3 {
        let passed = step * steps;
        if steps > 0 {
            h.elapse(step).await;
        }
        for (key, record) in &records {
            for store in [&one, &other] {
                let got = kept("of a living record", store.load(key).await, record);
                let spent = began.elapsed().max(passed) + h.resolution();
                let left = record.ttl.saturating_sub(passed) + due(h, passed);
                lives("of a living record", &got, record.ttl.saturating_sub(spent), left);
            }
        }
    }
}

/// Wants a touch to make a life longer, and to change neither payload nor version.
pub async fn touch_extends_a_life<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    for (number, ttl) in lifetimes() {
        let (key, record) = (key(number), record(&key(number), ttl));
        let life = Life::begins(ttl);
        one.begin(&key, &record).await;
        let answer = other.touch(&key, record.version, HOUR).await;
        if life.may_be_over() {
            continue;
        }
        answered("touch of a living record", &answer, &Touched::Touched);
        let got = kept("after touch", one.load(&key).await, &record);
        lives("after touch", &got, HOUR - MINUTE, HOUR);
        h.elapse(ttl + h.resolution()).await;
        kept("after the life before the touch", one.load(&key).await, &record);
        // A second touch counts from now, not on top of the first.
        answered("touch", &one.touch(&key, record.version, HOUR).await, &Touched::Touched);
        let got = kept("after two touches", other.load(&key).await, &record);
        lives("after two touches", &got, HOUR - MINUTE, HOUR);
        return;
    }
    too_slow();
}

/// Wants a touch with a smaller time to live to be a success without effect.
pub async fn touch_never_shortens_a_life<H: Harness>(h: &H) {
    let one = one(h).await;
    let (key, record) = (key(1), record(&key(1), HOUR));
    one.begin(&key, &record).await;
    let short = Duration::from_millis(150);
    for ttl in [MINUTE * 10, Duration::from_secs(1), short] {
        let answer = one.touch(&key, record.version, ttl).await;
        answered("touch with a smaller time to live", &answer, &Touched::Touched);
        let got = kept("after such a touch", one.load(&key).await, &record);
        lives("after such a touch", &got, HOUR - MINUTE, HOUR);
    }
    h.elapse(short + h.resolution()).await;
    kept("after the smaller time to live", one.load(&key).await, &record);
}

/// Wants `Conflict`, and no longer life, when another version is in place.
pub async fn touch_with_stale_version_is_conflict<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, old, new) = (key(1), record(&key(1), HOUR), record(&key(1), HOUR));
    one.begin(&key, &old).await;
    answered("replace", &one.replace(&key, old.version, &new).await, &Replaced::Replaced);
    let near = Version::new(new.version.get() ^ 1).unwrap_or(old.version);
    for stale in [old.version, near, fresh_version()] {
        for store in [&one, &other] {
            let answer = store.touch(&key, stale, HOUR * 2).await;
            answered("touch with a stale version", &answer, &Touched::Conflict);
            let got = kept("after a touch in conflict", store.load(&key).await, &new);
            lives("after a touch in conflict", &got, HOUR - MINUTE, HOUR);
        }
    }
}

/// Wants 1 ms, and less, to be neither zero nor for ever, in every verb that takes a time to live.
pub async fn short_lives_are_rounded_up<H: Harness>(h: &H) {
    let one = one(h).await;
    let lives: Vec<_> = [100_u64, 1_000, 1_500, 250_000, 900_000].map(Duration::from_micros).into();
    let keys: Vec<_> = (0..).map(key).zip(lives).collect();
    for (key, ttl) in &keys {
        let record = record(key, *ttl);
        let life = Life::begins(*ttl);
        one.begin(key, &record).await;
        // The shortest are over before a real server answers; a store with a clock of its own must hold them.
        let _ = life.holds(one.load(key).await, &record);
    }
    let late = sequel(&keys);
    for (key, ttl) in &late {
        let (old, new) = (record(key, HOUR), record(key, *ttl));
        one.begin(key, &old).await;
        answered("touch", &one.touch(key, old.version, *ttl).await, &Touched::Touched);
        let life = Life::begins(*ttl);
        let answer = one.replace(key, old.version, &new).await;
        answered(format_args!("replace with {ttl:?} to live"), &answer, &Replaced::Replaced);
        let _ = life.holds(one.load(key).await, &new);
    }
    h.elapse(Duration::from_millis(900) + h.resolution()).await;
    for (key, ttl) in keys.iter().chain(&late) {
        let got = one.load(key).await;
        gone(format_args!("after a life of {ttl:?}"), got.as_ref());
    }
}

/// Wants 400 days, and the limits on the way there, to come back as such from every verb.
pub async fn long_lives_do_not_overflow<H: Harness>(h: &H) {
    let one = one(h).await;
    // 2^31 ms are 24.9 days, 2^32 ms are 49.7 days; a relative time above 30 days may be taken for a date.
    for (number, days) in (0..).zip([25, 30, 31, 50, 400]) {
        let (key, long) = (key(number), DAY * days);
        let (created, replaced) = (record(&key, long), record(&key, long));
        let (at_least, at_most) = (long - MINUTE - h.resolution(), long);
        one.begin(&key, &created).await;
        let got = one.load(&key).await;
        let got = kept(format_args!("after create for {days} days"), got, &created);
        lives(format_args!("after create for {days} days"), &got, at_least, at_most);
        let answer = one.replace(&key, created.version, &replaced).await;
        answered(format_args!("replace for {days} days"), &answer, &Replaced::Replaced);
        let got = one.load(&key).await;
        let got = kept(format_args!("after replace for {days} days"), got, &replaced);
        lives(format_args!("after replace for {days} days"), &got, at_least, at_most);
        let short = record(&key, HOUR);
        let answer = one.replace(&key, replaced.version, &short).await;
        answered("replace for an hour", &answer, &Replaced::Replaced);
        let answer = one.touch(&key, short.version, long).await;
        answered(format_args!("touch for {days} days"), &answer, &Touched::Touched);
        let got = one.load(&key).await;
        let got = kept(format_args!("after touch for {days} days"), got, &short);
        lives(format_args!("after touch for {days} days"), &got, at_least, at_most);
    }
}

/// A record's life, timed from before the store was told of it.
struct Life {
    ttl: Duration,
    began: Instant,
}

impl Life {
    fn begins(ttl: Duration) -> Self {
        Self { ttl, began: Instant::now() }
    }

    fn may_be_over(&self) -> bool {
        self.began.elapsed() >= self.ttl
    }

    /// Wants the record; `false` when it was too late to want it.
    #[track_caller]
    fn holds(&self, got: Option<Record>, record: &Record) -> bool {
        if self.may_be_over() {
            return false;
        }
        kept(format_args!("within a life of {:?}", self.ttl), got, record);
        true
    }
}

/// Lives to try, each with a number for its key: the next one if the machine was too slow for the last.
fn lifetimes() -> impl Iterator<Item = (u64, Duration)> {
    (0..).zip([400, 1_600, 6_400].map(Duration::from_millis))
}

#[track_caller]
fn too_slow() -> ! {
    broken("it took seconds for what is asked in an instant, so nothing could be told", "an answer in time")
}

/// The key of a record that was created and has expired.
async fn expired<H: Harness>(h: &H, store: &Probe<H::Store>) -> (StoreKey, Record) {
    let ttl = Duration::from_millis(200);
    let (key, record) = (key(1), record(&key(1), ttl));
    store.begin(&key, &record).await;
    h.elapse(ttl + h.resolution()).await;
    (key, record)
}

/// By how much a told time to live may be above what is left: nothing at the start, else the resolution.
fn due<H: Harness>(h: &H, passed: Duration) -> Duration {
    if passed.is_zero() { Duration::ZERO } else { h.resolution() }
}

/// The same lives under other keys.
fn sequel(keys: &[(StoreKey, Duration)]) -> Vec<(StoreKey, Duration)> {
    (1_000..).map(key).zip(keys.iter().map(|(_, ttl)| *ttl)).collect()
}
