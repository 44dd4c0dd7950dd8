//! One small program with every session route, on either adapter over any backend.
//!
//! `testbed --help` says how to start it. Stories, load tests and people with `curl` drive it from outside.

mod actix_app;
mod answer;
mod axum_app;
mod duration;
mod options;
mod routes;
mod sessions;
mod terminal;

use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use crate::options::{Adapter, Options, Request};

/// The largest body that is read, in bytes.
const LARGEST_BODY: usize = 1024 * 1024;
/// How long responses under way may take once the program is asked to end.
const ENDING: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Request::Help) => {
            terminal::complain(options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Request::Serve(options)) => *options,
        Err(sentence) => return refuse(&sentence),
    };
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("there is no runtime: {error}")),
    };
    match runtime.block_on(serve(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => refuse(&sentence),
    }
}

async fn serve(options: Options) -> Result<(), String> {
    let (listen, adapter) = (options.listen, options.adapter);
    let sessions = sessions::build(options).await?;
    let listener =
        TcpListener::bind(listen).map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let serving = || terminal::say(&format!("listening on http://{address}"));
    match adapter {
        Adapter::Axum => axum_app::serve(listener, sessions, serving).await,
        Adapter::Actix => actix_app::serve(listener, sessions, serving).await,
    }
    .map_err(|error| format!("the server failed: {error}"))
}

fn refuse(sentence: &str) -> ExitCode {
    terminal::complain(&format!("testbed: {sentence}"));
    ExitCode::FAILURE
}
