//! A TCP proxy that sees how far a conversation is, and can hold its replies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// What one proxy has seen. All connections through it count together.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Bytes of requests handed to the server.
    pub(crate) asked: AtomicU64,
    /// Bytes of replies handed to the client.
    pub(crate) answered: AtomicU64,
    /// Something was counted.
    news: Notify,
}

/// How much of the replies goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// Replies go through until so many bytes have, counted from the start.
    Until(u64),
}

/// A running proxy before one server; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    gate: watch::Sender<Gate>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Starts one.
    pub(crate) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let (gate, held) = watch::channel(Gate::Open);
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(upstream) = TcpStream::connect(server).await else { return };
                let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), upstream.into_split());
                tokio::spawn(requests(from_client, to_server, Arc::clone(&shared)));
                tokio::spawn(replies(from_server, to_client, Arc::clone(&shared), held.clone()));
            }
        });
        Self { address, seen, gate, task }
    }

    /// Sets the gate.
    pub(crate) fn set(&self, gate: Gate) {
        self.gate.send_replace(gate);
    }

    /// Waits until `condition` holds of what was seen.
    pub(crate) async fn until(&self, condition: impl Fn(&Seen) -> bool) {
        loop {
            let news = self.seen.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if condition(&self.seen) {
                return;
            }
            news.await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: Arc<Seen>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        seen.asked.fetch_add(length as u64, Ordering::SeqCst);
        seen.news.notify_waiters();
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn replies(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    seen: Arc<Seen>,
    mut gate: watch::Receiver<Gate>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let now = *gate.borrow_and_update();
            let room = match now {
                Gate::Open => rest.len(),
                Gate::Until(limit) => {
                    let room = limit.saturating_sub(seen.answered.load(Ordering::SeqCst));
                    rest.len().min(usize::try_from(room).unwrap_or(usize::MAX))
                }
            };
            if room == 0 {
                if gate.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let (part, later) = rest.split_at(room);
            if to.write_all(part).await.is_err() {
                return;
            }
            rest = later;
            seen.answered.fetch_add(part.len() as u64, Ordering::SeqCst);
            seen.news.notify_waiters();
        }
    }
}
