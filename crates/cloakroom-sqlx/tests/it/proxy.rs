//! A bad network: a proxy that loses replies, and forgets the connections it has.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// No reply is to be cut.
const WHOLE: usize = usize::MAX;

#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    connections: AtomicUsize,
    /// After how many bytes the next reply is cut, and its connection with it.
    cut: AtomicUsize,
    /// Connections with a number below this one stand still.
    frozen: watch::Sender<usize>,
    /// Nobody gets through who is not through already.
    barred: watch::Sender<bool>,
    /// How many bytes of a reply get through in a millisecond.
    pace: AtomicUsize,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let (connections, cut, frozen) =
            (AtomicUsize::new(0), AtomicUsize::new(WHOLE), watch::Sender::new(0));
        let barred = watch::Sender::new(false);
        let pace = AtomicUsize::new(WHOLE);
        let state = Arc::new(State { connections, cut, frozen, barred, pace });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut barred = shared.barred.subscribe();
            while let Ok((client, _)) = listener.accept().await {
                let _ = barred.wait_for(|barred| !barred).await;
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(("127.0.0.1", to)).await.expect("the server");
                tokio::spawn(carry(client, server, number, Arc::clone(&shared)));
            }
        });
        Self { address, state, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Cuts the next reply after so many bytes.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.state.cut.store(bytes, Ordering::SeqCst);
    }

    /// Whether the cut that was asked for is still to come.
    pub(crate) fn is_set(&self) -> bool {
        self.state.cut.load(Ordering::SeqCst) != WHOLE
    }

    /// Keeps new connections waiting, or lets them through.
    pub(crate) fn bar(&self, barred: bool) {
        self.state.barred.send_replace(barred);
    }

    /// Lets so many bytes of each reply through in a millisecond.
    pub(crate) fn slow_down(&self, bytes: usize) {
        self.state.pace.store(bytes, Ordering::SeqCst);
    }

    /// Freezes the connections that there are. They stay open, and what is sent is still acknowledged.
    pub(crate) fn freeze(&self) {
        self.state.frozen.send_replace(self.connections());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, server: TcpStream, number: usize, state: Arc<State>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut frozen = state.frozen.subscribe();
    let mut also_frozen = frozen.clone();
    let there = tokio::spawn(async move {
        let mut bytes = [0; 4096];
        while let Ok(len @ 1..) = from_client.read(&mut bytes).await {
            let thawed = also_frozen.wait_for(|frozen| number >= *frozen).await.is_ok();
            if !thawed || to_server.write_all(&bytes[..len]).await.is_err() {
                return;
            }
        }
    });
    let mut bytes = [0; 4096];
    while let Ok(len @ 1..) = from_server.read(&mut bytes).await {
        if frozen.wait_for(|frozen| number >= *frozen).await.is_err() {
            break;
        }
        let cut = state.cut.swap(WHOLE, Ordering::SeqCst);
        let mut sent = Ok(());
        for piece in bytes[..len.min(cut)].chunks(state.pace.load(Ordering::SeqCst)) {
            sent = to_client.write_all(piece).await;
            if piece.len() < len {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        if cut != WHOLE || sent.is_err() {
            break;
        }
    }
    there.abort();
}
