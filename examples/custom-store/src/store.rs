//! Sessions in one file. The comments name the laws that a line is there for.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cloakroom::{
    Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreErrorKind,
    StoreKey, Touched, Version, async_trait,
};
use redb::{Database, ReadableDatabase as _, ReadableTable, Table, TableDefinition};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Keeps sessions in a file of one process. A clone is the same store.
#[derive(Clone)]
pub struct RedbStore(Arc<Database>);

/// 32 bytes of key to a version, the time of the end since 1970 in seconds and nanoseconds, and the payload.
///
/// keys_that_differ_in_one_bit_are_different, payload_of_any_bytes_comes_back: bytes stay bytes.
const SESSIONS: TableDefinition<'_, &[u8; 32], Kept<'_>> = TableDefinition::new("sessions");
type Kept<'k> = (u64, (u64, u32), &'k [u8]);
type Sessions<'t> = Table<'t, &'static [u8; 32], Kept<'static>>;

const NAME: &str = "redb";
const DEADLINE: Duration = Duration::from_secs(2);

impl RedbStore {
    /// Opens the file, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// It is no database, another process has it open, or the disk refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let open = || -> Result<Database, redb::Error> {
            // namespaces_do_not_see_each_other: each has a file.
            let database = Database::create(path)?;
            let first = database.begin_write()?;
            first.open_table(SESSIONS)?;
            first.commit()?;
            Ok(database)
        };
        open()
            .map(|database| Self(Arc::new(database)))
            .map_err(|error| failed(StoreErrorKind::Misconfigured, error))
    }

    /// Removes what has expired, which nobody sees, but which takes up room.
    ///
    /// # Errors
    ///
    /// The file cannot be written; some of it may still be there.
    ///
    /// # Cancel safety
    ///
    /// A dropped call removes all of it or nothing.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.write(|sessions| Ok(sessions.retain(|_, (_, ends_at, _)| !left(ends_at).is_zero())?)).await
    }

    /// Runs one verb in one transaction, of which the database allows one at a time.
    ///
    /// of_two_creates_one_wins, of_concurrent_replaces_one_wins, concurrent_increments_lose_none, late_writers_do_not_resurrect,
    /// mixed_operations_from_many_tasks_hold_the_invariants: nothing comes between what a verb reads and what it writes.
    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Sessions<'_>) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let whole = move |database: &Database| {
            let transaction = database.begin_write()?;
            let answer = verb(&mut transaction.open_table(SESSIONS)?)?;
            transaction.commit()?;
            Ok(answer)
        };
        self.run(StoreErrorKind::Ambiguous, whole).await
    }

    /// Runs blocking work elsewhere, for no longer than a verb may take.
    ///
    /// dropped_operations_leave_old_or_new: work that nobody waits for any more is still done to its end.
    async fn run<T: Send + 'static>(
        &self,
        kind: StoreErrorKind,
        work: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.0);
        match timeout(DEADLINE, spawn_blocking(move || work(&database))).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error @ redb::Error::Corrupted(_)))) => Err(failed(StoreErrorKind::Corrupt, error)),
            Ok(Ok(Err(error))) => Err(failed(kind, error)),
            Ok(Err(panicked)) => Err(failed(StoreErrorKind::Other, panicked)),
            Err(late) => Err(failed(StoreErrorKind::Timeout, late)),
        }
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn load(&self, key: &StoreKey, _freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let key = *key;
        // load_creates_nothing: a transaction that only reads.
        let read = move |database: &Database| find(&database.begin_read()?.open_table(SESSIONS)?, &key);
        self.run(StoreErrorKind::Unavailable, read).await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        let (key, record) = (*key, record.clone());
        self.write(move |sessions| match find(sessions, &key)? {
            // create_with_its_own_version_in_place_is_created: an answer was lost on its way.
            Some(there) if there.version == record.version => Ok(Created::Created),
            // create_never_overwrites
            Some(_) => Ok(Created::Occupied),
            // deleted_key_can_be_created_again, expired_key_can_be_created_again: absence is absence.
            None => put(sessions, &key, &record).map(|()| Created::Created),
        })
        .await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let (key, record) = (*key, record.clone());
        self.write(move |sessions| match find(sessions, &key)? {
            // replace_of_missing_is_missing, replace_after_delete_is_missing, expired_record_cannot_be_replaced
            None => Ok(Replaced::Missing),
            // replace_with_its_own_version_in_place_is_replaced
            Some(there) if there.version == record.version => Ok(Replaced::Replaced),
            // replace_with_stale_version_is_conflict
            Some(there) if there.version != expected => Ok(Replaced::Conflict),
            // replace_puts_the_new_record_in_place
            Some(_) => put(sessions, &key, &record).map(|()| Replaced::Replaced),
        })
        .await
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        let key = *key;
        self.write(move |sessions| match find(sessions, &key)? {
            // touch_after_delete_is_missing, expired_record_cannot_be_touched
            None => Ok(Touched::Missing),
            // touch_with_stale_version_is_conflict
            Some(there) if there.version != expected => Ok(Touched::Conflict),
            // touch_never_shortens_a_life
            Some(there) if there.ttl >= ttl => Ok(Touched::Touched),
            // touch_extends_a_life
            Some(mut there) => {
                there.ttl = ttl;
                put(sessions, &key, &there).map(|()| Touched::Touched)
            }
        })
        .await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        let key = *key;
        self.write(move |sessions| match find(sessions, &key)? {
            // delete_is_idempotent
            None => Ok(Deleted::Missing),
            // deleted_record_is_gone
            Some(_) => Ok(sessions.remove(key.as_bytes()).map(|_| Deleted::Deleted)?),
        })
        .await
    }

    /// There is none: such a store lists nobody's sessions, and an application that needs lists is told so when it is built.
    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedbStore(..)")
    }
}

/// What lies under a key and is alive.
///
/// load_of_unknown_key_is_none, expired_record_is_gone: no verb sees what is over.
fn find(
    sessions: &impl ReadableTable<&'static [u8; 32], Kept<'static>>,
    key: &StoreKey,
) -> Result<Option<Record>, redb::Error> {
    let Some(found) = sessions.get(key.as_bytes())? else { return Ok(None) };
    let (version, ends_at, payload) = found.value();
    let version = Version::new(version).ok_or_else(|| redb::Error::Corrupted("no version".to_owned()))?;
    // load_tells_the_time_left
    let ttl = left(ends_at);
    Ok((!ttl.is_zero()).then(|| Record::new(payload.to_vec(), version, ttl)))
}

/// created_record_is_loaded_back, many_records_are_kept_apart, largest_payload_comes_back_whole_or_is_too_large: all of it, under its key.
fn put(sessions: &mut Sessions<'_>, key: &StoreKey, record: &Record) -> Result<(), redb::Error> {
    // short_lives_are_rounded_up, long_lives_do_not_overflow: nanoseconds, in numbers that last.
    let ends_at = now().saturating_add(record.ttl);
    let ends_at = (ends_at.as_secs(), ends_at.subsec_nanos());
    sessions.insert(key.as_bytes(), (record.version.get(), ends_at, record.payload.as_slice()))?;
    Ok(())
}

fn left((seconds, nanoseconds): (u64, u32)) -> Duration {
    Duration::new(seconds, nanoseconds).saturating_sub(now())
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn failed(kind: StoreErrorKind, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::new(kind, NAME).with_source(source)
}
