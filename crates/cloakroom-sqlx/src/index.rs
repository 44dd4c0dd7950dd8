//! The sessions of a principal.
//!
//! A record says whose it is, and the table has an index on that: most of a principal's list is found, not kept. What
//! is kept are the places of logins whose records are still to come, in one row: the
//! [list of admissions](crate::admissions). Its version is that of the index, and whoever is admitted changes it by
//! comparing and setting, with the statements of `create` and `replace`.
//!
//! # Why no session is missing
//!
//! A place is freed only after the record was seen that it was reserved for. So of these three moments, each comes
//! before the next: the record is there; it is seen; its place is free. Whoever reads the list of admissions without the
//! place, and the records no earlier than that list, finds the record. Hence one statement reads both, and it names the
//! list first:
//!
//! - PostgreSQL takes one snapshot for the statement, at each isolation level, and on the primary what a snapshot sees
//!   includes what those saw before whose writes it sees. A standby is asked, and refused.
//! - InnoDB has one read view for the statement, too, at `READ COMMITTED` as at `REPEATABLE READ` and, since no transaction
//!   is begun, at `SERIALIZABLE`. At `READ UNCOMMITTED` there is none; then the order holds, in which the parts of
//!   `UNION ALL` are executed: a list that is seen before it is committed is still later than the record.
//! - SQLite reads one state of the file. In memory there is one connection, and thus nobody beside.
//!
//! `admit` frees places by the same statement, and only if the list has since remained as it was read.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{
    Admitted, Created, Entries, Entry, IndexVersion, PrincipalIndex, PrincipalTag, Record, Replaced,
    StoreError, StoreErrorKind, StoreKey, Version,
};
use tokio::time::{sleep, timeout_at};

use crate::admissions::{self, Admissions};
use crate::dialect::{Asking, Dialect, Listing, Step};
use crate::errand::{Errand, jittered};
use crate::error::{self, Effect};
use crate::link::Question;
use crate::store::SqlStore;
use crate::stored;
use crate::verbs::Inner;

/// How often a remove reads a list anew that somebody else has changed meanwhile.
const ROUNDS: u32 = 12;

#[async_trait]
impl<D: Dialect> PrincipalIndex for SqlStore<D> {
    /// Does nothing: the record itself tells whose it is.
    async fn enter(&self, _tag: &PrincipalTag, _key: &StoreKey, _ttl: Duration) -> Result<(), StoreError> {
        Ok(())
    }

    async fn entries(&self, tag: &PrincipalTag) -> Result<Entries, StoreError> {
        let inner = self.inner();
        let errand = inner.read();
        let (deadline, work) = (errand.deadline(), Box::pin(Arc::clone(inner).entries(errand, *tag)));
        self.verb(Effect::Read, deadline, work).await
    }

    async fn admit(
        &self,
        tag: &PrincipalTag,
        expected: IndexVersion,
        key: &StoreKey,
        ttl: Duration,
        evict: &[StoreKey],
    ) -> Result<Admitted, StoreError> {
        let inner = self.inner();
        let errand = inner.write();
        let deadline = errand.deadline();
        let newcomer = Newcomer { key: *key, ttl, evict: evict.to_vec() };
        let work = Box::pin(Arc::clone(inner).admit(errand, *tag, expected, newcomer));
        self.verb(Effect::Write, deadline, work).await
    }

    async fn remove(&self, tag: &PrincipalTag, keys: &[StoreKey], age: Duration) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let inner = self.inner();
        let errand = inner.write();
        let deadline = errand.deadline();
        let work = Box::pin(Arc::clone(inner).remove(errand, *tag, keys.to_vec(), age));
        self.verb(Effect::Write, deadline, work).await
    }
}

/// Who is to be admitted, and who goes for that.
struct Newcomer {
    key: StoreKey,
    ttl: Duration,
    evict: Vec<StoreKey>,
}

/// A principal's list of admissions, and the records beside it, as they were at one moment.
struct Seen {
    now: i64,
    /// None where there is no list.
    version: Option<Version>,
    admissions: Admissions,
    /// The keys of live records.
    keys: Vec<StoreKey>,
}

/// Whether the records are asked for, or only the list of admissions.
#[derive(Clone, Copy)]
enum Scope {
    All,
    Admissions,
}

