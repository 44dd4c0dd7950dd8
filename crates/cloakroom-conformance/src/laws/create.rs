//! Loading and creating.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{
    Created, Deleted, Freshness, Record, Replaced, Store, StoreErrorKind, StoreKey, Touched,
};

use crate::crowd::at_once;
use crate::harness::Harness;
use crate::probe::{Probe, one, pick, two};
use crate::sample::{HOUR, fresh_version, key, record};
use crate::verdict::{answered, broken, gone, kept, no_error};

/// Wants payload and version back byte for byte, on every handle and for every freshness.
pub async fn created_record_is_loaded_back<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, record) = (key(1), record(&key(1), HOUR));
    one.begin(&key, &record).await;
    kept("after create", one.load(&key).await, &record);
    kept("after create, by another instance,", other.load(&key).await, &record);
    let recent = one.store().load(&key, Freshness::AtMost(Duration::from_secs(1))).await;
    kept("of a fresh enough record", no_error("load", recent), &record);
}

/// Wants an absent key to be `None`, not an error.
pub async fn load_of_unknown_key_is_none<H: Harness>(h: &H) {
    let one = one(h).await;
    gone("of a key in an empty store", one.load(&key(1)).await.as_ref());
    one.begin(&key(1), &record(&key(1), HOUR)).await;
    gone("of a key beside another one", one.load(&key(2)).await.as_ref());
}

/// Wants a look-up to leave no trace.
pub async fn load_creates_nothing<H: Harness>(h: &H) {
    let one = one(h).await;
    let before = h.dump(one.store()).await;
    for _ in 0..3 {
        gone("of an absent key", one.load(&key(1)).await.as_ref());
    }
    leaves_no_trace(h, &one, &key(1), before).await;
}

/// Wants a key in use to answer `Occupied` and to keep its record.
pub async fn create_never_overwrites<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, first) = (key(1), record(&key(1), HOUR));
    one.begin(&key, &first).await;
    for store in [&one, &other] {
        let second = record(&key, HOUR * 2);
        answered("create of a key in use", &store.create(&key, &second).await, &Created::Occupied);
        let got = kept("after a second create", store.load(&key).await, &first);
        if got.ttl > HOUR {
            broken("the second create extended the life of the first record", "it untouched");
        }
    }
}

/// Wants a retry after a lost reply to find its own write.
pub async fn create_with_its_own_version_in_place_is_created<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, record) = (key(1), record(&key(1), HOUR));
    one.begin(&key, &record).await;
    for store in [&one, &other] {
        let again = store.create(&key, &record).await;
        answered("create with the version that is in place", &again, &Created::Created);
    }
    kept("after a repeated create", one.load(&key).await, &record);
}

/// Wants exactly one of concurrent creates of one key to be `Created`, and that one's record in place.
pub async fn of_two_creates_one_wins<H: Harness>(h: &H) {
    let stores = two(h).await;
    for round in 0..24 {
        let key = key(round);
        // Two at a time in most rounds, a crowd in some.
        let count = if round % 4 == 0 { 12 } else { 2 };
        let answers = at_once(count, |number| {
            let store = pick(&stores, number).clone();
            let record = record(&key, HOUR);
            async move { (store.create(&key, &record).await, record) }
        })
        .await;
        let mut winners = answers.iter().filter(|(answer, _)| *answer == Created::Created);
        match (winners.next(), winners.count()) {
            (Some((_, winner)), 0) => {
                kept("after a race of creates", stores[0].load(&key).await, winner);
            }
            (Some(_), more) => broken(
                format_args!("{} of {count} concurrent creates answered Created", more + 1),
                "exactly one",
            ),
            (None, _) => {
                broken(format_args!("none of {count} concurrent creates answered Created"), "exactly one");
            }
        }
    }
}

/// Wants keys that differ in one bit, in case, in trailing zeros or blanks to be different keys.
pub async fn keys_that_differ_in_one_bit_are_different<H: Harness>(h: &H) {
    let one = one(h).await;
    let mut keys = vec![[0; 32], [b'A'; 32]];
    for base in [[0; 32], [b'A'; 32]] {
        keys.extend((0..256).map(|bit| with_flipped(base, bit, 0b1, 1)));
    }
    // In base64, 'A' and 'a' are 26 apart: keys whose names differ in the case of one letter.
    keys.extend((0..42).map(|letter| with_flipped([0; 32], letter * 6, 26, 6)));
    keys.sort_unstable();
    keys.dedup();
    keep_apart(&one, keys.into_iter().map(StoreKey::from_bytes).collect()).await;
}

/// Wants NUL, line ends, 0xFF and all other bytes back, at both ends and in between.
pub async fn payload_of_any_bytes_comes_back<H: Harness>(h: &H) {
    let one = one(h).await;
    let all: Vec<u8> = (0..=u8::MAX).collect();
    let mut payloads = vec![all.clone(), all.iter().rev().copied().collect(), all.repeat(3)];
    payloads.extend(all.iter().map(|byte| vec![*byte]));
    for ends in [b"\0\0", b"\r\n", b"\n\n", b"  ", b"\t ", b"\xff\xff", b"\"'", b"\\\\", b"$4"] {
        payloads.push([&ends[..], b"payload", &ends[..], b"payload", &ends[..]].concat());
    }
    for (number, payload) in (0..).zip(payloads) {
        let key = key(number);
        let what = format!("of {:?}", String::from_utf8_lossy(payload.get(..24).unwrap_or(&payload)));
        let first = Record::new(payload.clone(), fresh_version(), HOUR);
        one.begin(&key, &first).await;
        let got = one.load(&key).await;
        kept(format_args!("after create {what}"), got, &first);
        let second = Record::new(payload, fresh_version(), HOUR);
        let replaced = one.replace(&key, first.version, &second).await;
        answered("replace", &replaced, &Replaced::Replaced);
        let got = one.load(&key).await;
        kept(format_args!("after replace {what}"), got, &second);
    }
}

