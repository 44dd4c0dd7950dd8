//! The targets, one by one.

use super::why::why;
use super::{Bound, Measure, Reading, Target};
use Bound::{AtLeast, AtMost};

/// Peers on axum that keep sessions in their process.
const IN_MEMORY: &[&str] = &["tower-sessions-014", "tower-sessions-015", "axum-session"];
/// Peers on axum that ask the server at each request.
const ON_SERVER: &[&str] = &["tower-sessions-014", "axum-session-nocache"];
const ON_ACTIX: &[&str] = &["actix-session", "actix-session-pool"];
const NOBODY: &[&str] = &[];

const AXUM: &str = "cloakroom-axum";
const ACTIX: &str = "cloakroom-actix";

/// All of them, for a machine of so many cores.
pub fn targets(cores: usize) -> Vec<Target> {
    let mut targets = allocations();
    targets.extend(processor());
    targets.extend(round_trips());
    targets.extend(singles());
    targets.extend(memory_store(cores));
    targets
}

fn allocations() -> Vec<Target> {
    let most = |contender, peers, backend, scenario, bound| {
        let reading = over_bare(contender, backend, scenario, "allocations", "");
        target(format!("allocations, {scenario}, {backend}, {contender}"), reading, peers, AtMost(bound))
    };
    vec![
        most(AXUM, IN_MEMORY, "memory", "S1", 3.0),
        most(AXUM, IN_MEMORY, "memory", "S2", 5.0),
        most(AXUM, IN_MEMORY, "memory", "S3", 14.0),
        most(AXUM, IN_MEMORY, "memory", "S4", 28.0),
        most(AXUM, IN_MEMORY, "memory", "S7", 16.0),
        most(AXUM, ON_SERVER, "redis", "S3", 26.0),
        most(AXUM, ON_SERVER, "redis", "S4", 45.0),
        most(ACTIX, ON_ACTIX, "redis", "S3", 28.0),
    ]
}

fn processor() -> Vec<Target> {
    let cpu = |contender, backend, scenario| over_bare(contender, backend, scenario, "cpu", "µs");
    let beside = |contender, peers, backend, scenario, bound| Target {
        measure: Measure::AgainstPeers,
        ..target(
            format!("CPU, {scenario}, {backend}, {contender}, beside the best peer"),
            cpu(contender, backend, scenario),
            peers,
            AtMost(bound),
        )
    };
    let beside_s3 = |backend, scenario, bound| Target {
        measure: Measure::Against(cpu(AXUM, backend, "S3")),
        ..target(
            format!("CPU, {scenario}, {backend}, {AXUM}, beside its own S3"),
            cpu(AXUM, backend, scenario),
            if backend == "memory" { IN_MEMORY } else { ON_SERVER },
            AtMost(bound),
        )
    };
    vec![
        beside(AXUM, IN_MEMORY, "memory", "S1", 0.5),
        beside(AXUM, IN_MEMORY, "memory", "S2", 0.5),
        beside(ACTIX, ON_ACTIX, "redis", "S2", 0.1),
        beside(AXUM, IN_MEMORY, "memory", "S3", 1.0),
        beside(AXUM, ON_SERVER, "redis", "S3", 1.1),
        beside(AXUM, ON_SERVER, "redis", "S4", 1.1),
        beside(AXUM, ON_SERVER, "redis", "S6", 1.1),
        beside(ACTIX, ON_ACTIX, "redis", "S3", 1.1),
        beside(ACTIX, ON_ACTIX, "redis", "S4", 1.1),
        beside(ACTIX, ON_ACTIX, "redis", "S6", 1.1),
        beside(AXUM, ON_SERVER, "postgres", "S3", 0.7),
        beside(AXUM, ON_SERVER, "postgres", "S4", 0.6),
        beside(AXUM, ON_SERVER, "postgres", "S6", 0.4),
        beside_s3("memory", "S5", 1.05),
        beside_s3("redis", "S5", 1.05),
        beside_s3("postgres", "S5", 1.05),
        beside_s3("redis", "S7", 2.0),
    ]
}

