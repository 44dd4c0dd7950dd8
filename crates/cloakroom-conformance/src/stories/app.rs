//! The service that a story is told about.

use std::net::SocketAddr;
use std::time::Duration;

use super::message::Response;

/// Starts services with the testbed's routes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an app for the stories",
    note = "implement `App`: start a service with the testbed's routes on a loopback port"
)]
pub trait App: Send + Sync + 'static {
    /// A running service; it ends when it is dropped.
    type Instance: Instance;

    /// Starts a service on a fresh and empty store, and waits until it listens.
    ///
    /// It panics when there can be none: a story that was not told is not a good one.
    ///
    /// # Cancel safety
    ///
    /// The stories never drop this future.
    fn start(&self, settings: Settings) -> impl Future<Output = Self::Instance> + Send;

    /// What a client keeps of its session: by default a token.
    fn client_keeps(&self) -> Keeps {
        Keeps::Token
    }

    /// How much later than asked a session that nobody uses may end: by default not at all. One that ends early
    /// breaks the story whatever this says.
    fn resolution(&self) -> Duration {
        Duration::ZERO
    }
}

/// What a client keeps of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keeps {
    /// 71 characters that select the session and prove its ownership; they change with logins and rotations.
    Token,
    /// The session itself, sealed; it changes with every change.
    Session,
}

impl Keeps {
    /// How many characters it is long.
    pub(super) const fn lengths(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::Token => 71..=71,
            Self::Session => 104..=4096,
        }
    }

    /// Wants that a change leaves a token as it is; a session of the client's own is sent anew.
    #[track_caller]
    pub(super) fn stays_with(self, response: Response) -> Response {
        match self {
            Self::Token => response.sets_no_cookie(),
            Self::Session => response,
        }
    }
}

/// A running service.
pub trait Instance: Send + Sync + 'static {
    /// Where it listens for HTTP/1.1 without TLS.
    fn address(&self) -> SocketAddr;
}

/// How a story wants its service; everything else is the default of the manager.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_conformance::stories::Settings;
///
/// let settings = Settings::new().with_idle(Duration::from_millis(500));
/// assert_eq!(settings.arguments(), ["--idle", "500ms"]);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Settings(Vec<String>);

impl Settings {
    /// The defaults.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A session ends this long after its last use.
    pub fn with_idle(self, idle: Duration) -> Self {
        self.with("--idle", millis(idle))
    }

    /// A session ends this long after its start or login.
    pub fn with_absolute(self, absolute: Duration) -> Self {
        self.with("--absolute", millis(absolute))
    }

    /// Names the cookie.
    pub fn with_cookie_name(self, name: &str) -> Self {
        self.with("--cookie-name", name.to_owned())
    }

    /// Drops `Secure` and the prefix of the cookie's name.
    pub fn with_insecure_cookie(mut self) -> Self {
        self.0.push("--insecure-cookie".to_owned());
        self
    }

    /// Carries the token in this header instead of a cookie.
    pub fn with_header(self, name: &str) -> Self {
        self.with("--header", name.to_owned())
    }

    /// Allows a person this many sessions at once; the next login ends the one whose login is the longest ago.
    pub fn with_max_sessions(self, most: usize) -> Self {
        self.with("--max-sessions", most.to_string())
    }

    /// The settings as the testbed's command line takes them.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.0
    }

    fn with(mut self, name: &str, value: String) -> Self {
        self.0.extend([name.to_owned(), value]);
        self
    }
}

fn millis(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
