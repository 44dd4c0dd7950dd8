//! Every verdict, from the headers that browsers send.

use super::CsrfPolicy;
use crate::error::ErrorKind;

/// What a request says; by default nothing but that it is a `POST` to `shop.example`.
#[derive(Clone, Copy)]
struct Says {
    method: &'static str,
    host: Option<&'static str>,
    site: &'static [&'static str],
    origin: &'static [&'static str],
    upgrade: &'static [&'static str],
}

const POST: Says = Says { method: "POST", host: Some("shop.example"), site: &[], origin: &[], upgrade: &[] };

fn passes(policy: &CsrfPolicy, says: Says) -> bool {
    let checked = policy.check(says.method, says.host.map(str::as_bytes), |name| {
        let lines = match name {
            "sec-fetch-site" => says.site,
            "origin" => says.origin,
            "upgrade" => says.upgrade,
            other => panic!("`{other}` says nothing of where a request comes from"),
        };
        lines.iter().map(|line| line.as_bytes())
    });
    match checked {
        Ok(()) => true,
        Err(error) => {
            assert_eq!((error.kind(), error.status()), (ErrorKind::CrossSite, 403));
            false
        }
    }
}

#[test]
fn what_changes_nothing_passes() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        assert!(passes(&CsrfPolicy::new(), Says { method, site: &["cross-site"], ..POST }), "{method}");
        assert!(passes(&CsrfPolicy::new(), Says { method, origin: &["https://evil.example"], ..POST }));
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "PROPFIND", "get", ""] {
        assert!(!passes(&CsrfPolicy::new(), Says { method, site: &["cross-site"], ..POST }), "{method}");
    }
}

#[test]
fn fetch_metadata_comes_first() {
    let policy = CsrfPolicy::new();
    for (site, expected) in [
        ("same-origin", true),
        ("none", true),
        ("same-site", false),
        ("cross-site", false),
        ("Same-Origin", false),
        ("same-origin, cross-site", false),
        ("something-new", false),
        ("", false),
    ] {
        let site: &[&str] = &[site];
        let site: &'static [&'static str] = Box::leak(site.to_vec().into_boxed_slice());
        assert_eq!(passes(&policy, Says { site, ..POST }), expected, "{site:?}");
        // An origin that fits does not make up for it, and one that does not fit takes nothing away.
        assert_eq!(passes(&policy, Says { site, origin: &["https://shop.example"], ..POST }), expected);
        assert_eq!(passes(&policy, Says { site, origin: &["https://other.example"], ..POST }), expected);
        // As with `Referrer-Policy: no-referrer`, or from an extension.
        assert_eq!(passes(&policy, Says { site, origin: &["null"], ..POST }), expected);
    }
}

#[test]
fn origin_is_what_else_there_is_to_go_by() {
    for (host, origin, expected) in [
        ("shop.example", "https://shop.example", true),
        ("Shop.Example", "https://shop.example", true),
        ("shop.example:443", "https://shop.example", true),
        ("shop.example", "https://shop.example:443", true),
        ("shop.example:8443", "https://shop.example:8443", true),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443", true),
        ("shop.example.", "https://shop.example.", true),
        ("shop.example", "https://shop.example.", false),
        ("shop.example:8443", "https://shop.example", false),
        ("shop.example", "https://shop.example:8443", false),
        ("shop.example", "https://evil.shop.example", false),
        ("evil.shop.example", "https://shop.example", false),
        ("shop.example", "https://shop.example.evil.example", false),
        ("shop.example", "https://shop.example@evil.example", false),
        ("shop.example", "https://evil.example#shop.example", false),
        ("shop.example", "https://shop.example/", false),
        ("shop.example", "https://shop.example:", false),
        ("shop.example", "https://shop.example:+443", false),
        ("shop.example", "https://shop.example:70000", false),
        ("shop.example", "ftp://shop.example", false),
        ("shop.example", "shop.example", false),
        ("shop.example", "null", false),
        ("shop.example", "", false),
        ("", "https://", false),
        ("shop.example, evil.example", "https://shop.example", false),
    ] {
        let said = Says { host: Some(host), origin: Box::leak(vec![origin].into_boxed_slice()), ..POST };
        assert_eq!(passes(&CsrfPolicy::new(), said), expected, "{origin} at {host}");
        // Nor does it help to say that nobody need say anything.
        assert_eq!(passes(&CsrfPolicy::new().danger_silent_clients(), said), expected, "{origin} at {host}");
    }
    assert!(!passes(&CsrfPolicy::new(), Says { host: None, origin: &["https://shop.example"], ..POST }));
}

