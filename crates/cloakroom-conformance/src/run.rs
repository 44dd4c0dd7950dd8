//! Runs one law to its end.

use std::time::Duration;

use tokio::runtime::Builder;

const LIMIT: Duration = Duration::from_secs(60);

/// Runs a law on a runtime of its own, with four worker threads and 60 s to come to an end.
///
/// The laws panic when a store breaks them, and so does this function.
///
/// # Panics
///
/// When the law is broken or takes longer than 60 s, and when there can be no runtime.
///
/// ```should_panic
/// cloakroom_conformance::run(async { panic!("the store broke the law") });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn run<F: Future<Output = ()>>(law: F) {
    run_within(LIMIT, law);
}

#[expect(clippy::panic, reason = "a law panics when a store breaks it")]
fn run_within<F: Future<Output = ()>>(limit: Duration, law: F) {
    let runtime = match Builder::new_multi_thread().worker_threads(4).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("there is no runtime to run the law on: {error}"),
    };
    let in_time = runtime.block_on(async { tokio::time::timeout(limit, law).await.is_ok() });
    runtime.shutdown_background();
    assert!(in_time, "the store broke the law: it came to no end in {limit:?}; the law wants an answer");
}

#[cfg(test)]
mod tests;
