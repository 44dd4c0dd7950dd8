//! Shows a fleet: `cargo run -p fleet`; `cargo run -p fleet -- --help` says what can be chosen.

mod options;
mod testbed;

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use fleet::{Ending, Error, Fleet, Load, Plan, Result, Ring, SharedStore};
use xtask::install::{self, Program};
use xtask::server::RedisServer;

use crate::options::{Command, Options};

/// How many requests each visitor makes before the first restart, and after the last.
const AROUND: u64 = 10;

fn main() -> ExitCode {
    let options = match Command::read(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            say(options::HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        Ok(Command::Show(options)) => options,
        Err(sentence) => return refuse(&sentence),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("there is no runtime: {error}")),
    };
    let shown = runtime.block_on(async {
        tokio::select! {
            shown = show(options) => shown,
            // What was started ends with what is dropped here.
            _ = tokio::signal::ctrl_c() => Err(Error::Trouble("interrupted".to_owned())),
        }
    });
    match shown {
        Ok(()) => {
            say("\nevery promise was kept");
            ExitCode::SUCCESS
        }
        Err(error @ Error::Broken(_)) => refuse(&format!("a promise was broken: {error}")),
        Err(error) => refuse(&error.to_string()),
    }
}

async fn show(options: Options) -> Result<()> {
    let Options { store, adapters, ring, visitors } = options;
    let needed: &[Program] =
        if store.is_some() { &[Program::Nginx] } else { &[Program::Nginx, Program::RedisServer] };
    tokio::task::block_in_place(|| install::ensure(needed))?;
    say("building the testbed");
    let testbed = testbed::build().await?;
    let ring = ring.map_or_else(Ring::made_up, Ok)?;
    // It ends with this function.
    let (store, own) = match store {
        Some(store) => (store, None),
        None => {
            let redis = tokio::task::block_in_place(RedisServer::start)?;
            let store = SharedStore::parse(&redis.url()).map_err(Error::Trouble)?;
            (store, Some(redis))
        }
    };
    let mut fleet = Fleet::start(Plan::new(&testbed, adapters, &store, &ring)).await?;
    let store_said =
        if own.is_some() { "a Redis that was started for this run" } else { "the one of --store" };
    say(&format!("store      {store_said}"));
    say(&format!("instances  {}", fleet.describe()));
    say(&format!("proxy      nginx at {}, with a cache; it asks the instances in turn", fleet.url()));

    title("one login, seen by all");
    tell(fleet::one_login(&fleet).await?);

    for (ending, name) in [
        (Ending::Asked, "a rolling restart: SIGTERM to one instance after the other"),
        (Ending::Drained, "the same, with each instance taken out of the proxy first"),
        (Ending::Killed, "a crash of one instance after the other: SIGKILL"),
    ] {
        title(&format!("{name}; {visitors} visitors are logged in, read and add"));
        let load = Load::start(&fleet, visitors, store.tabs()).await?;
        load.go_on(AROUND).await?;
        tell(fleet::roll(&mut fleet, &load, ending, None).await?);
        load.go_on(AROUND).await?;
        tell(load.close().await?);
    }

    title("another secret, in three rolling restarts, with the same visitors");
    let load = Load::start(&fleet, visitors, store.tabs()).await?;
    load.go_on(AROUND).await?;
    tell(fleet::change_keys(&mut fleet, &load, &ring, &Ring::made_up()?).await?);
    load.go_on(AROUND).await?;
    tell(load.close().await?);

    title("a cache in front");
    tell(fleet::shared_cache(&fleet).await?);
    Ok(())
}

fn title(what: &str) {
    say(&format!("\n{what}"));
}

fn tell(figures: impl Display) {
    for line in figures.to_string().lines() {
        say(&format!("  {line}"));
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn refuse(sentence: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "fleet: {sentence}");
    ExitCode::FAILURE
}
