use std::time::Duration;

use super::run_within;

#[test]
#[should_panic(expected = "it came to no end in 20ms")]
fn a_law_that_hangs_is_broken() {
    run_within(Duration::from_millis(20), std::future::pending());
}

#[test]
#[should_panic(expected = "in a task")]
fn a_panic_in_a_task_breaks_the_law() {
    run_within(Duration::from_secs(10), async {
        crate::crowd::at_once(3, |number| async move { assert!(number != 1, "in a task") }).await;
    });
}
