use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use redis::Value;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::{AT_ONCE, Asked, Ends, KEPT, READS, Socket, Wire};
use crate::echo::Echo;
use crate::error::Failure;
use crate::form;
use crate::request::{Asking, Packed, Request};

mod layers;

/// How much the network takes while the server reads nothing.
const NETWORK: usize = 100;

/// A connection, and the server at its other end.
fn connection() -> (Arc<Wire>, DuplexStream) {
    let (ours, theirs) = duplex(NETWORK);
    (Arc::new(Wire::new(Box::new(ours), None)), theirs)
}

fn delete(name: &str) -> Arc<Packed> {
    Arc::new(Packed::one(form::one_or_none, ["DEL", name].map(Into::into)))
}

type Answer = Result<Vec<Value>, Failure>;

impl Socket for DuplexStream {}

/// Lets somebody ask, until as much of it is on its way as the network takes.
async fn asked(wire: &Arc<Wire>, request: Arc<Packed>) -> tokio::task::JoinHandle<Answer> {
    let wire = Arc::clone(wire);
    let task = tokio::spawn(async move { wire.ask(&request).await });
    for _ in 0..10 {
        yield_now().await;
    }
    task
}

async fn end(task: tokio::task::JoinHandle<Answer>) -> Answer {
    timeout(Duration::from_secs(10), task).await.expect("an end").expect("no panic")
}

/// Reads a whole command.
async fn heard(server: &mut DuplexStream, request: &Packed) {
    server.read_exact(&mut vec![0; request.bytes().len()]).await.expect("a request");
}

/// In the outbox, or still on the way to it: nobody can have done what it asks for.
#[tokio::test]
async fn request_that_never_left_is_not_in_doubt() {
    let (wire, server) = connection();
    let first = asked(&wire, delete("a")).await;
    let partly = asked(&wire, delete(&"b".repeat(AT_ONCE * 2))).await;
    // The outbox takes no more.
    let in_the_channel = asked(&wire, delete("c")).await;
    drop(server);
    assert!(matches!(end(first).await, Err(Failure::Lost(_))));
    assert!(matches!(end(partly).await, Err(Failure::Lost(_))));
    assert!(matches!(end(in_the_channel).await, Err(Failure::Unreached(_))));
    assert!(matches!(wire.ask(&delete("d")).await, Err(Failure::Unreached(_))));

    let (wire, server) = connection();
    let filling = asked(&wire, delete(&"a".repeat(NETWORK))).await;
    let in_the_outbox = asked(&wire, delete("b")).await;
    drop(server);
    assert!(matches!(end(filling).await, Err(Failure::Lost(_))));
    assert!(matches!(end(in_the_outbox).await, Err(Failure::Unreached(_))));
}

