//! What a request did to its session, noted so that it can be done again on top of another's change.

use cloakroom_codec::{Flags, Login as BoundLogin, Pair, State, Value};

use crate::error::Result;
use crate::form;
use crate::login::VisitorValues;

/// One thing that a request did.
pub(crate) enum Change {
    Set(Pair),
    Remove {
        key: Box<str>,
    },
    /// Handed out once: what is taken again must still be what was taken.
    Take {
        key: Box<str>,
        taken: Value,
    },
    /// Run again on whatever value is there.
    Update {
        key: Box<str>,
        apply: Recomputation,
    },
    Clear,
    /// The value that a decision was based on.
    Unchanged {
        key: Box<str>,
        seen: Option<Value>,
    },
    Flash {
        message: Value,
    },
    TakeFlashes {
        taken: Vec<Value>,
    },
    Authenticate(Box<Authentication>),
    Rotate {
        at: u64,
        form_id: Option<[u8; 16]>,
    },
    /// A form was written before the session had a name.
    NameForForms {
        fresh: [u8; 16],
    },
    Expire {
        idle: u64,
        absolute: u64,
    },
    Remember {
        at: u64,
        lifetime: u64,
    },
}

/// The handler's closure, from one encoded value to the next.
pub(crate) type Recomputation = Box<dyn FnMut(Option<&Value>) -> Result<Value> + Send>;

/// Everything that a login changes.
pub(crate) struct Authentication {
    pub(crate) login: BoundLogin,
    pub(crate) visitor_values: VisitorValues,
    /// Whether this same request remembers the session, before the login.
    pub(crate) is_remembered: bool,
    pub(crate) at: u64,
    pub(crate) idle: u64,
    pub(crate) absolute: u64,
    pub(crate) form_id: Option<[u8; 16]>,
}

/// Why a replay stopped.
pub(crate) enum Stopped {
    /// What the change was based on has gone.
    Overtaken,
    Failed(crate::error::Error),
}

impl Change {
    /// Does to `state` what the request did to the state that it had loaded.
    pub(crate) fn replay(&mut self, state: &mut State) -> Result<(), Stopped> {
        match self {
            Self::Take { key, taken } => {
                if state.values.get(key).as_ref() != Some(&*taken) {
                    return Err(Stopped::Overtaken);
                }
                state.values.remove(key);
            }
            Self::Update { key, apply } => {
                let value = apply(state.values.get(key).as_ref()).map_err(Stopped::Failed)?;
                state.values.insert(key, value);
            }
            Self::Unchanged { key, seen } => {
                if state.values.get(key) != *seen {
                    return Err(Stopped::Overtaken);
                }
            }
            other => other.apply(state),
        }
        Ok(())
    }

    /// Does to `state` what needs neither a look at the old value nor a closure.
    pub(crate) fn apply(&self, state: &mut State) {
        match self {
            Self::Set(pair) => {
                state.values.put(pair);
            }
            Self::Remove { key } | Self::Take { key, .. } => {
                state.values.remove(key);
            }
            Self::Clear => {
                state.values.clear();
                state.flashes.clear();
            }
            Self::Flash { message } => state.flashes.push(message.clone()),
            Self::TakeFlashes { taken } => {
                for message in taken {
                    if let Some(at) = state.flashes.iter().position(|kept| kept == message) {
                        state.flashes.remove(at);
                    }
                }
            }
            Self::Authenticate(authentication) => authentication.apply(state),
            Self::Rotate { at, form_id } => {
                state.generation = state.generation.wrapping_add(1);
                state.rotated_at = Some(*at);
                state.predecessor = None;
                form::rename(state, *form_id);
            }
            Self::NameForForms { fresh } => form::name(state, *fresh),
            Self::Expire { idle, absolute } => {
                let start = state.authenticated_at.unwrap_or(state.created_at);
                state.idle = *idle;
                state.absolute_deadline = start.saturating_add(*absolute);
            }
            Self::Remember { at, lifetime } => {
                state.lifetime_override = Some(*lifetime);
                state.idle = *lifetime;
                state.absolute_deadline = at.saturating_add(*lifetime);
                state.flags = state.flags.with(Flags::PERSISTENT_COOKIE);
            }
            Self::Update { .. } | Self::Unchanged { .. } => {}
        }
    }

