//! What is sent in one go, and what came back.

use std::borrow::Cow;

use redis::{Cmd, Pipeline, ServerErrorKind, Value};

use crate::error::turned_away;
use crate::quorum::Quorum;

/// Commands on one key that are sent in one go; each must be one that may be executed twice.
pub(crate) struct Request {
    /// Ours, and behind them the wait, if there is one.
    commands: Pipeline,
    quorum: Option<Quorum>,
}

/// Whether a node of a cluster is asked for a key that it is still being given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    No,
    /// The command before each of ours says so.
    Yes,
}

impl Request {
    pub(crate) fn new(commands: impl IntoIterator<Item = Cmd>) -> Self {
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command);
        }
        Self { commands: pipeline, quorum: None }
    }

    pub(crate) fn one(command: Cmd) -> Self {
        Self::new([command])
    }

    /// The same commands, and behind them the wait for replicas, if there is to be one.
    pub(crate) fn and_wait(mut self, quorum: Option<Quorum>) -> Self {
        if let Some(quorum) = quorum {
            self.commands.add_command(quorum.command());
        }
        Self { quorum, ..self }
    }

    /// Whether the server will block the connection that this is sent on.
    pub(crate) const fn blocks(&self) -> bool {
        self.quorum.is_some()
    }

    pub(crate) fn pack(&self, asking: Asking) -> Cow<'_, Pipeline> {
        if asking == Asking::No {
            return Cow::Borrowed(&self.commands);
        }
        let ours = self.commands.len() - usize::from(self.blocks());
        let mut pipeline = redis::pipe();
        for (at, command) in self.commands.cmd_iter().enumerate() {
            if at < ours {
                pipeline.cmd("ASKING");
            }
            pipeline.add_command(command.clone());
        }
        Cow::Owned(pipeline)
    }

    /// Tells the replies to our commands from those to what was put between and behind them.
    pub(crate) fn unpack(&self, asking: Asking, mut all: Vec<Value>) -> Replies {
        let waited = if self.quorum.is_some() { all.pop() } else { None };
        let values = match asking {
            Asking::No => all,
            Asking::Yes => all.into_iter().skip(1).step_by(2).collect(),
        };
        Replies { values, waited }
    }
}

/// What came back.
pub(crate) struct Replies {
    /// One for each command.
    pub(crate) values: Vec<Value>,
    /// How many replicas acknowledged, if that was waited for.
    pub(crate) waited: Option<Value>,
}

impl Replies {
    /// Whether another connection may do better.
    pub(crate) fn are_turned_away(&self) -> bool {
        self.values.iter().any(is_turned_away)
    }

    /// Whether the server takes no writes.
    pub(crate) fn are_read_only(&self) -> bool {
        self.values.iter().any(|reply| {
            matches!(reply, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::ReadOnly))
        })
    }
}

/// Whether this reply says that another connection may do better.
pub(crate) fn is_turned_away(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if turned_away(error))
}
