//! Which ignored tests run, and what is counted.

use std::process::Command;

use super::super::backend::Backend;
use super::super::facility::Facilities;
use super::super::servers::Servers;
use super::super::tally::Ignored;
use super::{DEADLINE, Effort, LONG, Suite, closing_line, fault_runs, sort};

fn ignored(name: &str, reason: &str) -> Ignored {
    Ignored { name: name.to_owned(), reason: reason.to_owned() }
}

fn example() -> Vec<Ignored> {
    vec![
        ignored("create_never_overwrites", "needs redis: run `cargo xtask test`"),
        ignored("laws::touch", "needs CLOAKROOM_TEST_REDIS_URL"),
        ignored("twins", "needs memcached and postgres: run `cargo xtask test`"),
        ignored("crash", "takes a minute"),
        ignored("laws::measure_login", "measures redis"),
        ignored("someday", "flaky"),
    ]
}

#[test]
fn tests_that_need_a_selected_backend_run() {
    let (wanted, left_out) = sort("a", example(), &Backend::ALL, &Facilities::none());
    assert_eq!(wanted, ["create_never_overwrites", "laws::touch", "twins", "crash"]);
    let tests: Vec<&str> = left_out.iter().map(|left| left.test.as_str()).collect();
    assert_eq!(tests, ["a: laws::measure_login", "a: someday"]);
}

#[test]
fn tests_of_other_backends_are_listed_with_the_reason() {
    let (wanted, left_out) = sort("a", example(), &[Backend::Memory], &Facilities::none());
    assert_eq!(wanted, ["crash"]);
    assert_eq!(left_out.len(), 5);
    assert_eq!(left_out[0].why, "redis was not selected");
    assert_eq!(left_out[1].why, "redis was not selected");
    assert_eq!(left_out[2].why, "memcached was not selected");
    assert!(left_out[3].why.contains("cargo xtask measure"));
    let (wanted, left_out) = sort("a", example(), &[Backend::Redis, Backend::Memcached], &Facilities::none());
    assert_eq!(wanted, ["create_never_overwrites", "laws::touch", "crash"]);
    assert_eq!(left_out[0].why, "postgres was not selected");
}

#[test]
fn what_does_not_apply_is_not_skipped() {
    let reasons = ["does not apply: nobody can", "flaky"].map(|reason| ignored("a", reason));
    let (wanted, left_out) = sort("a", reasons.into(), &Backend::ALL, &Facilities::none());
    assert!(wanted.is_empty());
    let inapplicable: Vec<bool> = left_out.iter().map(super::LeftOut::is_inapplicable).collect();
    assert_eq!(inapplicable, [true, false]);
}

#[test]
fn fault_runs_are_known_by_their_reason_and_their_backends() {
    let ignored = || {
        vec![
            ignored("short", "needs redis: run `cargo xtask test`"),
            ignored("redis_at_length", "faults redis: run `cargo xtask faults`"),
            ignored("twins_at_length", "faults redis and postgres: run `cargo xtask faults`"),
        ]
    };
    let runs = |backends: &[Backend]| fault_runs("a", ignored(), backends, &Facilities::none()).0;
    assert_eq!(runs(&Backend::ALL), ["redis_at_length", "twins_at_length"]);
    assert_eq!(runs(&[Backend::Redis]), ["redis_at_length"]);
    assert!(runs(&[Backend::Memory]).is_empty());
    let (wanted, left_out) = sort("a", ignored(), &Backend::ALL, &Facilities::none());
    assert_eq!((wanted.len(), left_out.len()), (1, 2), "the suite leaves them to `cargo xtask faults`");
}

