//! One login of a principal at a time, where a limit asks for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_lock::{Mutex as Turnstile, MutexGuardArc};

use crate::store::{PrincipalTag, StoreKey};

/// Held by a login until it is stored or has failed.
pub(crate) type Turn = MutexGuardArc<()>;

/// Who logs in now, by principal, and who gave up half way.
#[derive(Default)]
pub(crate) struct Turns {
    turnstiles: Mutex<HashMap<PrincipalTag, Weak<Turnstile<()>>>>,
    /// Sessions that were admitted and will never be written, and until when anybody may ask.
    abandoned: Mutex<HashMap<StoreKey, Duration>>,
}

impl Turns {
    /// Waits until it is this login's turn. Logins in front of it end by their own deadlines, and one that comes to
    /// its turn too late gives it up at once.
    pub(crate) async fn of(&self, tag: &PrincipalTag) -> Turn {
        let turnstile = self.turnstile(tag);
        turnstile.lock_arc().await
    }

    /// Notes that nobody will write a record under this key, although it was admitted.
    pub(crate) fn abandon(&self, key: StoreKey, now: Duration, until: Duration) {
        let mut abandoned = locked(&self.abandoned);
        abandoned.retain(|_, until| *until > now);
        abandoned.insert(key, until);
    }

    pub(crate) fn is_abandoned(&self, key: &StoreKey) -> bool {
        locked(&self.abandoned).contains_key(key)
    }

    fn turnstile(&self, tag: &PrincipalTag) -> Arc<Turnstile<()>> {
        let mut turnstiles = locked(&self.turnstiles);
        if let Some(turnstile) = turnstiles.get(tag).and_then(Weak::upgrade) {
            return turnstile;
        }
        if turnstiles.len() == turnstiles.capacity() {
            turnstiles.retain(|_, turnstile| turnstile.strong_count() > 0);
        }
        let turnstile = Arc::new(Turnstile::new(()));
        turnstiles.insert(*tag, Arc::downgrade(&turnstile));
        turnstile
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