    /// Whether doing it twice does the same as doing it once.
    pub(crate) const fn is_repeatable(&self) -> bool {
        !matches!(self, Self::Update { .. } | Self::Take { .. } | Self::Flash { .. })
    }

    /// Whether the handler only read, and the write is our own business.
    pub(crate) const fn is_upkeep(&self) -> bool {
        matches!(self, Self::TakeFlashes { .. })
    }

    /// Whether it gives the session a life of its own.
    pub(crate) const fn is_remembering(&self) -> bool {
        matches!(self, Self::Remember { .. })
    }

    /// Whether it starts a new session for a visitor whose token was rotated away.
    pub(crate) const fn is_authentication(&self) -> bool {
        matches!(self, Self::Authenticate(_))
    }
}

impl Authentication {
    fn apply(&self, state: &mut State) {
        let bound = state.login.as_ref().map(|login| login.principal.as_str());
        let somebody_else = bound.is_some_and(|bound| bound != self.login.principal);
        if somebody_else || self.visitor_values == VisitorValues::Discard && bound.is_none() {
            state.values.clear();
            state.flashes.clear();
        }
        // Whoever has planted a session, or was at this browser before, does not say how long the login lasts.
        if somebody_else || bound.is_none() && !self.is_remembered {
            state.lifetime_override = None;
            state.flags = state.flags.without(Flags::PERSISTENT_COOKIE);
        }
        state.login = Some(self.login.clone());
        state.generation = state.generation.wrapping_add(1);
        state.authenticated_at = Some(self.at);
        state.rotated_at = Some(self.at);
        state.predecessor = None;
        form::rename(state, self.form_id);
        let (idle, absolute) = state.lifetime_override.map_or((self.idle, self.absolute), |all| (all, all));
        state.idle = idle;
        state.absolute_deadline = self.at.saturating_add(absolute);
    }
}

/// Whether two states differ in anything that a request can change.
pub(crate) fn differs(a: &State, b: &State) -> bool {
    a.generation != b.generation
        || a.authenticated_at != b.authenticated_at
        || a.absolute_deadline != b.absolute_deadline
        || a.idle != b.idle
        || a.lifetime_override != b.lifetime_override
        || a.flags != b.flags
        || a.login.as_ref().map(|login| &login.principal) != b.login.as_ref().map(|login| &login.principal)
        || a.flashes != b.flashes
        || a.values != b.values
        || form::id(a) != form::id(b)
}

#[cfg(test)]
mod tests {
    use cloakroom_codec::{Flags, Login, SecretHash, State, Value};

    use super::differs;
    use crate::form;

    /// Sets one field.
    type Field = fn(&mut State);

    #[test]
    fn each_field_that_a_request_can_change_makes_a_difference() {
        let state = State::new(1, 2, 3, SecretHash::from_bytes([4; 32]));
        assert!(!differs(&state, &state.clone()));
        let changes: [(&str, Field); 10] = [
            ("generation", |state| state.generation = 9),
            ("authenticated_at", |state| state.authenticated_at = Some(9)),
            ("absolute_deadline", |state| state.absolute_deadline = 9),
            ("idle", |state| state.idle = 9),
            ("lifetime_override", |state| state.lifetime_override = Some(9)),
            ("flags", |state| state.flags = Flags::PERSISTENT_COOKIE),
            ("principal", |state| state.login = Some(ada())),
            ("flashes", |state| state.flashes.push(value())),
            ("values", |state| drop(state.values.insert("key", value()))),
            ("name for forms", |state| form::name(state, [9; 16])),
        ];
        for (name, change) in changes {
            let mut other = state.clone();
            change(&mut other);
            assert!(differs(&state, &other) && differs(&other, &state), "{name}");
        }
        let upkeep: [(&str, Field); 3] = [
            ("revision", |state| state.revision = 9),
            ("idle_deadline", |state| state.idle_deadline = Some(9)),
            ("secret_hash", |state| state.secret_hash = SecretHash::from_bytes([9; 32])),
        ];
        for (name, change) in upkeep {
            let mut other = state.clone();
            change(&mut other);
            assert!(!differs(&state, &other), "{name} is ours to change");
        }
    }

    fn ada() -> Login {
        Login { principal: "ada".to_owned(), fingerprint: None, labels: Vec::new() }
    }

    fn value() -> Value {
        Value::encode(&1).unwrap()
    }
}
