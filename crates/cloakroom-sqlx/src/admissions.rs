//! The list of admissions: the places that logins of one principal have reserved before their records are written.
//!
//! It lies in one row of the table, beside the sessions. The README describes its bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use cloakroom_core::{Entry, PrincipalTag, StoreKey};
use sha2::{Digest as _, Sha256};

use crate::stored;

/// The first byte of a list.
const FORMAT: u8 = 1;

/// How long a place is: the key, and two times.
const PLACE: usize = 32 + 8 + 8;

/// The most places of one list. A place is free again when its record is seen, so that no more are taken than logins
/// are under way, and than have failed half way.
const MOST: usize = 8_192;

/// How long a list is kept at least after it was written.
///
/// Once it is gone, it has the version of no list again. By then nobody is on the way any more who has read that
/// before: no verb takes longer than a minute.
const KEPT: Duration = Duration::from_secs(120);

/// What the key of a list is a digest of, before the tag. That of a session is one of a text that begins otherwise.
const LABEL: &[u8] = b"cloakroom/v1/admissions";

/// The places that are reserved for a principal, each for a key. All times are milliseconds since 1970, by the
/// clock of the database.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Admissions(BTreeMap<StoreKey, Place>);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    /// When it was last reserved.
    entered_at: i64,
    /// The first moment at which it is free again; after `entered_at`.
    until: i64,
}

/// The key under which the list of a principal lies.
pub(crate) fn key_of(tag: &PrincipalTag) -> StoreKey {
    StoreKey::from_bytes(Sha256::new().chain_update(LABEL).chain_update(tag.as_bytes()).finalize().into())
}

impl Admissions {
    /// The list with these bytes; `None` where they are not exactly what [`to_bytes`](Self::to_bytes) gives.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&FORMAT, rest) = bytes.split_first()? else { return None };
        let (places, []) = rest.as_chunks::<PLACE>() else { return None };
        if places.len() > MOST {
            return None;
        }
        let mut list = BTreeMap::new();
        for place in places {
            let (key, times) = place.split_first_chunk::<32>()?;
            let (entered_at, until) = times.split_first_chunk::<8>()?;
            let place = Place {
                entered_at: i64::from_be_bytes(*entered_at),
                until: i64::from_be_bytes(until.try_into().ok()?),
            };
            let key = StoreKey::from_bytes(*key);
            let is_next = list.last_key_value().is_none_or(|(last, _)| *last < key);
            if !is_next || place.entered_at < 0 || place.until <= place.entered_at {
                return None;
            }
            list.insert(key, place);
        }
        Some(Self(list))
    }

    /// The bytes of the list; `None` where it is too long.
    pub(crate) fn to_bytes(&self) -> Option<Vec<u8>> {
        if self.0.len() > MOST {
            return None;
        }
        let mut bytes = vec![FORMAT];
        for (key, place) in &self.0 {
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(&place.entered_at.to_be_bytes());
            bytes.extend_from_slice(&place.until.to_be_bytes());
        }
        Some(bytes)
    }

    /// Reserves a place, or reserves it anew; a time to live that ends later stays.
    pub(crate) fn enter(&mut self, key: StoreKey, now: i64, ttl: Duration) {
        let until = now.saturating_add(1).saturating_add(stored::whole_millis(ttl));
        let before = self.0.get(&key).map_or(until, |place| place.until);
        self.0.insert(key, Place { entered_at: now, until: until.max(before) });
    }

    /// Frees a place.
    pub(crate) fn leave(&mut self, key: &StoreKey) {
        self.0.remove(key);
    }

    /// Frees the place if it was last reserved at least `age` ago, and tells whether it was.
    pub(crate) fn leave_aged(&mut self, key: &StoreKey, now: i64, age: Duration) -> bool {
        let is_aged = self.0.get(key).is_some_and(|place| place.age(now) >= age);
        is_aged && self.0.remove(key).is_some()
    }

    /// Frees all places whose time is over.
    pub(crate) fn expire(&mut self, now: i64) {
        self.0.retain(|_, place| place.until > now);
    }

    /// How long the row of this list has to live.
    pub(crate) fn ttl(&self, now: i64) -> Duration {
        let longest = self.0.values().map(|place| place.until).max().unwrap_or(now);
        millis_between(now, longest).max(KEPT)
    }

    /// The places, and for how long they have been reserved.
    pub(crate) fn entries(&self, now: i64) -> impl Iterator<Item = Entry> {
        self.0.iter().map(move |(key, place)| Entry::new(*key, place.age(now)))
    }
}

impl Place {
    fn age(self, now: i64) -> Duration {
        millis_between(self.entered_at, now)
    }
}

/// Nothing, where the clock of the database was set back.
fn millis_between(from: i64, to: i64) -> Duration {
    Duration::from_millis(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}

#[cfg(test)]
mod tests;
