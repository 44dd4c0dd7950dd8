//! A small page with a visit counter, a login form and a flash message, on either adapter.

mod actix_app;
mod axum_app;
mod options;
mod pages;

use std::io::{self, Write};
use std::process::ExitCode;

use cloakroom::{CookiePolicy, KeyRing, SessionManager};
use tokio::net::TcpListener;

use crate::options::{Adapter, Command, Cookie, HELP, Options};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let done = match Command::read(std::env::args().skip(1)) {
        Ok(Command::Help) => say(HELP),
        Ok(Command::Serve(options)) => serve(options).await,
        Err(mistake) => Err(format!("{mistake}; `--help` tells what there is").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn serve(options: Options) -> Outcome {
    let cookie = match options.cookie {
        Cookie::Secure => CookiePolicy::default(),
        Cookie::Insecure => CookiePolicy::default().danger_insecure_cookie(),
    };
    let backend = cloakroom::connect("memory:").await?;
    let sessions = SessionManager::builder(backend, KeyRing::generate()).with_cookie(cookie).build()?;

    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let address = listener.local_addr()?;
    if address.ip().is_loopback() {
        say(&format!("http://localhost:{} (Ctrl-C ends it)\n", address.port()))?;
    } else {
        say(&format!("http://{address} (Ctrl-C ends it)\n"))?;
        if options.cookie == Cookie::Secure {
            say("No browser keeps the session there without --insecure-cookie or a TLS proxy.\n")?;
        }
    }
    match options.adapter {
        Adapter::Axum => axum_app::serve(listener, sessions).await?,
        Adapter::Actix => actix_app::serve(listener.into_std()?, sessions).await?,
    }
    Ok(())
}

fn say(text: &str) -> Outcome {
    Ok(io::stdout().write_all(text.as_bytes())?)
}
