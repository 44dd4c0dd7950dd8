use std::time::Duration;

use cloakroom_core::ErrorKind;

use super::parse;

#[test]
fn servers_are_read() {
    for (url, servers) in [
        ("memcache://localhost", &["localhost:11211"][..]),
        ("memcache://localhost/", &["localhost:11211"]),
        ("MEMCACHE://Cache-1:7000", &["cache-1:7000"]),
        ("memcache://127.0.0.1,127.0.0.1:11212", &["127.0.0.1:11211", "127.0.0.1:11212"]),
        ("memcache://[::1],[::1]:7000,b?prefix=shop", &["[::1]:11211", "[::1]:7000", "b:11211"]),
    ] {
        let found: Vec<_> = parse(url).expect(url).servers.iter().map(ToString::to_string).collect();
        assert_eq!(found, servers, "{url}");
    }
}

#[test]
fn resolver_is_asked_for_a_bare_address() {
    let target = parse("memcache://[::1]:7000").expect("a URL");
    let server = target.servers.iter().next().expect("a server");
    assert_eq!((server.host().as_str(), server.port()), ("::1", 7000));
}

#[test]
fn parameters_are_read() {
    let target = parse(
        "memcache://h?prefix=sh%6Fp&timeout=500ms&connect_timeout=3s&max_connections=7&max_item_size=2m",
    )
    .expect("a URL");
    assert_eq!(target.prefix.as_str(), "shop");
    assert_eq!(target.timeout, Duration::from_millis(500));
    assert_eq!(target.connect_timeout, Duration::from_secs(3));
    assert_eq!((target.max_connections.get(), target.max_item_size.bytes()), (7, 2 << 20));
    let target = parse("memcache://h").expect("a URL");
    assert_eq!(target.prefix.as_str(), "cloakroom");
    assert_eq!((target.timeout, target.connect_timeout), (Duration::from_secs(2), Duration::from_secs(1)));
    assert_eq!((target.max_connections.get(), target.max_item_size.bytes()), (32, 1 << 20));
}

#[test]
fn wrong_urls_say_what_to_do_and_nothing_else() {
    for (url, advice) in [
        ("", "begins with memcache://"),
        ("localhost:11211", "begins with memcache://"),
        ("memcached://h", "begins with memcache://"),
        ("http://SECRET@h", "begins with memcache://"),
        ("memcaches://h", "no TLS"),
        ("memcache:h", "begins with memcache://"),
        ("memcache://", "names no host"),
        ("memcache://h,", "names no host"),
        ("memcache://,h", "names no host"),
        ("memcache://:11211", "names no host"),
        ("memcache://a b", "names no host"),
        ("memcache://::1", "names no host"),
        ("memcache://[::1", "names no host"),
        ("memcache://h:port", "a port"),
        ("memcache://h:", "a port"),
        ("memcache://h:+80", "a port"),
        ("memcache://h:65536", "a port"),
        ("memcache://h:0,i", "a port"),
        ("memcache://h,i,h", "twice"),
        ("memcache://h,H:11211", "twice"),
        ("memcache://SECRET:SECRET@h", "no SASL"),
        ("memcache://SECRET@h,i", "no SASL"),
        ("memcache://h#SECRET", "`#`"),
        ("memcache://h/SECRET", "a path"),
        ("memcache://h?SECRET=1", "unknown parameter"),
        ("memcache://h?tiemout=2s", "unknown parameter"),
        ("memcache://h?prefix=%FF", "not UTF-8"),
        ("memcache://h?prefix=a:b", "the prefix"),
        ("memcache://h?prefix=", "the prefix"),
        ("memcache://h?timeout=2", "`2s` or `500ms`"),
        ("memcache://h?timeout=-2s", "`2s` or `500ms`"),
        ("memcache://h?connect_timeout=soon", "`2s` or `500ms`"),
        ("memcache://h?max_connections=0", "between 1 and 1024"),
        ("memcache://h?max_connections=1025", "between 1 and 1024"),
        ("memcache://h?max_connections=many", "no number"),
        ("memcache://h?max_item_size=1g", "`512k`, `1m`"),
        ("memcache://h?max_item_size=1k", "between 2k and 128m"),
        ("memcache://h?prefix=a&prefix=b", "a parameter twice"),
        ("memcache://h?prefix=a&timeout=1s&pr%65fix=a", "a parameter twice"),
    ] {
        let Err(error) = parse(url) else { panic!("{url} is accepted") };
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
        let shown = format!("{error}");
        assert!(shown.contains(advice), "{url}: {shown}");
        assert!(!format!("{error:?} {shown}").contains("SECRET"), "{url}: {shown}");
    }
}
