//! How a token comes and goes: in a cookie, or in a header of its own.

use std::borrow::Cow;
use std::time::Duration;

use cloakroom_codec::{Keys, Token, TokenText};

use crate::cookie::{CookieLifetime, CookiePolicy, check_token};
use crate::cookie_header;
use crate::error::{Error, Result};
use crate::events::RejectReason;
use crate::reply::TokenHeader;

/// Where requests carry the token, and responses hand it out.
#[derive(Clone, Debug)]
pub(crate) enum Transport {
    Cookie(CookiePolicy),
    /// A header with this name, lower case.
    Header(Cow<'static, str>),
}

impl Transport {
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Cookie(policy) => policy.check(),
            Self::Header(name) => {
                check_token(name, "header")?;
                if RESERVED.contains(&&**name) {
                    return Err(Error::misconfigured(format!(
                        "the header `{name}` has a meaning of its own; name the session's header \
                         `x-session`, or another that nobody else uses"
                    )));
                }
                Ok(())
            }
        }
    }

    /// The name of the request header to hand to [`read`](Self::read).
    pub(crate) fn request_header(&self) -> &str {
        match self {
            Self::Cookie(_) => "cookie",
            Self::Header(name) => name,
        }
    }

    /// The same name, for a response that says what it varies with.
    pub(crate) fn vary(&self) -> Cow<'static, str> {
        match self {
            Self::Cookie(_) => Cow::Borrowed("cookie"),
            Self::Header(name) => name.clone(),
        }
    }

    /// The name that every token is bound to.
    pub(crate) fn token_name(&self) -> &str {
        match self {
            Self::Cookie(policy) => policy.name(),
            Self::Header(name) => name,
        }
    }

    /// What may be tokens in the request headers: nobody looks at it before somebody asks for the session.
    pub(crate) fn brought<'h>(&self, headers: impl IntoIterator<Item = &'h [u8]>) -> Brought {
        match self {
            Self::Cookie(policy) => Brought::of(cookie_header::values(headers, policy.name()).iter()),
            Self::Header(_) => Brought::of(
                headers.into_iter().filter(|value| !value.is_empty()).take(cookie_header::MAX_CANDIDATES),
            ),
        }
    }

    /// The one authentic token among what was brought; `Ok(None)` if nothing claims to be one.
    pub(crate) fn read(&self, keys: &Keys, brought: &Brought) -> Result<Option<Token>, RejectReason> {
        let mut one: Option<Token> = None;
        let mut forged = brought.has_strangers;
        for text in brought.text.iter().chain(&brought.others) {
            match (keys.read_token(self.token_name(), text.as_bytes()), &one) {
                (Err(_), _) => forged = true,
                (Ok(token), None) => one = Some(token),
                (Ok(token), Some(known)) => {
                    if !same(keys, known, &token) {
                        return Err(RejectReason::Ambiguous);
                    }
                }
            }
        }
        match one {
            None if forged => Err(RejectReason::Forged),
            one => Ok(one),
        }
    }

    /// What requests carry in the place of a token, where clients keep their sessions: not opened yet.
    pub(crate) fn candidates<'h>(&self, headers: impl IntoIterator<Item = &'h [u8]>) -> Vec<Vec<u8>> {
        match self {
            Self::Cookie(policy) => {
                cookie_header::values(headers, policy.name()).iter().map(<[u8]>::to_vec).collect()
            }
            Self::Header(_) => {
                let mut found: Vec<Vec<u8>> = Vec::new();
                for value in headers.into_iter().filter(|value| !value.is_empty()) {
                    if found.len() < cookie_header::MAX_CANDIDATES
                        && !found.iter().any(|known| known == value)
                    {
                        found.push(value.to_vec());
                    }
                }
                found
            }
        }
    }

    /// The longest response header that may hand out `token`.
    pub(crate) fn longest_issue(&self, token: &str) -> TokenHeader {
        self.issue(token, Duration::MAX, CookieLifetime::Persistent)
    }

    /// The response header that hands out a token, for a session that ends in `left` at the latest.
    pub(crate) fn issue(&self, token: &str, left: Duration, lifetime: CookieLifetime) -> TokenHeader {
        match self {
            Self::Cookie(policy) => {
                let persistent =
                    lifetime == CookieLifetime::Persistent || policy.lifetime() == CookieLifetime::Persistent;
                let line = policy.issue(token, persistent.then_some(left));
                TokenHeader { name: "set-cookie".into(), value: line }
            }
            Self::Header(name) => TokenHeader { name: name.clone(), value: token.to_owned() },
        }
    }

    /// The response header that takes the token away.
    pub(crate) fn remove(&self) -> TokenHeader {
        match self {
            Self::Cookie(policy) => TokenHeader { name: "set-cookie".into(), value: policy.remove() },
            Self::Header(name) => TokenHeader { name: name.clone(), value: String::new() },
        }
    }

    /// Whether a browser keeps the token beyond its own life.
    pub(crate) fn is_persistent(&self, lifetime: CookieLifetime) -> bool {
        match self {
            Self::Cookie(policy) => {
                lifetime == CookieLifetime::Persistent || policy.lifetime() == CookieLifetime::Persistent
            }
            Self::Header(_) => false,
        }
    }
}

/// What a request brought that may be tokens.
#[derive(Default)]
pub(crate) struct Brought {
    text: Option<TokenText>,
    /// Honest clients bring one.
    others: Vec<TokenText>,
    /// There was something that no token looks like.
    has_strangers: bool,
}

impl Brought {
    fn of<'h>(values: impl Iterator<Item = &'h [u8]>) -> Self {
        let mut brought = Self::default();
        for value in values {
            match (TokenText::of(value), &mut brought.text) {
                (Some(text), place @ None) => *place = Some(text),
                (Some(text), Some(_)) => brought.others.push(text),
                (None, _) => brought.has_strangers = true,
            }
        }
        brought
    }

    /// Whether nothing claims to be a token.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.has_strangers && self.text.is_none()
    }
}

/// Whether two authentic tokens open the same session: one may be sealed under an older key.
fn same(keys: &Keys, a: &Token, b: &Token) -> bool {
    a.handle == b.handle
        && keys.secret_hash(&a.handle, &a.secret).matches(&keys.secret_hash(&b.handle, &b.secret))
}

/// Headers that clients, proxies or browsers give a meaning.
const RESERVED: &[&str] = &[
    "accept",
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "location",
    "origin",
    "proxy-authorization",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
];
