//! The verbs as statements: one in the good case, and another one where its count of rows leaves a question.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_core::{
    Created, Deleted, Record, Replaced, StoreError, StoreErrorKind, StoreKey, Touched, Version,
};
use tokio::time::sleep;

use crate::dialect::{Asking, Dialect, Look, Statements, Step, Stored, Sweeping};
use crate::errand::Errand;
use crate::error::{self, Doubt, Failure, Meaning};
use crate::link::{Link, Question};
use crate::stored::{self, LONGEST_PAYLOAD};
use crate::sweep::Abandoned;
use crate::table::TableName;

/// How often a key may come and go between two statements of one `create`.
const ROUNDS: u32 = 8;

/// What all clones of a store share.
pub(crate) struct Inner<D: Dialect> {
    pub(crate) link: Link<D>,
    pub(crate) table: TableName,
    pub(crate) timeout: Duration,
    pub(crate) abandoned: Abandoned,
    statements: Statements,
    longest_payload: AtomicUsize,
}

/// What happened to a record that a statement did not find as it wanted it.
enum Found {
    Ours,
    Another,
    /// The one that it wanted.
    Wanted,
    Nothing,
}

impl<D: Dialect> Inner<D> {
    pub(crate) fn new(link: Link<D>, table: TableName, timeout: Duration) -> Self {
        let (statements, abandoned) = (D::statements(&table), Abandoned::default());
        let longest_payload = AtomicUsize::new(LONGEST_PAYLOAD);
        Self { link, table, timeout, abandoned, statements, longest_payload }
    }

    pub(crate) fn limit_payload(&self, longest: usize) {
        self.longest_payload.fetch_min(longest, Ordering::Relaxed);
    }

    pub(crate) const fn statements(&self) -> &Statements {
        &self.statements
    }

    pub(crate) fn read(&self) -> Errand {
        Errand::read(D::STORE, self.timeout)
    }

    pub(crate) fn write(&self) -> Errand {
        Errand::write(D::STORE, self.timeout)
    }

    pub(crate) fn creation(&self) -> Errand {
        Errand::creation(D::STORE, self.timeout)
    }

    pub(crate) async fn load(
        self: Arc<Self>,
        mut errand: Errand,
        key: StoreKey,
    ) -> Result<Option<Record>, StoreError> {
        let step = Step { sql: &self.statements.load, values: &[stored::id(&key)] };
        match self.link.ask(&Load(step), &mut errand).await? {
            None => Ok(None),
            Some(row) => match stored::record(row) {
                Some(record) => Ok(Some(record)),
                None => Err(error::corrupt(D::STORE, "the row under the key is no record")),
            },
        }
    }

    pub(crate) async fn create(
        self: Arc<Self>,
        mut errand: Errand,
        key: StoreKey,
        record: Record,
    ) -> Result<Created, StoreError> {
        self.insert(&mut errand, &key, &record).await
    }

    pub(crate) async fn insert(
        &self,
        errand: &mut Errand,
        key: &StoreKey,
        record: &Record,
    ) -> Result<Created, StoreError> {
        self.check(record)?;
        let values = [
            stored::version(record.version),
            stored::millis(record.ttl),
            stored::principal(record),
            stored::payload(record),
            stored::id(key),
        ];
        let insert = Change(Step { sql: &self.statements.create, values: &values });
        for _ in 0..ROUNDS {
            if self.put(errand, &insert, key, record).await? {
                return Ok(Created::Created);
            }
            match self.found(errand, key, record.version).await? {
                Found::Ours => return Ok(Created::Created),
                Found::Another => {
                    return match errand.doubt() {
                        Doubt::None => Ok(Created::Occupied),
                        Doubt::EarlierTry => Err(error::ambiguous(D::STORE)),
                    };
                }
                // Expired, or gone since.
                Found::Wanted | Found::Nothing => {}
            }
            let Some(text) = &self.statements.take_over else { continue };
            let take_over = Change(Step { sql: text, values: &values });
            if self.put(errand, &take_over, key, record).await? {
                return Ok(Created::Created);
            }
        }
        Err(match errand.doubt() {
            Doubt::None => StoreError::new(StoreErrorKind::Unavailable, D::STORE),
            Doubt::EarlierTry => error::ambiguous(D::STORE),
        })
    }

