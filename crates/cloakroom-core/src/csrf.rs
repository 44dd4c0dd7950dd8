//! Whether a request may change anything, by where it comes from.

use crate::error::{Error, ErrorKind, Result};

mod origin;

use origin::Origin;

/// Which requests may change something, by where a browser says that they come from.
///
/// A request of a safe method (`GET`, `HEAD`, `OPTIONS`, `TRACE`) passes, unless it opens a WebSocket, which
/// browsers let every site do. Of the others only those pass that come from the application's own pages:
///
/// 1. `Sec-Fetch-Site` says `same-origin`, or `none` (the user's own doing). Scripts cannot set this header.
/// 2. Where a browser sends none, `Origin` names the host that the request is for, over TLS, or on a loopback
///    host without.
/// 3. `Origin` is one of the trusted ones.
///
/// A neighbour is not trusted: a request from another subdomain is refused like that of any other site. A
/// request with neither header is refused too; no browser of today sends a form like that.
///
/// Nothing is asked of the session and no store is called, so that it protects what a visitor sends, a login
/// above all. [`Session::csrf_token`](crate::Session::csrf_token) is the second line behind it. It protects
/// only sessions in cookies: what a script must add by hand, such as a header, no other site can send.
///
/// What it refuses though it may be honest, so that routes for it belong outside:
///
/// - clients that are no browsers, WebSocket clients among them: they send neither header;
/// - what an identity provider or a payment service makes the browser post (`response_mode=form_post`, SAML), and
///   webhooks;
/// - the application's own forms on pages with `Referrer-Policy: no-referrer`, where the browser sends no
///   `Sec-Fetch-Site`: it is an old one, or the page came over plain HTTP. They come with `Origin: null`; use
///   `same-origin` or `strict-origin-when-cross-origin`.
///
/// It follows the OWASP cheat sheet on cross-site request forgery and the W3C's Fetch Metadata Request Headers.
///
/// ```
/// use cloakroom_core::{CsrfPolicy, ErrorKind};
///
/// let policy = CsrfPolicy::new();
/// let check = |site: &'static str| {
///     policy.check("POST", Some(b"shop.example"), |name| match name {
///         "sec-fetch-site" => Some(site.as_bytes()),
///         _ => None,
///     })
/// };
/// check("same-origin")?;
/// assert_eq!(check("cross-site").map_err(|error| error.kind()), Err(ErrorKind::CrossSite));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CsrfPolicy {
    trusted: Vec<Origin>,
    insecure: Insecure,
    silent: Silent,
}

/// Whether a page that came without TLS counts as one of the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Insecure {
    #[default]
    OnLoopback,
    Everywhere,
}

/// What becomes of a request that does not say where it comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Silent {
    #[default]
    Refused,
    Passed,
}

impl CsrfPolicy {
    /// Trusts the application's own origin and no other.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the pages of one more origin, such as `https://accounts.example.com`.
    ///
    /// Name the application's own where a proxy changes `Host` on the way, or drops its port.
    ///
    /// ```
    /// use cloakroom_core::CsrfPolicy;
    ///
    /// let policy = CsrfPolicy::new().with_trusted_origin("https://accounts.example.com")?;
    /// # let _ = policy;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misconfigured`] for what is not `https:` or `http:` with a host and perhaps a port, in ASCII
    /// and the scheme in lower case, and for `http:` anywhere but on a loopback host, unless
    /// [`danger_insecure_origins`](Self::danger_insecure_origins) was said before.
    pub fn with_trusted_origin(mut self, origin: &str) -> Result<Self> {
        let parsed = Origin::parse(origin.as_bytes()).ok_or_else(|| {
            Error::misconfigured(format!(
                "`{origin}` cannot be trusted: give `https:`, host and perhaps port, as in \
                 `https://accounts.example.com`"
            ))
        })?;
        if !parsed.is_secure() && self.insecure == Insecure::OnLoopback {
            return Err(Error::misconfigured(format!(
                "whoever is on the network can make pages of `{origin}`: trust its `https:` origin, or say \
                 `danger_insecure_origins` before"
            )));
        }
        self.trusted.push(parsed);
        Ok(self)
    }

    /// Takes pages that came over plain HTTP for the application's own, beyond loopback hosts: whoever is on
    /// the network can change them.
    pub fn danger_insecure_origins(mut self) -> Self {
        self.insecure = Insecure::Everywhere;
        self
    }

    /// Lets requests pass that say nothing of where they come from, for clients that are no browsers. Handlers
    /// then check a token, or something else that no other site can send.
    pub fn danger_silent_clients(mut self) -> Self {
        self.silent = Silent::Passed;
        self
    }

    /// Judges a request, given its method, the host that it is for, and what gives all values of a header by
    /// its name in lower case.
    ///
    /// The host is that of the `Host` header, or of the request's target in HTTP/2, with its port if it names one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CrossSite`]: nothing of the request should be done.
    pub fn check<'h, V>(
        &self,
        method: &str,
        host: Option<&[u8]>,
        values: impl Fn(&'static str) -> V,
    ) -> Result<()>
    where
        V: IntoIterator<Item = &'h [u8]>,
    {
        let is_safe = matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE");
        if is_safe && !values("upgrade").into_iter().any(opens_web_socket) {
            return Ok(());
        }
        let site = only(values("sec-fetch-site"))?;
        if let Some(b"same-origin" | b"none") = site {
            return Ok(());
        }
        let Some(origin) = only(values("origin"))? else {
            return match (site, self.silent) {
                (None, Silent::Passed) => Ok(()),
                (None, Silent::Refused) => Err(refused("the request does not say where it comes from")),
                (Some(_), _) => Err(refused("the request comes from another site")),
            };
        };
        let origin =
            Origin::parse(origin).ok_or_else(|| refused("the request comes from a page without origin"))?;
        if self.trusted.contains(&origin) {
            return Ok(());
        }
        if site.is_some() || !host.is_some_and(|host| origin.is_of_host(host)) {
            return Err(refused("the request comes from another site"));
        }
        if !origin.is_secure() && self.insecure == Insecure::OnLoopback {
            return Err(refused("the request comes from a page without TLS"));
        }
        Ok(())
    }
}

/// The one value of a header; none if it is not there. Of two nobody knows which a browser has sent.
fn only<'h>(values: impl IntoIterator<Item = &'h [u8]>) -> Result<Option<&'h [u8]>> {
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(refused("the request says twice where it comes from")),
    }
}

fn opens_web_socket(upgrade: &[u8]) -> bool {
    upgrade.split(|byte| *byte == b',').any(|protocol| {
        let name = protocol.split(|byte| *byte == b'/').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"websocket")
    })
}

fn refused(why: &'static str) -> Error {
    Error::with_detail(ErrorKind::CrossSite, why)
}

#[cfg(test)]
mod tests;
