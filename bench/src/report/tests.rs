use super::run::Run;
use super::{page, unexplained};
use crate::figure::Figure;

pub const HEADER: &str = r#"{"machine":{"cpu":"Some CPU","cores":2,"memory_mib":8000,"kernel":"6.1"},"versions":{"rustc":"1.90.0","axum":"0.8.9"},"command":"cargo xtask bench","date":"2026-01-02","load":"0.10"}"#;

/// A line of a file of figures.
pub fn line([section, contender, backend, scenario, figure]: [&str; 5], value: f64) -> String {
    let figure = Figure::of_rounds(section, [contender, backend, scenario], figure, "us", &[value]);
    serde_json::to_string(&figure).unwrap()
}

/// The same with rounds.
pub fn rounds([section, contender, backend, scenario, figure]: [&str; 5], rounds: &[f64]) -> String {
    let figure = Figure::of_rounds(section, [contender, backend, scenario], figure, "us", rounds);
    serde_json::to_string(&figure).unwrap()
}

fn figures() -> Vec<String> {
    vec![
        line(["costs", "bare-axum", "none", "S0", "allocations"], 20.0),
        line(["costs", "bare-axum", "none", "S0 cookie", "allocations"], 21.0),
        line(["costs", "cloakroom-axum", "memory", "S1", "allocations"], 22.0),
        line(["costs", "cloakroom-axum", "memory", "S2", "allocations"], 31.0),
        line(["costs", "tower-sessions-015", "memory", "S2", "allocations"], 37.0),
        line(["costs", "cloakroom-axum", "redis", "S3", "round trips"], 1.0),
        line(["load", "cloakroom-axum", "redis", "S3 c32", "throughput over raw-client"], 0.95),
        line(["load", "axum-session", "redis", "S4 c32", "failed"], 1.0),
        line(["curves", "cloakroom-axum", "redis", "S3 sessions=1000", "CPU a request"], 10.0),
        line(["curves", "cloakroom-axum", "redis", "S3 sessions=1000000", "CPU a request"], 12.0),
        line(["conflicts", "cloakroom-axum", "redis", "8 writers", "lost updates"], 0.0),
        line(["conflicts", "cloakroom-axum", "redis", "64 writers", "lost updates"], 0.0),
        line(["singles", "cloakroom", "none", "token", "refuse a forged one"], 0.5),
    ]
}

fn written() -> String {
    let run = Run::parse(&format!("{HEADER}\n{}\n", figures().join("\n"))).unwrap();
    page(&run, &["performance/sessions-redis-s3.svg".to_owned()]).unwrap()
}

/// The row of a table that begins so.
fn row<'a>(page: &'a str, begin: &str) -> &'a str {
    page.lines().find(|line| line.starts_with(&format!("| {begin}"))).unwrap_or_default()
}

#[test]
fn targets_are_met_missed_or_not_measured() {
    let page = written();
    assert!(row(&page, "allocations, S1, memory, cloakroom-axum").ends_with("| ≤ 3 | 2 | met |"));
    let missed = row(&page, "allocations, S2, memory, cloakroom-axum");
    assert!(missed.ends_with("| 16 (tower-sessions-015) | ≤ 5 | 10 | **missed** |"), "{missed}");
    assert!(
        row(&page, "allocations, S3, memory, cloakroom-axum").ends_with("| – | ≤ 14 | – | not measured |")
    );
    assert!(row(&page, "round trips, S3, redis, cloakroom-axum").ends_with("| ≤ 1 | 1 | met |"));
    assert!(row(&page, "refusing a forged token").ends_with("| ≤ 1 µs | 0.5 µs | met |"));
    let (met, missed) = (page.matches("| met |").count(), page.matches("| **missed** |").count());
    assert!(page.contains(&format!("{met} are met, {missed} are missed")), "{met} {missed}");
}

#[test]
fn targets_that_were_missed_without_a_reason_are_told() {
    let explained = line(["costs", "cloakroom-axum", "memory", "S1", "allocations"], 26.0);
    let mut lines = figures();
    lines[2] = explained;
    let run = Run::parse(&format!("{HEADER}\n{}\n", lines.join("\n"))).unwrap();
    assert_eq!(unexplained(&run), ["allocations, S2, memory, cloakroom-axum"], "S1 is missed as well");
}

#[test]
fn the_page_tells_the_load_before_and_meanwhile() {
    let [one, other] = [0.25, 1.5].map(|load| {
        let who = ["cloakroom-axum", "memory", if load < 1.0 { "S1" } else { "S2" }];
        let figure = Figure::of_rounds("costs", who, "cpu", "us", &[1.0]);
        serde_json::to_string(&Figure { load: Some(load), ..figure }).unwrap()
    });
    let page = page(&Run::parse(&format!("{HEADER}\n{one}\n{other}\n")).unwrap(), &[]).unwrap();
    let row = "| costs | `cargo xtask bench` on 2026-01-02, at a load of 0.10 before it and of 0.25 to 1.5 meanwhile |";
    assert!(page.contains(row), "{page}");
}

#[test]
fn the_page_says_on_what_and_how() {
    let page = written();
    for part in ["Some CPU, 2 cores", "axum 0.8.9; rustc 1.90.0", "`cargo xtask bench` on 2026-01-02"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn each_section_has_its_tables() {
    let page = written();
    assert!(
        page.contains("| cloakroom-axum, memory | 2 | 10 |\n| tower-sessions-015, memory | – | 16 |"),
        "{page}"
    );
    assert!(page.contains("| cloakroom-axum, redis | 0.95× |"));
    assert!(page.contains("- axum-session, redis S4 c32"));
    assert!(page.contains("1.2× (1000 to 1000000)"));
    assert!(page.contains("(performance/sessions-redis-s3.svg)"));
    let (eight, more) = (page.find("redis, 8 writers").unwrap(), page.find("redis, 64 writers").unwrap());
    assert!(eight < more);
    let builds = page.split("## Building it").nth(1).unwrap();
    assert!(builds.contains("Not measured in this run."));
}
