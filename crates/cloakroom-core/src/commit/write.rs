//! Changes on their way to the store, through conflicts and lost replies.

mod create;
mod entry;
mod queue;

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_codec::{Handle, Keys, Predecessor, Purpose, Secret, State, TokenKey};

use super::Occasion;
use super::index::{self, Entered};
use super::rebase::rebase;
use super::tries::Tries;
use crate::change::{Change, Stopped, differs};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::live::{Live, News, Place, Presented, Reach, Shared, Stored};
use crate::manager::{Inner, millis};
use crate::renewal::{SecretUpkeep, secret_upkeep};
use crate::store::{Record, Replaced, StoreKey, Version};
use crate::store_error::StoreError;
use crate::turns::Turn;
use crate::visit::find::Fetched;
use crate::visit::lifetime;

/// Changes on their way to the store. Dropped before it is settled, it hands them back.
pub(super) struct Write<'s> {
    shared: &'s Shared,
    base: Arc<State>,
    draft: Arc<State>,
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
    must_replay: bool,
    asked_by: Asked,
    occasion: Occasion,
    conflicts: u32,
    /// Whoever met another write goes on when nobody else in this process does who met one.
    turn: Option<Turn>,
    ends_at: Duration,
    settled: bool,
    /// The state that was replaced.
    replaced: Option<(StoreKey, Arc<State>)>,
    /// See [`Live::forerunners`].
    forerunners: Vec<StoreKey>,
    /// What the index of principals knows of it.
    entered: Option<Entered<'s>>,
}

/// A state made ready for the store.
struct Sealed {
    state: State,
    record: Record,
    secret: Option<Secret>,
    news: News,
    renewed: bool,
}

impl<'s> Write<'s> {
    pub(super) fn take(shared: &'s Shared, live: &mut Live, occasion: Occasion) -> Box<Self> {
        let is_asked_for = live.has_changes()
            && (live.fresh_secret.is_some() || live.changes.iter().any(|change| !change.is_upkeep()));
        Box::new(Self {
            shared,
            asked_by: if is_asked_for { Asked::ByTheHandler } else { Asked::ByNobody },
            occasion,
            base: Arc::clone(&live.base),
            draft: Arc::clone(live.draft.as_ref().unwrap_or(&live.base)),
            changes: mem::take(&mut live.changes),
            fresh_secret: live.fresh_secret.clone(),
            target: match &live.place {
                Place::Stored(stored) => Some(stored.clone()),
                Place::Nowhere(_) | Place::Overtaken | Place::Carried(_) => None,
            },
            reach: live.reach,
            unsure: live.attempt.is_some(),
            earlier: live.attempt.take(),
            attempt: None,
            must_replay: mem::take(&mut live.must_replay),
            conflicts: 0,
            turn: None,
            ends_at: shared.manager.clock.monotonic().saturating_add(shared.manager.deadline),
            settled: false,
            replaced: None,
            forerunners: live.forerunners.clone(),
            entered: None,
        })
    }

