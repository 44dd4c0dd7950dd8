//! An application that dies at one of its store calls: `victim URL SECRET CALL before|after`.
//!
//! One visitor writes, logs in, writes again, rotates and logs out. After each response his cookie is told on the
//! standard output: `STEP COOKIE`. The last line of one that lived to the end is `end`.
#![allow(clippy::print_stdout, reason = "it tells how far it came")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::{
    Created, Deleted, Freshness, KeyRing, PrincipalIndex, Record, Replaced, Session, SessionManager, Store,
    StoreError, StoreKey, Touched, Version,
};
use cloakroom_faults::Browser;

type Step = fn(&Session) -> cloakroom::Result<()>;

/// What the visitor does, one request each.
const STEPS: [(&str, Step); 5] = [
    ("write", |session| session.set("value", "one")),
    ("login", |session| session.authenticate("ada")),
    ("write-again", |session| session.set("value", "two")),
    ("rotate", |session| session.rotate()),
    ("logout", |session| {
        session.logout();
        Ok(())
    }),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, secret, call, moment] = arguments.as_slice() else {
        return Err("victim URL SECRET CALL before|after".into());
    };
    let (call, moment) = (call.parse()?, if moment == "before" { Moment::Before } else { Moment::After });
    let backend = cloakroom::connect(url).await?;
    let backend = backend.layer(|store| Mortal { store, call, moment, calls: AtomicU32::new(0) });
    let sessions = SessionManager::new(backend, KeyRing::parse(secret)?);
    let mut visitor = Browser::default();
    for (name, step) in STEPS {
        visitor.request(&sessions, step).await?;
        println!("{name} {}", visitor.cookie().unwrap_or("none"));
    }
    println!("end");
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// A store that takes the application with it.
#[derive(Debug)]
struct Mortal {
    store: Arc<dyn Store>,
    call: u32,
    moment: Moment,
    calls: AtomicU32,
}

impl Mortal {
    async fn run<T>(&self, call: impl Future<Output = T> + Send) -> T {
        let last = self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.call;
        if last && self.moment == Moment::Before {
            std::process::abort();
        }
        let result = call.await;
        if last {
            std::process::abort();
        }
        result
    }
}

#[async_trait]
impl Store for Mortal {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        self.run(self.store.load(key, freshness)).await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.run(self.store.create(key, record)).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        self.run(self.store.replace(key, expected, record)).await
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.run(self.store.touch(key, expected, ttl)).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.run(self.store.delete(key)).await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        self.store.principals()
    }
}
