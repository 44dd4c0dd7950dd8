//! What a session costs a request, on either adapter: with the layer and without it, in the processor time of one thread.

mod actix;
mod axum;

use std::time::Duration;

use cloakroom::{Key, KeyRing, SessionManager};
use rustix::time::{ClockId, clock_gettime};

/// How many requests are timed in one round, and how many rounds alternate.
const REQUESTS: usize = 1_000;
const ROUNDS: usize = 41;
/// The adapters may differ by this factor.
const BOUND: f64 = 1.3;

const KEYS: [Key<u64>; 10] = {
    let names = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"];
    let mut keys = [Key::new(""); 10];
    let mut at = 0;
    while at < keys.len() {
        keys[at] = Key::new(names[at]);
        at += 1;
    }
    keys
};

/// What a request does with its session.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// No cookie, and the handler does not ask.
    Nothing,
    /// The cookie of a session of ten values, and the handler does not ask.
    Cookie,
    /// As that, and the handler reads one of the values.
    Read,
    /// As that, and the handler reads one and writes another.
    Write,
}

impl Use {
    const ALL: [Self; 4] = [Self::Nothing, Self::Cookie, Self::Read, Self::Write];

    const fn path(self) -> &'static str {
        match self {
            Self::Nothing | Self::Cookie => "/untouched",
            Self::Read => "/read",
            Self::Write => "/write",
        }
    }
}

/// A service that can be asked the same thing many times.
trait Service {
    /// Asks `times` times, and tells the processor time from the first call to the last response.
    fn ask(&mut self, path: &str, cookie: Option<&str>, times: usize) -> Duration;

    /// The cookie of a new session of ten values.
    fn fill(&mut self) -> String;
}

fn sessions() -> SessionManager {
    SessionManager::new(cloakroom::MemoryStore::new(), KeyRing::generate())
}

/// What this thread has had of a processor: what others take meanwhile does not count.
fn spent() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.try_into().unwrap(), spent.tv_nsec.try_into().unwrap())
}

/// One adapter's service: the bare handlers, with the layer switched off, and with sessions.
struct Adapter {
    name: &'static str,
    bare: Box<dyn Service>,
    off: Box<dyn Service>,
    on: Box<dyn Service>,
}

/// The nanoseconds of one request to each of the three.
#[derive(Clone, Copy)]
struct Cost {
    bare: f64,
    off: f64,
    on: f64,
}

/// Asks all services in turns, and tells what is in the middle of what each took.
fn costs(how: Use, adapters: &mut [Adapter; 2]) -> [Cost; 2] {
    let mut took = [const { [const { Vec::new() }; 3] }; 2];
    let cookies = adapters.each_mut().map(|adapter| adapter.on.fill());
    // The first round warms the caches.
    for round in 0..=ROUNDS {
        for ((adapter, cookie), took) in adapters.iter_mut().zip(&cookies).zip(&mut took) {
            let cookie = (!matches!(how, Use::Nothing)).then_some(&**cookie);
            for (service, took) in
                [&mut adapter.bare, &mut adapter.off, &mut adapter.on].into_iter().zip(took)
            {
                let spent = service.ask(how.path(), cookie, REQUESTS);
                if round > 0 {
                    took.push(spent);
                }
            }
        }
    }
    took.map(|took| {
        let [bare, off, on] = took.map(middle);
        Cost { bare, off, on }
    })
}

fn middle(mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    took[took.len() / 2].as_secs_f64() * 1e9 / REQUESTS as f64
}

fn apart(a: f64, b: f64) -> f64 {
    (a / b).max(b / a)
}

#[test]
#[ignore = "measures what sessions cost on both adapters"]
fn measure_the_overhead_of_both_adapters() {
    let mut adapters = [
        Adapter {
            name: "axum",
            bare: Box::new(axum::Axum::bare()),
            off: Box::new(axum::Axum::switched_off()),
            on: Box::new(axum::Axum::layered()),
        },
        Adapter {
            name: "actix",
            bare: Box::new(actix::bare()),
            off: Box::new(actix::switched_off()),
            on: Box::new(actix::layered()),
        },
    ];
    let mut too_far = Vec::new();
    for how in Use::ALL {
        let costs = costs(how, &mut adapters);
        for (Adapter { name, .. }, Cost { bare, off, on }) in adapters.iter().zip(costs) {
            let (times, more, own) = (on / bare, on - bare, on - off);
            println!(
                "{how:?} on {name}: {bare:.0} ns bare, {off:.0} ns switched off, {on:.0} ns with sessions"
            );
            println!(
                "  {times:.2} x a bare handler; {more:.0} ns more than that, {own:.0} ns more than switched off"
            );
        }
        let [axum, actix] = costs;
        let relative = apart(axum.on / axum.bare, actix.on / actix.bare);
        let absolute = apart(axum.on - axum.bare, actix.on - actix.bare);
        let own = apart(axum.on - axum.off, actix.on - actix.off);
        println!("{how:?}: the adapters are {relative:.2} x apart relative to their bare handlers;");
        println!(
            "  {absolute:.2} x in what they add, {own:.2} x in what they add to a layer that is switched off"
        );
        if relative > BOUND {
            too_far.push(format!("{how:?}: {relative:.2} x"));
        }
    }
    assert!(too_far.is_empty(), "further apart than {BOUND} x: {too_far:?}");
}
