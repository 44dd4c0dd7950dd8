//! A proxy between a contender and its server, which counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::cell::Backend;
use crate::statements::Statements;

/// Counts of all connections together, for a client that waits for one answer at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often the server spoke after the client had.
    pub round_trips: u64,
    pub up: u64,
    pub down: u64,
    /// What the client asked for, in the protocol's own units.
    pub statements: u64,
}

impl Counts {
    pub const fn since(self, before: Self) -> Self {
        Self {
            round_trips: self.round_trips - before.round_trips,
            up: self.up - before.up,
            down: self.down - before.down,
            statements: self.statements - before.statements,
        }
    }
}

/// A proxy on a port of its own. It runs on a thread of its own, and ends with the process.
pub struct Proxy {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    round_trips: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
    statements: AtomicU64,
}

impl Proxy {
    /// Before the server that `url` leads to.
    pub fn before(backend: Backend, url: &str) -> Result<Self> {
        let server = address(url)?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let counted = Arc::clone(&seen);
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(carry(client, server.clone(), backend, Arc::clone(&counted)));
                }
            });
        });
        Ok(Self { address, seen })
    }

    /// The same URL by way of the proxy.
    pub fn url(&self, url: &str) -> Result<String> {
        Ok(url.replacen(&address(url)?, &self.address.to_string(), 1))
    }

    pub fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
        let Seen { round_trips, up, down, statements } = &*self.seen;
        Counts { round_trips: of(round_trips), up: of(up), down: of(down), statements: of(statements) }
    }
}

/// `host:port` of a URL.
fn address(url: &str) -> Result<String> {
    let (_, rest) = url.split_once("://").context("a URL has a scheme")?;
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Ok(host.to_owned())
}

async fn carry(client: TcpStream, server: String, backend: Backend, seen: Arc<Seen>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    // Or each answer waits for the acknowledgement of another.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut statements = Statements::of(backend);
    let client_spoke = AtomicBool::new(false);
    let asked = pass(from_client, to_server, |bytes| {
        client_spoke.store(true, Ordering::SeqCst);
        seen.up.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        seen.statements.fetch_add(statements.count(bytes), Ordering::SeqCst);
    });
    let answered = pass(from_server, to_client, |bytes| {
        if client_spoke.swap(false, Ordering::SeqCst) {
            seen.round_trips.fetch_add(1, Ordering::SeqCst);
        }
        seen.down.fetch_add(bytes.len() as u64, Ordering::SeqCst);
    });
    tokio::join!(asked, answered);
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut note: impl FnMut(&[u8]),
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..len) else { return };
        note(bytes);
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::{Counts, Proxy, address};
    use crate::cell::Backend;

    /// Answers each byte with three.
    fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                stream.write_all(&[byte[0]; 3]).unwrap();
            }
        });
        format!("redis://user@{address}/0?x=y")
    }

    #[test]
    fn each_question_that_waits_for_its_answer_is_a_round_trip() {
        let url = server();
        let proxy = Proxy::before(Backend::Redis, &url).unwrap();
        let through = proxy.url(&url).unwrap();
        assert!(through.starts_with("redis://user@127.0.0.1:") && through.ends_with("/0?x=y"));
        let mut client = TcpStream::connect(address(&through).unwrap()).unwrap();
        let mut answer = [0; 3];
        let before = proxy.counts();
        for _ in 0..7 {
            client.write_all(b"a").unwrap();
            client.read_exact(&mut answer).unwrap();
        }
        let counts = proxy.counts().since(before);
        assert_eq!(counts, Counts { round_trips: 7, up: 7, down: 21, statements: 0 });
    }
}
