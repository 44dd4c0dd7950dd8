//! The program: how it starts, and what it refuses.

use std::os::unix::fs::PermissionsExt as _;

use crate::scratch::Scratch;
use crate::server::{Server, run};

#[test]
fn help_is_told_and_mistakes_are_named() {
    let help = run(&["--help"]);
    assert!(
        help.status.success() && String::from_utf8(help.stdout).unwrap().contains("--step-up-after SECONDS")
    );
    let home = Scratch::new();
    let database = home.join("accounts.sqlite3").to_str().unwrap().to_owned();
    for (arguments, sentence) in [
        (vec!["--port", "1"], "there is no option `--port`"),
        (vec!["--database", &database, "--store", "nothing:"], "--store: "),
        (vec!["--database", &database, "--secret", "c2hvcnQ="], "--secret: "),
        (vec!["--database", "/dev/null/accounts.sqlite3"], "--database: "),
    ] {
        let refused = run(&arguments);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(1) && told.contains(sentence), "{arguments:?}: {told}");
        assert!(refused.stdout.is_empty());
    }
}

#[test]
fn what_it_keeps_is_for_nobody_else() {
    let server = Server::start(&[]);
    server.browser().sign_up("Ada");
    let database = server.accounts();
    let home = database.parent().unwrap();
    assert_eq!(home.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for file in home.read_dir().unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    assert!(server.sessions().exists());
}

#[test]
fn cookie_for_plain_http_is_one_only_if_it_is_asked_for() {
    let server = Server::start(&["--insecure-cookie"]);
    let page = server.browser();
    let fields = [("name", "Ada"), ("password", "long enough"), ("password_again", "long enough")];
    let page = page.submit(&page.get("/sign-up"), "sign-up-form", &fields).leads_to("/");
    let cookie = page.header("set-cookie")[0];
    assert!(cookie.starts_with("session=") && !cookie.contains("Secure"), "{cookie}");
}
