//! What is sent in one go, and what came back.

use std::sync::Arc;

use redis::{ServerErrorKind, Value};
use smallvec::SmallVec;

use crate::error::turned_away;
use crate::form::{self, Form};
use crate::quorum::Quorum;
use crate::word::{self, Word};

/// Commands on one key that are sent in one go; each must be one that may be executed twice.
pub(crate) struct Request {
    /// Ours, and behind them the wait, if there is one.
    packed: Arc<Packed>,
    quorum: Option<Quorum>,
}

/// What goes over a connection in one go.
#[derive(Default)]
pub(crate) struct Packed {
    bytes: Vec<u8>,
    commands: SmallVec<[Command; 4]>,
    proof: Proof,
}

/// What tells that replies are to these commands and to no others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Their form alone.
    #[default]
    Form,
    /// A number behind them.
    Echo,
}

#[derive(Clone, Copy)]
struct Command {
    /// What the reply to it can look like.
    form: Form,
    /// Where it ends.
    end: usize,
}

/// Whether a node of a cluster is asked for a key that it is still being given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    No,
    /// The command before each of ours says so.
    Yes,
}

impl Request {
    /// These commands, and behind them the wait for replicas, if there is to be one.
    pub(crate) fn new(packed: Packed, quorum: Option<Quorum>) -> Self {
        let mut packed = match quorum {
            Some(quorum) => packed.and(form::count, quorum.command()),
            None => packed,
        };
        packed.proof = Proof::Echo;
        Self { packed: Arc::new(packed), quorum }
    }

    /// Whether the server will block the connection that this is sent on.
    pub(crate) const fn blocks(&self) -> bool {
        self.quorum.is_some()
    }

    pub(crate) fn pack(&self, asking: Asking) -> Arc<Packed> {
        if asking == Asking::No {
            return Arc::clone(&self.packed);
        }
        let ours = self.packed.len() - usize::from(self.blocks());
        let (mut packed, mut start) = (Packed { proof: self.packed.proof, ..Packed::default() }, 0);
        for (at, command) in self.packed.commands.iter().enumerate() {
            if at < ours {
                packed = packed.and(form::ok, ["ASKING".into()]);
            }
            packed.bytes.extend_from_slice(self.packed.bytes.get(start..command.end).unwrap_or_default());
            start = command.end;
            packed.end(command.form);
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
    /// One command, in words, with what its reply can look like.
    pub(crate) fn one<'w>(form: Form, words: impl IntoIterator<Item = Word<'w>, IntoIter: Clone>) -> Self {
        Self::default().and(form, words)
    }

    /// The same, and one more behind it.
    #[must_use]
    pub(crate) fn and<'w>(
        mut self,
        form: Form,
        words: impl IntoIterator<Item = Word<'w>, IntoIter: Clone>,
    ) -> Self {
        word::write(words.into_iter(), &mut self.bytes);
        self.end(form);
        self
    }

    /// What was written last is a command.
    fn end(&mut self, form: Form) {
        self.commands.push(Command { form, end: self.bytes.len() });
    }

    pub(crate) const fn proof(&self) -> Proof {
        self.proof
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many replies there will be.
    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    /// Where the command ends that is behind so many others.
    pub(crate) fn end_of(&self, at: usize) -> Option<usize> {
        self.commands.get(at).map(|command| command.end)
    }

    /// Whether this can be the reply behind so many others.
    pub(crate) fn fits(&self, at: usize, reply: &Value) -> bool {
        let command = self.commands.get(at);
        command.is_some_and(|command| matches!(reply, Value::ServerError(_)) || (command.form)(reply))
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
