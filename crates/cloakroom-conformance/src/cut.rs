//! Drops a future before it is done.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::dice::Dice;

/// Polls `future` a few times, or for a moment, and then drops it; `Some` when it was done by then.
pub(crate) async fn cut_short<F: Future>(dice: &mut Dice, future: F) -> Option<F::Output> {
    let polls = dice.roll(6);
    if polls < 4 {
        polled(polls, future).await
    } else {
        let moment = Duration::from_micros(dice.roll(1_500));
        tokio::time::timeout(moment, future).await.ok()
    }
}

async fn polled<F: Future>(mut polls: u64, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
