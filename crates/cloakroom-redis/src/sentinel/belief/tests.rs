use tokio::time::Instant;

use super::{Belief, RELENT};
use crate::place::Place;
use crate::sentinel::{Answer, Round};

fn at(port: u16) -> Place {
    Place::Tcp { host: "h".to_owned(), port }
}

/// What some of three sentinels said: the epoch and the port.
fn round(said: &[(u64, u16)]) -> Round {
    Round {
        answers: said
            .iter()
            .map(|(epoch, port)| Ok(Answer::Primary { epoch: *epoch, place: at(*port) }))
            .collect(),
    }
}

fn hear(belief: &mut Belief, said: &[(u64, u16)]) -> Place {
    belief.hear(&round(said), 3).expect("a primary")
}

fn moved() -> Belief {
    let mut belief = Belief::default();
    assert_eq!(hear(&mut belief, &[(6, 1), (7, 2), (6, 1)]), at(2));
    belief
}

#[test]
fn most_who_are_behind_do_not_count_at_once() {
    let mut belief = moved();
    assert_eq!(hear(&mut belief, &[(6, 1), (6, 1)]), at(2));
    assert_eq!(hear(&mut belief, &[(8, 3)]), at(3));
}

#[test]
fn most_who_stay_behind_count_in_the_end() {
    let mut belief = moved();
    assert_eq!(hear(&mut belief, &[(6, 1), (6, 1)]), at(2));
    belief.doubted = Instant::now().checked_sub(RELENT);
    // One alone never does.
    assert_eq!(hear(&mut belief, &[(6, 1)]), at(2));
    assert_eq!(hear(&mut belief, &[(6, 1), (6, 1)]), at(1));
}

#[test]
fn doubts_end_with_the_newest_epoch() {
    let mut belief = moved();
    assert_eq!(hear(&mut belief, &[(6, 1), (6, 1)]), at(2));
    belief.doubted = Instant::now().checked_sub(RELENT);
    assert_eq!(hear(&mut belief, &[(6, 1), (7, 2)]), at(2));
    assert_eq!(hear(&mut belief, &[(6, 1), (6, 1)]), at(2));
}

#[test]
fn all_who_were_set_up_anew_count_at_once() {
    assert_eq!(hear(&mut moved(), &[(0, 1), (0, 1), (0, 1)]), at(1));
}

#[test]
fn the_only_one_may_be_behind_as_well() {
    let mut belief = Belief::default();
    let mut hear = |said: (u64, u16)| belief.hear(&round(&[said]), 1).expect("a primary");
    assert_eq!(hear((7, 2)), at(2));
    assert_eq!(hear((6, 1)), at(2));
    belief.doubted = Instant::now().checked_sub(RELENT);
    assert_eq!(belief.hear(&round(&[(6, 1)]), 1).expect("a primary"), at(1));
}

#[test]
fn primary_stays_while_somebody_names_it_in_its_epoch() {
    let mut belief = moved();
    assert_eq!(hear(&mut belief, &[(7, 2), (7, 3), (7, 3)]), at(2));
    assert_eq!(hear(&mut belief, &[(7, 3), (7, 3), (7, 3)]), at(3));
}
