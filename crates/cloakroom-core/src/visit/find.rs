//! From a token, or a key, to the session in the store.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_codec::{Handle, Purpose, Secret, SecretHash, State, Token, TokenKey};

use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, RejectReason, SessionEventKind};
use crate::live::{Live, Origin, Place, Presented, Stored};
use crate::manager::{Inner, principal};
use crate::renewal::OnReuse;
use crate::store::{Freshness, Record, StoreKey, Version};
use crate::store_error::StoreErrorKind;
use crate::transport::Brought;

impl Inner {
    /// The state of a visitor for whom nothing was written.
    pub(crate) fn empty_state(&self) -> State {
        let now = self.now();
        let absolute = now.saturating_add(crate::manager::millis(self.expiry.absolute()));
        State::new(now, absolute, crate::manager::millis(self.expiry.idle()), SecretHash::from_bytes([0; 32]))
    }

    /// The one authentic token of a request; a forged one is an absent one.
    pub(super) fn token(&self, brought: &Brought) -> Option<Token> {
        self.transport.read(&self.keys, brought).unwrap_or_else(|reason| {
            self.events.emit(SessionEventKind::TokenRejected(reason), None);
            None
        })
    }

    /// Finds the session that an authentic token names.
    pub(crate) async fn find(&self, token: &Token) -> Result<Live> {
        let key = self.store_key(&token.handle);
        let Some(Fetched { state, version, ttl, sealed_under }) = self.read(&key).await? else {
            self.emit(SessionEventKind::TokenRejected(RejectReason::Unknown), &key);
            return Ok(self.dead());
        };
        match self.judge(token, &state) {
            Verdict::Good(presented, secret) => {
                let stored = Stored {
                    handle: token.handle,
                    secret,
                    key,
                    record_key: sealed_under,
                    version,
                    ttl,
                    read_at: self.clock.monotonic(),
                    presented,
                    token_key: token.key,
                };
                Ok(Live::at(Place::Stored(stored), state))
            }
            Verdict::Overtaken => {
                self.emit(SessionEventKind::TokenRejected(RejectReason::Stale), &key);
                Ok(self.stale(Place::Overtaken, key))
            }
            Verdict::Stale => {
                self.emit(SessionEventKind::TokenRejected(RejectReason::Stale), &key);
                Ok(self.stale(Place::Nowhere(Origin::DeadToken), key))
            }
            Verdict::Reused => {
                self.emit(SessionEventKind::TokenRejected(RejectReason::Reused), &key);
                if self.on_reuse == OnReuse::End && self.end(&key).await? {
                    self.emit(SessionEventKind::Ended(EndReason::TokenReuse), &key);
                    if let Some(principal) = principal(&state) {
                        self.strike(principal, &[key], self.settle_time()).await;
                    }
                }
                Ok(self.stale(Place::Nowhere(Origin::DeadToken), key))
            }
        }
    }

    /// Reads a live session; `None` if there is none, or nothing that can be opened.
    pub(crate) async fn read(&self, key: &StoreKey) -> Result<Option<Fetched>> {
        match self.look(key).await? {
            Look::Live(fetched) => Ok(Some(fetched)),
            Look::Nothing | Look::Over | Look::Unopenable => Ok(None),
        }
    }

    /// Reads what lies under a key.
    pub(crate) async fn look(&self, key: &StoreKey) -> Result<Look> {
        let Record { payload, version, ttl, .. } = match self.store()?.load(key, Freshness::Latest).await {
            Ok(Some(record)) if !record.payload.is_empty() => record,
            Ok(_) => return Ok(Look::Nothing),
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                self.emit(SessionEventKind::Unopenable, key);
                return Ok(Look::Unopenable);
            }
            Err(error) => return Err(error.into()),
        };
        let sealed_under = self.record_key(&payload);
        let Ok(state) = self.open(key, payload) else {
            self.emit(SessionEventKind::Unopenable, key);
            return Ok(Look::Unopenable);
        };
        if self.now() >= state.absolute_deadline {
            self.emit(SessionEventKind::Ended(EndReason::Absolute), key);
            return Ok(Look::Over);
        }
        Ok(Look::Live(Fetched { state: Arc::new(state), version, ttl, sealed_under }))
    }

    fn record_key(&self, payload: &[u8]) -> TokenKey {
        if self.keys.is_current(payload) { TokenKey::Writing } else { TokenKey::Old }
    }

    fn open(&self, key: &StoreKey, payload: Vec<u8>) -> Result<State, cloakroom_codec::Error> {
        State::decode(self.keys.open_owned(Purpose::Record, key.as_bytes(), payload)?)
    }

    fn judge(&self, token: &Token, state: &State) -> Verdict {
        let hash = self.keys.secret_hash(&token.handle, &token.secret);
        if hash.matches(&state.secret_hash) {
            return Verdict::Good(Presented::Current, Some(token.secret.clone()));
        }
        let now = self.now();
        if let Some(predecessor) = &state.predecessor
            && hash.matches(&predecessor.hash)
        {
            if predecessor.grace_ends.is_some_and(|ends| now >= ends) {
                return Verdict::Reused;
            }
            let newest = self.keys.renew_matching(&token.handle, &token.secret, &state.secret_hash);
            return Verdict::Good(Presented::Predecessor, newest);
        }
        match state.rotated_at {
            Some(at) if now.saturating_sub(at) < OVERTAKEN_MILLIS => Verdict::Overtaken,
            _ => Verdict::Stale,
        }
    }

    /// A visitor who held a secret of the session under this key once.
    fn stale(&self, place: Place, key: StoreKey) -> Live {
        let mut live = Live::at(place, self.empty_state());
        live.forerunners.push(key);
        live
    }

    fn dead(&self) -> Live {
        Live::nowhere(Origin::DeadToken, self.empty_state())
    }

    /// Loads the session again for a handle that outlives its request.
    pub(crate) async fn find_again(
        &self,
        handle: Handle,
        secret: Option<Secret>,
        generation: u64,
        token_key: TokenKey,
    ) -> Result<Live> {
        let key = self.store_key(&handle);
        match self.read(&key).await? {
            Some(Fetched { state, version, ttl, sealed_under }) if state.generation == generation => {
                let stored = Stored {
                    handle,
                    secret,
                    key,
                    record_key: sealed_under,
                    version,
                    ttl,
                    read_at: self.clock.monotonic(),
                    presented: Presented::Current,
                    token_key,
                };
                Ok(Live::at(Place::Stored(stored), state))
            }
            _ => Err(Error::new(ErrorKind::Ended)),
        }
    }
}

/// A live session as its record was read.
pub(crate) struct Fetched {
    pub(crate) state: Arc<State>,
    pub(crate) version: Version,
    /// What was left to live.
    pub(crate) ttl: Duration,
    pub(crate) sealed_under: TokenKey,
}

/// What lies under a key.
pub(crate) enum Look {
    Live(Fetched),
    Nothing,
    /// A session whose absolute deadline has passed, by the clock of this process.
    Over,
    /// A record that cannot be read here: perhaps by another instance.
    Unopenable,
}

/// What an authentic token is worth.
enum Verdict {
    Good(Presented, Option<Secret>),
    /// Rotated away just now, perhaps by a request of the same page.
    Overtaken,
    /// Rotated away.
    Stale,
    /// Renewed away, and its grace is over.
    Reused,
}

/// For how long a write with a token that was just rotated away is refused instead of starting anew.
const OVERTAKEN_MILLIS: u64 = 60_000;
