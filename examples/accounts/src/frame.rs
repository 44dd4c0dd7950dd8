//! What stands around every page.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use cloakroom::Session;

use crate::accounts::Account;
use crate::destination::Destination;
use crate::error::{Error, Result};
use crate::notice::{Message, Notice};

/// What stands around every page: the messages, and the way elsewhere.
pub(crate) struct Frame {
    /// Which page this is, for the way elsewhere.
    pub(crate) here: Destination,
    pub(crate) member: Option<Badge>,
    pub(crate) messages: Vec<Message>,
}

/// What the head of a page needs of a member.
pub(crate) struct Badge {
    pub(crate) name: String,
    /// For every form of the page.
    pub(crate) csrf_token: String,
}

impl Frame {
    /// Around the page of somebody who is signed in.
    pub(crate) fn of_member(session: &Session, account: &Account, here: Destination) -> Result<Self> {
        let csrf_token = session.csrf_token()?;
        let badge = Badge { name: account.name.clone(), csrf_token };
        Ok(Self { here, member: Some(badge), messages: Message::take(session)? })
    }

    /// Around the page of anybody else.
    pub(crate) fn of_visitor(notice: Option<Notice>) -> Self {
        let messages = notice.and_then(Notice::message).into_iter().collect();
        Self { here: Destination::Home, member: None, messages }
    }

    /// The token for the forms of members.
    pub(crate) fn csrf_token(&self) -> &str {
        self.member.as_ref().map_or("", |badge| &badge.csrf_token)
    }
}

/// A template as a response.
pub(crate) struct Page<T>(pub(crate) T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(html) => Html(html).into_response(),
            Err(error) => Error::Template(error).into_response(),
        }
    }
}
