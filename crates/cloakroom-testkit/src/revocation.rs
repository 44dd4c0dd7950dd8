//! Logins beside revocations, on any store that finds the sessions of a principal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cloakroom_core::{KeyRing, ResponseHeaders, SessionManager, Store};
use tokio::task::{JoinSet, yield_now};

/// How many devices log in at the same time, again and again.
const DEVICES: u64 = 4;
/// How often all sessions are revoked meanwhile.
const REVOCATIONS: u64 = 8;
/// How many logins there are at least from one time to the next, and how many at most.
const BETWEEN: std::ops::Range<u64> = 5..50;

/// A person logs in on several threads, through two instances of the application, while all of the person's sessions
/// are revoked through one of them, several times.
///
/// # Panics
///
/// When a login that was done before a revocation began is not over after it, or a session that goes on is not listed.
///
/// # Cancel safety
///
/// The devices end with the future.
pub async fn logins_beside_revocations(store: impl Store + Clone) {
    let instances = [(); 2].map(|()| {
        let keys = KeyRing::from_secrets([b"that of a test, the same for both"]).expect("a good secret");
        SessionManager::new(store.clone(), keys)
    });
    // Each login takes a number when it is done, each revocation before it begins.
    let (order, enough) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let most = Arc::new(AtomicU64::new(BETWEEN.end));
    let mut devices = JoinSet::new();
    for device in 0..DEVICES {
        let sessions = instances[usize::from(device % 2 == 0)].clone();
        let (order, enough, most) = (Arc::clone(&order), Arc::clone(&enough), Arc::clone(&most));
        devices.spawn(async move {
            let mut logins = Vec::new();
            loop {
                // A store that answers at once would have more of them than anybody can revoke.
                while order.load(Ordering::SeqCst) > most.load(Ordering::SeqCst) {
                    yield_now().await;
                }
                let is_last = enough.load(Ordering::SeqCst);
                let cookie = log_in(&sessions).await;
                logins.push((order.fetch_add(1, Ordering::SeqCst), cookie));
                if is_last {
                    return logins;
                }
            }
        });
    }
    let [here, there] = &instances;
    let (mut called, mut revoked) = (0, 0);
    for _ in 0..REVOCATIONS {
        while order.load(Ordering::SeqCst) < called + BETWEEN.start {
            yield_now().await;
        }
        called = order.fetch_add(1, Ordering::SeqCst);
        most.store(called + BETWEEN.end, Ordering::SeqCst);
        revoked += here.revoke_all("ada").await.expect("an answer");
    }
    enough.store(true, Ordering::SeqCst);
    most.store(u64::MAX, Ordering::SeqCst);
    let logins: Vec<(u64, String)> = devices.join_all().await.into_iter().flatten().collect();

    let mut alive = BTreeSet::new();
    for (done, cookie) in &logins {
        let session = there.visit([cookie.as_bytes()]).session().await.expect("an answer");
        if session.principal().is_some() {
            assert!(*done > called, "login {done} was done before revocation {called} began, and goes on");
            alive.insert(session.handle().map(|handle| handle.as_str().to_owned()));
        }
    }
    let listed = there.sessions_of("ada").await.expect("an answer");
    let listed: BTreeSet<_> = listed.iter().map(|info| Some(info.handle.as_str().to_owned())).collect();
    assert_eq!(listed, alive, "the list has the sessions that go on, and no others");
    assert_eq!(revoked + alive.len(), logins.len(), "each login was ended once, or goes on");
    assert!(
        alive.len() >= usize::try_from(DEVICES).unwrap_or(0),
        "the last login of each device came after all"
    );
    assert_eq!(there.revoke_all("ada").await.expect("an answer"), alive.len());
    for (_, cookie) in &logins {
        let session = here.visit([cookie.as_bytes()]).session().await.expect("an answer");
        assert_eq!(session.principal(), None, "nobody is left");
    }
    println!("{} logins beside {REVOCATIONS} revocations, {revoked} were ended", logins.len());
}

/// The cookie of a session that has begun.
async fn log_in(sessions: &SessionManager) -> String {
    let visit = sessions.visit([]);
    visit.session().await.expect("an answer").authenticate("ada").expect("a good name");
    let reply = visit.commit().await;
    assert!(reply.refusal().is_none(), "the login is refused: {:?}", reply.refusal());
    let mut headers = SetCookie(String::new());
    reply.write_to(&mut headers);
    headers.0.split(';').next().unwrap_or_default().to_owned()
}

struct SetCookie(String);

impl ResponseHeaders for SetCookie {
    fn values(&self, _name: &str) -> Vec<String> {
        Vec::new()
    }

    fn set(&mut self, _name: &str, _value: &str) {}

    fn append_sensitive(&mut self, name: &str, value: &str) {
        if name == "set-cookie" {
            value.clone_into(&mut self.0);
        }
    }
}
