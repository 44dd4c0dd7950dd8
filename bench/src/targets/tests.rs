use super::{Bound, Measure, Target, Verdict, targets};
use crate::report::run::Run;
use crate::report::tests::{HEADER, line, rounds};

fn run(lines: &[String]) -> Run {
    Run::parse(&format!("{HEADER}\n{}\n", lines.join("\n"))).unwrap()
}

fn find(what: &str) -> Target {
    targets(2).into_iter().find(|target| target.what.starts_with(what)).unwrap()
}

fn verdict(what: &str, lines: &[String]) -> Verdict {
    find(what).judge(&run(lines)).verdict
}

fn cpu(contender: &str, backend: &str, scenario: &str, value: f64) -> String {
    line(["costs", contender, backend, scenario, "cpu"], value)
}

#[test]
fn counts_are_held_against_a_bound() {
    let trips = |value| vec![line(["costs", "cloakroom-axum", "redis", "S4", "round trips"], value)];
    let what = "round trips, S4, redis, cloakroom-axum";
    assert_eq!(verdict(what, &trips(2.0)), Verdict::Met);
    assert_eq!(verdict(what, &trips(2.004)), Verdict::Met, "as the page shows it");
    assert_eq!(verdict(what, &trips(2.01)), Verdict::Missed);
    assert_eq!(verdict(what, &[]), Verdict::NotMeasured);
    let forged = |value| {
        verdict(
            "round trips, forged cookie, redis, cloakroom-axum",
            &[line(["costs", "cloakroom-axum", "redis", "forged cookie", "round trips"], value)],
        )
    };
    assert_eq!(
        [forged(0.0), forged(0.004)],
        [Verdict::Met, Verdict::Missed],
        "small numbers have more digits"
    );
    assert!(
        Bound::AtMost(2048.0).holds(2048.4) && !Bound::AtMost(2048.0).holds(2048.6),
        "and large ones fewer"
    );
}

#[test]
fn processor_time_is_held_against_the_best_peer_over_the_same_floor() {
    let what = "CPU, S3, memory, cloakroom-axum, beside the best peer";
    let mut lines = vec![
        cpu("bare-axum", "none", "S0 cookie", 1.0),
        cpu("tower-sessions-014", "memory", "S3", 4.0),
        cpu("tower-sessions-015", "memory", "S3", 3.0),
        cpu("actix-session", "memory", "S3", 1.1),
    ];
    assert_eq!(verdict(what, &lines), Verdict::NotMeasured);
    lines.push(cpu("cloakroom-axum", "memory", "S3", 3.5));
    let target = find(what);
    let outcome = target.judge(&run(&lines)).cells();
    // Two and a half of two.
    assert_eq!(
        outcome[1..],
        ["2 µs (tower-sessions-015)", "≤ 1×", "1.25× (2.5 µs)", "**missed**"].map(str::to_owned)
    );
    lines.pop();
    lines.push(cpu("cloakroom-axum", "memory", "S3", 3.0));
    assert_eq!(verdict(what, &lines), Verdict::Met);
    lines.remove(0);
    assert_eq!(verdict(what, &lines), Verdict::NotMeasured, "without the floor");
}

#[test]
fn a_peer_that_costs_nothing_measurable_decides_nothing() {
    let lines = [
        cpu("bare-axum", "none", "S0", 1.0),
        cpu("tower-sessions-014", "memory", "S1", 0.9),
        cpu("cloakroom-axum", "memory", "S1", 1.2),
    ];
    assert_eq!(verdict("CPU, S1, memory, cloakroom-axum", &lines), Verdict::NotMeasured);
}

#[test]
fn our_own_figures_are_held_against_each_other() {
    let lines = |rolling| {
        [
            cpu("bare-axum", "none", "S0 cookie", 1.0),
            cpu("cloakroom-axum", "redis", "S3", 11.0),
            cpu("cloakroom-axum", "redis", "S5", rolling),
        ]
    };
    let what = "CPU, S5, redis, cloakroom-axum";
    assert_eq!(verdict(what, &lines(11.5)), Verdict::Met);
    assert_eq!(verdict(what, &lines(12.0)), Verdict::Missed);
}

#[test]
fn ratios_are_those_of_each_round() {
    // A machine that slows down to a third: ours costs nine tenths of theirs in each round.
    let theirs = [10.0, 10.0, 20.0, 30.0, 30.0];
    let ours = theirs.map(|theirs| theirs * 0.9 + 0.1);
    let shuffled = [ours[4], ours[3], ours[2], ours[1], ours[0]];
    let lines = |ours: &[f64]| {
        [
            rounds(["costs", "bare-axum", "none", "S0 cookie", "cpu"], &[1.0; 5]),
            rounds(["costs", "tower-sessions-014", "redis", "S3", "cpu"], &theirs),
            rounds(["costs", "cloakroom-axum", "redis", "S3", "cpu"], ours),
        ]
    };
    let target = find("CPU, S3, redis, cloakroom-axum");
    let measured = |ours: &[f64]| target.judge(&run(&lines(ours))).measured.unwrap();
    assert!((measured(&ours) - 0.9).abs() < 1e-9, "{}", measured(&ours));
    assert!(measured(&shuffled[1..]) > 0.0, "of medians, where rounds are missing");
    assert!((measured(&shuffled) - 0.9).abs() < 1e-9, "{}", measured(&shuffled));
    let worse = [10.0, 20.0, 30.0, 40.0, 50.0];
    assert!(measured(&worse) > 1.3, "{}", measured(&worse));
}

#[test]
fn throughput_has_to_be_at_least_as_much() {
    let lines =
        |ratio| [line(["load", "cloakroom-axum", "redis", "S3 c32", "throughput over raw-client"], ratio)];
    let what = "HTTP throughput, S3, redis, 32 connections";
    assert_eq!(verdict(what, &lines(0.9)), Verdict::Met);
    assert_eq!(verdict(what, &lines(0.89)), Verdict::Missed);
}

#[test]
fn the_best_of_the_peers_is_the_one_with_most_where_most_is_good() {
    let throughput = |who, ratio| line(["load", who, "redis", "S3 c32", "throughput over raw-client"], ratio);
    let lines = [throughput("tower-sessions-014", 0.4), throughput("axum-session-nocache", 0.6)];
    let target = find("HTTP throughput, S3, redis, 32 connections");
    assert_eq!(target.judge(&run(&lines)).best, Some(("axum-session-nocache", 0.6)));
}

#[test]
fn reasons_are_those_of_targets() {
    let targets = targets(2);
    for (begin, why) in super::why::WHY {
        let of: Vec<&Target> = targets.iter().filter(|target| target.what.starts_with(begin)).collect();
        assert!(!of.is_empty() && of.iter().all(|target| target.why == why), "{begin}");
    }
}

#[test]
fn targets_have_names_of_their_own_and_peers_where_they_need_them() {
    let targets = targets(2);
    let mut names: Vec<&str> = targets.iter().map(|target| &*target.what).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), targets.len());
    assert!(
        targets
            .iter()
            .all(|target| { !matches!(target.measure, Measure::AgainstPeers) || !target.peers.is_empty() })
    );
    assert_eq!(Bound::AtMost(0.5).to_string(), "≤ 0.5");
}
