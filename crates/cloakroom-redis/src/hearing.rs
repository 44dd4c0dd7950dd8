//! Asking several servers at once, when any of them may be dead or behind the times.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

/// How long the others may keep back an answer that is there: long enough to tell that one does not answer at all.
const GRACE: Duration = Duration::from_millis(300);

/// What those who were asked said: all of them, or `enough` of those who count, or those who were not much slower
/// than the first who counts. Some of it may be failures.
pub(crate) async fn hear<T>(
    asked: impl IntoIterator<Item = impl Future<Output = T>>,
    counts: impl Fn(&T) -> bool,
    enough: usize,
    deadline: Instant,
) -> Vec<T> {
    let mut asked: FuturesUnordered<_> = asked.into_iter().collect();
    let (mut heard, mut counted, mut until) = (Vec::new(), 0, deadline);
    while let Ok(Some(answer)) = timeout_at(until, asked.next()).await {
        if counts(&answer) {
            counted += 1;
            until = until.min(Instant::now() + GRACE);
        }
        heard.push(answer);
        if counted >= enough {
            break;
        }
    }
    heard
}
