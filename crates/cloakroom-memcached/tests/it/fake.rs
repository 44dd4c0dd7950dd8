//! A server that answers what a test tells it to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_memcached::MemcachedStore;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use cloakroom_testkit::until;

/// What the server does when a command arrives.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends these bytes.
    Reply(Vec<u8>),
    /// Sends these bytes at once, and once more after a while.
    Twice(Vec<u8>, Duration),
    /// Sends these bytes one by one, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Sends these bytes and closes the connection.
    Reset(Vec<u8>),
    /// Says nothing, and reads on.
    Silence,
}

pub(crate) fn say(line: &str) -> Act {
    Act::Reply(format!("{line}\r\n").into_bytes())
}

/// A command: its words, its value, and the number of the connection it came on, from 0. A connection is counted
/// when the first command about a record comes on it.
#[derive(Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) connection: usize,
    pub(crate) words: &'a [String],
    pub(crate) value: &'a [u8],
}

impl Heard<'_> {
    pub(crate) fn name(&self) -> &str {
        &self.words[0]
    }

    /// What follows this letter among the flags.
    pub(crate) fn flag(&self, letter: char) -> Option<&str> {
        let flags = if self.name() == "ms" { 3 } else { 2 };
        self.words[flags..].iter().find_map(|word| word.strip_prefix(letter))
    }

    fn opaque(&self) -> &str {
        self.flag('O').expect("an opaque token")
    }

    /// A line that answers this command.
    pub(crate) fn line(&self, line: &str) -> Vec<u8> {
        format!("{line} O{}\r\n", self.opaque()).into_bytes()
    }

    pub(crate) fn answer(&self, line: &str) -> Act {
        Act::Reply(self.line(line))
    }

    /// A value that answers this command.
    pub(crate) fn value(&self, value: &[u8], cas: u64, ticks: i64) -> Vec<u8> {
        let mut reply = format!("VA {} c{cas} t{ticks} O{}\r\n", value.len(), self.opaque()).into_bytes();
        reply.extend_from_slice(value);
        reply.extend_from_slice(b"\r\n");
        reply
    }
}

#[derive(Debug)]
pub(crate) struct Fake {
    address: SocketAddr,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    interviews: AtomicUsize,
    /// Connections that the server closed.
    closed: AtomicUsize,
}

/// What a server tells of itself by default.
pub(crate) const TOLD: &str = "EN O1\r\nSTAT item_size_max 1048576\r\nSTAT cas_enabled yes\r\nEND\r\n\
                               STAT pid 1\r\nSTAT time 1000000000\r\nEND\r\n";

impl Fake {
    /// Tells of itself as Memcached does; `script` has the say in everything after.
    pub(crate) async fn start<F>(script: F) -> Self
    where
        F: Fn(&Heard<'_>) -> Act + Send + Sync + 'static,
    {
        Self::start_telling(Act::Reply(TOLD.into()), script).await
    }

    /// Does this when it is asked to tell of itself.
    pub(crate) async fn start_telling<F>(told: Act, script: F) -> Self
    where
        F: Fn(&Heard<'_>) -> Act + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let counts = Arc::new(Counts::default());
        let (script, counted) = (Arc::new(script), Arc::clone(&counts));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, told, counts) = (Arc::clone(&script), told.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    // An error says that the client hung up.
                    let _ = serve(stream, &counts, told, &*script).await;
                });
            }
        });
        Self { address, counts, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("memcache://{}", self.address)
    }

    pub(crate) fn store(&self) -> MemcachedStore {
        MemcachedStore::connect_lazy(&self.url()).expect("a URL")
    }

    /// How many connections there were for records.
    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// How often the server was asked to tell of itself.
    pub(crate) fn interviews(&self) -> usize {
        self.counts.interviews.load(Ordering::SeqCst)
    }

    /// Waits until the client hears that the server closed so many connections.
    pub(crate) async fn ends_arrive(&self, count: usize) {
        until(|| self.counts.closed.load(Ordering::SeqCst) >= count).await;
        // What comes on a connection that is made later comes later.
        drop(TcpStream::connect(self.address).await.expect("a connection"));
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    counts: &Counts,
    told: Act,
    script: &(impl Fn(&Heard<'_>) -> Act + Sync),
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut number = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let act = match words[0].as_str() {
            "mg" if words[1] == "cloakroom" => {
                counts.interviews.fetch_add(1, Ordering::SeqCst);
                told.clone()
            }
            "stats" => Act::Silence,
            name => {
                let mut value = Vec::new();
                if name == "ms" {
                    value = vec![0; words[2].parse::<usize>().expect("a length") + 2];
                    stream.read_exact(&mut value).await?;
                    value.truncate(value.len() - 2);
                }
                let connection =
                    *number.get_or_insert_with(|| counts.connections.fetch_add(1, Ordering::SeqCst));
                script(&Heard { connection, words: &words, value: &value })
            }
        };
        match act {
            Act::Reply(bytes) => stream.write_all(&bytes).await?,
            Act::Twice(bytes, pause) => {
                stream.write_all(&bytes).await?;
                tokio::time::sleep(pause).await;
                stream.write_all(&bytes).await?;
            }
            Act::Drip(bytes, pause) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            Act::Reset(bytes) => {
                stream.write_all(&bytes).await?;
                let end = stream.shutdown().await;
                counts.closed.fetch_add(1, Ordering::SeqCst);
                return end;
            }
            Act::Silence => {}
        }
    }
}
