//! A connection whose replies are looked at in turn, before anybody is given one.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use redis::{ErrorKind, PushKind, RedisError, Value};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::dial::broken;
use crate::echo::{Echo, Heard};
use crate::error::{Failure, out_of_step};
use crate::inbox::Inbox;
use crate::reply::{self, Garbled, Replies};
use crate::request::{Packed, Proof};
use crate::vigil::Vigil;

/// How much is taken to be sent before what was taken is on its way. Who gives up while his request waits behind that
/// has sent nothing.
const AT_ONCE: usize = 64 << 10;

/// How often it reads before it looks again at what is asked: who talks all the time shall not keep us from speaking.
const READS: usize = 16;

/// How large the outbox stays while it is never empty.
const KEPT: usize = 4 * AT_ONCE;

/// A connection that many share.
///
/// Nothing but their order tells whose replies are. One that its command does not give says that all behind it belong
/// to others, who may be further on than the one it came to. So the task that reads them looks at each, in turn, and
/// ends the connection there and then: whoever still waits gets no reply. What comes twice may have the right form: so
/// nobody is given replies before the number came back that was sent behind his request.
pub(crate) struct Wire {
    asks: mpsc::UnboundedSender<Asked>,
    answered: Arc<AtomicU64>,
}

/// What the connection is made of.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {
    /// How much is written at a time, at most. Where that fails, the other end can have read nothing of it.
    fn at_once(&self) -> usize {
        usize::MAX
    }
}

struct Asked {
    request: Arc<Packed>,
    answer: oneshot::Sender<Result<Vec<Value>, Failure>>,
}

impl Wire {
    /// It lives in the runtime that this is called in. Who listens is told of each message of a channel.
    pub(crate) fn new(socket: Box<dyn Socket>, listener: Option<Arc<Notify>>) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let ends = Ends::new(asked, socket, listener);
        let answered = Arc::clone(&ends.answered);
        tokio::spawn(ends);
        Self { asks, answered }
    }

    /// Whether it still leads anywhere.
    pub(crate) fn is_open(&self) -> bool {
        !self.asks.is_closed()
    }

    /// How many requests were answered so far, also such as nobody waited for any more.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Sends the commands in one go, once, and waits for their replies. It fails as `Unreached` where not one byte was
    /// sent, and as `Lost` where any was.
    ///
    /// For whoever gives up, what was not about to be sent by then never is, and a reply to it is nobody's.
    pub(crate) async fn ask(&self, request: &Arc<Packed>) -> Result<Vec<Value>, Failure> {
        let (answer, answered) = oneshot::channel();
        if self.asks.send(Asked { request: Arc::clone(request), answer }).is_err() {
            return Err(unreached());
        }
        // Who is told nothing cannot know.
        answered.await.unwrap_or_else(|_| Err(Failure::Lost(broken(io::ErrorKind::ConnectionAborted))))
    }
}

/// Both ends of the connection: those who ask, and the server. It ends when nobody can ask any more, or when it fails.
struct Ends {
    asked: mpsc::UnboundedReceiver<Asked>,
    waiting: VecDeque<Waiting>,
    socket: Box<dyn Socket>,
    listener: Option<Arc<Notify>>,
    inbox: Inbox,
    replies: Replies,
    outbox: Vec<u8>,
    /// How much of the outbox is on its way.
    sent: usize,
    /// How much was put into it since there is the connection, and how much of that is on its way.
    queued: u64,
    written: u64,
    progress: Progress,
    vigil: Vigil,
    answered: Arc<AtomicU64>,
    crowd: Crowd,
}

/// A request that is being sent, or was, and the replies to it that have come.
struct Waiting {
    /// How much was put into the outbox before it.
    start: u64,
    request: Arc<Packed>,
    answer: oneshot::Sender<Result<Vec<Value>, Failure>>,
    replies: Vec<Value>,
    /// What has to come behind them.
    echo: Option<Echo>,
}

/// Whether several ask at a time. Then it is worth while to let all who are about to ask do so before anything is sent.
#[derive(Clone, Copy, Default)]
struct Crowd {
    /// How many were answered at once when anybody was last.
    answered: usize,
    /// They have had their turn.
    waited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Something was written that a layer may still hold back.
    Written,
    Flushed,
}

/// The connection is over, and why.
struct Over(RedisError);

impl Over {
    fn of(kind: io::ErrorKind) -> Self {
        Self(broken(kind))
    }
}

