use std::time::Duration;

use cloakroom_core::ErrorKind;

use super::{Servers, parse};
use crate::place::Place;

fn tcp(host: &str, port: u16) -> Place {
    Place::Tcp { host: host.to_owned(), port }
}

#[test]
fn places_are_read() {
    for (url, place, database) in [
        ("redis://localhost", tcp("localhost", 6379), 0),
        ("redis://localhost/", tcp("localhost", 6379), 0),
        ("redis://127.0.0.1:7000/3", tcp("127.0.0.1", 7000), 3),
        ("redis://[::1]:7000/15", tcp("::1", 7000), 15),
        ("rediss://redis.internal:6380", Place::Tls { host: "redis.internal".to_owned(), port: 6380 }, 0),
        ("redis+unix:///run/redis.sock", Place::Unix { path: "/run/redis.sock".into() }, 0),
        ("redis+unix:///a%20b/redis.sock?db=4", Place::Unix { path: "/a b/redis.sock".into() }, 4),
    ] {
        let target = parse(url).expect(url);
        assert_eq!(target.servers, Servers::Single(place), "{url}");
        assert_eq!(target.database, database, "{url}");
        assert_eq!((target.user, target.password), (None, None), "{url}");
    }
}

#[test]
fn lists_of_servers_are_read() {
    let tls = |host: &str, port| Place::Tls { host: host.to_owned(), port };
    let sentinel = |sentinels, service: &str| Servers::Sentinel { sentinels, service: service.to_owned() };
    for (url, servers, database) in [
        ("redis+sentinel://h/main", sentinel(vec![tcp("h", 26379)], "main"), 0),
        (
            "redis+sentinel://u:p%40,q@h1:1,h2,[::1]:3/main/4?timeout=1s",
            sentinel(vec![tcp("h1", 1), tcp("h2", 26379), tcp("::1", 3)], "main"),
            4,
        ),
        ("rediss+sentinel://h1,h2/a%2Fb", sentinel(vec![tls("h1", 26379), tls("h2", 26379)], "a/b"), 0),
        ("redis+cluster://h", Servers::Cluster { seeds: vec![tcp("h", 6379)] }, 0),
        ("redis+cluster://h:1,h:2/", Servers::Cluster { seeds: vec![tcp("h", 1), tcp("h", 2)] }, 0),
        ("redis+cluster://h:1,h:1/0", Servers::Cluster { seeds: vec![tcp("h", 1)] }, 0),
        (
            "rediss+cluster://:s3cret@h:1,[2001:db8::1]?prefix=shop",
            Servers::Cluster { seeds: vec![tls("h", 1), tls("2001:db8::1", 6379)] },
            0,
        ),
    ] {
        let target = parse(url).expect(url);
        assert_eq!(target.servers, servers, "{url}");
        assert_eq!(target.database, database, "{url}");
    }
    let target = parse("redis+sentinel://u:p%40,q@h1:1,h2/main").expect("a URL");
    assert_eq!((target.user.as_deref(), target.password.as_deref()), (Some("u"), Some("p@,q")));
    assert_eq!((target.sentinel_user, target.sentinel_password), (None, None));
    let target = parse("redis+sentinel://h/main?sentinel_user=s&sentinel_pass=p%26w").expect("a URL");
    assert_eq!(target.sentinel_user.as_deref(), Some("s"));
    assert_eq!(target.sentinel_password.as_deref(), Some("p&w"));
    assert_eq!((target.user, target.password), (None, None));
}

#[test]
fn user_and_password_are_percent_decoded() {
    for (url, user, password) in [
        ("redis://:s3cret@localhost", None, Some("s3cret")),
        ("redis://ada:s3cret@localhost/1", Some("ada"), Some("s3cret")),
        ("redis://a%40b:p%3Aw%2F%3F%23%25@localhost", Some("a@b"), Some("p:w/?#%")),
        ("redis://:%C3%A4+@localhost", None, Some("ä+")),
        ("redis+unix:///s?user=ada&pass=p%26w", Some("ada"), Some("p&w")),
    ] {
        let target = parse(url).expect(url);
        assert_eq!(target.user.as_deref(), user, "{url}");
        assert_eq!(target.password.as_deref(), password, "{url}");
    }
}

#[test]
fn parameters_are_read() {
    let target =
        parse("rediss://h?prefix=shop&timeout=500ms&connect_timeout=3s&ca=/a%20b/ca.pem").expect("a URL");
    assert_eq!(target.prefix.as_str(), "shop");
    assert_eq!(target.timeout, Duration::from_millis(500));
    assert_eq!(target.connect_timeout, Duration::from_secs(3));
    assert_eq!(target.ca, Some("/a b/ca.pem".into()));
    let target = parse("redis://h?wait=2&wait_timeout=200ms").expect("a URL");
    assert_eq!((target.wait, target.wait_timeout), (2, Duration::from_millis(200)));
    let target = parse("redis://h").expect("a URL");
    assert_eq!((target.wait, target.wait_timeout), (0, Duration::from_millis(500)));
    assert_eq!(target.prefix.as_str(), "cloakroom");
    assert_eq!((target.timeout, target.connect_timeout), (Duration::from_secs(2), Duration::from_secs(1)));
}

