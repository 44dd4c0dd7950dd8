//! The one decision: what a request's changes ask of the store.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_codec::{Handle, Predecessor, Purpose, Secret, State, TokenKey};

use crate::change::{Change, Stopped, differs};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::live::{
    Deletion, Live, News, Origin, Phase, Place, Presented, Reach, Shared, Stored, has_content,
};
use crate::manager::{Inner, millis};
use crate::store::{Created, Deleted, PrincipalTag, Record, Replaced, StoreKey, Touched, Version};
use crate::store_error::StoreError;
use crate::visit::lifetime;

/// Stores what was changed since the last commit.
pub(crate) async fn commit(shared: &Shared) -> Result<()> {
    let _turn = shared.turn.lock().await;
    let (due, work) = {
        let mut live = shared.live();
        let due = due(&shared.manager, &mut live);
        let work = matches!(due, Due::Write).then(|| Work::take(shared, &mut live));
        (due, work)
    };
    match due {
        Due::Nothing => Ok(()),
        Due::Write => match work {
            Some(work) => write(shared, work).await,
            None => Ok(()),
        },
        Due::Touch(stored, ttl) => {
            touch(shared, &stored, ttl).await;
            Ok(())
        }
        Due::Delete(key) => delete(shared, &key).await,
        Due::Forget => {
            let mut live = shared.live();
            live.phase = Phase::LoggedOut(Deletion::Done);
            live.news = News::Removal;
            Ok(())
        }
        Due::Refuse => {
            shared.live().phase = Phase::Ended;
            shared.manager.events.emit(SessionEventKind::WriteRefused, None);
            Err(Error::new(ErrorKind::Ended))
        }
    }
}

/// Whether a commit would call the store.
pub(crate) fn needs_store(shared: &Shared) -> bool {
    let mut live = shared.live();
    !live.panicked && matches!(due(&shared.manager, &mut live), Due::Write | Due::Touch(..) | Due::Delete(_))
}

/// What a commit has to do.
enum Due {
    Nothing,
    Write,
    Touch(Stored, Duration),
    Delete(StoreKey),
    /// Log out where there is no record.
    Forget,
    /// The request came with a token that was just rotated away.
    Refuse,
}

fn due(manager: &Inner, live: &mut Live) -> Due {
    match live.phase {
        Phase::Ended | Phase::LoggedOut(Deletion::Done) => return Due::Nothing,
        Phase::LoggedOut(Deletion::Pending) => {
            return match &live.place {
                Place::Nowhere(Origin::NoToken) => Due::Nothing,
                Place::Nowhere(Origin::DeadToken) => Due::Forget,
                Place::Overtaken => Due::Refuse,
                Place::Stored(stored) => Due::Delete(stored.key),
            };
        }
        Phase::Open | Phase::Committed => {}
    }
    match &live.place {
        Place::Overtaken if !live.has_changes() => Due::Nothing,
        Place::Overtaken if live.changes.iter().any(Change::is_authentication) => Due::Write,
        Place::Overtaken => Due::Refuse,
        Place::Nowhere(_) if live.has_changes() && has_content(live.seen()) => Due::Write,
        Place::Nowhere(_) => Due::Nothing,
        Place::Stored(stored) => {
            if live.reach == Reach::Request
                && (stored.presented == Presented::Predecessor || stored.token_key == TokenKey::Old)
            {
                live.news = News::Token;
            }
            if live.has_changes()
                || secret_upkeep(manager, live.reach, stored, &live.base) != SecretUpkeep::None
            {
                return Due::Write;
            }
            let wanted = manager.ttl(&live.base).unwrap_or_default();
            let idle = Duration::from_millis(live.base.idle);
            if wanted.saturating_sub(stored.ttl) > manager.expiry.touch_interval(idle) {
                return Due::Touch(stored.clone(), wanted);
            }
            Due::Nothing
        }
    }
}

async fn write(shared: &Shared, mut work: Box<Work<'_>>) -> Result<()> {
    let asked = work.is_asked_for();
    match work.run().await {
        Ok(()) => {
            drop(work);
            rebase(shared);
            Ok(())
        }
        Err(_) if !asked => {
            work.give_up();
            shared.manager.events.emit(SessionEventKind::UpkeepFailed, None);
            Ok(())
        }
        Err(error) => {
            // What may succeed later stays noted, unless nobody could tell then whether it had been stored.
            if !(error.is_transient() && (!work.unsure || work.attempt.is_some())) {
                work.give_up();
            }
            if error.kind() == ErrorKind::Ended {
                shared.live().phase = Phase::Ended;
                shared.manager.events.emit(SessionEventKind::WriteRefused, None);
            }
            Err(error)
        }
    }
}

