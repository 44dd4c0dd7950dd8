//! Calls drawn at random, and whether two stores answer them alike.

use std::time::Duration;

use cloakroom_core::{Freshness, Record, Store, StoreKey, Version};

use crate::dice::Dice;
use crate::sample::{HOUR, MINUTE, fresh_version, key, record_with};
use crate::verdict::no_error;

/// One call of one verb.
pub(super) enum Operation {
    Load(StoreKey),
    Create(StoreKey, Record),
    Replace(StoreKey, Version, Record),
    Touch(StoreKey, Version, Duration),
    Delete(StoreKey),
}

impl Operation {
    /// Any verb, on one of four keys, with one of five versions, so that they meet.
    pub(super) fn any(dice: &mut Dice, first_key: u64) -> Self {
        let key = key(first_key + dice.roll(4));
        let mut version = || Version::new(1 + dice.roll(5)).unwrap_or_else(fresh_version);
        let (one, other) = (version(), version());
        let hours = u32::try_from(1 + dice.roll(48)).unwrap_or(1);
        let record = record_with(&key, one, HOUR * hours);
        match dice.roll(16) {
            0..=2 => Self::Load(key),
            3..=5 => Self::Create(key, record),
            6..=11 => Self::Replace(key, other, record),
            12..=14 => Self::Touch(key, other, HOUR * hours),
            _ => Self::Delete(key),
        }
    }

    /// Asks a store.
    pub(super) async fn run<S: Store>(&self, store: &S) -> Answer {
        match self {
            Self::Load(key) => Answer::Found(no_error("load", store.load(key, Freshness::Latest).await)),
            Self::Create(key, record) => word(no_error("create", store.create(key, record).await)),
            Self::Replace(key, expected, record) => {
                word(no_error("replace", store.replace(key, *expected, record).await))
            }
            Self::Touch(key, expected, ttl) => {
                word(no_error("touch", store.touch(key, *expected, *ttl).await))
            }
            Self::Delete(key) => word(no_error("delete", store.delete(key).await)),
        }
    }

    /// What it does, with the last byte of its key.
    pub(super) fn name(&self) -> String {
        let last = |key: &StoreKey| key.as_bytes().last().copied().unwrap_or_default();
        match self {
            Self::Load(key) => format!("load {:02x}", last(key)),
            Self::Create(key, new) => format!("create {:02x} as {}", last(key), new.version.get()),
            Self::Replace(key, expected, new) => {
                format!("replace {:02x} {} by {}", last(key), expected.get(), new.version.get())
            }
            Self::Touch(key, expected, ttl) => {
                format!("touch {:02x} {} for {ttl:?}", last(key), expected.get())
            }
            Self::Delete(key) => format!("delete {:02x}", last(key)),
        }
    }
}

/// What a store said.
#[derive(Debug)]
pub(super) enum Answer {
    Found(Option<Record>),
    Word(String),
}

impl Answer {
    /// Whether this is what the model said, on whose clock no time passes.
    pub(super) fn agrees(&self, model: &Self, resolution: Duration) -> bool {
        match (self, model) {
            (Self::Found(Some(got)), Self::Found(Some(wanted))) => {
                got.version == wanted.version
                    && got.payload == wanted.payload
                    && got.ttl <= wanted.ttl
                    && got.ttl + MINUTE + resolution >= wanted.ttl
            }
            (Self::Found(None), Self::Found(None)) => true,
            (Self::Word(got), Self::Word(wanted)) => got == wanted,
            _ => false,
        }
    }
}

fn word(answer: impl std::fmt::Debug) -> Answer {
    Answer::Word(format!("{answer:?}"))
}
