//! What the handles on a faulty store share.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use cloakroom_core::testing::ModelStore;
use cloakroom_core::{Clock, Freshness, Record, Store as _, StoreKey};

use crate::fault::Fault;

/// What the handles of one namespace share.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) model: ModelStore,
    /// The last record written under each key, whether it lives or not.
    pub(crate) rows: Mutex<HashMap<StoreKey, Record>>,
    pub(crate) deleted: Mutex<HashSet<StoreKey>>,
    pub(crate) replies: Mutex<VecDeque<Option<Record>>>,
    pub(crate) calls: AtomicU64,
}

impl Backend {
    pub(crate) fn on(clock: Clock) -> Self {
        Self {
            model: ModelStore::new(clock),
            rows: Mutex::default(),
            deleted: Mutex::default(),
            replies: Mutex::default(),
            calls: AtomicU64::new(0),
        }
    }

    /// Every byte of it; what was deleted is there as well if a fault keeps it.
    pub(crate) fn dump(&self, fault: Option<Fault>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, record) in self.model.dump() {
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(&record.payload);
        }
        if fault == Some(Fault::DeleteKeepsTheBytes) {
            for record in self.rows.lock().unwrap().values() {
                bytes.extend_from_slice(&record.payload);
            }
        }
        bytes
    }

    /// The record that lives under a key.
    pub(crate) async fn find(&self, key: &StoreKey) -> Option<Record> {
        self.model.load(key, Freshness::Latest).await.unwrap()
    }

    /// The record last written under a key.
    pub(crate) fn row(&self, key: &StoreKey) -> Option<Record> {
        self.rows.lock().unwrap().get(key).cloned()
    }
}