impl Future for Ends {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.both_ways(context) {
            Ok(()) => {
                if self.sent < self.outbox.len() {
                    // Who reads nothing any more does not keep us here when nobody can ask any more.
                    self.vigil.keep();
                }
                self.vigil.poll(context);
                Poll::Pending
            }
            Err(Over(why)) => {
                self.end(&why);
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Ends {
    /// Also where the runtime ends, or something panicked.
    fn drop(&mut self) {
        self.end(&broken(io::ErrorKind::ConnectionAborted));
    }
}

impl Ends {
    fn new(
        asked: mpsc::UnboundedReceiver<Asked>,
        socket: Box<dyn Socket>,
        listener: Option<Arc<Notify>>,
    ) -> Self {
        Self {
            asked,
            waiting: VecDeque::new(),
            socket,
            listener,
            inbox: Inbox::new(),
            replies: Replies::default(),
            outbox: Vec::new(),
            sent: 0,
            queued: 0,
            written: 0,
            progress: Progress::Flushed,
            vigil: Vigil::new(),
            answered: Arc::default(),
            crowd: Crowd::default(),
        }
    }

    /// Always both: else each side may wait until the other one has read.
    fn both_ways(&mut self, context: &mut Context<'_>) -> Result<(), Over> {
        if self.written == 0 {
            // A server that wants no more of us says so before it is asked: that is the reply to what is asked first.
            self.speak(context)?;
            return if self.written == 0 { Ok(()) } else { self.hear(context) };
        }
        self.hear(context)?;
        self.speak(context)
    }

    /// Reads what has come, and hands on the replies.
    fn hear(&mut self, context: &mut Context<'_>) -> Result<(), Over> {
        for _ in 0..READS {
            let mut room = ReadBuf::new(self.inbox.room());
            match Pin::new(&mut self.socket).poll_read(context, &mut room) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(Over(error.into())),
                Poll::Ready(Ok(())) => {}
            }
            let read = room.filled().len();
            if read == 0 {
                return Err(Over::of(io::ErrorKind::UnexpectedEof));
            }
            self.inbox.add(read);
            self.crowd.answered = 0;
            while let Some(&sign) = self.inbox.unread().first() {
                // Not when it is whole: who sends what nobody asked for could go on for ever.
                if sign != reply::PUSH {
                    self.expect()?;
                    match self.echo() {
                        Some(Heard::Number(length)) => {
                            self.inbox.take(length);
                            self.answer();
                            continue;
                        }
                        Some(Heard::Part) => break,
                        Some(Heard::Other) | None => {}
                    }
                }
                match self.replies.next(self.inbox.unread()) {
                    Ok(Some((reply, length))) => {
                        self.inbox.take(length);
                        self.hand_on(reply)?;
                    }
                    Ok(None) => break,
                    Err(Garbled) => return Err(Over((ErrorKind::Parse, "no reply").into())),
                }
            }
        }
        context.waker().wake_by_ref();
        Ok(())
    }

    /// The connection is over unless somebody waits for a reply to a command of which all was sent: else this one is to
    /// what somebody else has asked, and so is whatever follows.
    fn expect(&self) -> Result<(), Over> {
        let first = self.waiting.front();
        match first.and_then(Waiting::asked_until) {
            Some(end) if end <= self.written => Ok(()),
            _ => Err(Over(out_of_step())),
        }
    }

    /// Gives a reply to whoever it is for, if it can be one to what he asked; else the connection is over.
    fn hand_on(&mut self, reply: Value) -> Result<(), Over> {
        if let Value::Push { kind, .. } = &reply {
            if *kind == PushKind::Message
                && let Some(listener) = &self.listener
            {
                listener.notify_one();
            }
            // That one is the reply to its command.
            if *kind != PushKind::Subscribe {
                return Ok(());
            }
            self.expect()?;
        }
        let Some(first) = self.waiting.front_mut() else { return Ok(()) };
        if first.waits_for_echo() {
            // Who refuses everything, as a server that still loads its data, refuses to echo too.
            let refused = [first.replies.last(), Some(&reply)];
            if !refused.iter().all(|reply| matches!(reply, Some(Value::ServerError(_)))) {
                return Err(Over(out_of_step()));
            }
            self.answer();
            return Ok(());
        }
        if !first.request.fits(first.replies.len(), &reply) {
            return Err(Over(out_of_step()));
        }
        if first.replies.is_empty() {
            first.replies.reserve_exact(first.request.len());
        }
        first.replies.push(reply);
        if first.replies.len() == first.request.len() && first.echo.is_none() {
            self.answer();
        }
        Ok(())
    }

    /// How what has come begins, if it is to be the number behind a request.
    fn echo(&self) -> Option<Heard> {
        let first = self.waiting.front().filter(|first| first.waits_for_echo())?;
        Some(first.echo.as_ref()?.heard(self.inbox.unread()))
    }

    /// All replies have come for the one who waits longest.
    fn answer(&mut self) {
        if let Some(first) = self.waiting.pop_front() {
            self.crowd.answered += 1;
            self.answered.fetch_add(1, Ordering::Relaxed);
            // Who gave up is owed nothing.
            let _ = first.answer.send(Ok(first.replies));
        }
    }

    /// Sends what is asked, as much at a time as there is.
    fn speak(&mut self, context: &mut Context<'_>) -> Result<(), Over> {
        if self.others_first() {
            context.waker().wake_by_ref();
            return Ok(());
        }
        loop {
            while self.outbox.len() - self.sent < AT_ONCE {
                match self.asked.poll_recv(context) {
                    Poll::Ready(Some(asked)) => self.take(asked),
                    // Nobody waits who could not ask any more.
                    Poll::Ready(None) => return Err(Over::of(io::ErrorKind::ConnectionAborted)),
                    Poll::Pending => break,
                }
            }
            // Behind what is held back, a part of what follows could go out in a write that fails.
            if self.flush(context)? == Progress::Written {
                return self.unless_alone();
            }
            let unsent = self.outbox.get(self.sent..).unwrap_or_default();
            let unsent = unsent.get(..self.socket.at_once()).unwrap_or(unsent);
            if unsent.is_empty() {
                return Ok(());
            }
            match Pin::new(&mut self.socket).poll_write(context, unsent) {
                Poll::Pending => return self.unless_alone(),
                Poll::Ready(Ok(0)) => return Err(Over::of(io::ErrorKind::WriteZero)),
                Poll::Ready(Ok(written)) => self.has_sent(written),
                Poll::Ready(Err(error)) => return Err(Over(error.into())),
            }
        }
    }

    /// Whether all other tasks that can go on shall do so before anything is sent. Each would have a call of the system
    /// of its own, here and at the server, where a task that is woken runs before those that wait for longer.
    fn others_first(&mut self) -> bool {
        let Crowd { answered, waited } = self.crowd;
        let begins = !waited && self.sent == self.outbox.len() && !self.asked.is_empty();
        self.crowd.waited = begins && answered > 1;
        self.crowd.waited
    }

    fn take(&mut self, asked: Asked) {
        let Asked { request, answer } = asked;
        if !answer.is_closed() {
            self.vigil.keep();
            self.outbox.extend_from_slice(request.bytes());
            let echo = (request.proof() == Proof::Echo).then(Echo::next);
            let start = self.queued;
            self.queued += request.bytes().len() as u64;
            if let Some(echo) = &echo {
                echo.ask(&mut self.outbox);
                self.queued += Echo::ASKED as u64;
            }
            self.waiting.push_back(Waiting { start, request, answer, replies: Vec::new(), echo });
        }
    }

    /// So much is on its way, and need not be kept. The outbox may never be empty, where more is asked all the time than
    /// the network takes.
    fn has_sent(&mut self, count: usize) {
        self.progress = Progress::Written;
        self.written += count as u64;
        self.sent += count;
        if self.sent == self.outbox.len() {
            self.outbox.clear();
            self.outbox.shrink_to(AT_ONCE);
            self.sent = 0;
        } else if self.sent >= AT_ONCE {
            self.outbox.drain(..self.sent);
            self.outbox.shrink_to(KEPT);
            self.sent = 0;
        }
    }

    fn flush(&mut self, context: &mut Context<'_>) -> Result<Progress, Over> {
        if self.progress == Progress::Written {
            match Pin::new(&mut self.socket).poll_flush(context) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.progress = Progress::Flushed,
                Poll::Ready(Err(error)) => return Err(Over(error.into())),
            }
        }
        Ok(self.progress)
    }

