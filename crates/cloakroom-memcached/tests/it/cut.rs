//! Connections that end in the middle: after so many bytes of a request, or of its reply.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloakroom_core::{Created, Deleted, Freshness, Record, Replaced, Store as _, StoreErrorKind, Touched};
use cloakroom_memcached::MemcachedStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use xtask::server::MemcachedServer;

use crate::sample::{self, MINUTE};

/// Where a connection ends.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Request(usize),
    Reply(usize),
}

/// Ends the next connection there, and lets all others through.
#[derive(Debug)]
struct Scissors {
    address: SocketAddr,
    open: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Scissors {
    async fn start(to: u16, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let open = Arc::new(AtomicBool::new(false));
        let state = Arc::clone(&open);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(("127.0.0.1", to)).await.expect("the server");
                let cut = state.swap(false, Ordering::SeqCst).then_some(cut);
                tokio::spawn(async move {
                    match cut {
                        None => drop(tokio::io::copy_bidirectional(&mut client, &mut server).await),
                        Some(cut) => carry(client, server, cut).await,
                    }
                });
            }
        });
        Self { address, open, task }
    }

    /// The next connection is cut.
    fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

impl Drop for Scissors {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, cut: Cut) {
    let (request, reply) = match cut {
        Cut::Request(bytes) => (bytes, usize::MAX),
        Cut::Reply(bytes) => (usize::MAX, bytes),
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    tokio::select! {
        () = some(&mut from_client, &mut to_server, request) => {}
        () = some(&mut from_server, &mut to_client, reply) => {}
    }
}

/// Carries so many bytes, at most.
async fn some(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    mut left: usize,
) {
    let mut bytes = [0; 4096];
    while left > 0 {
        let Ok(len @ 1..) = from.read(&mut bytes).await else { return };
        let len = len.min(left);
        if to.write_all(&bytes[..len]).await.is_err() {
            return;
        }
        left -= len;
    }
    let _ = to.flush().await;
}

/// Every verb once, with its first connection cut there. All of them find out what is in place.
async fn every_verb(server: &MemcachedServer, cut: Cut) {
    let direct = MemcachedStore::connect(&server.url()).await.expect("a server");
    let scissors = Scissors::start(server.port(), cut).await;
    let url = format!("memcache://{}", scissors.address);
    for verb in 0..5 {
        // Connected before, so that the connection that is cut is the one of the verb.
        let store = MemcachedStore::connect(&url).await.expect("a server");
        let (key, old, new) = (sample::key(), sample::record(), sample::record());
        if verb != 0 {
            assert_eq!(direct.create(&key, &old).await.expect("an answer"), Created::Created);
        }
        scissors.open();
        let kept = match verb {
            0 => match store.create(&key, &new).await {
                Ok(created) => {
                    assert_eq!(created, Created::Created);
                    Some(&new)
                }
                // Not sent again, lest a session that ended in between comes back. What is in place is found.
                Err(error) => {
                    assert_eq!(error.kind(), StoreErrorKind::Ambiguous, "{cut:?}");
                    None
                }
            },
            1 => {
                let found = store.load(&key, Freshness::Latest).await;
                let found = found.unwrap_or_else(|error| panic!("{cut:?} {error:?}")).expect("a record");
                assert_eq!(found.payload, old.payload);
                Some(&old)
            }
            2 => {
                let replaced = store.replace(&key, old.version, &new).await;
                assert_eq!(replaced.unwrap_or_else(|error| panic!("{cut:?} {error:?}")), Replaced::Replaced);
                Some(&new)
            }
            3 => {
                let touched = store.touch(&key, old.version, MINUTE * 2).await;
                assert_eq!(touched.unwrap_or_else(|error| panic!("{cut:?} {error:?}")), Touched::Touched);
                Some(&old)
            }
            _ => {
                let deleted = store.delete(&key).await;
                assert_eq!(deleted.unwrap_or_else(|error| panic!("{cut:?} {error:?}")), Deleted::Deleted);
                None
            }
        };
        let found = direct.load(&key, Freshness::Latest).await.expect("an answer");
        let version = |record: &Record| record.version;
        assert_eq!(found.as_ref().map(version), kept.map(version), "{cut:?}");
        if verb == 3 {
            assert!(found.expect("a record").ttl > MINUTE, "{cut:?}");
        }
    }
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn verbs_survive_the_end_of_a_connection_at_every_byte() {
    let server = MemcachedServer::start().expect("a server");
    // The longest request has a head of about a hundred bytes, a header of 16, and the payload.
    for bytes in 0..180 {
        every_verb(&server, Cut::Request(bytes)).await;
    }
    for bytes in 0..80 {
        every_verb(&server, Cut::Reply(bytes)).await;
    }
}
