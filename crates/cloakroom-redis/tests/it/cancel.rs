//! Requests that are dropped: nobody gets the reply of somebody else.

use std::future::poll_fn;
use std::task::Poll;

use cloakroom_core::{Created, Freshness, Record, Store as _, StoreKey};

use crate::sample;
use crate::shared::Way;

const SESSIONS: u64 = 64;

/// A small generator of its own: the order of a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Polls so many times, at most, and then drops what is not done.
async fn dropped_after<F: Future>(polls: u64, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server; run `cargo xtask test`"]
async fn cancelled_verbs_never_cross_replies() {
    let store = Way::Unix.store().await;
    let keys: Vec<StoreKey> = (0..SESSIONS).map(|_| sample::key()).collect();
    let owned =
        |number: u64| Record::new(format!("of {number}").into_bytes(), sample::version(), sample::MINUTE);
    for (key, number) in keys.iter().zip(0..) {
        assert_eq!(store.create(key, &owned(number)).await.expect("an answer"), Created::Created);
    }
    let tasks: Vec<_> = (1..=16)
        .map(|seed| {
            let (store, keys) = (store.clone(), keys.clone());
            tokio::spawn(async move {
                let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.rotate_left(seed));
                let (mut whole, mut dropped) = (0, 0);
                for _ in 0..1500 {
                    let number = dice.roll(SESSIONS);
                    let key = &keys[usize::try_from(number).expect("a small number")];
                    let polls = dice.roll(5);
                    let verb = async {
                        let found =
                            store.load(key, Freshness::Latest).await.expect("an answer").expect("a record");
                        assert_eq!(found.payload, format!("of {number}").as_bytes());
                        if dice.roll(3) == 0 {
                            let next = Record::new(found.payload, sample::version(), sample::MINUTE);
                            let _ = store.replace(key, found.version, &next).await.expect("an answer");
                        }
                    };
                    match dropped_after(polls, verb).await {
                        Some(()) => whole += 1,
                        None => dropped += 1,
                    }
                }
                (whole, dropped)
            })
        })
        .collect();
    let (mut whole, mut dropped) = (0, 0);
    for task in tasks {
        let counted = task.await.expect("nobody got somebody else's record");
        whole += counted.0;
        dropped += counted.1;
    }
    println!("{whole} finished, {dropped} dropped");
    assert!(whole > 1000 && dropped > 1000, "{whole} finished, {dropped} dropped");
}
