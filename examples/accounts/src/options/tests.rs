use std::path::PathBuf;
use std::time::Duration;

use super::{Command, Cookie, Options};

fn read(line: &str) -> Result<Command, String> {
    Command::read(line.split_whitespace().map(str::to_owned))
}

#[test]
fn nothing_said_keeps_everything_in_one_directory_and_listens_to_this_machine_only() {
    let Ok(Command::Serve(options)) = read("") else { panic!("it serves") };
    assert_eq!(options, Options::new());
    assert!(options.listen.ip().is_loopback());
    assert_eq!((options.store, options.secret, options.cookie), (None, None, Cookie::Secure));
    assert_eq!(options.step_up_after, Duration::from_secs(300));
}

#[test]
fn every_option_is_read_with_a_space_and_with_an_equals_sign() {
    let options = Options {
        store: Some("redis://h/?wait=1".to_owned()),
        database: PathBuf::from("d/a.db"),
        listen: ([127, 0, 0, 1], 0).into(),
        secret: Some("AAAA,BBBB=".to_owned()),
        cookie: Cookie::Insecure,
        step_up_after: Duration::from_secs(2),
    };
    let spaced = "--store redis://h/?wait=1 --database d/a.db --listen 127.0.0.1:0 --secret AAAA,BBBB= \
                  --insecure-cookie --step-up-after 2";
    assert_eq!(read(spaced), Ok(Command::Serve(options)));
    let joined = "--store=redis://h/?wait=1 --database=d/a.db --listen=127.0.0.1:0 --secret=AAAA,BBBB= \
                  --insecure-cookie --step-up-after=2";
    assert_eq!(read(joined), read(spaced));
    assert_eq!(read("--store memory: --help"), Ok(Command::Help));
}

#[test]
fn what_cannot_be_read_is_named() {
    for (line, reason) in [
        ("--listen", "--listen needs a value"),
        ("--listen 3000", "--listen is an address with its port, such as 127.0.0.1:3000, not `3000`"),
        ("--step-up-after 0", "--step-up-after is at least 1: no sign-in is younger than the question"),
        ("--step-up-after 5m", "--step-up-after is a number of seconds, not `5m`"),
        ("--insecure-cookie=no", "--insecure-cookie takes no value"),
        ("--port 3000", "there is no option `--port`"),
        ("serve", "there is no option `serve`"),
    ] {
        assert_eq!(read(line), Err(reason.to_owned()), "{line}");
    }
}
