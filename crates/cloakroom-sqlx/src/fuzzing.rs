//! What the fuzz target calls: the reader of what a row says. No part of the API.

use std::time::Duration;

use cloakroom_core::StoreKey;

use crate::admissions::Admissions;

/// Takes the bytes for a list of admissions.
///
/// # Panics
///
/// What was read is not what was said, or a list that was changed is not one.
pub fn admissions(bytes: &[u8]) {
    let Some(mut list) = Admissions::parse(bytes) else { return };
    assert!(list.to_bytes().as_deref() == Some(bytes), "another list than the bytes say");
    let (key, now) = (StoreKey::from_bytes([7; 32]), 1 << 40);
    list.enter(key, now, Duration::from_secs(60));
    list.expire(now);
    assert!(list.entries(now).any(|entry| entry.key == key && entry.age.is_zero()), "it was not entered");
    if let Some(bytes) = list.to_bytes() {
        assert!(Admissions::parse(&bytes).is_some_and(|again| again == list), "a list of ours is not one");
    }
}
