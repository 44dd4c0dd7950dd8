//! A connection whose replies are looked at in turn, before anybody is given one.

use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesOrdered;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value};
use tokio::sync::{mpsc, oneshot};

use crate::dial::broken;
use crate::error::{Failure, nonsense};
use crate::request::Packed;

/// A connection that many share.
///
/// Nothing but their order tells whose replies are. One that its command does not give says that all behind it belong
/// to others, who may be further on than the one it came to. So a task looks at each, in turn, and ends the connection
/// there and then: whoever still waits gets no reply.
pub(crate) struct Wire(mpsc::UnboundedSender<Asked>);

struct Asked {
    request: Arc<Packed>,
    answer: oneshot::Sender<Result<Vec<Value>, Failure>>,
}

impl Wire {
    /// It lives in the runtime that this is called in.
    pub(crate) fn new(connection: MultiplexedConnection) -> Self {
        let (wire, asked) = mpsc::unbounded_channel();
        tokio::spawn(look_at_replies(connection, asked));
        Self(wire)
    }

    /// Whether it was not ended for being out of step.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }

    /// Sends the commands in one go, once, and waits for their replies.
    pub(crate) async fn ask(&self, request: &Arc<Packed>) -> Result<Vec<Value>, Failure> {
        let (answer, answered) = oneshot::channel();
        if self.0.send(Asked { request: Arc::clone(request), answer }).is_err() {
            return Err(Failure::Unreached(broken(io::ErrorKind::ConnectionAborted)));
        }
        answered.await.unwrap_or_else(|_| Err(Failure::Lost(broken(io::ErrorKind::ConnectionAborted))))
    }
}

/// Sends what is asked, and hands on what came back. The connection ends with it.
async fn look_at_replies(connection: MultiplexedConnection, mut asked: mpsc::UnboundedReceiver<Asked>) {
    let mut under_way = FuturesOrdered::new();
    let look = |context: &mut Context<'_>| {
        while let Poll::Ready(asked) = asked.poll_recv(context) {
            // Nobody waits who could not ask any more.
            let Some(asked) = asked else { return Poll::Ready(()) };
            under_way.push_back(exchange(connection.clone(), asked));
        }
        while let Poll::Ready(Some((asked, reply))) = under_way.poll_next_unpin(context) {
            if hand_on(asked, reply).is_break() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    };
    poll_fn(look).await;
}

/// None for whoever gave up: what was not sent by then never is, and a reply to it is nobody's.
async fn exchange(
    mut connection: MultiplexedConnection,
    mut asked: Asked,
) -> (Asked, Option<RedisResult<Vec<Value>>>) {
    let commands = asked.request.commands();
    let reply = connection.send_packed_commands(commands, 0, commands.len());
    let reply = match select(pin!(reply), pin!(asked.answer.closed())).await {
        Either::Left((reply, _)) => Some(reply),
        Either::Right(_) => None,
    };
    (asked, reply)
}

/// Gives a reply to whoever asked, if it is one to what was asked; else the connection is to end.
fn hand_on(asked: Asked, reply: Option<RedisResult<Vec<Value>>>) -> ControlFlow<()> {
    let Asked { request, answer } = asked;
    let Some(reply) = reply else { return ControlFlow::Continue(()) };
    let (answered, next) = match reply {
        Ok(replies) if request.fits(&replies) => (Ok(replies), ControlFlow::Continue(())),
        Ok(_) => (Err(nonsense()), ControlFlow::Break(())),
        Err(error) => (Err(Failure::Lost(error)), ControlFlow::Continue(())),
    };
    // Who gave up is owed nothing.
    let _ = answer.send(answered);
    next
}
