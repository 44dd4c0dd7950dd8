//! Futures that are dropped before they are done, as requests are when a client hangs up.

use std::future::poll_fn;
use std::task::Poll;

/// Polls so many times, at most, and then drops what is not done.
pub async fn dropped_after<F: Future>(polls: u64, future: F) -> Option<F::Output> {
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
