//! Many tasks that start at the same moment.

use std::sync::Arc;

use tokio::sync::Barrier;

/// Runs `count` tasks, released together, and returns what they returned, in order.
pub(crate) async fn at_once<T, F>(count: usize, mut task: impl FnMut(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let gate = Arc::new(Barrier::new(count));
    let mut tasks = Vec::with_capacity(count);
    for number in 0..count {
        let gate = Arc::clone(&gate);
        let task = task(number);
        tasks.push(tokio::spawn(async move {
            gate.wait().await;
            task.await
        }));
    }
    let mut answers = Vec::with_capacity(count);
    for task in tasks {
        match task.await {
            Ok(answer) => answers.push(answer),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    answers
}
