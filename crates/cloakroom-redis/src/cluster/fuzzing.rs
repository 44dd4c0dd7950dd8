//! What the fuzz target makes of what the node of a cluster says.

use redis::Value;

use super::chart::Chart;
use super::detour::Detour;
use super::slot::{SLOTS, Slot};
use super::survey;
use crate::fuzzing::{as_error, is_one};
use crate::place::Place;
use crate::request::Replies;

/// Takes the reply for one to each question.
///
/// # Panics
///
/// What was read contradicts itself.
pub(crate) fn read(reply: &Value, node: &Place) {
    if let Some(chart) = Chart::read(reply.clone(), node) {
        assert!(chart.primaries().count() > 0, "a chart of nobody");
        assert!(chart.primaries().chain(chart.replicas()).all(is_one));
        for slot in [0, 1, SLOTS / 2, SLOTS - 1].into_iter().filter_map(Slot::new) {
            let owner = chart.owner(slot);
            assert!(owner.is_none_or(|owner| chart.names(owner)), "a slot of a node that has none");
            let corrected = chart.corrected(slot, node.clone());
            assert!(corrected.owner(slot) == Some(node), "what was learned is forgotten");
        }
    }
    let _ = survey::epoch(reply.clone());
    for value in as_error(reply).into_iter().chain([reply.clone()]) {
        let replies = Replies { values: vec![Value::Okay, value], waited: None };
        if let Some(Detour::Moved(place) | Detour::Ask(place)) = Detour::of(&replies, node) {
            assert!(is_one(&place), "a detour to nowhere: {place:?}");
        }
    }
}
