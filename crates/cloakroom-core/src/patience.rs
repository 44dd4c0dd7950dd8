//! Lets others go on, without a runtime.

use std::future::poll_fn;
use std::task::Poll;

/// Lets the other tasks of this thread have a turn.
///
/// A store in this process answers at once, each time: who asks it ten thousand times would keep the thread.
pub(crate) async fn yield_now() {
    let mut had_a_turn = false;
    poll_fn(|context| {
        if std::mem::replace(&mut had_a_turn, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
