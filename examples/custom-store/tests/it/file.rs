//! A place for a database, which is gone afterwards.

use std::path::{Path, PathBuf};

use cloakroom::Version;
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};

/// A path that nobody else uses; what lies there goes with it.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new() -> Self {
        // In memory if there is such a place: each write is synced, and no test pulls the plug.
        let memory = PathBuf::from("/dev/shm");
        let directory = if memory.is_dir() { memory } else { std::env::temp_dir() };
        Self(directory.join(format!("cloakroom-custom-{:016x}.redb", Version::random().unwrap().get())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The keys in the file, whatever the store makes of them.
    pub(crate) fn keys(&self) -> Vec<[u8; 32]> {
        type Kept = (u64, (u64, u32), &'static [u8]);
        const SESSIONS: TableDefinition<'_, &[u8; 32], Kept> = TableDefinition::new("sessions");
        let database = redb::Database::open(&self.0).unwrap();
        let sessions = database.begin_read().unwrap().open_table(SESSIONS).unwrap();
        let keys = sessions.iter().unwrap().map(|entry| *entry.unwrap().0.value());
        keys.collect()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
