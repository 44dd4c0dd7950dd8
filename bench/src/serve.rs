//! The same applications behind the servers of their frameworks.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

use actix_session::storage::{CookieSessionStore, RedisSessionStore, SessionStore};
use actix_web::{App, HttpServer, rt};
use anyhow::{Context as _, Result};
use axum::serve::ListenerExt as _;
use cloakroom::actix::SessionMiddleware;

use crate::cell::{Backend, Cell, Contender, Framework};
use crate::contender::{self, Setup};
use crate::driver::{actix_sessions, pooled};
use crate::options::Options;
use crate::scenario::Rolling;

/// How many threads answer.
const WORKERS: usize = 2;

/// Serves one cell until its standard input ends, and says first on which address.
pub fn main(words: &[String]) -> Result<()> {
    let (cell, rest) = words.split_at_checked(2).context("serve CONTENDER BACKEND")?;
    let options = Options::parse(rest, &["--rolling"], &["--url"])?;
    let setup = Setup {
        cell: Cell::parse(&cell[0], &cell[1])?,
        url: options.get("--url").map(str::to_owned),
        rolling: if options.has("--rolling") { Rolling::AsUsual } else { Rolling::No },
    };
    // Whoever started this may be gone without a word.
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    match setup.cell.contender.framework() {
        Framework::Axum => {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
            runtime.block_on(serve_axum(&setup, listener, address))
        }
        Framework::Actix => rt::System::new().block_on(serve_actix(&setup, listener, address)),
    }
}

fn ready(address: SocketAddr) {
    println!("{address}");
}

async fn serve_axum(setup: &Setup, listener: TcpListener, address: SocketAddr) -> Result<()> {
    let router = contender::router(setup).await?;
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    ready(address);
    // In a task of its own: the thread that waits here is none of the workers.
    Ok(tokio::spawn(axum::serve(listener, router).into_future()).await??)
}

async fn serve_actix(setup: &Setup, listener: TcpListener, address: SocketAddr) -> Result<()> {
    match (setup.cell.contender, setup.cell.backend) {
        (Contender::BareActix, _) => {
            let server = HttpServer::new(|| App::new().configure(contender::bare::routes));
            run(server.workers(WORKERS).listen(listener)?.run(), address).await
        }
        (Contender::CloakroomActix, _) => {
            let sessions = contender::cloakroom::sessions(setup).await?;
            let server = HttpServer::new(move || {
                App::new()
                    .wrap(SessionMiddleware::new(sessions.clone()))
                    .configure(contender::cloakroom::routes)
            });
            run(server.workers(WORKERS).listen(listener)?.run(), address).await
        }
        (_, Backend::Cookie) => peer(CookieSessionStore::default, setup, listener, address).await,
        (Contender::ActixSession, _) => {
            let store = RedisSessionStore::new(setup.url()?).await?;
            peer(move || store.clone(), setup, listener, address).await
        }
        (_, _) => {
            let store = pooled(setup.url()?).await?;
            peer(move || store.clone(), setup, listener, address).await
        }
    }
}

async fn peer<S: SessionStore + 'static>(
    store: impl Fn() -> S + Clone + Send + 'static,
    setup: &Setup,
    listener: TcpListener,
    address: SocketAddr,
) -> Result<()> {
    let rolling = setup.rolling;
    let server = HttpServer::new(move || {
        App::new().wrap(actix_sessions(store(), rolling)).configure(contender::actix_session::routes)
    });
    run(server.workers(WORKERS).listen(listener)?.run(), address).await
}

async fn run(server: actix_web::dev::Server, address: SocketAddr) -> Result<()> {
    ready(address);
    Ok(server.await?)
}
