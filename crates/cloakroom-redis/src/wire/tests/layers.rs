//! Layers between the connection and the network, which keep what they are given for a while.

use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

use super::{delete, poll, send};
use crate::error::Failure;
use crate::wire::{Ends, Socket};

/// As a TLS layer does it: what it is given goes out in records, each of which the other end reads or does not.
struct Layer {
    /// How many records go out before the connection breaks.
    goes: usize,
    gone: Arc<AtomicUsize>,
}

const RECORD: usize = 16 << 10;

impl AsyncRead for Layer {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Layer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        for record in bytes.chunks(RECORD) {
            let Some(goes) = self.goes.checked_sub(1) else {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            };
            self.goes = goes;
            self.gone.fetch_add(record.len(), Ordering::SeqCst);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Socket for Layer {
    fn at_once(&self) -> usize {
        RECORD
    }
}

/// Also where what is written at a time goes out in several parts, the last of which fails.
#[tokio::test]
async fn what_has_left_in_part_is_in_doubt() {
    let request = delete(&"a".repeat(RECORD * 5 / 8));
    for goes in 0..3 {
        let (wire, asks) = mpsc::unbounded_channel();
        let gone = Arc::default();
        let mut ends = Ends::new(asks, Box::new(Layer { goes, gone: Arc::clone(&gone) }), None);
        let answers = [send(&wire, &request), send(&wire, &request), send(&wire, &request)];
        assert!(Pin::new(&mut ends).poll(&mut Context::from_waker(Waker::noop())).is_ready() || goes > 1);
        drop(ends);
        let gone = gone.load(Ordering::SeqCst);
        assert_eq!(gone.div_ceil(RECORD), goes);
        for (at, answer) in answers.into_iter().enumerate() {
            let failure = answer.await.expect("an end").expect_err("no answer");
            let has_left = at * request.bytes().len() < gone;
            assert_eq!(
                matches!(failure, Failure::Lost(_)),
                has_left,
                "request {at}, {goes} records: {failure:?}"
            );
        }
    }
}

/// As a TLS layer does it whose network was full: it holds back what it is given first, and breaks behind that and what
/// follows.
struct Holding {
    held: usize,
    is_full: bool,
    gone: Arc<AtomicUsize>,
}

impl AsyncRead for Holding {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Holding {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.held += bytes.len();
        if self.held == bytes.len() {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.gone.store(self.held, Ordering::SeqCst);
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if mem::take(&mut self.is_full) {
            return Poll::Pending;
        }
        self.gone.store(self.held, Ordering::SeqCst);
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Socket for Holding {
    fn at_once(&self) -> usize {
        RECORD
    }
}

/// Nothing is written behind what is held back: it could go out as well, in a write that fails.
#[tokio::test]
async fn nothing_goes_out_behind_what_is_held_back() {
    let request = delete(&"a".repeat(RECORD * 5 / 8));
    let (wire, asks) = mpsc::unbounded_channel();
    let gone = Arc::default();
    let socket = Holding { held: 0, is_full: true, gone: Arc::clone(&gone) };
    let mut ends = Ends::new(asks, Box::new(socket), None);
    let mut answers = vec![send(&wire, &request)];
    poll(&mut ends);
    answers.extend((0..2).map(|_| send(&wire, &request)));
    assert!(Pin::new(&mut ends).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    let gone = gone.load(Ordering::SeqCst);
    for (at, answer) in answers.into_iter().enumerate() {
        let failure = answer.await.expect("an end").expect_err("no answer");
        let has_left = at * request.bytes().len() < gone;
        assert_eq!(matches!(failure, Failure::Lost(_)), has_left, "request {at}: {failure:?}");
    }
    assert_eq!(gone, request.bytes().len());
}