/// Whoever is told that a connection is over, and comes back at once, must not be sent there again.
#[tokio::test]
async fn connection_is_closed_before_anybody_learns_of_it() {
    /// Looks at the connection at the moment at which it wakes.
    struct Look(Arc<Wire>, AtomicUsize);

    impl Wake for Look {
        fn wake(self: Arc<Self>) {
            self.1.store(if self.0.is_open() { 1 } else { 2 }, Ordering::SeqCst);
        }
    }

    for last_words in ["+OK\r\n", "garbage\r\n", ""] {
        let (wire, mut server) = connection();
        let look = Arc::new(Look(Arc::clone(&wire), AtomicUsize::new(0)));
        let request = delete("a");
        let mut answer = Box::pin(wire.ask(&request));
        let waker = Waker::from(Arc::clone(&look));
        assert!(answer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        heard(&mut server, &request).await;
        server.write_all(last_words.as_bytes()).await.expect("a connection");
        drop(server);
        while look.1.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        assert_eq!(look.1.load(Ordering::SeqCst), 2, "it was still open: {last_words:?}");
    }
}

/// Of a request that is still being sent, the commands that have left may be answered, and no other.
#[tokio::test]
async fn reply_to_what_was_not_sent_ends_the_connection() {
    let (wire, mut server) = connection();
    let task = asked(&wire, delete(&"a".repeat(NETWORK))).await;
    server.write_all(b":1\r\n").await.expect("a connection");
    assert!(matches!(end(task).await, Err(Failure::Lost(_))));
    assert!(!wire.is_open());

    let (wire, mut server) = connection();
    let large = "a".repeat(NETWORK);
    let two = Packed::one(form::one_or_none, ["DEL", "a"].map(Into::into));
    let two = Arc::new(two.and(form::one_or_none, ["DEL", &large].map(Into::into)));
    let task = asked(&wire, Arc::clone(&two)).await;
    server.write_all(b":1\r\n").await.expect("a connection");
    heard(&mut server, &two).await;
    server.write_all(b":0\r\n").await.expect("a connection");
    assert_eq!(end(task).await.expect("both replies"), [Value::Int(1), Value::Int(0)]);
    assert!(wire.is_open());
}

/// Not when the reply that nobody asked for is whole, which may be never.
#[tokio::test]
async fn first_byte_that_nobody_asked_for_ends_the_connection() {
    for unasked in ["$", ":", "|", "*"] {
        let (wire, mut server) = connection();
        let request = delete("a");
        let task = asked(&wire, Arc::clone(&request)).await;
        heard(&mut server, &request).await;
        server.write_all(b">2\r\n+invalidate\r\n_\r\n:1\r\n").await.expect("a connection");
        assert!(end(task).await.is_ok());
        assert!(wire.is_open());
        server.write_all(unasked.as_bytes()).await.expect("a connection");
        let ended = async {
            while wire.is_open() {
                yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), ended).await.expect(unasked);
    }
}

/// A server that is full says so and hangs up, before it has read anything.
#[tokio::test]
async fn refusal_before_the_first_request_is_the_reply_to_it() {
    let (wire, mut server) = connection();
    server.write_all(b"-ERR max number of clients reached\r\n").await.expect("a connection");
    for _ in 0..10 {
        yield_now().await;
    }
    let replies = end(asked(&wire, delete("a")).await).await.expect("a reply");
    assert!(matches!(replies.as_slice(), [Value::ServerError(_)]), "{replies:?}");
}

/// A socket that takes little at a time, and reads what a test says.
struct Odd {
    /// What comes, each time that something is read.
    comes: &'static [u8],
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// How often something was read until something was written.
    reads: AtomicUsize,
    /// How much is taken until the socket is told that it may take more.
    takes: AtomicUsize,
    written: Mutex<usize>,
}

impl AsyncRead for Odd {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Not for ever, so that the test ends if nothing else is done.
        if self.comes.is_empty() || self.seen.reads.fetch_add(1, Ordering::SeqCst) > 100 * READS {
            return Poll::Pending;
        }
        to.put_slice(self.comes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Odd {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = bytes.len().min(self.seen.takes.swap(0, Ordering::SeqCst));
        if count == 0 {
            return Poll::Pending;
        }
        *self.seen.written.lock().expect("no panic") += count;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Socket for Odd {}

/// A connection that is only looked after when the test says so.
fn by_hand(comes: &'static [u8]) -> (Ends, mpsc::UnboundedSender<Asked>, Arc<Seen>) {
    let (wire, asked) = mpsc::unbounded_channel();
    let seen = Arc::new(Seen::default());
    let socket = Odd { comes, seen: Arc::clone(&seen) };
    (Ends::new(asked, Box::new(socket), None), wire, seen)
}

fn poll(ends: &mut Ends) {
    let polled = Pin::new(ends).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "the connection is over");
}

fn send(
    wire: &mpsc::UnboundedSender<Asked>,
    request: &Arc<Packed>,
) -> tokio::sync::oneshot::Receiver<Answer> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    assert!(wire.send(Asked { request: Arc::clone(request), answer }).is_ok(), "the connection is over");
    answered
}

/// Where more is asked all the time than the network takes, what was sent is not kept.
#[tokio::test]
async fn outbox_that_is_never_empty_stays_small() {
    let (mut ends, wire, seen) = by_hand(b"");
    let (small, large) = (delete(&"a".repeat(1000)), delete(&"a".repeat(2 * KEPT)));
    let mut waiting = Vec::new();
    let mut asked = 0;
    for round in 0..2000 {
        // Once, something large goes out.
        let request = if round == 100 { &large } else { &small };
        let behind = asked - *seen.written.lock().expect("no panic");
        for _ in 0..if behind < AT_ONCE { 4 } else { 1 } {
            asked += request.bytes().len();
            waiting.push(send(&wire, request));
        }
        seen.takes.store(3000, Ordering::SeqCst);
        poll(&mut ends);
        // Each task may only do so much until it lets the others go on.
        yield_now().await;
        assert!(!ends.outbox.is_empty(), "it was idle in round {round}");
    }
    let written = *seen.written.lock().expect("no panic");
    assert!(written > 10 * KEPT, "{written} bytes were sent");
    assert!(ends.outbox.capacity() <= KEPT, "{} bytes are kept", ends.outbox.capacity());
    drop(waiting);
}

/// A server that talks all the time does not keep anybody from asking.
#[tokio::test]
async fn flood_of_messages_lets_requests_through() {
    let (mut ends, wire, seen) = by_hand(b">2\r\n+invalidate\r\n_\r\n");
    seen.takes.store(1000, Ordering::SeqCst);
    let first = send(&wire, &delete("a"));
    poll(&mut ends);
    seen.reads.store(0, Ordering::SeqCst);
    seen.takes.store(1000, Ordering::SeqCst);
    let before = *seen.written.lock().expect("no panic");
    let second = send(&wire, &delete("b"));
    poll(&mut ends);
    assert!(*seen.written.lock().expect("no panic") > before, "nothing was sent");
    let reads = seen.reads.load(Ordering::SeqCst);
    assert!(reads <= READS, "{reads} messages were read first");
    drop((first, second));
}

/// Of the right form, and another's: all that tells is the number.
#[tokio::test]
async fn answer_that_comes_twice_is_nobody_elses() {
    const LEN: usize = "$16\r\n0123456789abcdef\r\n".len();
    let request = |name: &str| {
        let packed = Packed::one(form::one_or_none, ["DEL", name].map(Into::into));
        Request::new(packed, None).pack(Asking::No)
    };
    let (ours, mut server) = duplex(1000);
    let wire = Arc::new(Wire::new(Box::new(ours), None));
    let (one, other) = (request("a"), request("b"));
    let (first, second) = (asked(&wire, Arc::clone(&one)).await, asked(&wire, Arc::clone(&other)).await);
    let mut number = async |request: &Packed| {
        heard(&mut server, request).await;
        let mut asked = vec![0; Echo::ASKED];
        server.read_exact(&mut asked).await.expect("a number");
        asked.split_off(Echo::ASKED - LEN)
    };
    let numbers = [number(&one).await, number(&other).await];
    assert_ne!(numbers[0], numbers[1]);
    let answer = [b":1\r\n".as_slice(), &numbers[0]].concat();
    server.write_all(&[answer.as_slice(), &answer].concat()).await.expect("a connection");
    assert_eq!(end(first).await.expect("an answer"), [Value::Int(1)]);
    assert!(matches!(end(second).await, Err(Failure::Lost(_))));
    assert!(!wire.is_open());
}

/// A number that does not come back is no answer, and a refusal is one only where all is refused.
#[tokio::test]
async fn number_has_to_come_back() {
    let request = || {
        let packed = Packed::one(form::one_or_none, ["DEL", "a"].map(Into::into));
        Request::new(packed, None).pack(Asking::No)
    };
    for (replies, is_answer) in [
        (":1\r\n+PONG\r\n", false),
        (":1\r\n$16\r\nxxxxxxxxxxxxxxxx\r\n", false),
        (":1\r\n-LOADING it\r\n", false),
        ("-LOADING it\r\n-LOADING it\r\n", true),
    ] {
        let (ours, mut server) = duplex(1000);
        let wire = Arc::new(Wire::new(Box::new(ours), None));
        let request = request();
        let task = asked(&wire, Arc::clone(&request)).await;
        server.read_exact(&mut vec![0; request.bytes().len() + Echo::ASKED]).await.expect("a request");
        server.write_all(replies.as_bytes()).await.expect("a connection");
        assert_eq!(end(task).await.is_ok(), is_answer, "{replies:?}");
        assert_eq!(wire.is_open(), is_answer, "{replies:?}");
    }
}

/// Whether a task was woken since it was last looked at.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(1, Ordering::SeqCst);
    }
}

