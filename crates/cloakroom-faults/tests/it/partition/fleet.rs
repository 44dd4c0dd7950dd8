//! The fleets that can be cut.

use std::collections::BTreeSet;

use xtask::server::{ClusterFleet, Host, SentinelFleet};

/// A fleet whose servers have hosts of their own.
pub(super) trait Fleet: Send + Sync {
    /// Whether a primary that reaches none of its peers answers all the same.
    const ANSWERS_ALONE: bool;

    fn url(&self) -> String;
    /// The primary of the keys that this is about.
    fn primary(&self) -> u16;
    /// Whether a key is one of those.
    fn concerns(&self, name: &str) -> bool;
    fn has(&self, port: u16, name: &str) -> bool;
    fn host(&self, port: u16) -> Host;
    /// The port of the new primary.
    fn wait_for_promotion(&self, old: u16) -> u16;
    fn wait_until_converged(&self);
    /// All primaries.
    fn primaries(&self) -> BTreeSet<u16>;
}

pub(super) const SENTINEL_HOSTS: u8 = 3;

impl Fleet for SentinelFleet {
    const ANSWERS_ALONE: bool = true;

    fn url(&self) -> String {
        self.url()
    }

    fn primary(&self) -> u16 {
        self.primary_port().expect("a primary")
    }

    fn concerns(&self, _name: &str) -> bool {
        true
    }

    fn has(&self, port: u16, name: &str) -> bool {
        self.cli(port, &["EXISTS", name]).expect("an answer") == "1"
    }

    fn host(&self, port: u16) -> Host {
        self.server(port).expect("a server").host().expect("a host").clone()
    }

    fn wait_for_promotion(&self, old: u16) -> u16 {
        self.wait_for_failover(old).expect("a promotion")
    }

    fn wait_until_converged(&self) {
        self.wait_until_converged().expect("a fleet that agrees");
    }

    fn primaries(&self) -> BTreeSet<u16> {
        [Fleet::primary(self)].into()
    }
}

pub(super) const CLUSTER_HOSTS: u8 = 6;
/// Its primary is the one that is cut off.
const KEY: &str = "coat";

impl Fleet for ClusterFleet {
    const ANSWERS_ALONE: bool = false;

    fn url(&self) -> String {
        self.url()
    }

    fn primary(&self) -> u16 {
        self.primary_of(KEY).expect("a primary")
    }

    fn concerns(&self, name: &str) -> bool {
        self.primary_of(name).expect("a primary") == self.primary()
    }

    fn has(&self, port: u16, name: &str) -> bool {
        self.cli(port, &["EXISTS", name]).expect("an answer") == "1"
    }

    fn host(&self, port: u16) -> Host {
        self.server(port).expect("a server").host().expect("a host").clone()
    }

    fn wait_for_promotion(&self, old: u16) -> u16 {
        self.wait_for_failover(KEY, old).expect("a promotion")
    }

    fn wait_until_converged(&self) {
        self.wait_until_converged().expect("a cluster that agrees");
    }

    fn primaries(&self) -> BTreeSet<u16> {
        self.primaries().expect("primaries").into_iter().collect()
    }
}
