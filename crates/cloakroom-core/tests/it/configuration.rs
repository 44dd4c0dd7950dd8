//! Policies that are refused when the manager is built.

use std::time::Duration;

use cloakroom_core::testing::ModelStore;
use cloakroom_core::{
    Clock, CookiePolicy, ErrorKind, Expiry, KeyRing, Partition, Renewal, SameSite, SessionManager,
    SessionManagerBuilder,
};

type Policy = fn(SessionManagerBuilder) -> SessionManagerBuilder;

fn build(
    policy: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder,
) -> Result<(), cloakroom_core::Error> {
    let builder = SessionManager::builder(ModelStore::new(Clock::system()), KeyRing::generate());
    policy(builder).build().map(drop)
}

#[test]
fn contradictions_are_refused_with_what_to_do() {
    const SECOND: Duration = Duration::from_secs(1);
    let cases: [(Policy, &str); 29] = [
        (
            |b| b.with_cookie(CookiePolicy::new("__Host-id").with_domain("example.com")),
            "leave `with_domain` out",
        ),
        (|b| b.with_cookie(CookiePolicy::new("__Host-id").with_path("/app")), "leave `with_path` out"),
        (|b| b.with_cookie(CookiePolicy::new("__host-id").with_path("/app")), "leave `with_path` out"),
        (|b| b.with_cookie(CookiePolicy::new("__HOST-id").danger_insecure_cookie()), "needs `Secure`"),
        (
            |b| {
                b.with_cookie(CookiePolicy::new("id").with_same_site(SameSite::None).danger_insecure_cookie())
            },
            "`SameSite=None` needs `Secure`",
        ),
        (
            |b| b.with_cookie(CookiePolicy::new("id").with_partition(Partition::Partitioned)),
            "`SameSite::None`; set both",
        ),
        (
            |b| {
                b.with_cookie(
                    CookiePolicy::new("id").with_partition(Partition::Partitioned).danger_insecure_cookie(),
                )
            },
            "`Partitioned` needs `Secure`",
        ),
        (|b| b.with_cookie(CookiePolicy::new("")), "1 to 128 letters"),
        (|b| b.with_cookie(CookiePolicy::new("a b")), "1 to 128 letters"),
        (|b| b.with_cookie(CookiePolicy::new("a=b")), "1 to 128 letters"),
        (|b| b.with_cookie(CookiePolicy::new("a;b")), "1 to 128 letters"),
        (|b| b.with_cookie(CookiePolicy::new("a\r\nSet-Cookie: x")), "1 to 128 letters"),
        (|b| b.with_cookie(CookiePolicy::new("é")), "1 to 128 letters"),
        (|b| b.with_cookie(CookiePolicy::new("x".repeat(129))), "1 to 128 letters"),
        (|b| b.with_cookie(CookiePolicy::new("id").with_path("app")), "must begin with `/`"),
        (|b| b.with_cookie(CookiePolicy::new("id").with_path("/a; Domain=x")), "without `;`"),
        (|b| b.with_cookie(CookiePolicy::new("id").with_path("/a\r\nX: y")), "visible ASCII"),
        (|b| b.with_cookie(CookiePolicy::new("id").with_domain("")), "a host name"),
        (|b| b.with_cookie(CookiePolicy::new("id").with_domain("a;b")), "a host name"),
        (|b| b.with_header("cookie"), "has a meaning of its own"),
        (|b| b.with_header("x session"), "1 to 128 letters"),
        (|b| b.with_expiry(Expiry::new(2 * SECOND, SECOND)), "longer than its absolute time"),
        (|b| b.with_expiry(Expiry::new(Duration::ZERO, SECOND)), "at least 1 ms"),
        (|b| b.with_expiry(Expiry::new(SECOND, Duration::MAX)), "3650 days"),
        (
            |b| b.with_expiry(Expiry::new(SECOND, SECOND).with_touch_interval(SECOND)),
            "shorten the touch interval",
        ),
        (|b| b.with_deadline(Duration::ZERO), "such as 2 s"),
        (|b| b.with_max_size(100), "between 512 bytes and 1 MiB"),
        (|b| b.with_max_size(511), "between 512 bytes and 1 MiB"),
        (|b| b.with_max_size(1024 * 1024 + 1), "between 512 bytes and 1 MiB"),
    ];
    for (policy, says) in cases {
        let error = build(policy).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.to_string().contains(says), "{error} / {says}");
    }
    for (policy, says) in [
        ((|b| b.with_renewal(Renewal::every(Duration::ZERO))) as Policy, "every few minutes"),
        (|b| b.with_renewal(Renewal::every(SECOND)), "shorten the grace"),
        (|b| b.with_namespace(""), ""),
        (|b| b.with_namespace("x".repeat(200)), ""),
    ] {
        let error = build(policy).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains(says), "{error} / {says}");
    }
}

#[test]
fn sensible_policies_are_taken() {
    let cases: [Policy; 8] = [
        |b| b,
        |b| b.with_cookie(CookiePolicy::default().danger_insecure_cookie()),
        |b| b.with_cookie(CookiePolicy::new("__Secure-id").with_domain("example.com").with_path("/app")),
        |b| b.with_header("X-Session"),
        |b| b.with_renewal(Renewal::every(Duration::from_secs(900))),
        |b| b.with_deadline(Duration::from_millis(1)),
        |b| b.with_max_size(512),
        |b| b.with_max_size(1024 * 1024),
    ];
    for policy in cases {
        build(policy).unwrap();
    }
}
