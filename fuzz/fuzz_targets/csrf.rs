//! Hostile text is no token of a form; and a request passes for no other reason than those that a slow reading of
//! its headers finds too.
#![no_main]

use std::sync::LazyLock;

use cloakroom_codec::{CsrfBinding, KeyRing, Keys};
use cloakroom_core::CsrfPolicy;
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let secret: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 7 % 251).unwrap());
    KeyRing::from_secrets([secret]).unwrap().bind("fuzz").unwrap()
});

fuzz_target!(|input: (Vec<u8>, [u8; 16], usize, u8, Option<String>, Option<String>, Option<String>)| {
    let (text, binding, at, change, site, origin, host) = input;
    let binding = CsrfBinding::new(binding, 1);
    assert!(KEYS.check_csrf_token(&binding, &text).is_err());
    let mut token = KEYS.write_csrf_token(&binding).unwrap().into_bytes();
    let at = at % token.len();
    token[at] ^= change;
    assert_eq!(KEYS.check_csrf_token(&binding, &token).is_ok(), change == 0);

    let passed = CsrfPolicy::new().check("POST", host.as_deref().map(str::as_bytes), |name| match name {
        "sec-fetch-site" => site.as_deref().map(str::as_bytes),
        "origin" => origin.as_deref().map(str::as_bytes),
        _ => None,
    });
    let expected = match (site.as_deref(), origin, host) {
        (Some(site), ..) => matches!(site, "same-origin" | "none"),
        (None, Some(origin), Some(host)) => is_own(&origin, &host),
        _ => false,
    };
    assert_eq!(passed.is_ok(), expected);
});

/// Whether an origin is that of the host, written out with its port.
fn is_own(origin: &str, host: &str) -> bool {
    let (default, rest) = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(rest), _) => ("443", rest),
        (_, Some(rest)) => ("80", rest),
        _ => return false,
    };
    let (Some(page), Some(target)) = (written_out(rest, default), written_out(host, default)) else { return false };
    let is_loopback = page.0 == "localhost"
        || page.0.ends_with(".localhost")
        || page.0.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    page == target && (default == "443" || is_loopback)
}

fn written_out(authority: &str, default: &str) -> Option<(String, u16)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, default),
    };
    let letters = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_address = host.starts_with('[') && host.ends_with(']');
    let is_host = if is_address {
        host.get(1..host.len() - 1)?.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        !host.is_empty() && letters(host)
    };
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok()?;
    (is_host && is_number && authority.len() <= 262).then(|| (host.to_ascii_lowercase(), port))
}
