//! A small Memcached that takes, refuses or ignores the numbers that clients choose: newer, older and odd servers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::fake::{Act, Fake, Heard};

/// What a server does with a number that a client chooses for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Takes it, as Memcached 1.6.45 does.
    Taken,
    /// Rejects it, as Memcached 1.6.18 does.
    Rejected,
    /// Stores the item under a number of its own, and says so.
    Ignored,
    /// Stores the item under a number of its own, and tells no number.
    IgnoredInSilence,
}

#[derive(Debug)]
pub(crate) struct Emulator {
    pub(crate) fake: Fake,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    choice: Choice,
    items: BTreeMap<String, (Vec<u8>, u64, i64)>,
    next: u64,
    commands: Vec<String>,
}

impl Emulator {
    pub(crate) async fn start(choice: Choice) -> Self {
        let state = State { choice, items: BTreeMap::new(), next: 1, commands: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let fake =
            Fake::start(move |heard| shared.lock().unwrap_or_else(PoisonError::into_inner).answer(heard))
                .await;
        Self { fake, state }
    }

    /// The server becomes another one, with the same items.
    pub(crate) fn becomes(&self, choice: Choice) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).choice = choice;
    }

    /// The commands since the last time, by name.
    pub(crate) fn commands(&self) -> String {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).commands).join(" ")
    }
}

impl State {
    fn answer(&mut self, heard: &Heard<'_>) -> Act {
        self.commands.push(heard.name().to_owned());
        let key = &heard.words[1];
        match heard.name() {
            "mg" => match self.items.get(key) {
                Some((value, cas, ticks)) => Act::Reply(heard.value(value, *cas, *ticks)),
                None => heard.answer("EN"),
            },
            "md" => heard.answer(if self.items.remove(key).is_some() { "HD" } else { "NF" }),
            _ => self.store(heard, key),
        }
    }

    fn store(&mut self, heard: &Heard<'_>, key: &str) -> Act {
        let chosen = heard.flag('E').map(|number| number.parse::<u64>().expect("a number"));
        if chosen.is_some() && self.choice == Choice::Rejected {
            return Act::Reply(b"CLIENT_ERROR invalid flag\r\n".to_vec());
        }
        let there = self.items.get(key).map(|(_, cas, _)| *cas);
        match (heard.flag('C').map(|cas| cas.parse::<u64>().expect("a number")), there) {
            (None, Some(_)) => return heard.answer("NS"),
            (Some(_), None) => return heard.answer("NF"),
            (Some(wanted), Some(found)) if wanted != found => return heard.answer("EX c0"),
            _ => {}
        }
        self.next += 1;
        let cas = chosen.filter(|_| self.choice == Choice::Taken).unwrap_or(self.next);
        let ticks = heard.flag('T').expect("an expiry").parse().expect("a number");
        self.items.insert(key.to_owned(), (heard.value.to_vec(), cas, ticks));
        if chosen.is_some() && self.choice != Choice::IgnoredInSilence {
            heard.answer(&format!("HD c{cas}"))
        } else {
            heard.answer("HD")
        }
    }
}
