//! Nodes of a cluster that answer what a test tells them to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use cloakroom_redis::RedisStore;

use crate::fake::{Act, Fake, Heard, bulk, say};

/// Two nodes, of which one has all slots.
#[derive(Debug)]
pub(crate) struct FakeCluster {
    pub(crate) nodes: Vec<Fake>,
    state: Arc<State>,
}

/// What the nodes have in common.
#[derive(Debug, Default)]
pub(crate) struct State {
    ports: OnceLock<Vec<u16>>,
    owner: AtomicUsize,
    /// When each node was asked for the slots.
    asked: Mutex<[Vec<Instant>; 2]>,
}

impl State {
    /// Which node has all slots, as all nodes tell.
    pub(crate) fn give_to(&self, node: usize) {
        self.owner.store(node, Ordering::SeqCst);
    }

    /// A redirection to this node.
    pub(crate) fn redirect(&self, word: &str, node: usize) -> Act {
        say(&format!("-{word} 1234 127.0.0.1:{}", self.port(node)))
    }

    /// What `CLUSTER SLOTS` says when this node has them all.
    pub(crate) fn slots_of(&self, node: usize) -> Act {
        slots_at(self.port(node))
    }

    fn port(&self, node: usize) -> u16 {
        self.ports.get().expect("the ports")[node]
    }
}

/// What `CLUSTER SLOTS` says when the node at this port has them all.
pub(crate) fn slots_at(port: u16) -> Act {
    let host = String::from_utf8(bulk(b"127.0.0.1")).expect("text");
    Act::Reply(format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n{host}:{port}\r\n").into_bytes())
}

pub(crate) fn epoch(number: u32) -> Act {
    Act::Reply(bulk(format!("cluster_state:ok\r\ncluster_current_epoch:{number}\r\n").as_bytes()))
}

impl FakeCluster {
    /// `script` has the say first; what it leaves is answered as a node does.
    pub(crate) async fn start<F>(script: F) -> Self
    where
        F: Fn(usize, &Heard<'_>, &State) -> Option<Act> + Send + Sync + 'static,
    {
        let (state, script) = (Arc::new(State::default()), Arc::new(script));
        let mut nodes = Vec::new();
        for number in 0..2 {
            let (state, script) = (Arc::clone(&state), Arc::clone(&script));
            let node = Fake::start(move |heard| {
                if let Some(act) = script(number, heard, &state) {
                    return act;
                }
                match (heard.name(), heard.words.get(1).map(Vec::as_slice)) {
                    ("CLUSTER", Some(b"SLOTS")) => {
                        state.asked.lock().expect("no panic")[number].push(Instant::now());
                        state.slots_of(state.owner.load(Ordering::SeqCst))
                    }
                    ("CLUSTER", _) => epoch(1),
                    ("ASKING", _) => say("+OK"),
                    (other, _) => panic!("node {number} is asked for {other}"),
                }
            });
            nodes.push(node.await);
        }
        state.ports.set(nodes.iter().map(Fake::port).collect()).expect("set once");
        Self { nodes, state }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// The shortest time after which a node was asked for the slots again.
    pub(crate) fn shortest_pause(&self) -> Option<Duration> {
        let asked = self.state.asked.lock().expect("no panic");
        asked.iter().flat_map(|times| times.windows(2).map(|pair| pair[1] - pair[0])).min()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", self.nodes[0].port(), self.nodes[1].port())
    }

    pub(crate) fn store(&self) -> RedisStore {
        RedisStore::connect_lazy(&self.url()).expect("a URL")
    }
}