    /// Whether the record was put under the key. Where the reply was lost it is not put again, but looked for: whoever ended
    /// the session in between would see it come back.
    async fn put(
        &self,
        errand: &mut Errand,
        change: &Change<'_>,
        key: &StoreKey,
        record: &Record,
    ) -> Result<bool, StoreError> {
        errand.changes();
        match self.link.ask(change, errand).await {
            Ok(rows) => Ok(rows > 0),
            Err(_) if errand.doubt() == Doubt::EarlierTry => {
                match self.found(errand, key, record.version).await? {
                    Found::Ours => Ok(true),
                    Found::Another | Found::Wanted | Found::Nothing => Err(error::ambiguous(D::STORE)),
                }
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn replace(
        self: Arc<Self>,
        mut errand: Errand,
        key: StoreKey,
        expected: Version,
        record: Record,
    ) -> Result<Replaced, StoreError> {
        self.swap(&mut errand, &key, expected, &record).await
    }

    pub(crate) async fn swap(
        &self,
        errand: &mut Errand,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        self.check(record)?;
        let values = [
            stored::version(record.version),
            stored::millis(record.ttl),
            stored::principal(record),
            stored::payload(record),
            stored::id(key),
            stored::version(expected),
        ];
        let change = Change(Step { sql: &self.statements.replace, values: &values });
        loop {
            errand.changes();
            // What is in place already is left as it is.
            if record.version != expected && self.link.ask(&change, errand).await? > 0 {
                return Ok(Replaced::Replaced);
            }
            return match self.instead(errand, key, expected, Some(record.version)).await? {
                Found::Ours => Ok(Replaced::Replaced),
                Found::Nothing => Ok(Replaced::Missing),
                Found::Wanted => {
                    again(errand).await?;
                    continue;
                }
                Found::Another => match errand.doubt() {
                    Doubt::None => Ok(Replaced::Conflict),
                    Doubt::EarlierTry => Err(error::ambiguous(D::STORE)),
                },
            };
        }
    }

    pub(crate) async fn touch(
        self: Arc<Self>,
        mut errand: Errand,
        key: StoreKey,
        expected: Version,
        ttl: Duration,
    ) -> Result<Touched, StoreError> {
        let values = [stored::millis(ttl), stored::id(&key), stored::version(expected)];
        let change = Change(Step { sql: &self.statements.touch, values: &values });
        loop {
            errand.changes();
            if self.link.ask(&change, &mut errand).await? > 0 {
                return Ok(Touched::Touched);
            }
            return match self.instead(&mut errand, &key, expected, None).await? {
                Found::Another => Ok(Touched::Conflict),
                Found::Ours | Found::Nothing => Ok(Touched::Missing),
                Found::Wanted => {
                    again(&mut errand).await?;
                    continue;
                }
            };
        }
    }

    pub(crate) async fn delete(
        self: Arc<Self>,
        mut errand: Errand,
        key: StoreKey,
    ) -> Result<Deleted, StoreError> {
        let step = Step { sql: &self.statements.delete, values: &[stored::id(&key)] };
        let step = Delete(step);
        loop {
            match (self.link.ask(&step, &mut errand).await?, errand.doubt()) {
                (0, _) if D::MAY_LEAVE_A_ROW && self.is_there(&mut errand, &key).await? => {
                    again(&mut errand).await?;
                }
                (0, Doubt::None) => return Ok(Deleted::Missing),
                _ => return Ok(Deleted::Deleted),
            }
        }
    }

    /// Whether a record is there that a delete says it did not find.
    async fn is_there(&self, errand: &mut Errand, key: &StoreKey) -> Result<bool, StoreError> {
        errand.only_looks();
        let look = self.look(errand, key).await?;
        errand.changes();
        Ok(look.is_some_and(|look| look.left > 0))
    }

    /// Removes up to `batch` expired rows, and tells how many.
    pub(crate) async fn sweep(self: Arc<Self>, mut errand: Errand, batch: u32) -> Result<u64, StoreError> {
        let sweep = Sweep(Sweeping { batch, ..self.statements.sweep.clone() });
        self.link.ask(&sweep, &mut errand).await
    }

    /// Why a statement found no live record of the version `expected` to change.
    ///
    /// It is a second statement, and not a part of the first: what one statement sees is of one moment, and a
    /// record that somebody deletes at that very moment would read as a conflict. Asked afterwards, the answer
    /// is true when it is given; and as the change had no effect, it can be put at that moment as well.
    /// A record of the version `expected` that is there now was made since, or the server cut the change short and did not say
    /// so: the change is put again.
    async fn instead(
        &self,
        errand: &mut Errand,
        key: &StoreKey,
        expected: Version,
        own: Option<Version>,
    ) -> Result<Found, StoreError> {
        errand.only_looks();
        let look = self.look(errand, key).await?;
        let version = look.filter(|look| look.left > 0).map(|look| look.version.cast_unsigned());
        Ok(match version {
            Some(version) if own.is_some_and(|own| own.get() == version) => Found::Ours,
            Some(version) if version != expected.get() => Found::Another,
            Some(_) => Found::Wanted,
            None => Found::Nothing,
        })
    }

    /// What lies under a key that an insert found taken.
    async fn found(&self, errand: &mut Errand, key: &StoreKey, own: Version) -> Result<Found, StoreError> {
        errand.only_looks();
        Ok(match self.look(errand, key).await? {
            Some(look) if look.version.cast_unsigned() == own.get() => Found::Ours,
            Some(look) if look.left > 0 => Found::Another,
            Some(_) | None => Found::Nothing,
        })
    }

    async fn look(&self, errand: &mut Errand, key: &StoreKey) -> Result<Option<Look>, StoreError> {
        let step = Step { sql: &self.statements.look, values: &[stored::id(key)] };
        self.link.ask(&LookAt(step), errand).await
    }

    /// A payload that is too long is refused before anything is sent: what a server does then may cost the
    /// connection, and with it the certainty that the old record is in place.
    fn check(&self, record: &Record) -> Result<(), StoreError> {
        if record.payload.len() > self.longest_payload.load(Ordering::Relaxed) {
            return Err(StoreError::new(StoreErrorKind::TooLarge, D::STORE));
        }
        Ok(())
    }
}

/// Waits until a statement is put again that says it found nothing, while the row is there.
async fn again(errand: &mut Errand) -> Result<(), StoreError> {
    const LEFT: &str = "the server ended a statement, and said that there was nothing";
    sleep(errand.after(Failure::said(Meaning::Collided, "", LEFT))?).await;
    Ok(())
}

struct Load<'a>(Step<'a>);
struct Change<'a>(Step<'a>);
struct Delete<'a>(Step<'a>);
struct LookAt<'a>(Step<'a>);
struct Sweep(Sweeping);