fn round_trips() -> Vec<Target> {
    let most = |contender, peers, backend, scenario, bound| {
        let reading =
            Reading { over_bare: false, ..over_bare(contender, backend, scenario, "round trips", "") };
        target(format!("round trips, {scenario}, {backend}, {contender}"), reading, peers, AtMost(bound))
    };
    vec![
        most(AXUM, ON_SERVER, "redis", "S3", 1.0),
        most(AXUM, ON_SERVER, "redis", "S4", 2.0),
        most(AXUM, ON_SERVER, "redis", "S5", 1.0),
        most(AXUM, ON_SERVER, "redis", "S6", 1.0),
        most(AXUM, ON_SERVER, "postgres", "S3", 1.0),
        most(AXUM, ON_SERVER, "postgres", "S4", 2.0),
        most(AXUM, ON_SERVER, "postgres", "S5", 1.0),
        most(AXUM, ON_SERVER, "postgres", "S6", 1.0),
        most(ACTIX, ON_ACTIX, "redis", "S2", 0.0),
        most(AXUM, ON_SERVER, "redis", "forged cookie", 0.0),
        most(ACTIX, ON_ACTIX, "redis", "forged cookie", 0.0),
    ]
}

fn singles() -> Vec<Target> {
    let mut targets = vec![
        target(
            "what one untouched request allocates on actix, redis, its future included".to_owned(),
            over_bare(ACTIX, "redis", "S1", "bytes", "B"),
            ON_ACTIX,
            AtMost(2048.0),
        ),
        target(
            "refusing a forged token, by itself".to_owned(),
            of("singles", "cloakroom", "none", "token", "refuse a forged one", "µs"),
            NOBODY,
            AtMost(1.0),
        ),
        target(
            "CPU, request with a forged cookie, redis, cloakroom-axum".to_owned(),
            over_bare(AXUM, "redis", "forged cookie", "cpu", "µs"),
            ON_SERVER,
            AtMost(1.0),
        ),
        target(
            "sealing and opening 1 KiB, beside AES-GCM and HMAC on the same bytes".to_owned(),
            of("singles", "cloakroom", "none", "1 KiB", "seal and open over primitives", "×"),
            NOBODY,
            AtMost(1.3),
        ),
    ];
    targets.extend([1, 32, 256].map(|connections| {
        let over = if connections == 1 { "1 connection" } else { &format!("{connections} connections") };
        target(
            format!("HTTP throughput, S3, redis, {over}, beside a handler with one raw `GET`"),
            of("load", AXUM, "redis", format!("S3 c{connections}"), "throughput over raw-client", "×"),
            ON_SERVER,
            AtLeast(0.9),
        )
    }));
    targets
}

fn memory_store(cores: usize) -> Vec<Target> {
    let of =
        |scenario: String, figure, unit| of("memory_store", "cloakroom", "memory", scenario, figure, unit);
    let mut threads = vec![cores, 8];
    threads.dedup();
    let bytes = |whose: &str| {
        target(
            format!("memory store: bytes per session beyond its sealed payload, {whose}"),
            of(whose.to_owned(), "bytes per session beyond its payload", "B"),
            &["one-rwlock"],
            AtMost(200.0),
        )
    };
    let mut targets = vec![bytes("anonymous"), bytes("with a principal")];
    targets.extend(threads.into_iter().map(|threads| {
        let scenario = format!("90 % reads, 8 tasks, {threads} threads");
        target(
            format!("memory store: throughput beside one `RwLock<HashMap>`, {scenario}"),
            of(scenario, "throughput over one-rwlock", "×"),
            NOBODY,
            AtLeast(2.0),
        )
    }));
    targets.push(target(
        "memory store: longest pause while 100 000 of 1 000 000 sessions expire".to_owned(),
        of("100000 of 1000000 expire".to_owned(), "longest pause", "ms"),
        &["one-rwlock"],
        AtMost(5.0),
    ));
    targets
}

/// Something of a request that a process does, less what the handler does without sessions.
fn over_bare(
    contender: &'static str,
    backend: &'static str,
    scenario: &str,
    figure: &'static str,
    unit: &'static str,
) -> Reading {
    Reading { over_bare: true, ..of("costs", contender, backend, scenario, figure, unit) }
}

fn of(
    section: &'static str,
    contender: &'static str,
    backend: &'static str,
    scenario: impl Into<String>,
    figure: &'static str,
    unit: &'static str,
) -> Reading {
    Reading { section, contender, backend, scenario: scenario.into(), figure, unit, over_bare: false }
}

fn target(what: String, ours: Reading, peers: &'static [&'static str], bound: Bound) -> Target {
    let why = why(&what);
    Target { what, ours, peers, measure: Measure::Itself, bound, why }
}
