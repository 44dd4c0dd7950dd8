//! The sessions of a principal beyond the laws: what a crowd sees, how the list of admissions ends, and what it looks
//! like to those who come upon another one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom_core::{
    Admitted, Created, Deleted, Entries, Freshness, IndexVersion, PrincipalIndex, PrincipalTag, Store as _,
    StoreErrorKind, StoreKey,
};
use cloakroom_sqlx::{SqlStore, Sweep};
use cloakroom_testkit::Lateness;

use crate::raw::{Raw, on_all_databases};
use crate::sample;
use crate::scratch::Scratch;

on_all_databases! {
    no_session_is_missing_while_others_come
    limit_holds_in_a_crowd
    list_is_short_and_is_swept
    list_that_is_none_is_an_error_until_it_ends
    version_of_no_list_does_not_come_back_too_early
    long_list_holds_nobody_up
}

const HOUR: Duration = Duration::from_secs(3600);

fn tag() -> PrincipalTag {
    PrincipalTag::from_bytes(*sample::key().as_bytes())
}

/// A table of one test.
struct Place<D: Raw> {
    url: String,
    table: String,
    store: SqlStore<D>,
    _scratch: Scratch,
}

impl<D: Raw> Place<D> {
    async fn new() -> Self {
        let (scratch, table) = (Scratch::new(), sample::table());
        let url = D::url(&scratch);
        let store = open(&scratch, &table).await;
        Self { url, table, store, _scratch: scratch }
    }

    /// The same table, as another process has it.
    async fn again(&self) -> SqlStore<D> {
        open(&self._scratch, &self.table).await
    }

    async fn run(&self, text: &str) {
        D::run(&self.url, text).await;
    }

    /// How many lists of admissions there are of which this is true.
    async fn lists(&self, and: &str) -> i64 {
        let text = format!("SELECT count(*) FROM {} WHERE principal IS NULL {and}", self.table);
        D::number(&self.url, &text).await
    }
}

async fn open<D: Raw>(scratch: &Scratch, table: &str) -> SqlStore<D> {
    let url = D::url(scratch);
    // The last parameter is one of the client library, not of the store.
    let url = url.split('?').next().unwrap_or_default();
    SqlStore::builder(url)
        .with_table(table.parse().expect("a name"))
        .with_timeout(Duration::from_secs(20))
        .with_sweep(Sweep::Never)
        .connect()
        .await
        .expect("a store")
}

fn index<D: Raw>(store: &SqlStore<D>) -> &dyn PrincipalIndex {
    store.principals().expect("an index")
}

async fn entries<D: Raw>(store: &SqlStore<D>, tag: &PrincipalTag) -> Entries {
    index(store).entries(tag).await.expect("an answer")
}

fn keys(entries: &Entries) -> BTreeSet<StoreKey> {
    let keys: BTreeSet<_> = entries.entries.iter().map(|entry| entry.key).collect();
    assert_eq!(keys.len(), entries.entries.len(), "a key is listed twice");
    keys
}

async fn admit<D: Raw>(store: &SqlStore<D>, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) -> Admitted {
    let version = entries(store, tag).await.version;
    index(store).admit(tag, version, key, ttl, &[]).await.expect("an answer")
}

async fn create<D: Raw>(store: &SqlStore<D>, tag: &PrincipalTag, key: &StoreKey) {
    let record = sample::record().with_principal(Some(*tag));
    assert_eq!(store.create(key, &record).await.expect("an answer"), Created::Created);
}

/// Waits for tasks, and panics as they do.
async fn all(tasks: Vec<tokio::task::JoinHandle<()>>) {
    for task in tasks {
        task.await.expect("no panic");
    }
}