/// What a use of the session does to its secret, without anybody's asking.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SecretUpkeep {
    None,
    /// The renewed secret came back for the first time: the old one's grace begins.
    BeginGrace,
    /// It is time for another secret.
    Renew,
}

fn secret_upkeep(manager: &Inner, reach: Reach, stored: &Stored, state: &State) -> SecretUpkeep {
    if reach == Reach::Detached || stored.presented == Presented::Predecessor {
        return SecretUpkeep::None;
    }
    let Some(renewal) = manager.renewal else { return SecretUpkeep::None };
    let now = manager.now();
    match &state.predecessor {
        Some(Predecessor { grace_ends: None, .. }) => return SecretUpkeep::BeginGrace,
        Some(Predecessor { grace_ends: Some(ends), .. }) if now < *ends => return SecretUpkeep::None,
        _ => {}
    }
    let last = [Some(state.created_at), state.rotated_at, state.renewed_at].into_iter().flatten().max();
    if now.saturating_sub(last.unwrap_or(now)) >= millis(renewal.period()) {
        SecretUpkeep::Renew
    } else {
        SecretUpkeep::None
    }
}

/// Changes on their way to the store. Dropped before it is settled, it hands them back.
struct Work<'s> {
    shared: &'s Shared,
    base: State,
    draft: State,
    changes: Vec<Change>,
    fresh_secret: Option<Arc<Secret>>,
    target: Option<Stored>,
    reach: Reach,
    /// A write of a commit that was cut short, and how many of the changes it held.
    earlier: Option<(Version, usize)>,
    /// The write of this commit whose answer is not known yet.
    attempt: Option<(Version, usize)>,
    /// Some write of ours may be in place without our knowing.
    unsure: bool,
    conflicts: u32,
    ends_at: Duration,
    settled: bool,
}

/// A state made ready for the store.
struct Sealed {
    state: State,
    record: Record,
    secret: Option<Secret>,
    news: News,
    renewed: bool,
}

impl<'s> Work<'s> {
    fn take(shared: &'s Shared, live: &mut Live) -> Box<Self> {
        Box::new(Self {
            shared,
            base: live.base.clone(),
            draft: live.seen().clone(),
            changes: mem::take(&mut live.changes),
            fresh_secret: live.fresh_secret.clone(),
            target: match &live.place {
                Place::Stored(stored) => Some(stored.clone()),
                Place::Nowhere(_) | Place::Overtaken => None,
            },
            reach: live.reach,
            unsure: live.attempt.is_some(),
            earlier: live.attempt.take(),
            attempt: None,
            conflicts: 0,
            ends_at: shared.manager.clock.monotonic() + shared.manager.deadline,
            settled: false,
        })
    }

