//! What the next page tells.

use std::fmt;

use cloakroom::Session;
use serde::{Deserialize, Serialize};

/// A message on a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message(String);

impl Message {
    /// Leaves a message in the session, for the page after a redirect.
    pub(crate) fn leave(session: &Session, text: impl Into<String>) -> cloakroom::Result<()> {
        session.flash(&Self(text.into()))
    }

    /// Takes those that were left.
    pub(crate) fn take(session: &Session) -> cloakroom::Result<Vec<Self>> {
        session.take_flashes()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is told to somebody whose session is over, and can keep no message: it stands in the address.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Notice {
    SignedOut,
    Ended,
    Deleted,
    /// The password is another one, and the session is not.
    PasswordChanged,
    /// There is an account, and no session.
    AccountMade,
    /// One that this program does not know.
    #[serde(other)]
    Unknown,
}

impl Notice {
    /// As a message.
    pub(crate) fn message(self) -> Option<Message> {
        let text = match self {
            Self::SignedOut => "You have signed out.",
            Self::Ended => "You were signed out here: your password has changed, or your account is gone.",
            Self::Deleted => "Your account is gone, and so are all its sign-ins.",
            Self::PasswordChanged => "Your password is changed. Please sign in with the new one.",
            Self::AccountMade => "Your account is there. Please sign in.",
            Self::Unknown => return None,
        };
        Some(Message(text.to_owned()))
    }
}

/// As it stands in the address.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SignedOut => "signed-out",
            Self::Ended => "ended",
            Self::Deleted => "deleted",
            Self::PasswordChanged => "password-changed",
            Self::AccountMade => "account-made",
            Self::Unknown => "unknown",
        })
    }
}