impl<D: Dialect> Inner<D> {
    async fn entries(self: Arc<Self>, mut errand: Errand, tag: PrincipalTag) -> Result<Entries, StoreError> {
        let Seen { now, version, mut admissions, keys } = self.see(&mut errand, &tag, Scope::All).await?;
        admissions.expire(now);
        keys.iter().for_each(|key| admissions.leave(key));
        let mut entries: Vec<_> = keys.into_iter().map(|key| Entry::new(key, Duration::MAX)).collect();
        entries.extend(admissions.entries(now));
        Ok(Entries::new(entries, index_version(version)))
    }

    async fn admit(
        self: Arc<Self>,
        mut errand: Errand,
        tag: PrincipalTag,
        expected: IndexVersion,
        newcomer: Newcomer,
    ) -> Result<Admitted, StoreError> {
        let Seen { now, version, mut admissions, keys } = self.see(&mut errand, &tag, Scope::All).await?;
        if index_version(version) != expected {
            return Ok(Admitted::Conflict);
        }
        admissions.expire(now);
        newcomer.evict.iter().for_each(|key| admissions.leave(key));
        keys.iter().filter(|key| **key != newcomer.key).for_each(|key| admissions.leave(key));
        admissions.enter(newcomer.key, now, newcomer.ttl);
        let (place, list) = (admissions::key_of(&tag), record::<D>(&admissions, now)?);
        errand.changes();
        let is_written = match version {
            None => self.insert(&mut errand, &place, &list).await? == Created::Created,
            Some(version) => self.swap(&mut errand, &place, version, &list).await? == Replaced::Replaced,
        };
        Ok(if is_written { Admitted::Admitted } else { Admitted::Conflict })
    }

    async fn remove(
        self: Arc<Self>,
        mut errand: Errand,
        tag: PrincipalTag,
        keys: Vec<StoreKey>,
        age: Duration,
    ) -> Result<(), StoreError> {
        let place = admissions::key_of(&tag);
        for round in 0..ROUNDS {
            let Seen { now, version, mut admissions, .. } =
                self.see(&mut errand, &tag, Scope::Admissions).await?;
            let removed = keys.iter().filter(|key| admissions.leave_aged(key, now, age)).count();
            let Some(version) = version.filter(|_| removed > 0) else { return Ok(()) };
            admissions.expire(now);
            let list = record::<D>(&admissions, now)?;
            errand.changes();
            if self.swap(&mut errand, &place, version, &list).await? == Replaced::Replaced {
                return Ok(());
            }
            let pause = jittered(Duration::from_millis(1) * 2_u32.pow(round.min(6)));
            // At the deadline the next look is late.
            let _ = timeout_at(errand.deadline(), sleep(pause)).await;
        }
        Err(StoreError::new(StoreErrorKind::Unavailable, D::STORE))
    }

    async fn see(&self, errand: &mut Errand, tag: &PrincipalTag, scope: Scope) -> Result<Seen, StoreError> {
        let (place, statements) = (admissions::key_of(tag), self.statements());
        let values = [stored::id(&place), stored::tag(tag)];
        let [place, _] = &values;
        let step = match scope {
            Scope::All => Step { sql: &statements.listing, values: &values },
            Scope::Admissions => Step { sql: &statements.admissions, values: slice::from_ref(place) },
        };
        errand.only_looks();
        let Listing { now, list, keys } = self.link.ask(&List(step), errand).await?;
        let Some((version, payload)) = list else {
            return Ok(Seen { now, version: None, admissions: Admissions::default(), keys });
        };
        let found = (Version::new(version.cast_unsigned()), Admissions::parse(&payload));
        let (Some(version), Some(admissions)) = found else {
            return Err(error::corrupt(D::STORE, "the row of the principal's admissions is no list"));
        };
        Ok(Seen { now, version: Some(version), admissions, keys })
    }
}

/// The list as a record of no principal, with a version of its own.
fn record<D: Dialect>(admissions: &Admissions, now: i64) -> Result<Record, StoreError> {
    let Some(payload) = admissions.to_bytes() else {
        return Err(error::too_large(D::STORE, "too many logins of one principal are under way"));
    };
    let version = Version::random()
        .map_err(|error| StoreError::new(StoreErrorKind::Unavailable, D::STORE).with_source(error))?;
    Ok(Record::new(payload, version, admissions.ttl(now)))
}

/// No list has the version 0, which no record has.
fn index_version(version: Option<Version>) -> IndexVersion {
    IndexVersion::new(version.map_or(0, Version::get))
}

struct List<'a>(Step<'a>);

impl<D: Dialect> Question<D> for List<'_> {
    type Answer = Listing;

    fn put<'c>(&'c self, connection: &'c mut D::Connection) -> Asking<'c, Self::Answer> {
        D::listing(connection, &self.0)
    }
}
