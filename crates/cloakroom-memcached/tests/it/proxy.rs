//! A bad network: a proxy that freezes the connections it has and lets new ones through.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Connections with a number below this one stand still.
    frozen: watch::Sender<usize>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (frozen, state) = watch::channel(0);
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(("127.0.0.1", to)).await.expect("the server");
                let (client, server) = (client.into_split(), server.into_split());
                tokio::spawn(carry(client.0, server.1, number, state.clone()));
                tokio::spawn(carry(server.0, client.1, number, state.clone()));
            }
        });
        Self { address, connections, frozen, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("memcache://{}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Freezes the connections that there are. They stay open, and what is sent is still acknowledged.
    pub(crate) fn freeze(&self) {
        self.frozen.send_replace(self.connections());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    number: usize,
    mut frozen: watch::Receiver<usize>,
) {
    let mut bytes = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut bytes).await {
        if frozen.wait_for(|frozen| number >= *frozen).await.is_err()
            || to.write_all(&bytes[..len]).await.is_err()
        {
            return;
        }
    }
}
