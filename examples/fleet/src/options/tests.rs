//! Command lines that are read, and such that are refused.

use fleet::{Adapter, Adapters, Ring, SharedStore};

use super::{Command, HELP, Options};

fn read(line: &str) -> Result<Command, String> {
    Command::read(line.split_whitespace().map(str::to_owned))
}

#[test]
fn options_are_read_and_have_defaults() {
    let defaults = Options { store: None, adapters: Adapters::Mixed, ring: None, visitors: 8 };
    assert_eq!(read(""), Ok(Command::Show(defaults)));
    let all = Options {
        store: SharedStore::parse("cookie:").ok(),
        adapters: Adapters::All(Adapter::Actix),
        ring: Some(Ring::typed("a=,b=")),
        visitors: 3,
    };
    assert_eq!(read("--store cookie: --adapter=actix --secret a=,b= --visitors 3"), Ok(Command::Show(all)));
    assert_eq!(read("--visitors=3 -h"), Ok(Command::Help));
}

#[test]
fn what_cannot_be_done_is_refused_with_a_sentence() {
    for (line, says) in [
        ("--store memory:", "a store that they share"),
        ("--store sqlite::memory:", "a store that they share"),
        ("--store", "needs a value"),
        ("--adapter rocket", "`rocket`"),
        ("--visitors 0", "from 1 to 64"),
        ("--visitors many", "from 1 to 64"),
        ("--stroe redis:", "no option `--stroe`"),
    ] {
        let error = read(line).unwrap_err();
        assert!(error.contains(says), "{line}: {error}");
    }
}

#[test]
fn help_names_every_option() {
    for option in ["--store", "--adapter", "--secret", "--visitors", "--help"] {
        assert!(HELP.lines().any(|line| line.trim_start().starts_with(option)), "{option}");
    }
}
