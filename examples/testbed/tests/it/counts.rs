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

/// More than the millisecond that a time to live must have lost to be written anew.
const TICK: Duration = Duration::from_millis(5);

/// Commands of clients that greet, of this test, and of nobody's session.
const OVERHEAD: [&str; 9] =
    ["info", "config|resetstat", "config|get", "ping", "hello", "client|setinfo", "auth", "select", "dbsize"];

/// What one request of a kind costs.
struct Cost {
    name: &'static str,
    calls: u64,
    commands: &'static [(&'static str, u64)],
}

const LOAD: &[(&str, u64)] = &[("get", 1), ("pttl", 1)];
const LOAD_REPLACE: &[(&str, u64)] = &[("evalsha", 1), ("get", 1), ("getrange", 1), ("pttl", 1), ("set", 1)];
const LOAD_TOUCH: &[(&str, u64)] =
    &[("evalsha", 1), ("get", 1), ("getrange", 1), ("pexpire", 1), ("pttl", 2)];
const CREATE: &[(&str, u64)] = &[("set", 1)];
const LOAD_DELETE: &[(&str, u64)] = &[("del", 1), ("get", 1), ("pttl", 1)];

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
        let wanted = cost.commands.iter().map(|(name, each)| ((*name).to_owned(), each * TIMES)).collect();
        println!(
            "{adapter}: {}: {} store calls a request; {TIMES} requests were {counted:?}",
            cost.name, cost.calls
        );
        assert_eq!(counted, wanted, "{adapter}: {}", cost.name);
        assert_eq!(calls(&counted), cost.calls * TIMES, "{adapter}: {}", cost.name);
    }

    fn counted(&self) -> BTreeMap<String, u64> {
        let mut counted = self.server.command_stats().expect("it answers");
        counted.retain(|name, _| !OVERHEAD.contains(&name.as_str()));
        counted
    }
}

/// How many requests to the store these commands are. `GET` and `PTTL` of a load go together; `GETRANGE`, `SET`,
/// `PTTL` and `PEXPIRE` inside a script are part of it.
fn calls(counted: &BTreeMap<String, u64>) -> u64 {
    let of = |name: &str| counted.get(name).copied().unwrap_or(0);
    let scripts = of("evalsha") + of("eval");
    let touches = of("pexpire");
    let set_by_scripts = (scripts - touches).min(of("set"));
    of("get") + scripts + of("del") + (of("set") - set_by_scripts)
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
            let cost = |name, calls, commands| Cost { name, calls, commands };
            scene
                .costs(adapter, cost("untouched", 0, &[]), |visitor, _| async move {
                    quiet(visitor.get("/untouched").await.is(200))
                })
                .await;
            scene
                .costs(adapter, cost("forged token", 0, &[]), |visitor, _| {
                    let request = Request::new("GET", "/session").with_header("cookie", forged.clone());
                    async move { quiet(visitor.ask(request).await.is(200)) }
                })
                .await;
            scene
                .costs(adapter, cost("stranger's read", 0, &[]), |_, _| {
                    let stranger = Client::of(&scene.testbed);
                    async move { quiet(stranger.get("/session").await.is(200)) }
                })
                .await;
            scene
                .costs(
                    adapter,
                    cost("read, kept alive within the throttle", 1, LOAD),
                    |visitor, _| async move { quiet(visitor.get("/value/a").await.is(200)) },
                )
                .await;
            scene
                .costs(adapter, cost("write of an equal value", 1, LOAD), |visitor, _| async move {
                    quiet(visitor.put("/value/a", "1").await.is(204))
                })
                .await;
            scene
                .costs(adapter, cost("write", 2, LOAD_REPLACE), |visitor, n| async move {
                    quiet(visitor.put("/value/b", n.to_string()).await.is(204))
                })
                .await;
            scene
                .costs(adapter, cost("stranger's first write", 1, CREATE), |_, _| {
                    let stranger = Client::of(&scene.testbed);
                    async move { stranger.put("/value/a", "1").await.is(204) }
                })
                .await;
            scene
                .costs(adapter, cost("login", 2, LOAD_REPLACE), |visitor, _| async move {
                    visitor.post("/login/ada").await.is(204)
                })
                .await;
            scene
                .costs(adapter, cost("rotation", 2, LOAD_REPLACE), |visitor, _| async move {
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
                .costs(adapter, cost("logout", 2, LOAD_DELETE), |_, _| {
                    let visitor = visitors.pop().expect("one for each");
                    async move { visitor.post("/logout").await.is(204) }
                })
                .await;
            let eager = Scene::set(adapter, &["--touch-interval", "0ms"]).await;
            eager
                .costs(
                    adapter,
                    cost("read, kept alive without a throttle", 2, LOAD_TOUCH),
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