    fn manager(&self) -> &'s Inner {
        &self.shared.manager
    }

    /// Whether the handler asked for any of this.
    fn is_asked_for(&self) -> bool {
        self.fresh_secret.is_some() || self.changes.iter().any(|change| !change.is_upkeep())
    }

    async fn run(&mut self) -> Result<()> {
        loop {
            match self.target.clone() {
                None => return self.create().await,
                Some(stored) => {
                    if self.replace(stored).await? == Progress::Done {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn create(&mut self) -> Result<()> {
        if self.reach == Reach::Detached {
            return Err(Error::new(ErrorKind::Detached));
        }
        let manager = self.manager();
        for _ in 0..HANDLE_TRIES {
            let handle = Handle::random()?;
            let secret = match &self.fresh_secret {
                Some(secret) => Secret::clone(secret),
                None => Secret::random()?,
            };
            let key = manager.store_key(&handle);
            let mut state = self.draft.clone();
            state.secret_hash = manager.keys.secret_hash(&handle, &secret);
            state.predecessor = None;
            let sealed = self.seal(&key, state, Some(secret), News::Token, false)?;
            self.enter_principal(&key, &sealed.state).await?;
            if self.persist_new(&key, &sealed.record).await? == Created::Created {
                manager.emit(SessionEventKind::Created, &key);
                self.settle(handle, key, sealed);
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Other))
    }

    async fn persist_new(&mut self, key: &StoreKey, record: &Record) -> Result<Created> {
        let mut tries = 0;
        loop {
            match self.manager().store().create(key, record).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.may_retry(error, &mut tries)?,
            }
        }
    }

    async fn replace(&mut self, stored: Stored) -> Result<Progress> {
        let sealed = self.seal_replacement(&stored)?;
        self.enter_principal(&stored.key, &sealed.state).await?;
        let mut tries = 0;
        let answer = loop {
            self.attempt = Some((sealed.record.version, self.changes.len()));
            match self.manager().store().replace(&stored.key, stored.version, &sealed.record).await {
                Ok(answer) => {
                    self.attempt = None;
                    break answer;
                }
                Err(error) => {
                    if !self.unsure && !error.is_ambiguous() {
                        self.attempt = None;
                    }
                    self.may_retry(error, &mut tries)?;
                }
            }
        };
        match answer {
            Replaced::Replaced => {
                if self.conflicts > 0 {
                    self.manager().emit(SessionEventKind::ConflictReplayed(self.conflicts), &stored.key);
                }
                leave_principal(self.manager(), &stored.key, &self.base, &sealed.state).await;
                self.settle(stored.handle, stored.key, sealed);
                Ok(Progress::Done)
            }
            Replaced::Missing => Err(Error::new(ErrorKind::Ended)),
            Replaced::Conflict => {
                self.conflicts += 1;
                self.start_over(stored).await
            }
        }
    }

    /// After a conflict: the latest state, with this request's changes done to it again.
    async fn start_over(&mut self, mut stored: Stored) -> Result<Progress> {
        let manager = self.manager();
        if manager.clock.monotonic() >= self.ends_at {
            return Err(Error::new(ErrorKind::Contention));
        }
        let Some((record, latest)) = manager.read(&stored.key).await? else {
            return Err(Error::new(ErrorKind::Ended));
        };
        if let Some((_, held)) = self.earlier.take_if(|(version, _)| *version == record.version) {
            // A commit that was cut short did reach the store: its changes are done.
            self.changes.drain(..held.min(self.changes.len()));
            let arrived = |secret: &Arc<Secret>| {
                manager.keys.secret_hash(&stored.handle, secret).matches(&latest.secret_hash)
            };
            if let Some(secret) = self.fresh_secret.take_if(|secret| arrived(secret)) {
                stored.secret = Some(Secret::clone(&secret));
                let mut live = self.shared.live();
                live.fresh_secret = None;
                live.news = News::Token;
            }
            self.unsure = false;
        } else if latest.generation != self.base.generation {
            return Err(self.ended_or_unknown());
        } else if self.unsure && !self.changes.iter().all(Change::is_repeatable) {
            return Err(Error::new(ErrorKind::OutcomeUnknown));
        }
        let mut draft = latest.clone();
        for change in &mut self.changes {
            match change.replay(&mut draft) {
                Ok(()) => {}
                Err(Stopped::Overtaken) => return Err(self.ended_or_unknown()),
                Err(Stopped::Failed(error)) => return Err(error),
            }
        }
        stored.version = record.version;
        stored.ttl = record.ttl;
        let secret_is_ours = latest.secret_hash.matches(&self.base.secret_hash);
        if !secret_is_ours && stored.presented == Presented::Current && self.fresh_secret.is_none() {
            // Another request renewed the secret meanwhile; it tells the client.
            stored.presented = Presented::Predecessor;
            stored.secret = stored
                .secret
                .as_ref()
                .and_then(|old| manager.keys.renew_matching(&stored.handle, old, &latest.secret_hash));
        }
        self.base = latest;
        self.draft = draft;
        let nothing_left = self.fresh_secret.is_none() && !differs(&self.draft, &self.base);
        self.target = Some(stored.clone());
        if nothing_left {
            self.settle_without_write(stored);
            return Ok(Progress::Done);
        }
        Ok(Progress::Again)
    }

    fn ended_or_unknown(&self) -> Error {
        Error::new(if self.unsure { ErrorKind::OutcomeUnknown } else { ErrorKind::Ended })
    }

    fn may_retry(&mut self, error: StoreError, tries: &mut u32) -> Result<()> {
        *tries += 1;
        self.unsure |= error.is_ambiguous();
        let in_time = self.manager().clock.monotonic() < self.ends_at;
        if error.is_ambiguous() && error.is_transient() && *tries < AMBIGUOUS_TRIES && in_time {
            return Ok(());
        }
        Err(error.into())
    }

    fn seal_replacement(&self, stored: &Stored) -> Result<Sealed> {
        let manager = self.manager();
        let mut state = self.draft.clone();
        let mut secret = stored.secret.clone();
        let mut news = News::None;
        let mut renewed = false;
        if let Some(fresh) = &self.fresh_secret {
            state.secret_hash = manager.keys.secret_hash(&stored.handle, fresh);
            secret = Some(Secret::clone(fresh));
            news = News::Token;
        } else {
            match (secret_upkeep(manager, self.reach, stored, &self.base), &stored.secret) {
                (SecretUpkeep::Renew, Some(old)) => {
                    let newest = manager.keys.renew(&stored.handle, old);
                    state.predecessor = Some(Predecessor { hash: state.secret_hash, grace_ends: None });
                    state.secret_hash = manager.keys.secret_hash(&stored.handle, &newest);
                    state.renewed_at = Some(manager.now());
                    secret = Some(newest);
                    news = News::Token;
                    renewed = true;
                }
                (SecretUpkeep::BeginGrace, _) => {
                    let grace = manager.renewal.map_or(0, |renewal| millis(renewal.grace()));
                    if let Some(predecessor) = &mut state.predecessor {
                        predecessor.grace_ends = Some(manager.now().saturating_add(grace));
                    }
                }
                _ => {}
            }
            if stored.presented == Presented::Predecessor {
                news = News::Token;
            }
            let longer =
                state.absolute_deadline != self.base.absolute_deadline || state.flags != self.base.flags;
            if longer && manager.transport.is_persistent(lifetime(&state)) {
                news = News::Token;
            }
        }
        self.seal(&stored.key, state, secret, news, renewed)
    }

    fn seal(
        &self,
        key: &StoreKey,
        mut state: State,
        secret: Option<Secret>,
        news: News,
        renewed: bool,
    ) -> Result<Sealed> {
        let manager = self.manager();
        let Some(ttl) = manager.ttl(&state) else {
            manager.emit(SessionEventKind::Ended(EndReason::Absolute), key);
            return Err(Error::new(ErrorKind::Ended));
        };
        state.revision = self.base.revision.wrapping_add(1);
        let plaintext = state.encode()?;
        if plaintext.len() > manager.max_size {
            return Err(Error::new(ErrorKind::TooLarge));
        }
        let payload = manager.keys.seal(Purpose::Record, key.as_bytes(), &plaintext)?;
        let record = Record::new(payload, Version::random()?, ttl).with_principal(first_tag(manager, &state));
        Ok(Sealed { state, record, secret, news, renewed })
    }

    /// Before the record, so that the index never misses a live session.
    async fn enter_principal(&mut self, key: &StoreKey, state: &State) -> Result<()> {
        let manager = self.manager();
        let (Some(index), Some(tag)) = (manager.store().principals(), first_tag(manager, state)) else {
            return Ok(());
        };
        let known = self.target.is_some()
            && principal(&self.base) == principal(state)
            && state.absolute_deadline <= self.base.absolute_deadline;
        if known {
            return Ok(());
        }
        let left = state.absolute_deadline.saturating_sub(manager.now());
        Ok(index.enter(&tag, key, Duration::from_millis(left)).await?)
    }

    fn settle(&mut self, handle: Handle, key: StoreKey, sealed: Sealed) {
        let manager = self.manager();
        let event = if self.changes.iter().any(Change::is_authentication) {
            Some(SessionEventKind::Authenticated)
        } else if self.fresh_secret.is_some() && self.target.is_some() {
            Some(SessionEventKind::Rotated)
        } else if sealed.renewed {
            Some(SessionEventKind::Renewed)
        } else {
            None
        };
        // A secret that the client has not seen yet was not presented by it.
        let presented = match &self.target {
            _ if sealed.renewed => Presented::Predecessor,
            Some(stored) if self.fresh_secret.is_none() => stored.presented,
            _ => Presented::Current,
        };
        {
            let mut live = self.shared.live();
            if let (Some(taken), Some(now)) = (&self.fresh_secret, &live.fresh_secret)
                && Arc::ptr_eq(taken, now)
            {
                live.fresh_secret = None;
            }
            if sealed.news == News::Token && live.reach == Reach::Request {
                live.news = News::Token;
            }
            live.place = Place::Stored(Stored {
                handle,
                secret: sealed.secret,
                key,
                version: sealed.record.version,
                ttl: sealed.record.ttl,
                presented,
                token_key: TokenKey::Writing,
            });
            live.base = sealed.state;
        }
        self.settled = true;
        if let Some(event) = event {
            manager.emit(event, &key);
        }
    }

    fn settle_without_write(&mut self, stored: Stored) {
        let mut live = self.shared.live();
        live.base = self.base.clone();
        live.place = Place::Stored(stored);
        drop(live);
        self.settled = true;
    }

    /// Forgets the changes: the handler is told, or never asked for them.
    fn give_up(&mut self) {
        self.changes.clear();
        self.settled = true;
        let mut live = self.shared.live();
        live.draft = None;
        live.changes.clear();
        live.fresh_secret = None;
        live.attempt = None;
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut live = self.shared.live();
        let later = mem::replace(&mut live.changes, mem::take(&mut self.changes));
        live.changes.extend(later);
        live.attempt = self.attempt.or(self.earlier);
    }
}

/// How far a replace has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Done,
    Again,
}

/// Changes that other handles made while a commit ran, on top of what it stored.
fn rebase(shared: &Shared) {
    loop {
        let (base, mut changes) = {
            let mut live = shared.live();
            if live.changes.is_empty() {
                live.draft = None;
                return;
            }
            (live.base.clone(), mem::take(&mut live.changes))
        };
        let mut draft = base;
        // What cannot be repeated stays noted, and the next commit's replay tells.
        for change in &mut changes {
            let _ = change.replay(&mut draft);
        }
        let mut live = shared.live();
        let nothing_new = live.changes.is_empty();
        let later = mem::replace(&mut live.changes, changes);
        live.changes.extend(later);
        if nothing_new {
            live.draft = Some(draft);
            return;
        }
    }
}

async fn delete(shared: &Shared, key: &StoreKey) -> Result<()> {
    let manager = &shared.manager;
    let ends_at = manager.clock.monotonic() + manager.deadline;
    let mut tries = 0;
    let answer = loop {
        match manager.store().delete(key).await {
            Ok(answer) => break answer,
            Err(error) => {
                tries += 1;
                let in_time = manager.clock.monotonic() < ends_at;
                if !(error.is_transient() && error.is_ambiguous() && tries < AMBIGUOUS_TRIES && in_time) {
                    return Err(error.into());
                }
            }
        }
    };
    if answer == Deleted::Deleted || tries > 0 {
        manager.emit(SessionEventKind::Ended(EndReason::Logout), key);
    }
    let mut live = shared.live();
    live.phase = Phase::LoggedOut(Deletion::Done);
    live.news = if live.reach == Reach::Request { News::Removal } else { News::None };
    live.draft = None;
    live.changes.clear();
    Ok(())
}

async fn touch(shared: &Shared, stored: &Stored, ttl: Duration) {
    match shared.manager.store().touch(&stored.key, stored.version, ttl).await {
        Ok(Touched::Touched) => {
            if let Place::Stored(stored) = &mut shared.live().place {
                stored.ttl = ttl;
            }
        }
        // Somebody else just wrote or ended it: either is as good as a touch.
        Ok(Touched::Conflict | Touched::Missing) => {}
        Err(_) => shared.manager.emit(SessionEventKind::UpkeepFailed, &stored.key),
    }
}

/// After the record: an entry that stays is harmless.
async fn leave_principal(manager: &Inner, key: &StoreKey, before: &State, after: &State) {
    if principal(before) == principal(after) {
        return;
    }
    if let (Some(index), Some(tag)) = (manager.store().principals(), first_tag(manager, before))
        && index.remove(&tag, key).await.is_err()
    {
        manager.emit(SessionEventKind::UpkeepFailed, key);
    }
}

fn principal(state: &State) -> Option<&str> {
    state.login.as_ref().map(|login| login.principal.as_str())
}

fn first_tag(manager: &Inner, state: &State) -> Option<PrincipalTag> {
    manager.store().principals()?;
    let tags = manager.keys.principal_tags(principal(state)?);
    tags.first().map(|tag| PrincipalTag::from_bytes(*tag))
}

/// How many handles are drawn before a store that always answers `Occupied` is given up.
const HANDLE_TRIES: u32 = 3;

/// How often a write is sent when replies get lost; it finds its own earlier write by the version.
const AMBIGUOUS_TRIES: u32 = 3;