    /// The network takes no more: the connection is over when nobody can ask any more.
    fn unless_alone(&self) -> Result<(), Over> {
        if self.asked.is_closed() { Err(Over::of(io::ErrorKind::ConnectionAborted)) } else { Ok(()) }
    }

    /// Ends it, and tells all who wait whether anything was sent of what they ask.
    fn end(&mut self, why: &RedisError) {
        // First, so that nobody who learns of it comes back here.
        self.asked.close();
        for waiting in self.waiting.drain(..) {
            let has_left = waiting.start < self.written;
            let failure = if has_left { Failure::Lost(why.clone()) } else { unreached() };
            let _ = waiting.answer.send(Err(failure));
        }
        while let Ok(asked) = self.asked.try_recv() {
            let _ = asked.answer.send(Err(unreached()));
        }
    }
}

impl Waiting {
    /// Where the command ends to which the next reply will be.
    fn asked_until(&self) -> Option<u64> {
        let end = match self.request.end_of(self.replies.len()) {
            Some(end) => end,
            None if self.waits_for_echo() => self.request.bytes().len() + Echo::ASKED,
            None => return None,
        };
        Some(self.start + end as u64)
    }

    /// Whether the replies are there, and not the number behind them.
    fn waits_for_echo(&self) -> bool {
        self.echo.is_some() && self.replies.len() == self.request.len()
    }
}

/// What it means that nothing was sent.
fn unreached() -> Failure {
    Failure::Unreached(broken(io::ErrorKind::ConnectionAborted))
}

#[cfg(test)]
mod tests;
