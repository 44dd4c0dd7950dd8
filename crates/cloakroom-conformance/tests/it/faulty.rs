//! A store that is wrong in one way.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom_core::{
    Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreErrorKind,
    StoreKey, Touched, Version, async_trait,
};

use crate::backend::Backend;
use crate::fault::Fault;

pub(crate) const LIMIT: usize = 256 << 10;

const FOR_EVER: Duration = Duration::from_secs(10_000 * 86_400);

#[derive(Debug)]
pub(crate) struct Faulty {
    fault: Option<Fault>,
    backend: Arc<Backend>,
    /// What this handle has loaded before.
    seen: Mutex<HashMap<StoreKey, Option<Record>>>,
}

impl Faulty {
    /// A handle on a backend, which may have others.
    pub(crate) fn on(backend: Arc<Backend>, fault: Option<Fault>) -> Self {
        Self { fault, backend, seen: Mutex::default() }
    }

    pub(crate) const fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn key(&self, key: &StoreKey) -> StoreKey {
        let mut bytes = *key.as_bytes();
        match self.fault {
            Some(Fault::KeysIgnoreCase) => bytes.make_ascii_lowercase(),
            Some(Fault::KeysIgnoreCaseInBase64) => {
                bytes = digest(&key.public_handle().as_str().to_ascii_lowercase());
            }
            Some(Fault::KeysAreCut) => bytes[31] = 0,
            Some(Fault::KeysAreTrimmed) => {
                let kept =
                    bytes.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
                bytes[kept..].fill(0);
            }
            Some(Fault::KeysCollide) => bytes[1..].fill(0),
            _ => {}
        }
        StoreKey::from_bytes(bytes)
    }

    /// The record as this store keeps it.
    fn kept(&self, record: &Record) -> Result<Record, StoreError> {
        let mut payload = record.payload.clone();
        let limit = if self.has(Fault::PayloadsOf64KiBAreTooLarge) { 65_535 } else { LIMIT };
        if payload.len() > limit && !self.has(Fault::PayloadsAreCutAtTheLimit) {
            let other = self.has(Fault::TooLargeIsAnotherError);
            let kind = if other { StoreErrorKind::Other } else { StoreErrorKind::TooLarge };
            return Err(StoreError::new(kind, "faulty"));
        }
        payload.truncate(LIMIT);
        match self.fault {
            Some(Fault::PayloadsEndAtNul) => {
                let end = payload.iter().position(|byte| *byte == 0).unwrap_or(payload.len());
                payload.truncate(end);
            }
            Some(Fault::PayloadsAreTrimmed) => {
                payload = payload.trim_ascii_end().to_vec();
            }
            Some(Fault::PayloadsAreText) => {
                payload = String::from_utf8_lossy(&payload).into_owned().into_bytes()
            }
            Some(Fault::PayloadsHaveUnixLineEnds) => {
                let text: Vec<_> = payload.split(|byte| *byte == b'\r').collect();
                payload = text.concat();
            }
            Some(Fault::PayloadsAreCutAt64KiB) => payload.truncate(65_535),
            _ => {}
        }
        Ok(Record::new(payload, record.version, self.life(record.ttl)?))
    }

    fn life(&self, ttl: Duration) -> Result<Duration, StoreError> {
        const THIRTY_DAYS: Duration = Duration::from_secs(30 * 86_400);
        Ok(match self.fault {
            Some(Fault::NothingExpires) => FOR_EVER,
            Some(Fault::ExpiresALittleEarly) => ttl - ttl / 16,
            Some(Fault::ExpiresALittleLate) => ttl + Duration::from_millis(5),
            Some(Fault::ShortLivesAreForEver) if ttl < Duration::from_millis(2) => FOR_EVER,
            Some(Fault::ShortLivesAreZero) if ttl < Duration::from_secs(1) => Duration::ZERO,
            Some(Fault::PartsOfMillisecondsFail) if ttl < Duration::from_millis(1) => {
                return Err(StoreError::new(StoreErrorKind::Other, "faulty"));
            }
            Some(Fault::LongLivesAreDates) if ttl > THIRTY_DAYS => Duration::ZERO,
            Some(Fault::LongLivesWrap) => {
                Duration::from_millis(u64::try_from(ttl.as_millis()).unwrap() & 0xffff_ffff)
            }
            _ => ttl,
        })
    }

    fn plant(&self, key: StoreKey, record: &Record) {
        self.backend.rows.lock().unwrap().insert(key, record.clone());
        self.backend.model.plant(key, record.clone());
    }

    async fn wait(&self) {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }

    /// Writes after a while, whether or not anybody still waits for it.
    fn later(&self, after: Duration, key: StoreKey, record: &Record) -> tokio::task::JoinHandle<()> {
        let (backend, record) = (Arc::clone(&self.backend), record.clone());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            backend.model.plant(key, record);
        })
    }
}

