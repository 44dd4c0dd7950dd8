//! A network that misbehaves: a TCP proxy on loopback in front of any server.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::dice::Dice;

/// What becomes of the replies. Numbers of bytes count from the moment at which this is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Network {
    /// They go through.
    Pass,
    /// After exactly so many bytes the connection that carries the next one is reset. Then all go through.
    CutOnceAfter(u64),
    /// What arrives next is cut after so many bytes, or else at its end, and its connection reset. Then all go through.
    CutNextWithin(u64),
    /// Each connection is reset after so many bytes of its own.
    CutEachAfter(u64),
    /// After so many bytes they wait, until something else is set.
    HoldAfter(u64),
    /// They wait, and so do requests, until something else is set. Connections are still accepted.
    BlackHole,
    /// So many bytes go through at a time, each piece so long after the one before.
    Trickle(usize, Duration),
    /// So many other bytes arrive.
    Garbage,
    /// Each arrives twice.
    Duplicate,
    /// Each arrives so much later.
    Delay(Duration),
    /// The connections that there are wait, as in a black hole. New ones go through.
    FreezeOlder,
    /// Every connection is reset, the ones that there are and new ones.
    Refuse,
}

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    seen: Seen,
    setting: watch::Sender<Setting>,
    /// Where new connections lead to.
    server: Mutex<SocketAddr>,
    /// The connections that have not ended, by their numbers.
    open: watch::Sender<BTreeSet<u64>>,
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    network: Network,
    /// How many bytes of replies there had been when it was set.
    base: u64,
    /// How many connections there had been.
    older: u64,
}

impl Setting {
    /// What becomes of the replies on the connection of this number.
    fn network(self, number: u64) -> Network {
        match self.network {
            Network::FreezeOlder if number < self.older => Network::BlackHole,
            Network::FreezeOlder => Network::Pass,
            network => network,
        }
    }
}

/// What went through. All connections count together.
#[derive(Debug, Default)]
pub struct Seen {
    asked: AtomicU64,
    requests: AtomicU64,
    answered: AtomicU64,
    connections: AtomicU64,
    cuts: AtomicU64,
    news: Notify,
}

impl Seen {
    /// Bytes of requests handed to the server.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Pieces in which requests arrived: the round trips of a client that asks one short thing at a time.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Bytes of replies handed to the client.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// Connections that were accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// Connections that were reset.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }

    /// Counts, and says how many there had been.
    fn count(&self, counter: &AtomicU64, by: usize) -> u64 {
        let before = counter.fetch_add(by as u64, Ordering::SeqCst);
        self.news.notify_waiters();
        before
    }
}

impl Proxy {
    /// Starts one before a server.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn before(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (setting, _) = watch::channel(Setting { network: Network::Pass, base: 0, older: 0 });
        let (server, open) = (Mutex::new(server), watch::channel(BTreeSet::new()).0);
        let state = Arc::new(State { seen: Seen::default(), setting, server, open });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = *shared.server.lock().unwrap_or_else(PoisonError::into_inner);
                // Counted before anybody carries it: whoever resets all of them misses none.
                let number = shared.seen.count(&shared.seen.connections, 1);
                shared.open.send_if_modified(|open| open.insert(number));
                tokio::spawn(carry(number, client, server, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, state, task })
    }

    /// Starts one before a server of this machine.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn before_port(port: u16) -> io::Result<Self> {
        Self::before(([127, 0, 0, 1], port).into()).await
    }

    /// Where clients connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections to another server, as an address does that moves with the primary.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.state.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
    }

    /// A URL that leads here, by the name of its scheme.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// What went through so far.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.state.seen
    }

    /// Sets what becomes of the replies, from now on and of those that wait.
    pub fn set(&self, network: Network) {
        let (base, older) = (self.seen().answered(), self.seen().connections());
        self.state.setting.send_replace(Setting { network, base, older });
    }

    /// Resets every connection, the ones that there are and new ones, and waits until none is left that there was.
    pub async fn reset_all(&self) {
        self.set(Network::Refuse);
        let older = self.seen().connections();
        let mut open = self.state.open.subscribe();
        // The channel lives as long as this value.
        let _ = open.wait_for(|open| open.first().is_none_or(|number| *number >= older)).await;
    }

    /// Waits until `condition` holds of what went through.
    pub async fn until(&self, condition: impl Fn(&Seen) -> bool) {
        loop {
            let news = self.seen().news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if condition(self.seen()) {
                return;
            }
            news.await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.set(Network::Refuse);
    }
}

/// How a connection ends.
enum Parting {
    /// One side closed it.
    Closed,
    /// We reset it.
    Cut,
}

