//! How the token travels: the attributes of our cookie, or the name of a header.

use std::fmt::Write as _;
use std::time::Duration;

use crate::error::{Error, Result};

/// The attributes of the session cookie.
///
/// The default is `__Host-session`, `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`, kept until the browser
/// closes. The prefix makes browsers refuse the cookie from another host or over plain HTTP; `Strict`
/// would lose the session on the way back from an identity provider.
///
/// ```
/// use cloakroom_core::{CookieLifetime, CookiePolicy, SameSite};
///
/// let policy = CookiePolicy::new("__Host-id")
///     .with_same_site(SameSite::Strict)
///     .with_lifetime(CookieLifetime::Persistent);
/// assert_eq!(policy.name(), "__Host-id");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookiePolicy {
    name: String,
    domain: Option<String>,
    path: String,
    same_site: SameSite,
    lifetime: CookieLifetime,
    transport: Security,
    partition: Partition,
}

/// When a browser sends the cookie with requests from other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// Never, not even when a link is followed.
    Strict,
    /// When a link is followed.
    Lax,
    /// Always. Needs `Secure`, and a [`CsrfPolicy`](crate::CsrfPolicy) around the application, or a defence of your own.
    None,
}

/// How long a browser keeps the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieLifetime {
    /// Until the browser closes.
    BrowserSession,
    /// Until the session's absolute deadline, at most 400 days.
    Persistent,
}

/// Whether the cookie belongs to the site that is open at the top (`Partitioned`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Partition {
    /// One cookie for all sites.
    Shared,
    /// One cookie for each top-level site that embeds this one.
    Partitioned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    Secure,
    Insecure,
}

impl CookiePolicy {
    /// The default policy under another name: a token of RFC 9110, 1 to 128 bytes.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            domain: None,
            path: "/".to_owned(),
            same_site: SameSite::Lax,
            lifetime: CookieLifetime::BrowserSession,
            transport: Security::Secure,
            partition: Partition::Shared,
        }
    }

    /// Shares the cookie with the subdomains of `domain`. A name with the prefix `__Host-` forbids it.
    #[must_use]
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sends the cookie only for paths below `path`. A name with the prefix `__Host-` needs `/`.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Says when the cookie goes with requests from other sites.
    #[must_use]
    pub const fn with_same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Says how long a browser keeps the cookie.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: CookieLifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Says whether embedded copies of the site have cookies of their own.
    #[must_use]
    pub const fn with_partition(mut self, partition: Partition) -> Self {
        self.partition = partition;
        self
    }

    /// Sends the cookie over plain HTTP too: drops `Secure` and a `__Host-` or `__Secure-` prefix.
    ///
    /// Anybody on the network path can then read the cookie and use the session. For local trials with
    /// clients that insist, and nothing else.
    #[must_use]
    pub fn danger_insecure_cookie(mut self) -> Self {
        self.transport = Security::Insecure;
        for prefix in [HOST_PREFIX, SECURE_PREFIX] {
            if let Some(bare) = self.name.strip_prefix(prefix) {
                self.name = bare.to_owned();
            }
        }
        self
    }

    /// The name of the cookie.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn lifetime(&self) -> CookieLifetime {
        self.lifetime
    }

    /// The `Set-Cookie` line that hands out `token`, for `max_age` or until the browser closes.
    pub(crate) fn issue(&self, token: &str, max_age: Option<Duration>) -> String {
        let mut line = self.line(token);
        if let Some(max_age) = max_age {
            let seconds = max_age.min(LONGEST_MAX_AGE).as_secs().max(1);
            // Writing to a String cannot fail.
            let _ = write!(line, "; Max-Age={seconds}");
        }
        line
    }

    /// The `Set-Cookie` line that takes the cookie away, with the same attributes.
    pub(crate) fn remove(&self) -> String {
        let mut line = self.line("");
        line.push_str("; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        line
    }

    fn line(&self, value: &str) -> String {
        let mut line = String::with_capacity(256);
        line.push_str(&self.name);
        line.push('=');
        line.push_str(value);
        line.push_str("; Path=");
        line.push_str(&self.path);
        if let Some(domain) = &self.domain {
            line.push_str("; Domain=");
            line.push_str(domain);
        }
        if self.transport == Security::Secure {
            line.push_str("; Secure");
        }
        line.push_str("; HttpOnly; SameSite=");
        line.push_str(match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        });
        if self.partition == Partition::Partitioned {
            line.push_str("; Partitioned");
        }
        line
    }

    pub(crate) fn check(&self) -> Result<()> {
        check_token(&self.name, "cookie")?;
        let lower = self.name.to_ascii_lowercase();
        let host = lower.starts_with(&HOST_PREFIX.to_ascii_lowercase());
        let secure = host || lower.starts_with(&SECURE_PREFIX.to_ascii_lowercase());
        if host && self.domain.is_some() {
            return refuse(
                "a cookie whose name begins with `__Host-` cannot have a domain; leave `with_domain` out, \
                 or name the cookie `__Secure-…`",
            );
        }
        if host && self.path != "/" {
            return refuse(
                "a cookie whose name begins with `__Host-` needs the path `/`; leave `with_path` out, or \
                 name the cookie `__Secure-…`",
            );
        }
        if self.transport == Security::Insecure {
            if secure {
                return refuse(
                    "a cookie whose name begins with `__Host-` or `__Secure-` needs `Secure`; leave \
                     `danger_insecure_cookie` out, or name the cookie without the prefix",
                );
            }
            if self.same_site == SameSite::None {
                return refuse("`SameSite=None` needs `Secure`; leave `danger_insecure_cookie` out");
            }
            if self.partition == Partition::Partitioned {
                return refuse("`Partitioned` needs `Secure`; leave `danger_insecure_cookie` out");
            }
        }
        if self.partition == Partition::Partitioned && self.same_site != SameSite::None {
            return refuse("`Partitioned` has an effect only with `SameSite::None`; set both or neither");
        }
        if !self.path.starts_with('/') || !is_attribute(&self.path) {
            return refuse(
                "the path of the cookie must begin with `/` and hold visible ASCII without `;`, at most \
                 1024 bytes",
            );
        }
        if let Some(domain) = &self.domain {
            let fits = !domain.is_empty()
                && domain.len() <= 253
                && domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
            if !fits {
                return refuse("the domain of the cookie must be a host name, such as `example.com`");
            }
        }
        Ok(())
    }
}

impl Default for CookiePolicy {
    fn default() -> Self {
        Self::new("__Host-session")
    }
}

/// Refuses a name that is no token of RFC 9110, section 5.6.2.
pub(crate) fn check_token(name: &str, what: &str) -> Result<()> {
    let is_token = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if name.is_empty() || name.len() > 128 || !is_token {
        return Err(Error::misconfigured(format!(
            "the name of the {what} must be 1 to 128 letters, digits or any of !#$%&'*+-.^_`|~"
        )));
    }
    Ok(())
}

fn is_attribute(text: &str) -> bool {
    text.len() <= 1024 && text.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b';')
}

fn refuse<T>(what_to_do: &str) -> Result<T> {
    Err(Error::misconfigured(what_to_do))
}

const HOST_PREFIX: &str = "__Host-";
const SECURE_PREFIX: &str = "__Secure-";
/// The longest life that browsers give a cookie (RFC 6265bis, section 5.6).
const LONGEST_MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);
