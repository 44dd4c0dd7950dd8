//! What is sent in one go, and what came back.

use std::sync::Arc;

use redis::{Cmd, Pipeline, ServerErrorKind, Value};

use crate::error::turned_away;
use crate::form::{self, Form};
use crate::quorum::Quorum;

/// Commands on one key that are sent in one go; each must be one that may be executed twice.
pub(crate) struct Request {
    /// Ours, and behind them the wait, if there is one.
    packed: Arc<Packed>,
    quorum: Option<Quorum>,
}

/// What goes over a connection in one go.
#[derive(Clone, Default)]
pub(crate) struct Packed {
    commands: Pipeline,
    /// What the reply to each of them can look like.
    forms: Vec<Form>,
}

/// Whether a node of a cluster is asked for a key that it is still being given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    No,
    /// The command before each of ours says so.
    Yes,
}

impl Request {
    /// Commands, each with what its reply can look like.
    pub(crate) fn new(commands: impl IntoIterator<Item = (Cmd, Form)>) -> Self {
        let mut packed = Packed::default();
        for (command, form) in commands {
            packed.add(command, form);
        }
        Self { packed: Arc::new(packed), quorum: None }
    }

    pub(crate) fn one(command: Cmd, form: Form) -> Self {
        Self::new([(command, form)])
    }

    /// The same commands, and behind them the wait for replicas, if there is to be one.
    pub(crate) fn and_wait(mut self, quorum: Option<Quorum>) -> Self {
        if let Some(quorum) = quorum {
            Arc::make_mut(&mut self.packed).add(quorum.command(), form::count);
        }
        Self { quorum, ..self }
    }

    /// Whether the server will block the connection that this is sent on.
    pub(crate) const fn blocks(&self) -> bool {
        self.quorum.is_some()
    }

    pub(crate) fn pack(&self, asking: Asking) -> Arc<Packed> {
        if asking == Asking::No {
            return Arc::clone(&self.packed);
        }
        let ours = self.packed.commands.len() - usize::from(self.blocks());
        let mut packed = Packed::default();
        for (at, (command, form)) in self.packed.commands.cmd_iter().zip(&self.packed.forms).enumerate() {
            if at < ours {
                packed.add(redis::cmd("ASKING"), form::ok);
            }
            packed.add(command.clone(), *form);
        }
        Arc::new(packed)
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

impl Packed {
    /// Commands whose replies may be anything.
    pub(crate) fn unchecked(commands: Pipeline) -> Self {
        let forms = vec![form::anything as Form; commands.len()];
        Self { commands, forms }
    }

    fn add(&mut self, command: Cmd, form: Form) {
        self.commands.add_command(command);
        self.forms.push(form);
    }

    pub(crate) const fn commands(&self) -> &Pipeline {
        &self.commands
    }

    /// Whether these can be the replies to the commands.
    pub(crate) fn fits(&self, replies: &[Value]) -> bool {
        let fits = |(reply, form): (&Value, &Form)| matches!(reply, Value::ServerError(_)) || form(reply);
        replies.len() == self.forms.len() && replies.iter().zip(&self.forms).all(fits)
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