/// Each login frees the places of those before it whose records are there. Whoever looks meanwhile misses nobody who was
/// admitted before.
async fn no_session_is_missing_while_others_come<D: Raw>() {
    const LOGINS: usize = 40;
    let place = Place::<D>::new().await;
    let (tag, stores) = (tag(), [place.store.clone(), place.again().await]);
    let (known, done) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicBool::new(false)));
    let spectators: Vec<_> = (0..4)
        .map(|number| {
            let (store, known, done) = (stores[number % 2].clone(), Arc::clone(&known), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::Acquire) {
                    let before: BTreeSet<StoreKey> = known.lock().expect("no panic").clone();
                    let seen = keys(&entries(&store, &tag).await);
                    let missing = before.difference(&seen).count();
                    assert_eq!(missing, 0, "of {} sessions", before.len());
                }
            })
        })
        .collect();
    let logins = (0..4).map(|number| {
        let (store, known) = (stores[number % 2].clone(), Arc::clone(&known));
        tokio::spawn(async move {
            for _ in 0..LOGINS {
                let key = sample::key();
                while admit(&store, &tag, &key, HOUR).await == Admitted::Conflict {}
                known.lock().expect("no panic").insert(key);
                create(&store, &tag, &key).await;
            }
        })
    });
    all(logins.collect()).await;
    done.store(true, Ordering::Release);
    all(spectators).await;
    assert_eq!(entries(&stores[1], &tag).await.entries.len(), 4 * LOGINS);
}

/// As the manager keeps a limit: who must go is deleted, and then the newcomer is admitted if nobody else was.
async fn limit_holds_in_a_crowd<D: Raw>() {
    const LIMIT: usize = 3;
    let place = Place::<D>::new().await;
    let stores = [place.store.clone(), place.again().await];
    for _ in 0..4 {
        let tag = tag();
        let logins = (0..16).map(|number| {
            let store = stores[number % 2].clone();
            tokio::spawn(async move {
                let key = sample::key();
                loop {
                    let seen = entries(&store, &tag).await;
                    let here = seen.entries.iter().filter(|entry| entry.age == Duration::MAX);
                    let surplus = (seen.entries.len() + 1).saturating_sub(LIMIT);
                    let gone: Vec<_> = here.map(|entry| entry.key).take(surplus).collect();
                    if gone.len() < surplus {
                        // Others were admitted, and write their records now.
                        tokio::task::yield_now().await;
                        continue;
                    }
                    for key in &gone {
                        let _: Deleted = store.delete(key).await.expect("an answer");
                    }
                    let admitted = index(&store).admit(&tag, seen.version, &key, HOUR, &gone).await;
                    if admitted.expect("an answer") == Admitted::Admitted {
                        break;
                    }
                }
                create(&store, &tag, &key).await;
            })
        });
        let logins: Vec<_> = logins.collect();
        let count = format!(
            "SELECT count(*) FROM {} WHERE principal = {}",
            place.table,
            D::bytes(tag.as_bytes().as_slice())
        );
        while !logins.iter().all(tokio::task::JoinHandle::is_finished) {
            let found = D::number(&place.url, &count).await;
            assert!(found <= 3, "{found} sessions");
        }
        all(logins).await;
        let found = D::number(&place.url, &count).await;
        assert!((1..=3).contains(&found), "{found} sessions");
        // A place may be left of whom somebody deleted who was not admitted then.
        let here = entries(&stores[0], &tag).await.entries;
        let here = here.iter().filter(|entry| entry.age == Duration::MAX).count();
        assert_eq!(here, usize::try_from(found).expect("a few"));
    }
}

async fn list_is_short_and_is_swept<D: Raw>() {
    let place = Place::<D>::new().await;
    let (store, tag) = (&place.store, tag());
    for _ in 0..20 {
        let key = sample::key();
        assert_eq!(admit(store, &tag, &key, HOUR).await, Admitted::Admitted);
        create(store, &tag, &key).await;
    }
    assert_eq!(entries(store, &tag).await.entries.len(), 20);
    // The place of the last one alone: nobody was admitted since its record is there.
    assert_eq!(place.lists("AND length(payload) = 49").await, 1);
    // It ends with its last place, with no process running, and the sweep takes it.
    let count = format!("SELECT count(*) FROM {}", place.table);
    place.run(&format!("UPDATE {} SET expires_at = expires_at - 3595000", place.table)).await;
    assert_eq!(store.sweep(100).await.expect("an answer"), 20);
    assert_eq!(place.lists("").await, 1);
    place.run(&format!("UPDATE {} SET expires_at = expires_at - 5001", place.table)).await;
    let listed = entries(store, &tag).await;
    assert_eq!((listed.entries.len(), listed.version), (0, IndexVersion::new(0)));
    assert_eq!(store.sweep(100).await.expect("an answer"), 1);
    assert_eq!(D::number(&place.url, &count).await, 0);
    // What removes the last place leaves two minutes.
    let key = sample::key();
    assert_eq!(admit(store, &tag, &key, HOUR).await, Admitted::Admitted);
    index(store).remove(&tag, &[key], Duration::ZERO).await.expect("an answer");
    place.run(&format!("UPDATE {} SET expires_at = expires_at - 120001", place.table)).await;
    assert_eq!(store.sweep(100).await.expect("an answer"), 1);
}

