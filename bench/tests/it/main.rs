//! The program as it is run, before a server of our own that can be told to misbehave.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod server;

use std::process::{Command, Output};

use serde_json::Value;
use server::{Manner, Server};

/// Measures the raw client of Redis, whose requests are known to the last command.
fn costs(server: &Server, scenarios: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom-bench"));
    command.args(["costs", "--quick", "--rounds", "1", "--backends", "redis", "--contenders", "raw-client"]);
    command.args(["--scenarios", scenarios, "--urls", &format!("redis={}", server.url())]);
    command.output().unwrap()
}

fn value(output: &Output, scenario: &str, figure: &str) -> Option<f64> {
    let lines = String::from_utf8_lossy(&output.stdout);
    let mut figures = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    figures.find(|line| line["scenario"] == scenario && line["figure"] == figure)?["value"].as_f64()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn round_trips_and_statements_are_those_of_the_handler() {
    let output = costs(&Server::start(Manner::Good), "S3,S4");
    assert!(output.status.success(), "{}", said(&output));
    // The one that writes has a second round trip, which is seen.
    for (scenario, count) in [("S3", 1.0), ("S4", 2.0)] {
        assert_eq!(value(&output, scenario, "round trips"), Some(count), "{scenario}");
        assert_eq!(value(&output, scenario, "statements"), Some(count), "{scenario}");
    }
    assert!(value(&output, "S3", "allocations").unwrap() > 0.0);
}

#[test]
fn a_run_whose_handler_answers_with_an_error_fails_and_says_whose() {
    // Not at once: neither the setting up nor the first requests are the ones that fail.
    let output = costs(&Server::start(Manner::RefusesReadsAfter(300)), "S3");
    assert!(!output.status.success(), "a failing handler passed");
    let said = said(&output);
    assert!(said.contains("raw-client/redis failed at S3"), "{said}");
    assert!(said.contains("/read: 503"), "{said}");
    assert_eq!(value(&output, "S3", "cpu"), None, "no figure of failed requests");
}

#[test]
fn a_run_whose_handler_finds_other_bytes_fails() {
    let output = costs(&Server::start(Manner::AnswersOthersAfter(300)), "S3");
    assert!(!output.status.success(), "a handler that read nothing passed");
    assert!(said(&output).contains("raw-client/redis failed at S3"), "{}", said(&output));
}
