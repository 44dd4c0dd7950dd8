//! An application that runs out of file descriptors: `cramped URL`, under a limit of a few hundred.
//!
//! Clients work. Then it opens files until there are no more, and more clients come, who need connections that cannot be
//! made. Then the files are closed. It tells what happened, and fails where a store that is up would not have answered so.
#![allow(clippy::print_stdout, reason = "it tells what happened")]

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom::{ErrorKind, Freshness, Store, StoreErrorKind};
use cloakroom_faults::{
    End, Event, Figures, History, Recorded, Resending, Rules, Workload, check, fresh_key,
};
use cloakroom_testkit::Lateness;
use tokio::time::sleep;

/// The deadline of a verb.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long it is cramped.
const CRAMPED: Duration = Duration::from_millis(800);
/// How long the store may take afterwards.
const RECOVERY: Duration = Duration::from_secs(2);
/// How long anybody waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a system tells whoever has no descriptor left.
const NONE_LEFT: i32 = 24;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("cramped URL")?;
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{joint}timeout={}ms", DEADLINE.as_millis());
    let backend = cloakroom::connect(&url).await?;
    let taken = Mutex::new(None);
    let _backend = backend.layer(|store| {
        if let Ok(mut taken) = taken.lock() {
            *taken = Some(Arc::clone(&store));
        }
        store
    });
    let store: Arc<dyn Store> = taken.into_inner()?.ok_or("no store")?;
    let (history, lateness, origin) = (History::new(), Lateness::watch(), Instant::now());
    let store = Recorded::new(store, &history, DEADLINE);
    let work = Workload::new().with_pace(Duration::from_millis(2));
    let few = work.with_groups(1).start(std::slice::from_ref(&store));
    sleep(Duration::from_millis(300)).await;

    let struck = history.now();
    let (mut files, end) = (Vec::new(), Instant::now() + CRAMPED);
    let (mut crowd, mut newcomers) = (None, Vec::new());
    while Instant::now() < end {
        // Again and again: somebody may have closed something meanwhile.
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) if error.raw_os_error() == Some(NONE_LEFT) => {
                crowd.get_or_insert_with(|| work.with_groups(8).start(std::slice::from_ref(&store)));
                sleep(Duration::from_millis(1)).await;
                // Who comes with nothing cannot do without.
                let start = Instant::now();
                if let Err(error) = cloakroom::connect(&url).await {
                    newcomers.push((error.kind(), lateness.since(start) > DEADLINE / 2));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    let count = files.len();
    drop(files);
    let over = history.now();
    let start = Instant::now();
    let key = fresh_key()?;
    while store.load(&key, Freshness::Latest).await.is_err() {
        if start.elapsed() > PATIENCE {
            return Err("it never recovers".into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    let recovery = start.elapsed().saturating_sub(lateness.since(start));
    sleep(Duration::from_millis(300)).await;
    few.end(&store).await?;
    crowd.ok_or("it had descriptors to the end")?.end(&store).await?;

    let late = |from: Duration, to: Duration| lateness.between(origin + from, origin + to);
    let mut events = history.events();
    for event in &mut events {
        if let Some(ended) = event.ended {
            event.overrun =
                event.overrun.saturating_sub(late(ended.at.saturating_sub(event.overrun), ended.at));
        }
    }
    let figures = Figures::of(&events, struck, over);
    let verdict = check(&events, &Rules::strict().with_resending(Resending::AfterALostReply));
    println!("after {count} more files there is no descriptor left: {figures}\n  history: {verdict}");
    let kinds: BTreeSet<_> = newcomers.iter().map(|(kind, _)| format!("{kind:?}")).collect();
    println!("  {} newcomers were refused: {kinds:?}", newcomers.len());
    if !verdict.is_clean() {
        return Err("the history is not clean".into());
    }
    // Who waits for a connection waits in vain where nothing runs.
    let stood_still =
        |event: &Event| event.ended.is_some_and(|ended| late(event.invoked.at, ended.at) > DEADLINE / 2);
    let is_honest = |event: &Event| match event.end {
        End::Answered(_) | End::Refused(StoreErrorKind::Unavailable) => true,
        End::Refused(StoreErrorKind::Timeout) | End::Unknown(StoreErrorKind::Timeout) => stood_still(event),
        _ => false,
    };
    if !events.iter().all(is_honest) {
        return Err("the errors are not those of a store that cannot be reached".into());
    }
    if newcomers.is_empty() {
        return Err("nobody noticed".into());
    }
    let is_honest = |(kind, late): &(ErrorKind, bool)| {
        *kind == ErrorKind::Unavailable || (*kind == ErrorKind::Timeout && *late)
    };
    if !newcomers.iter().all(is_honest) {
        return Err("newcomers are not told that the store cannot be reached".into());
    }
    let answered =
        |event: &Event| event.invoked > over && event.key != key && matches!(event.end, End::Answered(_));
    if recovery > RECOVERY || !events.iter().any(answered) {
        return Err("it does not recover".into());
    }
    Ok(())
}
