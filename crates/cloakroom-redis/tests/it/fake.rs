//! A server that answers what a test tells it to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_redis::RedisStore;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, broadcast};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// What the server does when a command arrives.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends these bytes.
    Reply(Vec<u8>),
    /// Sends these bytes and resets the connection.
    Reset(Vec<u8>),
    /// Sends these bytes, and resets the connection behind the number of that request.
    Farewell(Vec<u8>),
    /// Sends these bytes after this time, and reads nothing until then.
    Late(Duration, Vec<u8>),
    /// Says nothing, and reads on.
    Silence,
}

pub(crate) fn say(line: &str) -> Act {
    Act::Reply(format!("{line}\r\n").into_bytes())
}

/// A reply of one string.
pub(crate) fn bulk(bytes: &[u8]) -> Vec<u8> {
    let mut reply = format!("${}\r\n", bytes.len()).into_bytes();
    reply.extend_from_slice(bytes);
    reply.extend_from_slice(b"\r\n");
    reply
}

/// A command: its words, and the number of the connection it came on, from 0.
pub(crate) struct Heard<'a> {
    pub(crate) connection: usize,
    pub(crate) words: &'a [Vec<u8>],
}

impl Heard<'_> {
    pub(crate) fn name(&self) -> &str {
        std::str::from_utf8(&self.words[0]).expect("the name of a command")
    }
}

/// Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct Fake {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    pushes: broadcast::Sender<Vec<u8>>,
    task: JoinHandle<()>,
}

impl Fake {
    /// Greets as a primary does; `script` has the say in everything after.
    pub(crate) async fn start<F>(script: F) -> Self
    where
        F: Fn(&Heard<'_>) -> Act + Send + Sync + 'static,
    {
        Self::start_rude(move |heard| match heard.name() {
            "HELLO" => say("%1\r\n+server\r\n+redis"),
            "INFO" if heard.words[1] == b"replication" => Act::Reply(bulk(b"role:master\r\n")),
            _ => script(heard),
        })
        .await
    }

    /// Leaves even the greeting to `script`.
    pub(crate) async fn start_rude<F>(script: F) -> Self
    where
        F: Fn(&Heard<'_>) -> Act + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let pushes = broadcast::Sender::new(8);
        let pushed = pushes.clone();
        let script = Arc::new(script);
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (script, pushes) = (Arc::clone(&script), pushed.subscribe());
                open.spawn(async move {
                    // An error says that the client hung up.
                    let _ = serve(stream, number, &*script, pushes).await;
                });
            }
        });
        Self { address, connections, pushes, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn store(&self) -> RedisStore {
        RedisStore::connect_lazy(&self.url()).expect("a URL")
    }

    /// Sends these bytes to everybody who is connected, unasked.
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.pushes.send(bytes.to_vec()).expect("somebody who is connected");
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    connection: usize,
    script: &(impl Fn(&Heard<'_>) -> Act + Sync),
    mut pushes: broadcast::Receiver<Vec<u8>>,
) -> std::io::Result<()> {
    // A reply and the number behind it are two writes.
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let (mut read, write) = (BufReader::new(read), Mutex::new(write));
    let answers = async {
        // Whoever is not answered is not told the number behind his request either.
        let (mut silent, mut last) = (false, false);
        loop {
            let words = command(&mut read).await?;
            if let [name, number] = &*words
                && name == b"ECHO"
            {
                if !silent {
                    write.lock().await.write_all(&bulk(number)).await?;
                }
                if last {
                    return write.lock().await.shutdown().await;
                }
                continue;
            }
            silent = false;
            match script(&Heard { connection, words: &words }) {
                Act::Reply(bytes) => write.lock().await.write_all(&bytes).await?,
                Act::Reset(bytes) => {
                    let mut write = write.lock().await;
                    write.write_all(&bytes).await?;
                    return write.shutdown().await;
                }
                Act::Farewell(bytes) => {
                    write.lock().await.write_all(&bytes).await?;
                    last = true;
                }
                Act::Late(time, bytes) => {
                    sleep(time).await;
                    write.lock().await.write_all(&bytes).await?;
                }
                Act::Silence => silent = true,
            }
        }
    };
    let unasked = async {
        while let Ok(bytes) = pushes.recv().await {
            write.lock().await.write_all(&bytes).await?;
        }
        std::future::pending().await
    };
    tokio::select! {
        end = answers => end,
        end = unasked => end,
    }
}

async fn command(stream: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut word = vec![0; number(stream).await?];
        stream.read_exact(&mut word).await?;
        stream.read_exact(&mut [0; 2]).await?;
        words.push(word);
    }
    Ok(words)
}

/// A line such as `*3` or `$17`.
async fn number(stream: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<usize> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim()[1..].parse().expect("a number"))
}
