//! Sessions that their clients carry themselves, sealed: no store, and no memory of what was handed out.

use std::time::Duration;

use cloakroom_codec::{State, TokenKey};

use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, RejectReason, SessionEventKind};
use crate::live::{Live, Origin, Place};
use crate::manager::{Inner, millis};
use crate::reply::TokenHeader;
use crate::transport::Transport;
use crate::visit::lifetime;

/// A session that its client carries.
pub(crate) struct Carried {
    /// What takes the place of what the client carries.
    pub(crate) anew: Option<TokenHeader>,
    /// Which key it came sealed under.
    pub(crate) key: TokenKey,
}

impl Inner {
    /// Opens the one authentic session among what the client carries.
    pub(crate) fn open_carried(&self, candidates: &[Vec<u8>]) -> Live {
        let name = self.transport.token_name();
        let mut opened = candidates.iter().filter_map(|text| self.keys.read_sealed(name, text).ok());
        let Some((plaintext, key)) = opened.next() else {
            if !candidates.is_empty() {
                self.events.emit(SessionEventKind::TokenRejected(RejectReason::Forged), None);
            }
            return Live::nowhere(Origin::NoToken, self.empty_state());
        };
        // Equal texts were taken for one before.
        if opened.next().is_some() {
            self.events.emit(SessionEventKind::TokenRejected(RejectReason::Ambiguous), None);
            return Live::nowhere(Origin::NoToken, self.empty_state());
        }
        let state = State::decode(plaintext).ok();
        let Some((idle_deadline, state)) = state.and_then(|state| Some((state.idle_deadline?, state))) else {
            return self.gone(SessionEventKind::Unopenable);
        };
        let now = self.now();
        if now >= state.absolute_deadline {
            return self.gone(SessionEventKind::Ended(EndReason::Absolute));
        }
        if now >= idle_deadline {
            return self.gone(SessionEventKind::Ended(EndReason::Idle));
        }
        Live::at(Place::Carried(Carried { anew: None, key }), state)
    }

    /// Seals a session for its client, from now on idle.
    ///
    /// # Errors
    ///
    /// `Ended` where its absolute deadline has passed.
    pub(crate) fn seal_carried(&self, state: &State) -> Result<(State, TokenHeader)> {
        let Some(ttl) = self.ttl(state) else { return Err(Error::new(ErrorKind::Ended)) };
        let mut state = state.clone();
        state.revision = state.revision.wrapping_add(1);
        state.idle_deadline = Some(self.now().saturating_add(millis(ttl)));
        let plaintext = state.encode()?;
        if plaintext.len() > self.max_size {
            return Err(Error::new(ErrorKind::TooLarge));
        }
        let sealed = self.keys.write_sealed(self.transport.token_name(), &plaintext)?;
        let left = Duration::from_millis(state.absolute_deadline.saturating_sub(self.now()));
        let anew = self.transport.issue(&sealed, left, lifetime(&state));
        if anew.value.len() > LONGEST_LINE {
            return Err(Error::new(ErrorKind::TooLarge));
        }
        Ok((state, anew))
    }

    /// Whether the idle deadline is to be moved on by this use of the session.
    pub(crate) fn is_keep_alive_due(&self, state: &State) -> bool {
        let wanted = self.ttl(state).unwrap_or_default();
        let left = state.idle_deadline.unwrap_or_default().saturating_sub(self.now());
        let gone = wanted.saturating_sub(Duration::from_millis(left));
        gone > self.expiry.touch_interval(Duration::from_millis(state.idle))
    }

    fn gone(&self, event: SessionEventKind) -> Live {
        self.events.emit(event, None);
        Live::nowhere(Origin::DeadToken, self.empty_state())
    }
}

/// The largest encoded session that certainly fits into a response header, by what surrounds it there.
pub(crate) fn largest(transport: &Transport) -> usize {
    let around = transport.longest_issue("").value.len();
    let room = LONGEST_LINE.saturating_sub(around).min(cloakroom_codec::MAX_SEALED_TEXT_LEN);
    // Four characters hold three bytes.
    (room * 3 / 4).saturating_sub(cloakroom_codec::ENVELOPE_OVERHEAD)
}

/// The largest encoded session of a manager without a store that was told nothing else.
pub(crate) const DEFAULT_MAX_SIZE: usize = 2048;

/// The longest `Set-Cookie` line that every browser keeps: the name, the value and all attributes.
const LONGEST_LINE: usize = 4093;