/// Polls it once, and tells whether it wants to be polled again.
fn look(ends: &mut Ends, woken: &Arc<Woken>) -> bool {
    woken.0.store(0, Ordering::SeqCst);
    let waker = Waker::from(Arc::clone(woken));
    assert!(Pin::new(ends).poll(&mut Context::from_waker(&waker)).is_pending(), "the connection is over");
    woken.0.load(Ordering::SeqCst) == 1
}

/// Those who are answered together go out together, and who comes alone waits for nobody.
#[tokio::test]
async fn many_who_ask_are_sent_in_one_go() {
    let (wire, asks) = mpsc::unbounded_channel();
    let (ours, mut server) = duplex(1000);
    let (mut ends, woken) = (Ends::new(asks, Box::new(ours), None), Arc::default());
    let request = delete("a");
    let mut said = async |count: usize| {
        for _ in 0..count {
            heard(&mut server, &request).await;
        }
        let more = timeout(Duration::from_millis(1), server.read_u8()).await;
        assert!(more.is_err(), "more was sent than {count} requests");
        server.write_all(":1\r\n".repeat(count).as_bytes()).await.expect("a connection");
    };
    for _ in 0..2 {
        let alone = send(&wire, &request);
        assert!(!look(&mut ends, &woken), "nobody else was there");
        said(1).await;
        look(&mut ends, &woken);
        assert!(alone.await.is_ok_and(|answer| answer.is_ok()));
    }
    let together = [send(&wire, &request), send(&wire, &request)];
    look(&mut ends, &woken);
    said(2).await;
    look(&mut ends, &woken);
    for answer in together {
        assert!(answer.await.is_ok_and(|answer| answer.is_ok()));
    }
    let first = send(&wire, &request);
    assert!(look(&mut ends, &woken), "it has to come back by itself");
    said(0).await;
    let second = send(&wire, &request);
    look(&mut ends, &woken);
    said(2).await;
    look(&mut ends, &woken);
    assert!(first.await.is_ok_and(|answer| answer.is_ok()));
    assert!(second.await.is_ok_and(|answer| answer.is_ok()));
}

/// A server that reads nothing any more does not keep a connection that nobody uses.
#[tokio::test]
async fn connection_that_is_stuck_ends_when_nobody_has_it() {
    let (mut ends, wire, _) = by_hand(b"");
    let woken = Arc::<Woken>::default();
    let answer = send(&wire, &delete(&"a".repeat(2 * AT_ONCE)));
    let called = async || {
        let call = async {
            while woken.0.load(Ordering::SeqCst) == 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), call).await.expect("it looks again");
    };
    for _ in 0..3 {
        look(&mut ends, &woken);
        called().await;
    }
    look(&mut ends, &woken);
    drop((wire, answer));
    called().await;
    assert!(Pin::new(&mut ends).poll(&mut Context::from_waker(Waker::noop())).is_ready());
}
