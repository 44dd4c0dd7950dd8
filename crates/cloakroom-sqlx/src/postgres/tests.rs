use std::process::Command;

use sqlx::Postgres;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::dialect::Speak as _;
use crate::target::{Address, Target};

fn options(url: &str) -> PgConnectOptions {
    let Target { place, settings, passed_on } = Postgres::FORM.parse(url).expect(url);
    Postgres::options(&Address { place, passed_on }, settings.timeout).expect(url)
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
    let this = std::env::current_exe().expect("a test");
    let mut run = Command::new(this);
    run.args(["--exact", NAME]).env("PGAPPNAME", NAME).env("PGSSLMODE", "verify-full");
    let run = run.output().expect("a run");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
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
