//! What is the machine's fault, and what is not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Lateness, TICK, Ticks, USUAL};

/// How long something is waited for that a busy machine may spoil.
const PATIENCE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_millis(200);

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Whoever blocks the only thread of a runtime holds up the task, and nothing else.
#[tokio::test]
async fn runtime_that_is_blocked_is_no_fault_of_the_machine() {
    let lateness = Lateness::watch();
    let start = Instant::now();
    loop {
        tokio::time::sleep(ms(20)).await;
        let before = Instant::now();
        thread::sleep(LONG);
        let (under_way, after) = (lateness.since(before), Instant::now());
        tokio::time::sleep(ms(20)).await;
        let noted = lateness.between(before, after);
        if under_way.max(noted) < LONG / 4 {
            return;
        }
        // The machine may have stood still at the same time, but not again and again.
        assert!(start.elapsed() < PATIENCE, "{under_way:?}, {noted:?} of {LONG:?}");
    }
}

/// Who has work to do, and no processor to do it, is held up by the machine.
#[tokio::test]
async fn time_without_a_processor_is_noted() {
    let (lateness, over, start) = (Lateness::watch(), AtomicBool::new(false), Instant::now());
    let rivals = 4 * thread::available_parallelism().unwrap().get();
    tokio::time::sleep(ms(20)).await;
    let (before, after) = thread::scope(|scope| {
        for _ in 0..rivals {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let before = Instant::now();
        while lateness.since(before) < LONG / 2 {
            assert!(start.elapsed() < PATIENCE, "{:?}", lateness.since(before));
        }
        over.store(true, Ordering::Relaxed);
        (before, Instant::now())
    });
    tokio::time::sleep(ms(20)).await;
    let noted = lateness.between(before, after);
    assert!(noted >= LONG / 2 && noted <= after - before, "{noted:?}");
    let waited = lateness.of_one_thread(before, after);
    assert!(waited >= LONG / 4 && waited <= after - before, "{waited:?}");
    assert!(lateness.worst() > Duration::ZERO);
    assert!(lateness.between(before, before + ms(50)) <= ms(50));
    assert_eq!(lateness.between(after, after), Duration::ZERO);
}

/// Of the time that the task missed, that counts which the thread missed too.
#[test]
fn time_counts_that_both_missed() {
    let due = Instant::now();
    let at = |time| due + USUAL + ms(time);
    // The thread ran for the last time in between.
    let mut one = Ticks::new(due);
    one.thread_ran(at(60));
    one.task_ran(at(100), None);
    one.task_ran(at(100) + TICK, None);
    assert_eq!(one.late, [((at(0), at(100)), ms(60) + (ms(40) - TICK - USUAL))]);
    // It was in time to the end.
    let mut other = Ticks::new(due);
    for time in (0..=100).step_by(5) {
        other.thread_ran(at(time));
    }
    other.task_ran(at(100), None);
    assert_eq!(other.late, [((at(0), at(100)), Duration::ZERO)]);
    // The thread alone was late.
    let mut last = Ticks::new(due);
    last.task_ran(due, None);
    last.thread_ran(at(100));
    last.task_ran(due + TICK, None);
    assert_eq!(last.late, []);
}
