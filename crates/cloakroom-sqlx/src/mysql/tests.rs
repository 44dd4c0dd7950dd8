use sqlx::mysql::MySqlSslMode;

use super::{asking, skips_locked_rows};

#[test]
fn versions_are_told_apart() {
    for version in [
        "8.0.0",
        "8.4.3",
        "9.7.4-debian",
        "10.6.0-MariaDB",
        "10.11.19-MariaDB-0+deb12u1",
        "5.5.5-11.4.2-MariaDB",
    ] {
        assert!(skips_locked_rows(version), "{version}");
    }
    for version in ["5.7.44-log", "10.5.28-MariaDB", "5.5.5-10.5.1-MariaDB", "5.5.68-MariaDB", "", "unknown"]
    {
        assert!(!skips_locked_rows(version), "{version}");
    }
}

#[test]
fn authority_that_is_named_is_asked() {
    let mode = |mode: &str| asking(Some(mode.parse().expect(mode)));
    assert!(matches!(asking(None), Ok(MySqlSslMode::VerifyIdentity)));
    assert!(matches!(mode("VERIFY_IDENTITY"), Ok(MySqlSslMode::VerifyIdentity)));
    for text in ["REQUIRED", "VERIFY_CA"] {
        assert!(matches!(mode(text), Ok(MySqlSslMode::VerifyCa)), "{text}");
    }
    for text in ["DISABLED", "PREFERRED"] {
        let error = mode(text).expect_err(text);
        assert!(error.to_string().contains("VERIFY_IDENTITY"), "{error}");
    }
}
