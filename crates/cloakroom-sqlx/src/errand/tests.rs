use std::time::Duration;

use cloakroom_core::StoreErrorKind;

use super::{COLLISIONS, Errand, OTHER_CONNECTIONS, jittered};
use crate::error::{Doubt, Failure, Meaning};

fn lost() -> Failure {
    Failure::said(Meaning::Ends, "57P01", "")
}

fn collided() -> Failure {
    Failure::said(Meaning::Collided, "40001", "")
}

#[test]
fn broken_connections_are_replaced_so_often_and_no_more() {
    let mut errand = Errand::write("test", Duration::from_secs(60));
    for _ in 0..OTHER_CONNECTIONS {
        errand.after(lost()).expect("another try");
    }
    assert_eq!(errand.doubt(), Doubt::EarlierTry);
    assert_eq!(errand.after(lost()).expect_err("the end").kind(), StoreErrorKind::Ambiguous);
}

#[test]
fn collisions_are_tried_again_so_often_and_no_more() {
    let mut errand = Errand::write("test", Duration::from_secs(60));
    for _ in 0..COLLISIONS {
        let pause = errand.after(collided()).expect("another try");
        assert!(pause <= Duration::from_millis(200), "{pause:?}");
    }
    assert_eq!(errand.doubt(), Doubt::None);
    assert_eq!(errand.after(collided()).expect_err("the end").kind(), StoreErrorKind::Unavailable);
}

#[test]
fn no_try_begins_after_the_deadline() {
    let mut errand = Errand::write("test", Duration::ZERO);
    assert_eq!(errand.after(lost()).expect_err("the end").kind(), StoreErrorKind::Ambiguous);
    let mut errand = Errand::read("test", Duration::ZERO);
    assert_eq!(errand.after(collided()).expect_err("the end").kind(), StoreErrorKind::Unavailable);
}

#[test]
fn only_a_change_is_in_doubt() {
    let mut errand = Errand::read("test", Duration::from_secs(60));
    errand.after(lost()).expect("another try");
    assert_eq!(errand.doubt(), Doubt::None);
    errand.changes();
    errand.after(lost()).expect("another try");
    errand.only_looks();
    assert_eq!(errand.doubt(), Doubt::EarlierTry);
}

#[test]
fn creation_whose_answer_was_lost_is_looked_for_and_not_put_again() {
    let mut errand = Errand::creation("test", Duration::from_secs(60));
    errand.after(collided()).expect("another try");
    assert_eq!(errand.after(lost()).expect_err("the end").kind(), StoreErrorKind::Ambiguous);
    assert_eq!(errand.doubt(), Doubt::EarlierTry);
    errand.only_looks();
    errand.after(lost()).expect("another look");
}

/// Also where no other try would follow.
#[test]
fn creation_whose_last_answer_was_lost_is_looked_for() {
    let mut errand = Errand::creation("test", Duration::ZERO);
    assert_eq!(errand.after(lost()).expect_err("the end").kind(), StoreErrorKind::Ambiguous);
    assert_eq!(errand.doubt(), Doubt::EarlierTry);
}

#[test]
fn jitter_stays_within_a_half_and_varies() {
    let second = Duration::from_secs(1);
    let drawn: Vec<_> = (0..50).map(|_| jittered(second)).collect();
    assert!(drawn.iter().all(|time| (second / 2..second * 3 / 2).contains(time)), "{drawn:?}");
    assert!(drawn.iter().any(|time| time != &drawn[0]), "{drawn:?}");
}