async fn list_that_is_none_is_an_error_until_it_ends<D: Raw>() {
    let place = Place::<D>::new().await;
    let (store, tag, other) = (&place.store, tag(), tag());
    assert_eq!(admit(store, &other, &sample::key(), HOUR).await, Admitted::Admitted);
    place.run(&format!("UPDATE {} SET principal = {}", place.table, D::bytes(&[9; 32]))).await;
    let key = sample::key();
    assert_eq!(admit(store, &tag, &key, HOUR).await, Admitted::Admitted);
    let version = entries(store, &tag).await.version;
    for payload in ["", "02", "01ff", &format!("01{}", "ff".repeat(48))] {
        let digits = (D::BYTES.0, payload, D::BYTES.1);
        let set = format!("SET payload = {}{}{} WHERE principal IS NULL", digits.0, digits.1, digits.2);
        place.run(&format!("UPDATE {} {set}", place.table)).await;
        let index = index(store);
        for error in [
            index.entries(&tag).await.expect_err("no list"),
            index.admit(&tag, version, &sample::key(), HOUR, &[]).await.expect_err("no list"),
            index.remove(&tag, &[key], Duration::ZERO).await.expect_err("no list"),
        ] {
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{payload}: {error:?}");
        }
        assert_eq!(entries(store, &other).await.entries.len(), 1);
    }
    place.run(&format!("UPDATE {} SET version = 0, payload = {}", place.table, D::bytes(&[1]))).await;
    let error = index(store).entries(&tag).await.expect_err("no list");
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
    place.run(&format!("UPDATE {} SET expires_at = 5 WHERE principal IS NULL", place.table)).await;
    assert_eq!(admit(store, &tag, &key, HOUR).await, Admitted::Admitted);
    assert_eq!(entries(store, &tag).await.entries.len(), 1);
}

/// Whoever has read that there is no list may be late. One that came and went meanwhile must not look to him like none.
async fn version_of_no_list_does_not_come_back_too_early<D: Raw>() {
    let place = Place::<D>::new().await;
    let (store, tag, moment) = (&place.store, tag(), Duration::from_millis(1));
    let before = entries(store, &tag).await.version;
    let key = sample::key();
    assert_eq!(admit(store, &tag, &key, moment).await, Admitted::Admitted);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(keys(&entries(store, &tag).await), BTreeSet::new());
    let late = index(store).admit(&tag, before, &sample::key(), HOUR, &[]).await;
    assert_eq!(late.expect("an answer"), Admitted::Conflict);
}

/// Ten thousand sessions are listed, and meanwhile others are served.
async fn long_list_holds_nobody_up<D: Raw>() {
    const SESSIONS: usize = 10_000;
    let place = Place::<D>::new().await;
    let (store, tag) = (place.store.clone(), tag());
    place.run(&D::many(&place.table, SESSIONS, &D::bytes(tag.as_bytes().as_slice()))).await;
    let (key, lateness) = (sample::key(), Lateness::watch());
    create(&store, &PrincipalTag::from_bytes([7; 32]), &key).await;
    let (mut least, start) = (Duration::MAX, Instant::now());
    for _ in 0..5 {
        let lister = {
            let store = store.clone();
            tokio::spawn(async move { assert_eq!(keys(&entries(&store, &tag).await).len(), SESSIONS) })
        };
        let mut longest = Duration::ZERO;
        while !lister.is_finished() {
            let begin = Instant::now();
            assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
            let waited = begin.elapsed().saturating_sub(lateness.since(begin));
            longest = longest.max(waited);
        }
        lister.await.expect("no panic");
        least = least.min(longest);
    }
    println!("a list in {:?}, others waited {least:?}", start.elapsed() / 5);
    assert!(least < Duration::from_millis(100), "others waited {least:?}");
}
