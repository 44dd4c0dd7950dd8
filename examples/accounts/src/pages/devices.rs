//! Where somebody is signed in, and how to end that.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use cloakroom::axum::CsrfForm;
use cloakroom::{ErrorKind, PublicHandle, SessionInfo};
use serde::Deserialize;

use crate::ago::Ago;
use crate::app::App;
use crate::destination::Destination;
use crate::device::LABEL;
use crate::error::Result;
use crate::frame::{Frame, Page};
use crate::member::Member;
use crate::notice::Message;
use crate::pages::sign_out::Nothing;

#[derive(Template)]
#[template(path = "devices.html")]
struct Devices {
    frame: Frame,
    /// `None` where the store cannot list sessions.
    devices: Option<Vec<Entry>>,
}

struct Entry {
    handle: PublicHandle,
    device: String,
    began: Ago,
    last_used: Ago,
    is_current: bool,
}

#[derive(Deserialize)]
pub(crate) struct EndForm {
    handle: String,
}

pub(crate) async fn show(State(app): State<App>, member: Member) -> Result<impl IntoResponse> {
    let devices = match app.sessions.sessions_of(&member.account.id.to_string()).await {
        Ok(sessions) => Some(sessions.into_iter().map(|info| Entry::of(info, &member)).collect()),
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Page(Devices { frame: member.frame(Destination::Devices)?, devices }))
}

pub(crate) async fn end(
    State(app): State<App>,
    member: Member,
    CsrfForm(form): CsrfForm<EndForm>,
) -> Result<Response> {
    let handle: Option<PublicHandle> = form.handle.parse().ok();
    if handle.is_some() && handle == member.session.handle() {
        member.session.logout();
        return Ok(Redirect::to("/sign-in?notice=signed-out").into_response());
    }
    // Only a session of this member ends: nobody else's, whatever the form says.
    let ended = match handle {
        Some(handle) => app.sessions.revoke(&member.account.id.to_string(), &handle).await?,
        None => false,
    };
    Message::leave(&member.session, if ended { "Signed out there." } else { "It was over already." })?;
    Ok(Destination::Devices.redirect().into_response())
}

pub(crate) async fn end_others(
    State(app): State<App>,
    member: Member,
    CsrfForm(Nothing {}): CsrfForm<Nothing>,
) -> Result<Redirect> {
    let message = match app.sessions.revoke_others(&member.session).await? {
        0 => "There was nowhere else to sign out.".to_owned(),
        1 => "Signed out on one other device.".to_owned(),
        ended => format!("Signed out on {ended} other devices."),
    };
    Message::leave(&member.session, message)?;
    Ok(Destination::Devices.redirect())
}

impl Entry {
    fn of(info: SessionInfo, member: &Member) -> Self {
        let label = info.labels.iter().find(|(name, _)| name == LABEL);
        Self {
            device: label.map_or_else(|| "An unknown browser".to_owned(), |(_, device)| device.clone()),
            began: Ago::of(info.created_at),
            last_used: Ago::of(info.last_seen),
            is_current: info.is_current(&member.session),
            handle: info.handle,
        }
    }
}
