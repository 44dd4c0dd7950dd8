//! The search for an order of calls that a model agrees with: Wing and Gong's, with Lowe's memory of where it has been.
//!
//! Each state of it is the set of calls that have had their turn and what they left of the record. None is entered
//! twice, so that open calls make a search wider, and never endless ("Testing for linearizability", Gavin Lowe, 2017).

use std::collections::HashSet;

use crate::history::Answer;
use crate::model::{Call, Model};

/// How many states are entered before the search gives up.
const MOST_STATES: usize = 1 << 20;
/// How many calls fit into the set of those that have had their turn.
const MOST_CALLS: usize = u128::BITS as usize;

/// A call in its place among all calls and returns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) call: Call,
    pub(crate) invoked: u64,
    /// When it returned, and with what; `None` leaves open whether it ever has its turn.
    pub(crate) returned: Option<(u64, Answer)>,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is such an order.
    Order,
    /// There is none.
    Nothing,
    /// There was too much to look at.
    TooMuch,
}

/// Looks for an order in which each call takes effect once, between its invocation and its return.
pub(crate) fn search(calls: &[Placed], model: Model) -> Found {
    if calls.len() > MOST_CALLS {
        return Found::TooMuch;
    }
    let mut entered = HashSet::from([(0, model.state())]);
    let mut ahead = vec![(0_u128, model)];
    while let Some((done, model)) = ahead.pop() {
        let left = || calls.iter().zip(0..).filter(|(_, bit)| done & (1_u128 << bit) == 0);
        // Whatever was invoked after another's return comes after that other.
        let Some(first_return) = left().filter_map(|(placed, _)| Some(placed.returned?.0)).min() else {
            return Found::Order;
        };
        for (placed, bit) in left().filter(|(placed, _)| placed.invoked < first_return) {
            let mut model = model.clone();
            let agrees = match placed.returned {
                Some((_, answer)) => model.agrees(&placed.call, &answer),
                None => {
                    model.take(&placed.call);
                    true
                }
            };
            let done = done | 1_u128 << bit;
            if agrees && entered.insert((done, model.state())) {
                ahead.push((done, model));
            }
        }
        if entered.len() > MOST_STATES {
            return Found::TooMuch;
        }
    }
    Found::Nothing
}

#[cfg(test)]
mod tests;