impl<D: Dialect> Question<D> for Load<'_> {
    type Answer = Option<Stored>;

    fn put<'c>(&'c self, connection: &'c mut D::Connection) -> Asking<'c, Self::Answer> {
        D::load(connection, &self.0)
    }
}

impl<D: Dialect> Question<D> for Change<'_> {
    type Answer = u64;

    fn put<'c>(&'c self, connection: &'c mut D::Connection) -> Asking<'c, Self::Answer> {
        D::change(connection, &self.0)
    }

    fn is_proved(rows: &u64) -> bool {
        *rows > 0 || !D::NOTHING_IS_MUTE
    }
}

impl<D: Dialect> Question<D> for Delete<'_> {
    type Answer = u64;

    fn put<'c>(&'c self, connection: &'c mut D::Connection) -> Asking<'c, Self::Answer> {
        D::delete(connection, &self.0)
    }

    fn is_proved(rows: &u64) -> bool {
        *rows > 0 || !D::NOTHING_IS_MUTE
    }
}

impl<D: Dialect> Question<D> for LookAt<'_> {
    type Answer = Option<Look>;

    fn put<'c>(&'c self, connection: &'c mut D::Connection) -> Asking<'c, Self::Answer> {
        D::look(connection, &self.0)
    }
}

impl<D: Dialect> Question<D> for Sweep {
    type Answer = u64;

    fn put<'c>(&'c self, connection: &'c mut D::Connection) -> Asking<'c, Self::Answer> {
        D::sweep(connection, &self.0)
    }

    /// It ends with a COMMIT where it is of several statements.
    fn is_proved(_removed: &u64) -> bool {
        !D::NOTHING_IS_MUTE
    }
}
