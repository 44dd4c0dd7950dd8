//! The command line: `cargo xtask <subcommand>`.

use std::process::ExitCode;

use crate::command::suite::Effort;
use crate::command::{backend, bench, ci, faults, measure, mutants, plant, step, test};
use crate::{Error, Result};

/// The subcommands, as they are typed.
pub const SUBCOMMANDS: [&str; 7] = ["test", "measure", "bench", "faults", "ci", "plant", "mutants"];

const HELP: &str = "\
cargo xtask test [--only memory,redis]
    The whole suite against real servers, documentation examples included. Starts the servers itself.
    Of the tests that need a server, --only runs those on the named backends; what does not run is listed.
    The backends: memory, redis, sentinel, cluster, memcached, postgres, mariadb, chromium.

cargo xtask measure [--only memory,redis]
    The tests that measure, in a release build, one after the other.

cargo xtask bench [--quick] [--only costs,load]
    What a request costs, beside peers, bare handlers and raw clients, on servers of its own. Writes
    docs/performance.md, an hour later; with --quick target/bench/performance-quick.md, minutes later.
    With --only, other sections keep the figures that they have from an earlier run.
    The sections: costs, singles, memory-store, load, conflicts, curves, builds.

cargo xtask faults [--only redis,postgres] [--long]
    The fault runs at length, minutes each, one after the other, on servers of their own. The suite has their
    short versions. --long takes many times as long.

cargo xtask ci
    Format, lints, documentation, each crate built alone, then the test command of README.md.

cargo xtask plant [--only NAME,NAME] [--list]
    Plants each fault of xtask/planted in a copy of the tree, and demands that the tests it names fail.

cargo xtask mutants [--package cloakroom-codec] [--file PATH] [--since COMMIT] [--shard K/N] [--list]
    Lets cargo-mutants change codec and core in a copy of the tree, one place at a time, and runs their tests.
    What no test notices is printed and kept below target/mutants; in some files, nothing may survive.
    Hours for all of it: --file, --since and --shard (K from 0) take a part.
";

/// Runs the subcommand named by the arguments (without the program's name) and reports what went wrong.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    let arguments: Vec<String> = arguments.into_iter().collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            step::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut words = arguments.iter().map(String::as_str);
    let subcommand = words.next().unwrap_or("--help");
    let options: Vec<&str> = words.collect();
    if options.iter().any(|option| ["--help", "-h"].contains(option)) {
        step::say(HELP);
        return Ok(ExitCode::SUCCESS);
    }
    match subcommand {
        "test" => test::run(&only(&options)?),
        "measure" => measure::run(&only(&options)?),
        "bench" => bench::run(&bench::Task::parse(&options)?),
        "faults" => {
            let long = options.contains(&"--long");
            let others: Vec<&str> = options.into_iter().filter(|option| *option != "--long").collect();
            faults::run(&only(&others)?, if long { Effort::Long } else { Effort::Full })
        }
        "ci" => match options.first() {
            None => ci::run(),
            Some(option) => Err(Error::new(format!("ci takes no option, found {option}"))),
        },
        "plant" => plant::run(&plant::Task::parse(&options)?),
        "mutants" => mutants::run(&mutants::Task::parse(&options)?),
        "help" | "--help" | "-h" => {
            step::say(HELP);
            Ok(ExitCode::SUCCESS)
        }
        other => Err(Error::new(format!("no subcommand {other}\n\n{HELP}"))),
    }
}

fn only(options: &[&str]) -> Result<Vec<backend::Backend>> {
    match options {
        [] => Ok(backend::Backend::ALL.to_vec()),
        ["--only", list] => list.split(',').map(backend::Backend::parse).collect(),
        [option] if option.starts_with("--only=") => {
            option.trim_start_matches("--only=").split(',').map(backend::Backend::parse).collect()
        }
        _ => Err(Error::new(format!("cannot read the options {}\n\n{HELP}", options.join(" ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::{SUBCOMMANDS, only, run};
    use crate::command::backend::Backend;
    use crate::command::bench;

    #[test]
    fn every_subcommand_is_in_the_help_and_is_known() {
        for backend in Backend::ALL {
            assert!(super::HELP.contains(backend.name()), "{}", backend.name());
        }
        for section in bench::Section::ALL {
            assert!(super::HELP.contains(section.name()), "{}", section.name());
        }
        for subcommand in SUBCOMMANDS {
            assert!(super::HELP.contains(&format!("cargo xtask {subcommand}")), "{subcommand}");
            assert!(run(&[subcommand.to_owned(), "--help".to_owned()]).is_ok());
            let error = run(&[subcommand.to_owned(), "--no-such-option".to_owned()]).unwrap_err().to_string();
            assert!(!error.contains("no subcommand"), "{error}");
        }
        assert!(run(&["no-such-subcommand".to_owned()]).is_err());
    }

    #[test]
    fn backends_are_chosen_by_name() {
        assert_eq!(only(&[]).unwrap(), Backend::ALL);
        assert_eq!(only(&["--only", "memory"]).unwrap(), [Backend::Memory]);
        assert_eq!(only(&["--only=memory,redis"]).unwrap(), [Backend::Memory, Backend::Redis]);
        assert!(only(&["--only"]).is_err());
        assert!(only(&["--only", "memroy"]).is_err());
        assert!(only(&["--onyl", "memory"]).is_err());
    }
}
