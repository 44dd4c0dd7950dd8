//! The proxy does what it says, to the byte.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Network, Proxy};

const REPLY: &[u8] = b"0123456789";

/// A server that answers each byte with ten.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                while client.read_u8().await.is_ok() && client.write_all(REPLY).await.is_ok() {}
            });
        }
    });
    address
}

/// How long a byte may take that shall come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing must come where nothing shall.
const SILENCE: Duration = Duration::from_millis(60);

/// Asks once; what arrives, and how the connection then is. What shall be `silent` after so many bytes is listened to
/// for a moment from then on; all else is waited for.
async fn ask(client: &mut TcpStream, bytes: usize, end: &str) -> (Vec<u8>, &'static str) {
    let mut got = Vec::new();
    if client.write_all(b"?").await.is_err() {
        return (got, "broken");
    }
    let mut byte = [0];
    loop {
        let patience = if end == "silent" && got.len() >= bytes { SILENCE } else { PATIENCE };
        match timeout(patience, client.read(&mut byte)).await {
            Err(_) => return (got, "silent"),
            Ok(Ok(1)) => got.extend(byte),
            Ok(Ok(_)) => return (got, "closed"),
            Ok(Err(_)) => return (got, "reset"),
        }
    }
}

/// Asks once, and wants this to arrive, and the connection to be like this.
async fn expect(client: &mut TcpStream, reply: &[u8], end: &str) {
    let (got, how) = ask(client, reply.len(), end).await;
    assert_eq!((got.as_slice(), how), (reply, end));
}

#[tokio::test]
async fn replies_pass_and_are_counted() {
    let proxy = Proxy::before(server().await).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    expect(&mut client, REPLY, "silent").await;
    assert_eq!((proxy.seen().asked(), proxy.seen().answered()), (1, 10));
    assert_eq!((proxy.seen().connections(), proxy.seen().cuts()), (1, 0));
}

#[tokio::test]
async fn connection_is_reset_after_exactly_so_many_bytes() {
    let proxy = Proxy::before(server().await).await.unwrap();
    for offset in 0..=10 {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        expect(&mut client, REPLY, "silent").await;
        proxy.set(Network::CutOnceAfter(offset as u64));
        expect(&mut client, &REPLY[..offset], "reset").await;
        let mut next = TcpStream::connect(proxy.address()).await.unwrap();
        expect(&mut next, REPLY, "silent").await;
    }
    assert_eq!(proxy.seen().cuts(), 11);
    for (limit, arrived) in [(0, 0), (4, 4), (10, 10), (99, 10)] {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        expect(&mut client, REPLY, "silent").await;
        proxy.set(Network::CutNextWithin(limit));
        expect(&mut client, &REPLY[..arrived], "reset").await;
        let mut next = TcpStream::connect(proxy.address()).await.unwrap();
        expect(&mut next, REPLY, "silent").await;
    }
    assert_eq!(proxy.seen().cuts(), 15);
    proxy.set(Network::CutEachAfter(13));
    for _ in 0..2 {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        expect(&mut client, REPLY, "silent").await;
        expect(&mut client, &REPLY[..3], "reset").await;
    }
}

#[tokio::test]
async fn replies_wait_and_arrive_later() {
    let proxy = Proxy::before(server().await).await.unwrap();
    for (network, before) in [(Network::HoldAfter(4), 4), (Network::BlackHole, 0)] {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.set(network);
        expect(&mut client, &REPLY[..before], "silent").await;
        proxy.set(Network::Pass);
        let mut rest = vec![0; 10 - before];
        client.read_exact(&mut rest).await.unwrap();
        assert_eq!(rest, REPLY[before..]);
    }
}

#[tokio::test]
async fn older_connections_stand_still_and_new_ones_go_on() {
    let proxy = Proxy::before(server().await).await.unwrap();
    let mut older = TcpStream::connect(proxy.address()).await.unwrap();
    expect(&mut older, REPLY, "silent").await;
    proxy.set(Network::FreezeOlder);
    expect(&mut older, b"", "silent").await;
    let mut newer = TcpStream::connect(proxy.address()).await.unwrap();
    expect(&mut newer, REPLY, "silent").await;
    assert_eq!(proxy.seen().asked(), 2, "what is asked on the older one waits as well");
    proxy.set(Network::Pass);
    let mut late = vec![0; REPLY.len()];
    older.read_exact(&mut late).await.unwrap();
    assert_eq!(late, REPLY);
    assert_eq!(proxy.seen().connections(), 2);
}

#[tokio::test]
async fn replies_are_slow_late_doubled_or_nonsense() {
    let proxy = Proxy::before(server().await).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.set(Network::Trickle(1, Duration::from_millis(10)));
    let start = Instant::now();
    expect(&mut client, REPLY, "silent").await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    proxy.set(Network::Delay(Duration::from_millis(30)));
    let start = Instant::now();
    expect(&mut client, REPLY, "silent").await;
    assert!(start.elapsed() >= Duration::from_millis(30));
    proxy.set(Network::Duplicate);
    expect(&mut client, &REPLY.repeat(2), "silent").await;
    proxy.set(Network::Garbage);
    for _ in 0..4 {
        let (got, _) = ask(&mut client, REPLY.len(), "silent").await;
        assert_eq!(got.len(), 10);
        assert_ne!(got, REPLY);
    }
}

#[tokio::test]
async fn connections_are_refused() {
    let proxy = Proxy::before(server().await).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    expect(&mut client, REPLY, "silent").await;
    proxy.set(Network::Refuse);
    proxy.until(|seen| seen.cuts() == 1).await;
    assert!(matches!(ask(&mut client, 0, "reset").await.1, "broken" | "reset"));
    let mut next = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(matches!(ask(&mut next, 0, "reset").await.1, "broken" | "reset" | "closed"));
    proxy.set(Network::Pass);
    let mut next = TcpStream::connect(proxy.address()).await.unwrap();
    expect(&mut next, REPLY, "silent").await;
}
