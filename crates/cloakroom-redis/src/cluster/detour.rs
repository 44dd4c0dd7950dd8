//! What it means that a node of a cluster does not answer itself.

use redis::{ServerErrorKind, Value};

use crate::place::Place;
use crate::request::Replies;

/// Where a request has to go instead. Nothing was done yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Detour {
    /// The slot is at another node now.
    Moved(Place),
    /// The slot is being moved, and this key is at the other node already, or would be.
    Ask(Place),
    /// The node is not the one any more, and does not say who is.
    Elsewhere,
    /// Nobody has the slot for the moment.
    Later,
}

impl Detour {
    /// The detour that one of these replies of this node sends us on.
    pub(super) fn of(replies: &Replies, node: &Place) -> Option<Self> {
        let detour = replies.values.iter().find_map(|reply| match reply {
            Value::ServerError(error) => match error.kind() {
                Some(ServerErrorKind::Moved) => {
                    Some(address(error.details(), node).map_or(Self::Elsewhere, Self::Moved))
                }
                Some(ServerErrorKind::Ask) => {
                    Some(address(error.details(), node).map_or(Self::Elsewhere, Self::Ask))
                }
                Some(ServerErrorKind::TryAgain | ServerErrorKind::ClusterDown) => Some(Self::Later),
                _ => None,
            },
            _ => None,
        });
        detour.or_else(|| replies.are_turned_away().then_some(Self::Elsewhere))
    }
}

/// Reads `3999 127.0.0.1:6381`.
fn address(details: Option<&str>, node: &Place) -> Option<Place> {
    let (_slot, address) = details?.split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    node.neighbour(host, port.parse().ok()?)
}

#[cfg(test)]
mod tests;