#[test]
fn wrong_urls_say_what_to_do_and_nothing_else() {
    for (url, advice) in [
        ("", "cannot be read"),
        ("localhost:6379", "begins with redis://"),
        ("http://SECRET@h", "begins with redis://"),
        ("redis:h", "names no host"),
        ("redis://", "names no host"),
        ("redis:///0", "names no host"),
        ("redis://:SECRET@", "names no host"),
        ("redis://h:port", "the port"),
        ("redis://h:65536", "the port"),
        ("redis://h:0", "the port"),
        ("redis://:SECRET?SECRET@h", "percent-encoded"),
        ("redis://u:1234?SECRET=1@h", "unknown parameter"),
        ("redis://:SECRET#SECRET@h", "percent-encoded"),
        ("redis://u:12#SECRET@h", "%23"),
        ("rediss://:SECRET@h#insecure", "%23"),
        ("redis://h/zero", "the database"),
        ("redis://h/-1", "the database"),
        ("redis://h/0/1", "the database"),
        ("redis://h/4294967296", "the database"),
        ("redis://SECRET@h", "user without a password"),
        ("redis://u:%FF@h", "not UTF-8"),
        ("redis://h?tiemout=2s", "unknown parameter"),
        ("redis://h?protocol=SECRET", "unknown parameter"),
        ("redis://h?timeout=2", "`2s` or `500ms`"),
        ("redis://h?timeout=2m", "`2s` or `500ms`"),
        ("redis://h?timeout=-2s", "`2s` or `500ms`"),
        ("redis://h?timeout=99999999999s", "`2s` or `500ms`"),
        ("redis://h?connect_timeout=soon", "`2s` or `500ms`"),
        ("redis://h?prefix=a:b", "the prefix"),
        ("redis://h?prefix=", "the prefix"),
        ("redis://h?ca=/ca.pem", "begins with rediss"),
        ("redis://h?db=1", "redis+unix://"),
        ("redis://h?pass=SECRET", "redis+unix://"),
        ("redis://h1,h2", "several servers"),
        ("redis+sentinel://h1,h2", "names no service"),
        ("redis+sentinel://:SECRET@h1,h2/", "names no service"),
        ("redis+sentinel://h/main/SECRET", "the database"),
        ("redis+sentinel://h1,:26379/main", "names no host"),
        ("redis+sentinel://h1,/main", "names no host"),
        ("redis+sentinel:///main", "names no host"),
        ("redis+sentinel://h1,h2:65536/main", "the port"),
        ("redis+sentinel://h1:0,h2/main", "the port"),
        ("redis+sentinel://:SE,CR/SECRET@h1,h2/main", "percent-encode"),
        ("redis+sentinel://h/main?sentinel_user=SECRET", "needs `sentinel_pass`"),
        ("redis+sentinel://h/main?ca=/ca.pem", "begins with rediss"),
        ("redis+sentinel://h/main?db=1", "redis+unix://"),
        ("redis+cluster://h?sentinel_pass=SECRET", "redis+sentinel://"),
        ("redis+cluster://h/1", "only the database 0"),
        ("redis+cluster://h/SECRET", "the database"),
        ("redis+cluster://", "names no host"),
        ("redis+cluster://h,u:SECRET", "percent-encode"),
        ("redis+sentinel://u:SECRET@h1,u:SECRET@h2/main", "stand once"),
        ("redis+cluster://:SEC@RET@h", "%40"),
        ("redis://h?wait=1&wait=0", "twice"),
        ("redis://h?wait=1&timeout=1s&%77ait=1", "twice"),
        ("redis://h?wait=two", "0 to 255"),
        ("redis://h?wait=256", "0 to 255"),
        ("redis://h?wait_timeout=2", "`2s` or `500ms`"),
        ("redis+unix://run/redis.sock", "three slashes"),
        ("redis+unix:///", "names no socket"),
        ("redis+unix:///s?db=x", "the database"),
    ] {
        let Err(error) = parse(url) else { panic!("{url} is accepted") };
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
        let shown = format!("{error}");
        assert!(shown.contains(advice), "{url}: {shown}");
        assert!(!format!("{error:?} {shown}").contains("SECRET"), "{url}: {shown}");
    }
}

#[test]
fn plus_in_a_password_is_a_plus() {
    for url in ["redis+unix:///run/r.sock?user=u&pass=a+b%2Bc", "redis://u:a+b%2Bc@h"] {
        let Ok(target) = parse(url) else { panic!("{url} is refused") };
        assert_eq!(target.password.as_deref(), Some("a+b+c"), "{url}");
    }
}