/// Wants 64 KiB kept whole; above the limit of the store, `TooLarge`, with the old record in place.
pub async fn largest_payload_comes_back_whole_or_is_too_large<H: Harness>(h: &H) {
    let one = one(h).await;
    let sized = |bytes: usize| {
        let pattern: Vec<u8> = (0..=250).collect();
        Record::new(pattern.into_iter().cycle().take(bytes).collect(), fresh_version(), HOUR)
    };
    let limit = h.largest_payload();
    let largest = limit.unwrap_or(2 << 20);
    for (number, bytes) in (0..).zip([65_535, 65_536, largest]) {
        let (key, small, whole) = (key(number), record(&key(100), HOUR), sized(bytes));
        one.begin(&key, &whole).await;
        let got = one.load(&key).await;
        kept(format_args!("after create of {bytes} bytes"), got, &whole);
        let replaced = one.replace(&key, whole.version, &small).await;
        answered("replace by a small record", &replaced, &Replaced::Replaced);
        let again = sized(bytes);
        let replaced = one.replace(&key, small.version, &again).await;
        answered(format_args!("replace by {bytes} bytes"), &replaced, &Replaced::Replaced);
        let got = one.load(&key).await;
        kept(format_args!("after replace by {bytes} bytes"), got, &again);
    }
    let Some(limit) = limit else { return };
    let (key, absent, old) = (key(50), key(51), record(&key(50), HOUR));
    one.begin(&key, &old).await;
    for bytes in [limit + 1, limit * 2] {
        let store = one.store();
        let created = store.create(&absent, &sized(bytes)).await;
        too_large("create", bytes, created.map_err(|error| error.kind()));
        gone("after a create that was too large", one.load(&absent).await.as_ref());
        let replaced = store.replace(&key, old.version, &sized(bytes)).await;
        too_large("replace", bytes, replaced.map_err(|error| error.kind()));
        kept("after a replace that was too large", one.load(&key).await, &old);
    }
}

/// Wants a thousand records to be kept, each with its own payload.
pub async fn many_records_are_kept_apart<H: Harness>(h: &H) {
    let one = one(h).await;
    keep_apart(&one, (0..1_000).map(key).collect()).await;
}

/// Wants two stores that were opened apart to share no record.
pub async fn namespaces_do_not_see_each_other<H: Harness>(h: &H) {
    let (here, there) = (one(h).await, one(h).await);
    let (key, ours, theirs) = (key(1), record(&key(1), HOUR), record(&key(1), HOUR));
    here.begin(&key, &ours).await;
    gone("in another namespace", there.load(&key).await.as_ref());
    there.begin(&key, &theirs).await;
    kept("after a create in another namespace", here.load(&key).await, &ours);
    answered("delete", &there.delete(&key).await, &Deleted::Deleted);
    kept("after a delete in another namespace", here.load(&key).await, &ours);
}

/// Wants every verb to find nothing under `key`, and the backend to look as it did before.
pub(crate) async fn leaves_no_trace<H: Harness>(
    h: &H,
    store: &Probe<H::Store>,
    key: &StoreKey,
    before: Option<Vec<u8>>,
) {
    if before != h.dump(store.store()).await {
        broken("the backend holds other bytes than before", "no trace");
    }
    gone("of a key that nobody created", store.load(key).await.as_ref());
    let record = record(key, HOUR);
    let replaced = store.replace(key, fresh_version(), &record).await;
    answered("replace of a key that nobody created", &replaced, &Replaced::Missing);
    let touched = store.touch(key, fresh_version(), HOUR).await;
    answered("touch of a key that nobody created", &touched, &Touched::Missing);
    answered("delete of a key that nobody created", &store.delete(key).await, &Deleted::Missing);
    store.begin(key, &record).await;
}

async fn keep_apart<S: Store>(store: &Probe<S>, keys: Vec<StoreKey>) {
    let records: Vec<_> = keys.into_iter().map(|key| (key, record(&key, HOUR))).collect();
    let records = Arc::new(records);
    let tasks = 8;
    let share = records.len().div_ceil(tasks);
    at_once(tasks, |number| {
        let (store, records) = (store.clone(), Arc::clone(&records));
        async move {
            for (key, record) in records.iter().skip(number * share).take(share) {
                store.begin(key, record).await;
            }
        }
    })
    .await;
    at_once(tasks, |number| {
        let (store, records) = (store.clone(), Arc::clone(&records));
        async move {
            for (key, record) in records.iter().skip(number * share).take(share) {
                kept("of one of many records", store.load(key).await, record);
            }
        }
    })
    .await;
}

/// Flips the set bits of `mask`, `width` bits wide, counted from the first bit of `base`.
fn with_flipped(mut base: [u8; 32], first: usize, mask: usize, width: usize) -> [u8; 32] {
    for offset in (0..width).filter(|offset| mask & (1 << (width - 1 - offset)) != 0) {
        let bit = first + offset;
        if let Some(byte) = base.get_mut(bit / 8) {
            *byte ^= 0x80 >> (bit % 8);
        }
    }
    base
}

#[track_caller]
fn too_large<T: std::fmt::Debug>(verb: &str, bytes: usize, got: Result<T, StoreErrorKind>) {
    if !matches!(got, Err(StoreErrorKind::TooLarge)) {
        broken(format_args!("{verb} of {bytes} bytes answered {got:?}"), "TooLarge");
    }
}
