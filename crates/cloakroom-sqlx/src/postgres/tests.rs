use std::process::Command;

use cloakroom_core::{Error, ErrorKind};
use sqlx::Postgres;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::dialect::Speak as _;
use crate::target::{Address, Target};

fn tried(url: &str) -> Result<PgConnectOptions, Error> {
    let Target { place, settings, passed_on } = Postgres::FORM.parse(url).expect(url);
    Postgres::options(&Address { place, passed_on }, settings.timeout)
}

fn options(url: &str) -> PgConnectOptions {
    tried(url).expect(url)
}

/// Those of this process are what they are, so another one is begun with others.
#[test]
fn variables_of_libpq_hold_where_the_url_says_nothing() {
    const NAME: &str = "postgres::tests::variables_of_libpq_hold_where_the_url_says_nothing";
    if std::env::var("PGAPPNAME").as_deref() == Ok(NAME) {
        assert!(matches!(options("postgres://a@h/d").get_ssl_mode(), PgSslMode::VerifyFull));
        assert!(matches!(options("postgres://a@h/d?sslmode=disable").get_ssl_mode(), PgSslMode::Disable));
        return;
    }
    again(NAME, "verify-full");
}

/// Runs a test of this file in a process with other variables.
fn again(name: &str, mode: &str) {
    let this = std::env::current_exe().expect("a test");
    let mut run = Command::new(this);
    run.args(["--exact", name]).env("PGAPPNAME", name).env("PGSSLMODE", mode);
    let run = run.output().expect("a run");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn mode_that_would_never_encrypt_is_refused() {
    let refused = |url: &str| {
        let error = tried(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
        let said = error.to_string();
        assert!(["`prefer`", "`require`", "`verify-full`"].iter().all(|mode| said.contains(mode)), "{said}");
    };
    const NAME: &str = "postgres::tests::mode_that_would_never_encrypt_is_refused";
    if std::env::var("PGAPPNAME").as_deref() == Ok(NAME) {
        refused("postgres://a@h/d");
        return;
    }
    refused("postgres://a@h/d?sslmode=allow");
    refused("postgres://a@h/d?sslmode=ALLOW");
    assert!(matches!(options("postgres://a@h/d?sslmode=prefer").get_ssl_mode(), PgSslMode::Prefer));
    again(NAME, "allow");
}

#[test]
fn list_of_hosts_is_refused() {
    for url in ["postgres://a@h/d?host=one,two", "postgres://a@h/d?host=one%2Ctwo"] {
        let error = tried(url).expect_err(url);
        assert!(error.to_string().contains("leads to the primary"), "{error}");
    }
    // A directory may be called so.
    assert_eq!(options("postgres://a@h/d?host=%2Frun%2Fa,b").get_host(), "/run/a,b");
}

#[test]
fn authority_that_is_named_is_asked() {
    let mode = |mode: &str| super::asking(Some(mode.parse().expect(mode)));
    assert!(matches!(super::asking(None), Ok(PgSslMode::VerifyFull)));
    assert!(matches!(mode("verify-full"), Ok(PgSslMode::VerifyFull)));
    for text in ["require", "verify-ca"] {
        assert!(matches!(mode(text), Ok(PgSslMode::VerifyCa)), "{text}");
    }
    for text in ["disable", "allow", "prefer"] {
        let error = mode(text).expect_err(text);
        assert!(error.to_string().contains("verify-full"), "{error}");
    }
}
