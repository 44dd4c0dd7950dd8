//! What the fuzz targets call: the readers of what a server says. No part of the API.
#![allow(clippy::panic, reason = "what must not be is told by a panic")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::connection::Connection;
use crate::error::{Cause, Doubt, Effect, Failure, Refusal};
use crate::facts::Facts;
use crate::interview;
use crate::item_size::LARGEST;
use crate::lifetime::Lifetime;
use crate::request::{Reply, Written};
use crate::stored;

/// Takes the bytes for all that comes on one connection, each reply for one to every kind of request; how many there were.
///
/// # Panics
///
/// A reply says what was not said.
#[must_use]
pub fn replies(bytes: &[u8]) -> usize {
    let mut connection = Connection::new(bytes);
    let mut count = 0;
    loop {
        let received = at_once(connection.receive());
        let reply = match received {
            Ok(reply) => reply,
            Err(error) => {
                let failure =
                    Refusal::of(&error).map_or_else(|| Failure::Lost(Cause::of(&error)), Failure::Refused);
                for effect in [Effect::Look, Effect::Create, Effect::Change] {
                    let error = failure.clone().into_store_error(effect, Doubt::EarlierTry);
                    assert!(error.is_ambiguous(), "{error:?} forgets the doubt");
                }
                return count;
            }
        };
        count += 1;
        let value = reply.value.clone();
        match Reply::Meta(Box::new(reply.clone())).found() {
            Ok(Some(found)) => {
                assert!(value.as_ref() == Some(&found.value) && found.value.len() <= LARGEST);
                if let Some(stored) = stored::parse(found.value.clone()) {
                    assert!(stored.lifetime.left(found.ticks) <= stored.lifetime.duration());
                    assert!(stored::value(stored.version, stored.lifetime, &stored.payload) == found.value);
                }
            }
            Ok(None) => assert!(value.is_none(), "a value that is a miss"),
            Err(_) => {}
        }
        match Reply::Meta(Box::new(reply.clone())).written() {
            Ok(Written::ChoiceRefused) => panic!("a reply is taken for a rejection"),
            Ok(_) => assert!(value.is_none()),
            Err(error) => assert!(error.is_ambiguous(), "{error:?} forgets the write"),
        }
        match Reply::Meta(Box::new(reply)).deleted() {
            Ok(_) => assert!(value.is_none()),
            Err(error) => assert!(error.is_ambiguous(), "{error:?} forgets the deletion"),
        }
    }
}

/// Takes the bytes for what a server tells of itself; whether it could be used.
///
/// # Panics
///
/// It could not be reckoned with.
#[must_use]
pub fn told(bytes: &[u8]) -> bool {
    match at_once(interview::hear(bytes)) {
        Ok(told) => {
            let facts = Facts::new(told, tokio::time::Instant::now(), 0);
            assert!(facts.item_size().payload() <= LARGEST);
            for days in [1, 29, 30, 31, 3650] {
                let lifetime = Lifetime::of(std::time::Duration::from_secs(days * 86_400));
                assert!(facts.expiry(lifetime) > 0, "an item that does not expire");
            }
            true
        }
        Err(_) => false,
    }
}

/// Bytes that are all there keep nobody waiting.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for what is there"),
    }
}
