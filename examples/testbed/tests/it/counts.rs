//! What a request costs: commands that a real Redis counts while the testbed serves.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cloakroom_conformance::stories::{Client, Instance as _, Line, Request, Response, Settings, tell};
use tokio::time::sleep;
use xtask::server::{Persistence, RedisServer};

use crate::program::{ADAPTERS, Testbed};

/// How often each request is sent.
const TIMES: u64 = 50;
/// How many requests of strangers are sent to see that they leave nothing.
const STRANGERS: usize = 100_000;
/// How many requests are under way on one connection.
const PIPELINE: usize = 100;
/// How many connections there are at a time.
const LINES: usize = 4;

/// More than the millisecond that a time to live must have lost to be written anew, and by which a login must move a
/// deadline to be entered again.
const TICK: Duration = Duration::from_millis(5);

/// Commands of clients that greet, of this test, and of nobody's session.
const OVERHEAD: [&str; 10] = [
    "info",
    "config|resetstat",
    "config|get",
    "ping",
    "echo",
    "hello",
    "client|setinfo",
    "auth",
    "select",
    "dbsize",
];

/// What one request of a kind costs: the requests to the store that it makes.
struct Cost {
    name: &'static str,
    calls: &'static [Call],
}

/// A request to the store, as the server counts it: what it was sent, together with what its script does inside.
type Call = &'static [(&'static str, u64)];

const LOAD: Call = &[("get", 1), ("pttl", 1)];
const CREATE: Call = &[("set", 1)];
const REPLACE: Call = &[("evalsha", 1), ("getrange", 1), ("set", 1)];
const TOUCH: Call = &[("evalsha", 1), ("getrange", 1), ("pexpire", 1), ("pttl", 1)];
const DELETE: Call = &[("del", 1)];
const ENTER: Call = &[
    ("evalsha", 1),
    ("time", 1),
    ("zscore", 2),
    ("zrevrange", 1),
    ("zadd", 1),
    ("zrangebyscore", 1),
    ("pexpireat", 1),
];
const ENTRIES: Call = &[("time", 1), ("zrange", 1)];
/// An `ENTER` that takes a session off the list.
const ADMIT: Call = &[
    ("evalsha", 1),
    ("time", 1),
    ("zscore", 2),
    ("zrem", 1),
    ("zrevrange", 1),
    ("zadd", 1),
    ("zrangebyscore", 1),
    ("pexpireat", 1),
];
/// Of a session that was entered too lately to be taken off its list.
const STAYS: Call = &[("evalsha", 1), ("time", 1), ("zscore", 1)];
/// Of the last session on its list.
const REMOVE_LAST: Call =
    &[("evalsha", 1), ("time", 1), ("zscore", 1), ("zrem", 1), ("zrevrange", 1), ("del", 1)];

/// A Redis, a testbed before it, and a visitor with a session.
struct Scene {
    server: RedisServer,
    testbed: Testbed,
    visitor: Client,
}

impl Scene {
    async fn set(adapter: &str, arguments: &[&str]) -> Self {
        let server = RedisServer::builder().with_persistence(Persistence::Nothing).start().expect("a server");
        let testbed = Testbed::start_with(adapter, &server.url(), &Settings::new(), arguments).await;
        let visitor = Client::of(&testbed);
        // The server learns the scripts.
        visitor.put("/value/a", "0").await.is(204);
        visitor.put("/value/a", "1").await.is(204);
        let other = Client::of(&testbed);
        other.post("/login/other").await.is(204);
        other.post("/revoke-all").await.is(200);
        for _ in 0..3 {
            sleep(TICK).await;
            visitor.get("/session").await.is(200);
        }
        Self { server, testbed, visitor }
    }

    /// Sends a request over and over, and compares what the server counted.
    async fn costs<F>(&self, adapter: &str, cost: Cost, mut request: impl FnMut(Client, u64) -> F)
    where
        F: Future<Output = Response>,
    {
        self.server.reset_command_stats().expect("it answers");
        for n in 0..TIMES {
            request(self.visitor.clone(), n).await;
        }
        let counted = self.counted();
        let mut wanted = BTreeMap::new();
        for (command, each) in cost.calls.iter().copied().flatten() {
            *wanted.entry((*command).to_owned()).or_default() += each * TIMES;
        }
        println!(
            "{adapter}: {}: {} store calls a request; {TIMES} requests were {counted:?}",
            cost.name,
            cost.calls.len()
        );
        assert_eq!(counted, wanted, "{adapter}: {}", cost.name);
    }