/// What the machine does not have is skipped by name, and counts neither as passed nor as failed.
#[test]
fn tests_that_need_what_the_machine_lacks_are_listed_with_the_reason() {
    let ignored = || {
        vec![
            ignored("cut", "needs cluster and namespaces: run `cargo xtask test`"),
            ignored("full", "needs redis and mounts: run `cargo xtask test`"),
            ignored("cut_at_length", "faults cluster and namespaces: run `cargo xtask faults`"),
        ]
    };
    let (wanted, left_out) = sort("a", ignored(), &Backend::ALL, &Facilities::none());
    assert!(wanted.is_empty(), "{wanted:?}");
    let why: Vec<&str> = left_out.iter().map(|left| left.why.as_str()).collect();
    assert_eq!(why[0], "this machine has no namespaces: not permitted");
    assert_eq!(why[1], "this machine has no mounts: not permitted");
    let (wanted, left_out) = fault_runs("a", ignored(), &Backend::ALL, &Facilities::none());
    assert!(wanted.is_empty(), "{wanted:?}");
    assert_eq!(left_out.len(), 1);
    assert_eq!(left_out[0].test, "a: cut_at_length");
    // Whoever narrows the run to other backends is told that, and nothing is tried out.
    let (_, left_out) = sort("a", ignored(), &[Backend::Memory], &Facilities::default());
    assert_eq!(left_out[0].why, "cluster was not selected");
}

#[test]
fn only_long_runs_are_told_that_there_is_time() {
    let told = |effort: Effort| {
        let mut command = program("");
        command.env(LONG, "from outside");
        effort.tell(&mut command);
        let mut set = command.get_envs().filter(|(name, _)| *name == LONG);
        set.next().and_then(|(_, value)| value.map(std::ffi::OsStr::to_owned))
    };
    assert_eq!(told(Effort::Full), None);
    assert_eq!(told(Effort::Long), Some("1".into()));
}

/// A program that prints and ends like a test program.
fn program(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

fn counted(scripts: &[(&str, Option<usize>)]) -> (u64, u64) {
    let servers = Servers::start(&[]).unwrap();
    let mut suite = Suite::new(&[], &servers);
    for (script, exactly) in scripts {
        match exactly {
            Some(wanted) => suite.run_exactly("a", program(script), *wanted, DEADLINE).unwrap(),
            None => drop(suite.run("a", program(script), DEADLINE).unwrap()),
        }
    }
    (suite.tally.passed, suite.tally.failed)
}

const OK: &str = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'";

#[test]
fn results_of_all_programs_are_summed() {
    assert_eq!(counted(&[(OK, None), (OK, Some(2))]), (4, 0));
}

#[test]
fn a_program_that_dies_counts_as_failed() {
    assert_eq!(counted(&[("exit 0", None)]), (0, 1));
    assert_eq!(counted(&[("kill -9 $$", None)]), (0, 1));
    assert_eq!(counted(&[(&format!("{OK}; exit 101"), None)]), (2, 1));
}

#[test]
fn a_failure_that_was_counted_is_counted_once() {
    assert_eq!(counted(&[("echo 'test result: FAILED. 1 passed; 3 failed;'; exit 101", None)]), (1, 3));
}

#[test]
fn a_test_that_was_asked_for_and_did_not_run_counts_as_failed() {
    assert_eq!(counted(&[(OK, Some(3))]), (2, 1));
}

#[test]
fn no_server_address_reaches_a_program_from_outside() {
    let servers = Servers::start(&[]).unwrap();
    let mut command = program("");
    command.env("CLOAKROOM_TEST_REDIS_URL", "redis://example.com/");
    servers.tell(&mut command);
    let kept = command.get_envs().any(|(name, value)| name == "CLOAKROOM_TEST_REDIS_URL" && value.is_some());
    assert!(!kept);
}

#[test]
fn the_closing_line_is_plain() {
    assert_eq!(closing_line(412, 0, 0), "412 passed, 0 failed");
    assert_eq!(closing_line(412, 1, 3), "412 passed, 1 failed, 3 skipped");
}

#[test]
fn a_run_of_nothing_is_a_failure() {
    let servers = Servers::start(&[]).unwrap();
    let code = Suite::new(&[], &servers).close();
    assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::FAILURE));
}
