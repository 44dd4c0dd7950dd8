//! Who has which slots.

use std::collections::BTreeMap;

use redis::{FromRedisValue as _, Value};

use super::slot::Slot;
use crate::place::Place;

/// Who has which slots, as one node told, and what was learned since.
#[derive(Clone, Debug, Default)]
pub(super) struct Chart {
    /// Ordered by their first slot.
    ranges: Vec<Range>,
    learned: BTreeMap<Slot, Place>,
    /// Nodes that have no keys of their own but know about the others.
    replicas: Vec<Place>,
}

#[derive(Clone, Debug)]
struct Range {
    first: Slot,
    last: Slot,
    owner: Place,
}

impl Chart {
    /// Reads the reply of this node to `CLUSTER SLOTS`; `None` where it knows of none, or says something else.
    pub(super) fn read(reply: Value, told_by: &Place) -> Option<Self> {
        let mut chart = Self::default();
        for range in Vec::<Vec<Value>>::from_redis_value(reply).ok()? {
            let mut parts = range.into_iter();
            let first = Slot::new(u16::from_redis_value(parts.next()?).ok()?)?;
            let last = Slot::new(u16::from_redis_value(parts.next()?).ok()?)?;
            let mut places = parts.map(|node| place(node, told_by));
            let Some(owner) = places.next().flatten() else { continue };
            chart.replicas.extend(places.flatten());
            chart.ranges.push(Range { first, last, owner });
        }
        chart.ranges.sort_by_key(|range| range.first);
        (!chart.ranges.is_empty()).then_some(chart)
    }

    /// The primary that has this slot.
    pub(super) fn owner(&self, slot: Slot) -> Option<&Place> {
        if let Some(place) = self.learned.get(&slot) {
            return Some(place);
        }
        let after = self.ranges.partition_point(|range| range.first <= slot);
        let range = self.ranges.get(after.checked_sub(1)?)?;
        (slot <= range.last).then_some(&range.owner)
    }

    /// The same chart, but for this slot.
    pub(super) fn corrected(&self, slot: Slot, owner: Place) -> Self {
        let mut chart = self.clone();
        chart.learned.insert(slot, owner);
        chart
    }

    /// All primaries that have slots, each once.
    pub(super) fn primaries(&self) -> impl Iterator<Item = &Place> {
        let owners = || self.ranges.iter().map(|range| &range.owner);
        owners()
            .enumerate()
            .filter(move |(at, place)| !owners().take(*at).any(|other| other == *place))
            .map(|(_, place)| place)
    }

    pub(super) fn replicas(&self) -> &[Place] {
        &self.replicas
    }

    /// Whether this is one of the nodes.
    pub(super) fn names(&self, place: &Place) -> bool {
        self.ranges.iter().any(|range| range.owner == *place)
            || self.replicas.contains(place)
            || self.learned.values().any(|owner| owner == place)
    }
}

/// A node by its host and port; what follows them is of no use here.
fn place(node: Value, told_by: &Place) -> Option<Place> {
    let Value::Array(parts) = node else { return None };
    let mut parts = parts.into_iter();
    // No host, or an empty one, is that of the node that was asked.
    let host = Option::<String>::from_redis_value(parts.next()?).ok()?.unwrap_or_default();
    told_by.neighbour(&host, u16::from_redis_value(parts.next()?).ok()?)
}

#[cfg(test)]
mod tests;
