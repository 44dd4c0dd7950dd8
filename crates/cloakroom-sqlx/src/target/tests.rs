use std::time::Duration;

use cloakroom_core::ErrorKind;

use super::{Form, Place, Server};
use crate::connect::Migration;
use crate::sweep::Sweep;

const SERVER: Form = Form {
    database: "Test",
    schemes: &["test", "test2"],
    shape: "test://user:password@host/database",
    passed_on: &["host", "tls"],
    is_file: false,
};

const FILE: Form = Form {
    database: "Test",
    schemes: &["file"],
    shape: "file:PATH or file::memory:",
    passed_on: &[],
    is_file: true,
};

fn server(url: &str) -> Server {
    match SERVER.parse(url).expect(url).place {
        Place::Server(server) => server,
        Place::File(_) | Place::Memory => panic!("{url}: no server"),
    }
}

#[test]
fn servers_are_read() {
    for (url, host, port) in [
        ("test://ada@localhost/shop", Some("localhost"), None),
        ("TEST2://ada@db.internal:7000/shop?", Some("db.internal"), Some(7000)),
        ("test://ada@[::1]:7000/shop", Some("::1"), Some(7000)),
        ("test://ada@127.0.0.1/shop", Some("127.0.0.1"), None),
        ("test://ada@%2Frun%2Fdb/shop", Some("/run/db"), None),
    ] {
        let server = server(url);
        assert_eq!((server.host.as_deref(), server.port), (host, port), "{url}");
        assert_eq!((server.user.as_str(), server.database.as_str()), ("ada", "shop"), "{url}");
        assert_eq!(server.password, None, "{url}");
    }
}

#[test]
fn user_and_password_are_percent_decoded() {
    let server = server("test://a%40b:p%3Aw%2F%3F%23%25+,%C3%A4@localhost/sh%20op");
    assert_eq!(server.user, "a@b");
    assert_eq!(server.password.as_deref(), Some("p:w/?#%+,ä"));
    assert_eq!(server.database, "sh op");
}

#[test]
fn files_are_read() {
    for (url, path) in [
        ("file:sessions.db", "sessions.db"),
        ("file:/var/lib/shop/sessions.db", "/var/lib/shop/sessions.db"),
        ("file://sessions.db", "sessions.db"),
        ("file:///var/sessions.db?table=shop", "/var/sessions.db"),
        ("file:a%20b%3F%23%25.db", "a b?#%.db"),
    ] {
        assert!(FILE.parse(url).expect(url).place == Place::File(path.into()), "{url}");
    }
    for url in ["file::memory:", "file://:memory:"] {
        assert!(FILE.parse(url).expect(url).place == Place::Memory, "{url}");
    }
}

#[test]
fn parameters_are_read() {
    let url = "file:a?table=shop.s&timeout=500ms&connect_timeout=3s&max_connections=7&migrate=never&sweep=5m";
    let settings = FILE.parse(url).expect("a URL").settings;
    assert_eq!(settings.table.to_string(), "shop.s");
    assert_eq!(
        (settings.timeout, settings.connect_timeout),
        (Duration::from_millis(500), Duration::from_secs(3))
    );
    assert_eq!((settings.max_connections, settings.migration), (7, Migration::Never));
    assert_eq!(settings.sweep, Sweep::Every(Duration::from_secs(300)));
    let target = SERVER.parse("test://a@h/d?sweep=never&host=%2Frun&tls=on&migrate=always").expect("a URL");
    assert_eq!((target.settings.sweep, target.settings.migration), (Sweep::Never, Migration::Always));
    assert_eq!(target.passed_on, [("host", "/run".to_owned()), ("tls", "on".to_owned())]);
    let defaults = FILE.parse("file:a").expect("a URL").settings;
    assert_eq!(
        (defaults.timeout, defaults.connect_timeout),
        (Duration::from_secs(2), Duration::from_secs(1))
    );
    assert_eq!((defaults.max_connections, defaults.migration), (10, Migration::Always));
    assert_eq!(defaults.sweep, Sweep::Every(Duration::from_secs(60)));
}

#[test]
fn wrong_urls_say_what_to_do_and_nothing_else() {
    for (form, url, advice) in [
        (&SERVER, "", "write test://"),
        (&SERVER, "s3cret", "write test://"),
        (&SERVER, "other://ada:s3cret@localhost/shop", "write test://"),
        (&SERVER, "test:", "names no"),
        (&SERVER, "test://ada:s3cret@localhost", "names no database"),
        (&SERVER, "test://ada:s3cret@localhost/", "names no database"),
        (&SERVER, "test://:s3cret@localhost/shop", "names no user"),
        (&SERVER, "test://localhost/shop", "names no user"),
        (&SERVER, "test://ada:s3cret@localhost/shop/more", "more than a database"),
        (&SERVER, "test://ada:s3cret@localhost:99999/shop", "percent-encode the password"),
        (&SERVER, "test://ada:s3/cret@localhost/shop", "percent-encode the password"),
        (&SERVER, "test://ada:s3cret@localhost:0/shop", "the port 0"),
        (&SERVER, "test://ada:s3#cret@localhost/shop", "%23"),
        (&SERVER, "test://ada:%ff@localhost/shop", "not UTF-8"),
        (&SERVER, "test://ada:s3cret@localhost/shop?tiemout=1s", "`timeout`"),
        (&SERVER, "test://ada:s3cret@localhost/shop?s3cret", "unknown parameter"),
        (&SERVER, "test://ada:s3cret@one,two/shop", "several hosts"),
        (&SERVER, "test://ada:s3cret@one:7000,two:7000/shop", "several hosts"),
        (&SERVER, "test://ada:s3cret@one%2Ctwo/shop", "several hosts"),
        (&SERVER, "test://ada:s3cret@localhost/shop?table=a&table=b", "a parameter twice"),
        (&SERVER, "test://ada:s3cret@localhost/shop?tls=s3cret&sweep=1s&tls=s3cret", "a parameter twice"),
        (&FILE, "file:a?timeout=1s&time%6Fut=1s", "a parameter twice"),
        (&SERVER, "test://ada@localhost/shop?timeout=2", "`500ms`"),
        (&SERVER, "test://ada@localhost/shop?timeout=-2s", "`500ms`"),
        (&SERVER, "test://ada@localhost/shop?sweep=often", "`500ms`"),
        (&SERVER, "test://ada@localhost/shop?migrate=maybe", "`always` nor `never`"),
        (&SERVER, "test://ada@localhost/shop?max_connections=many", "`max_connections`"),
        (&SERVER, "test://ada@localhost/shop?table=a%3Bb", "1 to 40 characters"),
        (&FILE, "file:", "names no file"),
        (&FILE, "file://", "names no file"),
        (&FILE, "file:a?tls=s3cret", "unknown parameter"),
        (&FILE, "/var/lib/s3cret", "write file:PATH"),
    ] {
        let Err(error) = form.parse(url) else { panic!("{url}: taken") };
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
        let said = format!("{error} {error:?}");
        assert!(said.contains(advice), "{url}: {said}");
        assert!(!said.contains("s3") && !said.contains("cret") && !said.contains("ada"), "{url}: {said}");
    }
}
