//! An application that runs out of file descriptors: `cramped URL`, under a limit of a few hundred.
//!
//! Clients work. Then it opens files until there are no more, and more clients come, who need connections that cannot be
//! made. Then the files are closed. It tells what happened, and fails where a store that is up would not have answered so.
#![allow(clippy::print_stdout, reason = "it tells what happened")]

use std::fs::File;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom::{Freshness, Store};
use cloakroom_faults::{Figures, History, Recorded, Resending, Rules, Workload, check, fresh_key};
use tokio::time::sleep;

/// The deadline of a verb.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long it is cramped.
const CRAMPED: Duration = Duration::from_millis(800);
/// How long the store may take afterwards.
const RECOVERY: Duration = Duration::from_secs(2);
/// What a system tells whoever has no descriptor left.
const NONE_LEFT: i32 = 24;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("cramped URL")?;
    let joint = if url.contains('?') { '&' } else { '?' };
    let backend = cloakroom::connect(&format!("{url}{joint}timeout={}ms", DEADLINE.as_millis())).await?;
    let taken = Mutex::new(None);
    let _backend = backend.layer(|store| {
        if let Ok(mut taken) = taken.lock() {
            *taken = Some(Arc::clone(&store));
        }
        store
    });
    let store: Arc<dyn Store> = taken.into_inner()?.ok_or("no store")?;
    let history = History::new();
    let store = Recorded::new(store, &history, DEADLINE);
    let work = Workload::new().with_pace(Duration::from_millis(2));
    let few = work.with_groups(1).start(std::slice::from_ref(&store));
    sleep(Duration::from_millis(300)).await;

    let struck = history.now();
    let (mut files, end) = (Vec::new(), Instant::now() + CRAMPED);
    let mut crowd = None;
    while Instant::now() < end {
        // Again and again: somebody may have closed something meanwhile.
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) if error.raw_os_error() == Some(NONE_LEFT) => {
                crowd.get_or_insert_with(|| work.with_groups(8).start(std::slice::from_ref(&store)));
                sleep(Duration::from_millis(1)).await;
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
        sleep(Duration::from_millis(5)).await;
    }
    let recovery = start.elapsed();
    sleep(Duration::from_millis(300)).await;
    let answered = history.len();
    few.end(&store).await?;
    crowd.ok_or("it had descriptors to the end")?.end(&store).await?;

    let events = history.events();
    let figures = Figures::of(&events, struck, over);
    let verdict = check(&events, &Rules::strict().with_resending(Resending::AfterALostReply));
    println!("after {count} more files there is no descriptor left: {figures}\n  history: {verdict}");
    if !verdict.is_clean() {
        return Err("the history is not clean".into());
    }
    if figures.errors.keys().any(|kind| kind != "Unavailable") {
        return Err("the errors are not those of a store that cannot be reached".into());
    }
    if recovery > RECOVERY || answered == 0 {
        return Err("it does not recover".into());
    }
    Ok(())
}