    fn counted(&self) -> BTreeMap<String, u64> {
        let mut counted = self.server.command_stats().expect("it answers");
        counted.retain(|name, _| !OVERHEAD.contains(&name.as_str()));
        counted
    }
}

fn quiet(response: Response) -> Response {
    response.sets_no_cookie()
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn requests_cost_what_they_do() {
    tell(async {
        for adapter in ADAPTERS {
            let scene = Scene::set(adapter, &[]).await;
            let forged = format!("__Host-session={}", "A".repeat(71));
            let cost = |name, calls| Cost { name, calls };
            scene
                .costs(adapter, cost("untouched", &[]), |visitor, _| async move {
                    quiet(visitor.get("/untouched").await.is(200))
                })
                .await;
            scene
                .costs(adapter, cost("forged token", &[]), |visitor, _| {
                    let request = Request::new("GET", "/session").with_header("cookie", forged.clone());
                    async move { quiet(visitor.ask(request).await.is(200)) }
                })
                .await;
            scene
                .costs(adapter, cost("stranger's read", &[]), |_, _| {
                    let stranger = Client::of(&scene.testbed);
                    async move { quiet(stranger.get("/session").await.is(200)) }
                })
                .await;
            scene
                .costs(
                    adapter,
                    cost("read, kept alive within the throttle", &[LOAD]),
                    |visitor, _| async move { quiet(visitor.get("/value/a").await.is(200)) },
                )
                .await;
            scene
                .costs(adapter, cost("write of an equal value", &[LOAD]), |visitor, _| async move {
                    quiet(visitor.put("/value/a", "1").await.is(204))
                })
                .await;
            scene
                .costs(adapter, cost("write", &[LOAD, REPLACE]), |visitor, n| async move {
                    quiet(visitor.put("/value/b", n.to_string()).await.is(204))
                })
                .await;
            scene
                .costs(adapter, cost("stranger's first write", &[CREATE]), |_, _| {
                    let stranger = Client::of(&scene.testbed);
                    async move { stranger.put("/value/a", "1").await.is(204) }
                })
                .await;
            scene
                .costs(adapter, cost("login", &[LOAD, ENTER, REPLACE]), |visitor, _| async move {
                    sleep(TICK).await;
                    visitor.post("/login/ada").await.is(204)
                })
                .await;
            scene
                .costs(adapter, cost("stranger's login", &[ENTER, CREATE]), |_, _| {
                    let stranger = Client::of(&scene.testbed);
                    async move { stranger.post("/login/eve").await.is(204) }
                })
                .await;
            scene
                .costs(adapter, cost("remember", &[LOAD, ENTER, REPLACE]), |visitor, n| async move {
                    visitor.post(&format!("/remember/{}", 1_000_000 + n)).await.is(204)
                })
                .await;
            scene
                .costs(adapter, cost("rotation", &[LOAD, REPLACE]), |visitor, _| async move {
                    visitor.post("/rotate").await.is(204)
                })
                .await;
            let mut visitors = Vec::new();
            for _ in 0..TIMES {
                let visitor = Client::of(&scene.testbed);
                visitor.post("/login/ada").await.is(204);
                visitors.push(visitor);
            }
            scene
                .costs(adapter, cost("logout", &[LOAD, DELETE]), |_, _| {
                    let visitor = visitors.pop().expect("one for each");
                    async move { visitor.post("/logout").await.is(204) }
                })
                .await;
            let eager = Scene::set(adapter, &["--touch-interval", "0ms"]).await;
            eager
                .costs(
                    adapter,
                    cost("read, kept alive without a throttle", &[LOAD, TOUCH]),
                    |visitor, _| async move {
                        sleep(TICK).await;
                        quiet(visitor.get("/value/a").await.is(200))
                    },
                )
                .await;
        }
    });
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn lists_and_limits_cost_what_they_do() {
    tell(async {
        for adapter in ADAPTERS {
            let cost = |name, calls| Cost { name, calls };
            let scene = Scene::set(adapter, &[]).await;
            scene.visitor.post("/login/ada").await.is(204);
            let device = async || {
                let device = Client::of(&scene.testbed);
                device.post("/login/ada").await.is(204);
                device
            };
            device().await;
            scene
                .costs(adapter, cost("list of two", &[LOAD, ENTRIES, LOAD, LOAD]), |visitor, _| async move {
                    quiet(visitor.get("/sessions").await.is(200))
                })
                .await;
            let mut handles = Vec::new();
            for _ in 0..TIMES {
                let listed = device().await.get("/sessions").await.is(200).json();
                let mut entries = listed.as_array().into_iter().flatten();
                let own = entries.find(|entry| entry["current"] == true).expect("its own");
                handles.push(own["handle"].as_str().expect("a text").to_owned());
            }
            scene
                .costs(adapter, cost("revocation", &[LOAD, LOAD, DELETE, STAYS]), |visitor, _| {
                    let handle = handles.pop().expect("one for each");
                    async move { quiet(visitor.delete(&format!("/sessions/{handle}")).await.is(204)) }
                })
                .await;

            // One is allowed: each login ends the session before it.
            let scene = Scene::set(adapter, &["--max-sessions", "1"]).await;
            for _ in 0..2 {
                scene.visitor.post("/login/ada").await.is(204);
            }
            scene
                .costs(
                    adapter,
                    cost("stranger's login at the limit", &[ENTRIES, LOAD, DELETE, ADMIT, CREATE]),
                    |_, _| {
                        let stranger = Client::of(&scene.testbed);
                        async move { stranger.post("/login/ada").await.is(204) }
                    },
                )
                .await;
            let visitor = Client::of(&scene.testbed);
            visitor.post("/login/eve").await.is(204);
            scene
                .costs(adapter, cost("login again under a limit", &[LOAD, ENTER, REPLACE]), |_, _| {
                    let visitor = visitor.clone();
                    async move {
                        sleep(TICK).await;
                        visitor.post("/login/eve").await.is(204)
                    }
                })
                .await;
            let mut visitors = Vec::new();
            for number in 0..TIMES {
                let visitor = Client::of(&scene.testbed);
                visitor.post(&format!("/login/number-{number}")).await.is(204);
                visitors.push(visitor);
            }
            scene
                .costs(adapter, cost("logout under a limit", &[LOAD, DELETE, REMOVE_LAST]), |_, _| {
                    let visitor = visitors.pop().expect("one for each");
                    async move { visitor.post("/logout").await.is(204) }
                })
                .await;
        }
    });
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn a_hundred_thousand_strangers_leave_nothing() {
    for adapter in ADAPTERS {
        tell(async {
            let server =
                RedisServer::builder().with_persistence(Persistence::Nothing).start().expect("a server");
            let testbed = Testbed::start(adapter, &server.url(), &Settings::new()).await;
            server.reset_command_stats().expect("it answers");
            let start = Instant::now();
            let address = testbed.address();
            let mut tasks = Vec::new();
            for _ in 0..LINES {
                tasks.push(tokio::spawn(async move {
                    let mut line = Line::open(address).await.expect("a connection");
                    for _ in 0..STRANGERS / LINES / PIPELINE {
                        for n in 0..PIPELINE {
                            line.send(&stranger(n)).await.expect("it is sent");
                        }
                        for _ in 0..PIPELINE {
                            let seen = line.answer().await.expect("it answers").is(200).sets_no_cookie();
                            assert_eq!(seen.json()["new"], true);
                        }
                    }
                }));
            }
            for task in tasks {
                task.await.expect("every answer is right");
            }
            let counted: BTreeMap<_, _> = server.command_stats().expect("it answers");
            let size = server.cli(&["DBSIZE"]).expect("it answers");
            let took = start.elapsed();
            println!(
                "{adapter}: {STRANGERS} requests of strangers in {took:?}: DBSIZE {size}, commands {counted:?}"
            );
            assert_eq!(size, "0");
            assert!(counted.keys().all(|name| OVERHEAD.contains(&name.as_str())), "{counted:?}");
        });
    }
}

/// Half of them come with a token that they made up.
fn stranger(n: usize) -> Request {
    let request = Request::new("GET", "/session");
    if n.is_multiple_of(2) {
        request
    } else {
        request.with_header("cookie", format!("__Host-session={n:071}"))
    }
}
