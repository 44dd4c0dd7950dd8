//! Whoever is signed in, for the pages that are for nobody else.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use cloakroom::Login;
use cloakroom::axum::Session;

use crate::accounts::Account;
use crate::app::App;
use crate::destination::Destination;
use crate::device::{Device, LABEL};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::notice::Notice;

/// Somebody who is signed in, with an account that exists and the password of today.
///
/// As an extractor it sends everybody else to sign in, and back. An outage is a page of its own (503), and nobody is
/// signed out by it: neither by this, nor by `Option<Member>`, which is `None` for visitors only.
pub(crate) struct Member {
    pub(crate) session: Session,
    pub(crate) account: Account,
}

/// A member who signed in, or typed the password again, a short while ago; asks for it where that is not so.
pub(crate) struct RecentMember(pub(crate) Member);

/// What a look at the session shows.
enum Sight {
    Member(Box<Member>),
    /// Nobody is signed in.
    Visitor,
    /// Somebody was, until the password or the account was gone.
    Outdated,
}

impl Member {
    /// What every page for members shows.
    pub(crate) fn frame(&self, here: Destination) -> Result<Frame> {
        Frame::of_member(&self.session, &self.account, here)
    }
}

/// The login of an account: bound to its password by the fingerprint, and labelled for the list of devices.
pub(crate) fn login(account: &Account, device: &Device) -> Login {
    Login::new(account.id.to_string())
        .with_fingerprint(account.hash.as_str())
        .with_label(LABEL, device.as_str())
}

async fn look(parts: &mut Parts, app: &App) -> Result<Sight> {
    let session = <Session as FromRequestParts<App>>::from_request_parts(parts, app).await?;
    let Some(principal) = session.principal() else { return Ok(Sight::Visitor) };
    let account = match principal.parse() {
        Ok(id) => app.accounts.by_id(id).await?,
        Err(_) => None,
    };
    let Some(account) = account else {
        session.logout();
        return Ok(Sight::Outdated);
    };
    if session.verify_fingerprint(account.hash.as_str()).await? {
        Ok(Sight::Member(Box::new(Member { session, account })))
    } else {
        Ok(Sight::Outdated)
    }
}

impl FromRequestParts<App> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let back = Destination::of_path(parts.uri.path());
        match look(parts, app).await.map_err(Error::into_response)? {
            Sight::Member(member) => Ok(*member),
            Sight::Visitor => Err(back.after_sign_in(None).into_response()),
            Sight::Outdated => Err(back.after_sign_in(Some(Notice::Ended)).into_response()),
        }
    }
}

impl OptionalFromRequestParts<App> for Member {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>> {
        Ok(match look(parts, app).await? {
            Sight::Member(member) => Some(*member),
            Sight::Visitor | Sight::Outdated => None,
        })
    }
}

impl FromRequestParts<App> for RecentMember {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let back = Destination::of_path(parts.uri.path());
        let member = <Member as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        if member.session.authenticated_within(app.step_up_after) {
            Ok(Self(member))
        } else {
            Err(back.after_confirmation().into_response())
        }
    }
}