#[async_trait]
impl Store for Faulty {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let key = self.key(key);
        let mut found = self.backend.model.load(&key, freshness).await?;
        match self.fault {
            Some(Fault::LoadCreates) if found.is_none() => {
                let hour = Duration::from_secs(3_600);
                self.plant(key, &Record::new(Vec::new(), Version::new(1).unwrap(), hour));
            }
            Some(Fault::LoadOfUnknownFails) if found.is_none() => {
                return Err(StoreError::new(StoreErrorKind::Corrupt, "faulty"));
            }
            Some(Fault::LoadsAreStale) => {
                return Ok(self.seen.lock().unwrap().entry(key).or_insert(found).clone());
            }
            Some(Fault::RepliesAreForeignAfterADrop) => {
                self.backend.replies.lock().unwrap().push_back(found);
                tokio::task::yield_now().await;
                return Ok(self.backend.replies.lock().unwrap().pop_front().flatten());
            }
            _ => {}
        }
        if let Some(record) = &mut found {
            match self.fault {
                Some(Fault::LoadTellsTheFirstTtl) => {
                    record.ttl = self.backend.row(&key).map_or(record.ttl, |row| row.ttl);
                }
                Some(Fault::LoadTellsTooMuch) => record.ttl += Duration::from_secs(1),
                Some(Fault::LoadTellsTooLittle) => record.ttl /= 2,
                _ => {}
            }
        }
        Ok(found.filter(|record| !record.payload.is_empty()))
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        let (key, record) = (self.key(key), self.kept(record)?);
        let model = &self.backend.model;
        let present = self.backend.find(&key).await;
        self.seen.lock().unwrap().remove(&key);
        match self.fault {
            Some(Fault::CreateStoresNothing) => return Ok(Created::Created),
            Some(Fault::CreateOverwrites) => {
                self.plant(key, &record);
                return Ok(Created::Created);
            }
            Some(Fault::CreateIgnoresItsOwnVersion) if present.is_some() => return Ok(Created::Occupied),
            Some(Fault::CreateRaces) if present.is_none() => {
                self.wait().await;
                self.plant(key, &record);
                return Ok(Created::Created);
            }
            Some(Fault::OccupiedExtends) => {
                if let Some(present) = present {
                    let _ = model.touch(&key, present.version, record.ttl).await?;
                }
            }
            Some(Fault::ExpiredBlocksCreate) if present.is_none() && self.backend.row(&key).is_some() => {
                return Ok(Created::Occupied);
            }
            Some(Fault::DeleteLeavesATombstone) if self.backend.deleted.lock().unwrap().contains(&key) => {
                return Ok(Created::Occupied);
            }
            Some(Fault::EvictsInSilence) => {
                let records = model.dump();
                if let Some((first, _)) = records.first().filter(|_| records.len() >= 600) {
                    let _ = model.delete(first).await?;
                }
            }
            _ => {}
        }
        let answer = model.create(&key, &record).await?;
        if answer == Created::Created {
            self.backend.rows.lock().unwrap().insert(key, record);
        }
        Ok(answer)
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let key = self.key(key);
        let model = &self.backend.model;
        let kept = self.kept(record);
        if kept.is_err() && self.has(Fault::TooLargeDropsTheOldRecord) {
            let _ = model.delete(&key).await?;
        }
        let mut record = kept?;
        self.seen.lock().unwrap().remove(&key);
        let Some(present) = self.backend.find(&key).await else {
            let row = self.backend.row(&key).filter(|row| row.version == expected);
            let was_deleted = self.backend.deleted.lock().unwrap().contains(&key);
            let revives = match self.fault {
                Some(Fault::ReplaceUpserts) => true,
                Some(Fault::ExpiredCanBeReplaced) => row.is_some() && !was_deleted,
                Some(Fault::DeletedCanBeReplaced) => row.is_some() && was_deleted,
                _ => false,
            };
            if revives {
                self.plant(key, &record);
                return Ok(Replaced::Replaced);
            }
            if self.has(Fault::ReplaceOfMissingLeavesATrace) {
                self.plant(key, &Record::new(Vec::new(), expected, record.ttl));
            }
            let conflict = self.has(Fault::ReplaceOfMissingIsConflict);
            return Ok(if conflict { Replaced::Conflict } else { Replaced::Missing });
        };
        let (own, matches) = (present.version == record.version, present.version == expected);
        match self.fault {
            Some(Fault::ReplaceIgnoresTheVersion) => self.plant(key, &record),
            Some(Fault::ReplaceComparesHalfTheVersion)
                if present.version.get() >> 32 == expected.get() >> 32 =>
            {
                self.plant(key, &record);
                return Ok(Replaced::Replaced);
            }
            Some(Fault::ReplaceIgnoresItsOwnVersion) if own && !matches => return Ok(Replaced::Conflict),
            Some(Fault::ReplaceKeepsTheOldTtl) => record.ttl = present.ttl,
            Some(Fault::ReplaceKeepsTheOldPayload) => record.payload = present.payload,
            Some(Fault::ReplaceRaces) if matches => {
                self.wait().await;
                self.plant(key, &record);
                return Ok(Replaced::Replaced);
            }
            Some(Fault::ReplaceInTwoSteps) if matches && !own => {
                self.plant(key, &Record::new(record.payload.clone(), expected, present.ttl));
                self.wait().await;
                return model.replace(&key, expected, &record).await;
            }
            Some(Fault::ConflictExtends) if !matches => {
                let _ = model.touch(&key, present.version, record.ttl).await?;
            }
            Some(Fault::WritesArriveLate) if matches => {
                let arrival = self.later(Duration::from_millis(2), key, &record);
                arrival.await.map_err(|_| StoreError::new(StoreErrorKind::Other, "faulty"))?;
                return Ok(Replaced::Replaced);
            }
            Some(Fault::WritesArriveTwice) if matches => {
                drop(self.later(Duration::from_millis(20), key, &record));
            }
            _ => {}
        }
        let answer = model.replace(&key, expected, &record).await?;
        if answer == Replaced::Replaced {
            self.backend.rows.lock().unwrap().insert(key, record);
            let call = self.backend.calls.fetch_add(1, Ordering::Relaxed);
            if self.has(Fault::RepliesAreLost) && call % 5 == 4 {
                return Ok(Replaced::Conflict);
            }
        }
        Ok(answer)
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        let (key, ttl) = (self.key(key), self.life(ttl)?);
        let model = &self.backend.model;
        self.seen.lock().unwrap().remove(&key);
        let Some(present) = self.backend.find(&key).await else {
            let row = self.backend.row(&key).filter(|row| row.version == expected);
            let was_deleted = self.backend.deleted.lock().unwrap().contains(&key);
            let revived = match self.fault {
                Some(Fault::TouchCreates) => Some(Record::new(vec![0], expected, ttl)),
                Some(Fault::ExpiredCanBeTouched) => row.filter(|_| !was_deleted),
                Some(Fault::DeletedCanBeTouched) => row.filter(|_| was_deleted),
                _ => None,
            };
            return Ok(match revived {
                Some(mut record) => {
                    record.ttl = ttl;
                    self.plant(key, &record);
                    Touched::Touched
                }
                None => Touched::Missing,
            });
        };
        let matches = present.version == expected;
        let mut written = present.clone();
        match self.fault {
            Some(Fault::TouchWithoutEffect) if matches => return Ok(Touched::Touched),
            Some(Fault::TouchShortens) if matches => written.ttl = ttl,
            Some(Fault::TouchAddsUp) if matches => written.ttl += ttl,
            Some(Fault::TouchCutsThePayload) if matches => {
                written.payload.pop();
                written.ttl = written.ttl.max(ttl);
            }
            Some(Fault::TouchChangesTheVersion) if matches => {
                written.version = Version::new(expected.get() ^ 2).unwrap();
                written.ttl = written.ttl.max(ttl);
            }
            Some(Fault::TouchRaces) if matches => {
                self.wait().await;
                written.ttl = written.ttl.max(ttl);
            }
            Some(Fault::TouchIgnoresTheVersion) => written.ttl = written.ttl.max(ttl),
            Some(Fault::TouchInConflictExtends) if !matches => {
                written.ttl = written.ttl.max(ttl);
                self.plant(key, &written);
                return Ok(Touched::Conflict);
            }
            _ => return model.touch(&key, expected, ttl).await,
        }
        self.plant(key, &written);
        Ok(Touched::Touched)
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        let key = self.key(key);
        let model = &self.backend.model;
        self.seen.lock().unwrap().remove(&key);
        let again =
            self.backend.deleted.lock().unwrap().contains(&key) && self.backend.find(&key).await.is_none();
        match self.fault {
            Some(Fault::DeleteWithoutEffect) => return Ok(Deleted::Deleted),
            Some(Fault::DeleteTakesAWhile) if self.backend.find(&key).await.is_some() => {
                let backend = Arc::clone(&self.backend);
                drop(tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    let _ = backend.model.delete(&key).await;
                }));
                return Ok(Deleted::Deleted);
            }
            Some(Fault::DeleteAgainFails) if again => {
                return Err(StoreError::new(StoreErrorKind::Other, "faulty"));
            }
            Some(Fault::DeleteAgainIsDeleted) if again => return Ok(Deleted::Deleted),
            _ => {}
        }
        let answer = model.delete(&key).await?;
        if answer == Deleted::Deleted {
            self.backend.deleted.lock().unwrap().insert(key);
        }
        Ok(answer)
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

fn digest(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (number, chunk) in bytes.chunks_exact_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        (number, text).hash(&mut hasher);
        chunk.copy_from_slice(&hasher.finish().to_be_bytes());
    }
    bytes
}