#[test]
fn pages_without_tls_count_on_loopback_hosts() {
    for (host, origin, expected) in [
        ("localhost:3000", "http://localhost:3000", true),
        ("shop.localhost", "http://shop.localhost", true),
        ("127.0.0.1:3000", "http://127.0.0.1:3000", true),
        ("127.9.9.9", "http://127.9.9.9", true),
        ("[::1]:3000", "http://[::1]:3000", true),
        ("localhost:80", "http://localhost", true),
        ("localhost:3000", "http://127.0.0.1:3000", false),
        ("localhost:3000", "http://localhost:3001", false),
        ("shop.example", "http://shop.example", false),
        ("notlocalhost", "http://notlocalhost", false),
        ("localhost.evil.example", "http://localhost.evil.example", false),
        ("127.0.0.1.evil.example", "http://127.0.0.1.evil.example", false),
        ("[::2]", "http://[::2]", false),
        ("shop.example:443", "http://shop.example", false),
    ] {
        let origin = Box::leak(vec![origin].into_boxed_slice());
        let said = Says { host: Some(host), origin, ..POST };
        assert_eq!(passes(&CsrfPolicy::new(), said), expected, "{origin:?} at {host}");
    }
    let insecure = CsrfPolicy::new().danger_insecure_origins();
    assert!(passes(&insecure, Says { origin: &["http://shop.example"], ..POST }));
    assert!(!passes(&insecure, Says { origin: &["http://evil.example"], ..POST }));
}

#[test]
fn silence_is_refused_unless_it_is_allowed() {
    assert!(!passes(&CsrfPolicy::new(), POST));
    let silent = CsrfPolicy::new().danger_silent_clients();
    assert!(passes(&silent, POST));
    assert!(!passes(&silent, Says { site: &["cross-site"], ..POST }), "this one is not silent");
}

#[test]
fn trusted_origins_pass_whatever_site_they_are_of() {
    let policy = CsrfPolicy::new().with_trusted_origin("https://Accounts.Example:443").unwrap();
    for site in [&[][..], &["same-site"], &["cross-site"]] {
        let said = Says { site, origin: &["https://accounts.example"], ..POST };
        assert!(passes(&policy, said));
        assert!(!passes(&CsrfPolicy::new(), said));
        for other in [&["http://accounts.example"][..], &["https://accounts.example:444"], &["null"]] {
            assert!(!passes(&policy, Says { site, origin: other, ..POST }), "{other:?}");
        }
    }
    assert!(!passes(&policy, Says { site: &["same-site"], ..POST }), "it does not say which");
}

#[test]
fn a_header_that_stands_twice_is_nobodys_word() {
    let policy = CsrfPolicy::new().danger_silent_clients();
    assert!(!passes(&policy, Says { site: &["same-origin", "same-origin"], ..POST }));
    assert!(!passes(&policy, Says { site: &["same-origin", "cross-site"], ..POST }));
    let twice = &["https://shop.example", "https://shop.example"];
    assert!(!passes(&policy, Says { origin: twice, ..POST }));
}

#[test]
fn opening_a_web_socket_is_no_safe_request() {
    let get = Says { method: "GET", ..POST };
    let connect = Says { method: "CONNECT", origin: &["https://evil.example"], ..POST };
    assert!(!passes(&CsrfPolicy::new(), connect), "as HTTP/2 opens them");
    assert!(passes(&CsrfPolicy::new(), Says { origin: &["https://shop.example"], ..connect }));
    for upgrade in [&["websocket"][..], &["WebSocket"], &["h2c, websocket/13"], &["h2c", "websocket"]] {
        let opens = Says { upgrade, ..get };
        assert!(!passes(&CsrfPolicy::new(), Says { origin: &["https://evil.example"], ..opens }));
        assert!(!passes(&CsrfPolicy::new(), opens));
        assert!(passes(&CsrfPolicy::new(), Says { origin: &["https://shop.example"], ..opens }));
    }
    assert!(passes(&CsrfPolicy::new(), Says { upgrade: &["h2c"], ..get }));
}

#[test]
fn only_origins_can_be_trusted() {
    for origin in [
        "accounts.example",
        "https://accounts.example/",
        "https://accounts.example/path",
        "https://",
        "https://müller.example",
        "https://*.example",
        "https://user@accounts.example",
        "null",
        "http://accounts.example",
        "HTTPS://accounts.example",
        "capacitor://localhost",
    ] {
        let refused = CsrfPolicy::new().with_trusted_origin(origin).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Misconfigured, "{origin}");
        assert!(refused.to_string().contains(origin));
    }
    assert!(CsrfPolicy::new().with_trusted_origin("http://localhost:3000").is_ok());
    let insecure =
        CsrfPolicy::new().danger_insecure_origins().with_trusted_origin("http://app.internal").unwrap();
    assert!(passes(&insecure, Says { origin: &["http://app.internal"], ..POST }));
}
