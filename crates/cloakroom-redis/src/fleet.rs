//! The servers of a store, whatever they are.

use std::fmt;
use std::sync::Arc;

use cloakroom_core::{Error, StoreError};

use crate::cluster::Cluster;
use crate::dial::Dialler;
use crate::errand::Errand;
use crate::greeting::Greeting;
use crate::home::Home;
use crate::node::Node;
use crate::request::{Replies, Request};
use crate::role::Role;
use crate::sentinel::Sentinels;
use crate::target::Servers;

/// The servers of a store. A clone is the same ones.
#[derive(Clone)]
pub(crate) enum Fleet {
    /// One server at a time holds all keys.
    One(Node),
    /// Each key has its node.
    Cluster(Cluster),
}

impl Fleet {
    /// The servers that a URL names; `sentinels` is how those are greeted.
    pub(crate) fn new(
        servers: Servers,
        greeting: Greeting,
        sentinels: &Greeting,
        connect_timeout: std::time::Duration,
    ) -> Result<Self, Error> {
        let home = Home::here();
        let dialler = match servers {
            Servers::Single(place) => {
                Dialler::Lone { server: Arc::new(greeting.server(&place)?), role: Role::default() }
            }
            Servers::Sentinel { sentinels: places, service } => {
                let home = home.clone();
                let found = Sentinels::new(service, places, sentinels, greeting, home, connect_timeout)?;
                Dialler::Primary(Arc::new(found))
            }
            Servers::Cluster { seeds } => {
                return Ok(Self::Cluster(Cluster::new(seeds, greeting, home, connect_timeout)?));
            }
        };
        Ok(Self::One(Node::new(&dialler, &home, connect_timeout)))
    }

    /// Sends the request to the server that has this key.
    pub(crate) async fn ask(
        &self,
        key: &str,
        request: &Request,
        errand: &mut Errand,
    ) -> Result<Replies, StoreError> {
        match self {
            Self::One(node) => node.ask(request, errand).await,
            Self::Cluster(cluster) => cluster.ask(key, request, errand).await,
        }
    }

    /// All servers that take writes.
    pub(crate) async fn primaries(&self, errand: &Errand) -> Result<Vec<Node>, StoreError> {
        match self {
            Self::One(node) => Ok(vec![node.clone()]),
            Self::Cluster(cluster) => cluster.primaries(errand).await,
        }
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(node) => node.fmt(f),
            Self::Cluster(cluster) => cluster.fmt(f),
        }
    }
}