async fn carry(number: u64, mut client: TcpStream, server: SocketAddr, state: Arc<State>) {
    let refused = state.setting.borrow().network == Network::Refuse;
    let parting = match TcpStream::connect(server).await {
        Ok(mut upstream) if !refused => {
            let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
            let ((from_client, to_client), (from_server, to_server)) = (client.split(), upstream.split());
            tokio::select! {
                parting = requests(number, from_client, to_server, &state) => parting,
                parting = replies(number, from_server, to_client, &state) => parting,
            }
        }
        _ => Parting::Cut,
    };
    if matches!(parting, Parting::Cut) {
        state.seen.count(&state.seen.cuts, 1);
        let _ = client.set_zero_linger();
    }
    drop(client);
    state.open.send_if_modified(|open| open.remove(&number));
}

async fn requests(number: u64, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, state: &State) -> Parting {
    let mut setting = state.setting.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        state.seen.count(&state.seen.requests, 1);
        let open = setting.wait_for(|setting| setting.network(number) != Network::BlackHole).await.is_ok();
        let chunk = buffer.get(..length).unwrap_or_default();
        if !open || to.write_all(chunk).await.is_err() {
            break;
        }
        state.seen.count(&state.seen.asked, length);
    }
    Parting::Closed
}

async fn replies(number: u64, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, state: &State) -> Parting {
    let mut setting = state.setting.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    let mut sent = 0;
    loop {
        let length = tokio::select! {
            read = from.read(&mut buffer) => match read {
                Ok(length @ 1..) => length,
                _ => return Parting::Closed,
            },
            changed = setting.wait_for(|setting| setting.network == Network::Refuse) => {
                drop(changed);
                return Parting::Cut;
            }
        };
        let chunk = buffer.get(..length).unwrap_or_default();
        match deliver(number, chunk, &mut to, &mut sent, &mut setting, state).await {
            Ok(()) => {}
            Err(parting) => return parting,
        }
    }
}

/// Hands a chunk to the client, or what takes its place.
async fn deliver(
    number: u64,
    chunk: &[u8],
    to: &mut WriteHalf<'_>,
    sent: &mut u64,
    setting: &mut watch::Receiver<Setting>,
    state: &State,
) -> Result<(), Parting> {
    let mut rest = chunk;
    while !rest.is_empty() {
        let now = *setting.borrow_and_update();
        let network = now.network(number);
        let since = state.seen.answered().saturating_sub(now.base);
        let room = match network {
            Network::Pass | Network::Garbage | Network::Duplicate | Network::Delay(_) => rest.len(),
            Network::CutOnceAfter(limit) | Network::HoldAfter(limit) => clamp(limit, since, rest.len()),
            Network::CutNextWithin(limit) => clamp(limit, 0, rest.len()),
            Network::CutEachAfter(limit) => clamp(limit, *sent, rest.len()),
            Network::Trickle(bytes, _) => bytes,
            Network::BlackHole | Network::FreezeOlder | Network::Refuse => 0,
        };
        if let Network::Delay(time) | Network::Trickle(_, time) = network {
            sleep(time).await;
        }
        let (part, later) = rest.split_at(room.min(rest.len()));
        let part = match network {
            Network::Garbage => garbage(part.len(), since),
            Network::Duplicate => part.repeat(2),
            _ => part.to_vec(),
        };
        // Counted first: whoever has read a reply finds it counted.
        *sent += part.len() as u64;
        state.seen.count(&state.seen.answered, part.len());
        to.write_all(&part).await.map_err(|_| Parting::Closed)?;
        rest = later;
        let full = match network {
            Network::CutOnceAfter(limit) => since + part.len() as u64 >= limit,
            Network::CutEachAfter(limit) => *sent >= limit,
            _ => matches!(network, Network::CutNextWithin(_) | Network::Refuse),
        };
        if full {
            state.setting.send_if_modified(|now| {
                let once = matches!(now.network, Network::CutOnceAfter(_) | Network::CutNextWithin(_));
                if once {
                    now.network = Network::Pass;
                }
                once
            });
            return Err(Parting::Cut);
        }
        if room == 0 && setting.changed().await.is_err() {
            return Err(Parting::Closed);
        }
    }
    Ok(())
}

fn clamp(limit: u64, so_far: u64, length: usize) -> usize {
    usize::try_from(limit.saturating_sub(so_far)).unwrap_or(usize::MAX).min(length)
}

/// Bytes that no server says: any, text, or zeros.
fn garbage(length: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    match dice.roll(3) {
        0 => (0..length).map(|_| u8::try_from(dice.roll(256)).unwrap_or_default()).collect(),
        1 => b"HTTP/1.1 400 Bad Request\r\n\r\n".iter().copied().cycle().take(length).collect(),
        _ => vec![0; length],
    }
}

#[cfg(test)]
mod tests;
