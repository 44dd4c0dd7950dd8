//! Requests that are dropped: nobody gets the reply of somebody else.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use cloakroom_core::{Created, Freshness, Record, Store as _, StoreKey};
use cloakroom_testkit::Dice;

use crate::sample;
use crate::shared::Way;

const SESSIONS: u64 = 64;
const TASKS: u64 = 16;

/// How a verb ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Whole,
    /// It was dropped before it was polled at all.
    Before,
    /// It was dropped when it had been polled so often.
    Polled,
    /// It was dropped in the midst of waiting, or of a long reply.
    Late,
}

/// Polls so many times, or for so long, and then drops what is not done.
async fn cut<F: Future>(dice: &mut Dice, future: F) -> End {
    let polls = dice.roll(8);
    if polls >= 5 {
        let moment = Duration::from_micros(dice.roll(1_500));
        return match tokio::time::timeout(moment, future).await {
            Ok(_) => End::Whole,
            Err(_) => End::Late,
        };
    }
    let mut left = polls;
    let mut future = Box::pin(future);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(if polls == 0 { End::Before } else { End::Polled });
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(End::Whole),
            Poll::Pending if left == 0 => Poll::Ready(End::Polled),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Its number, and bytes that follow from it: some records are a line long, some hundreds of kilobytes.
fn payload(number: u64) -> Vec<u8> {
    let len = if number.is_multiple_of(8) { 200_000 } else { 40 };
    let mut payload = format!("of {number}:").into_bytes();
    payload.resize(len, number.to_le_bytes()[0]);
    payload
}

async fn crowd(way: Way) {
    let store = way.store().await;
    let keys: Vec<StoreKey> = (0..SESSIONS).map(|_| sample::key()).collect();
    for (key, number) in keys.iter().zip(0..) {
        let record = Record::new(payload(number), sample::version(), sample::MINUTE * 10);
        assert_eq!(store.create(key, &record).await.expect("an answer"), Created::Created);
    }
    let wanted: u64 =
        std::env::var("CLOAKROOM_CANCELLATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let tasks: Vec<_> = (1..=TASKS)
        .map(|seed| {
            let (store, keys) = (store.clone(), keys.clone());
            tokio::spawn(async move {
                let mut dice = Dice::new(seed);
                let mut ends = [0_u64; 4];
                while ends[1..].iter().sum::<u64>() < wanted.div_ceil(TASKS) {
                    let number = dice.roll(SESSIONS);
                    let key = &keys[usize::try_from(number).expect("a small number")];
                    let verb_number = dice.roll(4);
                    let verb = async {
                        let found =
                            store.load(key, Freshness::Latest).await.expect("an answer").expect("a record");
                        assert!(found.payload == payload(number), "somebody else's record");
                        match verb_number {
                            0 => {
                                let next = Record::new(found.payload, sample::version(), sample::MINUTE * 10);
                                let _ = store.replace(key, found.version, &next).await.expect("an answer");
                            }
                            1 => {
                                let ttl = sample::MINUTE * 11;
                                let _ = store.touch(key, found.version, ttl).await.expect("an answer");
                            }
                            _ => {}
                        }
                    };
                    ends[cut(&mut dice, verb).await as usize] += 1;
                }
                ends
            })
        })
        .collect();
    let mut ends = [0; 4];
    for task in tasks {
        for (sum, count) in ends.iter_mut().zip(task.await.expect("nobody got somebody else's record")) {
            *sum += count;
        }
    }
    let [whole, before, polled, late] = ends;
    println!(
        "{whole} finished; dropped: {before} before the first poll, {polled} polled, {late} in the midst"
    );
    assert!(ends.iter().all(|count| *count > 100), "{ends:?}");
    for (key, number) in keys.iter().zip(0..) {
        let found = store.load(key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert!(found.payload == payload(number), "somebody else's record");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn cancelled_verbs_never_cross_replies() {
    crowd(Way::One).await;
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn cancelled_verbs_never_cross_replies_on_one_thread() {
    crowd(Way::Many).await;
}
