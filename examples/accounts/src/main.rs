//! A small application with accounts, as one would build it on Cloakroom: `README.md` says which file shows what.

mod accounts;
mod ago;
mod app;
mod data;
mod destination;
mod device;
mod error;
mod error_page;
mod frame;
mod headers;
mod member;
mod name;
mod notice;
mod options;
mod pages;
mod password;
#[cfg(test)]
mod scratch;
mod terminal;

use std::process::ExitCode;
use std::time::Duration;

use cloakroom::{CookiePolicy, SessionManager};
use tokio::net::TcpListener;

use crate::accounts::Accounts;
use crate::app::App;
use crate::data::DataDirectory;
use crate::options::{Command, Cookie, HELP, Options};
use crate::password::Passwords;

/// How long responses under way may take once the program is asked to end.
const ENDING: Duration = Duration::from_secs(3);

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let done = match Command::read(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            terminal::say(HELP);
            Ok(())
        }
        Ok(Command::Serve(options)) => serve(options).await,
        Err(mistake) => Err(format!("{mistake}; `--help` tells what there is").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&format!("accounts: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> Outcome {
    let data = DataDirectory::of(&options.database)?;
    let keys = data.key_ring(options.secret.as_deref())?;
    let store = match options.store {
        Some(url) => url,
        None => data.sessions_url()?,
    };
    let backend = cloakroom::connect(&store).await.map_err(|error| format!("--store: {error}"))?;
    let cookie = match options.cookie {
        Cookie::Secure => CookiePolicy::default(),
        Cookie::Insecure => CookiePolicy::default().danger_insecure_cookie(),
    };
    let sessions = SessionManager::builder(backend, keys).with_cookie(cookie).build()?;
    let accounts = Accounts::open(&options.database).await.map_err(|error| format!("--database: {error}"))?;
    let passwords = Passwords::new().await?;
    let app = App { sessions, accounts, passwords, step_up_after: options.step_up_after };

    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let address = listener.local_addr()?;
    let (ending, overdue) = (terminal::asked_to_end(), terminal::asked_to_end());
    let server = axum::serve(listener, app.router()).with_graceful_shutdown(ending);
    let patience = async {
        overdue.await;
        tokio::time::sleep(ENDING).await;
    };
    terminal::say(&format!("listening on http://{address}\n"));
    tokio::select! {
        served = server => served?,
        () = patience => {}
    }
    Ok(())
}
