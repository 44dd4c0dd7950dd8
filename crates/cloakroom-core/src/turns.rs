//! One at a time, where those who act at the same time would only undo each other's work.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_lock::{Mutex as Turnstile, MutexGuardArc};

use crate::store::{PrincipalTag, StoreKey};

/// Held until what is done is stored or has failed.
pub(crate) type Turn = MutexGuardArc<()>;

/// Whose turn it is, of those in this process. It orders them and no more: what holds between processes holds here too.
pub(crate) struct Turns<K>(Mutex<HashMap<K, Weak<Turnstile<()>>>>);

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash + Sync> Turns<K> {
    /// Waits until it is the caller's turn. Those in front of it end by their own deadlines, if they are polled, and one that
    /// comes to its turn too late gives it up at once.
    pub(crate) async fn of(&self, key: &K) -> Turn {
        let turnstile = self.turnstile(key);
        turnstile.lock_arc().await
    }

    fn turnstile(&self, key: &K) -> Arc<Turnstile<()>> {
        let mut turnstiles = locked(&self.0);
        if let Some(turnstile) = turnstiles.get(key).and_then(Weak::upgrade) {
            return turnstile;
        }
        if turnstiles.len() == turnstiles.capacity() {
            turnstiles.retain(|_, turnstile| turnstile.strong_count() > 0);
        }
        let turnstile = Arc::new(Turnstile::new(()));
        turnstiles.insert(*key, Arc::downgrade(&turnstile));
        turnstile
    }
}

/// Who logs in now, by principal, and who gave up half way.
#[derive(Default)]
pub(crate) struct Logins {
    pub(crate) turns: Turns<PrincipalTag>,
    /// Sessions that were admitted and will never be written, and until when anybody may ask.
    abandoned: Mutex<HashMap<StoreKey, Duration>>,
}

impl Logins {
    /// Notes that nobody will write a record under this key, although it was admitted.
    pub(crate) fn abandon(&self, key: StoreKey, now: Duration, until: Duration) {
        let mut abandoned = locked(&self.abandoned);
        abandoned.retain(|_, until| *until > now);
        abandoned.insert(key, until);
    }

    pub(crate) fn is_abandoned(&self, key: &StoreKey) -> bool {
        locked(&self.abandoned).contains_key(key)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