    fn manager(&self) -> &'s Inner {
        &self.shared.manager
    }

    /// Whether the handler asked for any of this.
    pub(super) const fn is_asked_for(&self) -> bool {
        matches!(self.asked_by, Asked::ByTheHandler)
    }

    pub(super) async fn run(&mut self) -> Result<()> {
        let result = self.store().await;
        let never_written = self.target.is_none() && !self.unsure;
        match (self.entered.take(), &result) {
            (Some(entered), Ok(())) => entered.settle().await?,
            (Some(entered), Err(_)) if never_written => entered.withdraw().await,
            _ => {}
        }
        result
    }

    async fn store(&mut self) -> Result<()> {
        if self.must_replay {
            self.draft = Arc::clone(&self.base);
            self.replay()?;
        }
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

    /// Whether these changes may be tried again later without doing them twice.
    pub(super) fn may_be_tried_again(&self, error: &Error) -> bool {
        // A record under a handle that nobody was told is no obstacle.
        let is_known = !self.unsure || self.attempt.is_some() || self.target.is_none();
        error.is_transient() && (is_known || self.changes.iter().all(Change::is_repeatable))
    }

    async fn replace(&mut self, stored: Stored) -> Result<Progress> {
        let mut sealed = self.seal_replacement(&stored)?;
        self.enter(&stored.key, Some(Arc::clone(&self.base)), &sealed.state, stored.record_key).await?;
        self.begin(&mut sealed)?;
        let mut tries = Tries::new(self.manager(), self.ends_at);
        let mut sent = false;
        let answer = loop {
            tries.begin();
            self.attempt = Some((sealed.record.version, self.changes.len()));
            match self.manager().store()?.replace(&stored.key, stored.version, &sealed.record).await {
                Ok(answer) => {
                    // Behind the write of another nobody can tell whether ours came first: who goes on after us must know.
                    if !(sent && answer == Replaced::Conflict) {
                        self.attempt = None;
                    }
                    break answer;
                }
                Err(error) => {
                    sent |= error.is_ambiguous();
                    if !sent {
                        self.attempt = None;
                    }
                    self.may_retry(error, &tries)?;
                }
            }
        };
        match answer {
            Replaced::Replaced => {
                if self.conflicts > 0 {
                    self.manager().emit(SessionEventKind::ConflictReplayed(self.conflicts), &stored.key);
                }
                self.replaced = Some((stored.key, Arc::clone(&self.base)));
                self.settle(stored.handle, stored.key, sealed);
                Ok(Progress::Done)
            }
            Replaced::Missing => {
                if let Some(entered) = self.entered.take() {
                    entered.withdraw().await;
                }
                Err(Error::new(ErrorKind::Ended))
            }
            Replaced::Conflict => {
                self.conflicts += 1;
                self.take_turn(&stored.key).await;
                self.start_over(stored).await
            }
        }
    }

    /// After a conflict: the latest state, with this request's changes done to it again.
    async fn start_over(&mut self, mut stored: Stored) -> Result<Progress> {
        let manager = self.manager();
        self.check_time()?;
        let Some(Fetched { state: latest, version, ttl, sealed_under }) = manager.read(&stored.key).await?
        else {
            return Err(Error::new(ErrorKind::Ended));
        };
        self.check_time()?;
        self.attempt = None;
        let mut arrived = None;
        if let Some((_, held)) = self.earlier.take_if(|(earlier, _)| *earlier == version) {
            // A commit that was cut short did reach the store: its changes are done.
            let held =
                self.changes.drain(..held.min(self.changes.len())).any(|change| change.is_authentication());
            arrived = Some(if held { Arrived::Login } else { Arrived::Other });
            // With nobody but ourselves.
            self.conflicts = self.conflicts.saturating_sub(1);
            let is_in_place = |secret: &Arc<Secret>| {
                manager.keys.secret_hash(&stored.handle, secret).matches(&latest.secret_hash)
            };
            if let Some(secret) = self.fresh_secret.take_if(|secret| is_in_place(secret)) {
                stored.secret = Some(Secret::clone(&secret));
                stored.presented = Presented::Current;
                arrived = arrived.map(|arrived| arrived.max(Arrived::Rotation));
                let mut live = self.shared.live();
                live.forget_secret(&secret);
                live.news = News::Token;
            }
            self.unsure = false;
        } else if latest.generation != self.base.generation {
            return Err(self.ended_or_unknown());
        } else if self.unsure && !self.changes.iter().all(Change::is_repeatable) {
            return Err(Error::new(ErrorKind::OutcomeUnknown));
        }
        stored.version = version;
        stored.ttl = ttl;
        stored.read_at = manager.clock.monotonic();
        stored.record_key = sealed_under;
        let was_renewed =
            latest.generation == self.base.generation && !latest.secret_hash.matches(&self.base.secret_hash);
        if was_renewed {
            // By another request with the same token, or with its successor: all tell the client the newest.
            stored.presented = Presented::Predecessor;
            stored.secret = stored
                .secret
                .as_ref()
                .and_then(|old| manager.keys.renew_matching(&stored.handle, old, &latest.secret_hash));
        }
        if let Some(arrived) = arrived {
            self.keep(&latest, &stored);
            match arrived {
                Arrived::Login => manager.emit(SessionEventKind::Authenticated, &stored.key),
                Arrived::Rotation => manager.emit(SessionEventKind::Rotated, &stored.key),
                Arrived::Other => {}
            }
            index::leave(manager, &stored.key, &self.base, &latest, self.began()).await;
            index::enter_again(manager, &stored.key, &latest).await?;
        }
        self.base = latest;
        self.draft = Arc::clone(&self.base);
        self.replay()?;
        let begins_grace =
            secret_upkeep(manager, self.reach, &stored, &self.base) == SecretUpkeep::BeginGrace;
        let nothing_left = self.fresh_secret.is_none() && !differs(&self.draft, &self.base) && !begins_grace;
        self.target = Some(stored.clone());
        // What is in place without a reply to say so may not be as safe as the store makes what it confirms.
        if nothing_left && arrived.is_none() {
            self.settle_without_write(stored);
            return Ok(Progress::Done);
        }
        Ok(Progress::Again)
    }

    /// What is known by now outlives this commit, should it be cut short.
    fn keep(&mut self, latest: &Arc<State>, stored: &Stored) {
        let mut live = self.shared.live();
        let longer =
            latest.absolute_deadline != self.base.absolute_deadline || latest.flags != self.base.flags;
        let is_told = live.reach == Reach::Request;
        if longer && is_told && self.shared.manager.transport.is_persistent(lifetime(latest)) {
            live.news = News::Token;
        }
        live.base = Arc::clone(latest);
        live.place = Place::Stored(stored.clone());
        drop(live);
        self.must_replay = true;
    }

    /// Refuses to begin another store call after the deadline.
    fn check_time(&self) -> Result<()> {
        if self.manager().clock.monotonic() >= self.ends_at {
            return Err(Error::new(ErrorKind::Contention));
        }
        Ok(())
    }

    /// Does the changes to the draft again.
    fn replay(&mut self) -> Result<()> {
        let draft = Arc::make_mut(&mut self.draft);
        for change in &mut self.changes {
            match change.replay(draft) {
                Ok(()) => {}
                Err(Stopped::Overtaken) => return Err(self.ended_or_unknown()),
                Err(Stopped::Failed(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// When this commit began, on the monotonic clock.
    pub(super) fn began(&self) -> Duration {
        self.ends_at.saturating_sub(self.manager().deadline)
    }

    /// What the index of principals must forget.
    pub(super) fn replaced(&mut self) -> Option<(StoreKey, Arc<State>)> {
        self.replaced.take()
    }

    fn ended_or_unknown(&self) -> Error {
        Error::new(if self.unsure { ErrorKind::OutcomeUnknown } else { ErrorKind::Ended })
    }

    fn may_retry(&mut self, error: StoreError, tries: &Tries<'_>) -> Result<()> {
        self.unsure |= error.is_ambiguous();
        // Nobody waits for upkeep.
        if self.is_asked_for() && tries.another_after(&error) { Ok(()) } else { Err(error.into()) }
    }

    fn seal_replacement(&self, stored: &Stored) -> Result<Sealed> {
        let manager = self.manager();
        let mut state = State::clone(&self.draft);
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
            if stored.presented == Presented::Predecessor || stored.token_key == TokenKey::Old {
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
            if manager.now() >= self.base.absolute_deadline {
                manager.emit(SessionEventKind::Ended(EndReason::Absolute), key);
            }
            return Err(Error::new(ErrorKind::Ended));
        };
        state.revision = self.base.revision.wrapping_add(1);
        manager.tell_use(&mut state);
        let plaintext = state.encode()?;
        if plaintext.len() > manager.max_size {
            return Err(Error::new(ErrorKind::TooLarge));
        }
        let payload = manager.keys.seal(Purpose::Record, key.as_bytes(), &plaintext)?;
        // The nonce is random and nobody uses it twice, and neither it nor a version is a secret: its first bytes are as
        // good as others, with one call to the operating system less. Zero is no version.
        let version = match Keys::mark(&payload).map(u64::from_be_bytes).and_then(Version::new) {
            Some(version) => version,
            None => Version::random()?,
        };
        let record = Record::new(payload, version, ttl).with_principal(index::tag_of(manager, &state));
        Ok(Sealed { state, record, secret, news, renewed })
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
            if let Some(taken) = &self.fresh_secret {
                live.forget_secret(taken);
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
                read_at: manager.clock.monotonic(),
                presented,
                token_key: TokenKey::Writing,
                record_key: TokenKey::Writing,
            });
            live.base = Arc::new(sealed.state);
        }
        self.settled = true;
        if let Some(event) = event {
            manager.emit(event, &key);
        }
    }

    fn settle_without_write(&mut self, stored: Stored) {
        let mut live = self.shared.live();
        live.base = Arc::clone(&self.base);
        live.place = Place::Stored(stored);
        drop(live);
        self.settled = true;
    }

    /// Forgets the changes: the handler is told, or never asked for them.
    pub(super) fn give_up(&mut self) {
        self.changes.clear();
        self.settled = true;
        let mut live = self.shared.live();
        if let Some(taken) = &self.fresh_secret {
            live.forget_secret(taken);
        }
        drop(live);
        rebase(self.shared);
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut live = self.shared.live();
        let later = mem::replace(&mut live.changes, mem::take(&mut self.changes));
        live.changes.extend(later);
        live.attempt = self.attempt.or(self.earlier);
        live.must_replay |= self.must_replay;
    }
}

/// Whether somebody is told if a write fails.
#[derive(Clone, Copy)]
enum Asked {
    ByTheHandler,
    ByNobody,
}

/// What a write had in it that was found in place later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Arrived {
    Other,
    Rotation,
    Login,
}

/// How far a replace has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Done,
    Again,
}
