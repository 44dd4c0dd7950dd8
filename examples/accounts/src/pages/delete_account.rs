//! The end of an account, for those who have just proved that it is theirs.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use cloakroom::ErrorKind;
use cloakroom::axum::CsrfForm;
use serde::Deserialize;

use crate::app::App;
use crate::destination::Destination;
use crate::error::Result;
use crate::frame::{Frame, Page};
use crate::member::{Member, RecentMember};

#[derive(Template)]
#[template(path = "delete_account.html")]
struct DeleteAccount {
    frame: Frame,
    name: String,
    error: Option<&'static str>,
}

#[derive(Deserialize)]
pub(crate) struct DeletionForm {
    /// A box that is not ticked is not sent.
    sure: Option<String>,
}

pub(crate) async fn show(RecentMember(member): RecentMember) -> Result<Response> {
    page(&member, None)
}

pub(crate) async fn submit(
    State(app): State<App>,
    RecentMember(member): RecentMember,
    CsrfForm(form): CsrfForm<DeletionForm>,
) -> Result<Response> {
    if form.sure.is_none() {
        let page = page(&member, Some("Please tick the box if you are sure."))?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    // The account first: a session without one is worth nothing, whatever becomes of the rest.
    app.accounts.remove(member.account.id).await?;
    match app.sessions.revoke_all(&member.account.id.to_string()).await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        Err(error) => tracing::warn!(%error, "sessions of a deleted account end at their next request only"),
    }
    member.session.logout();
    Ok(Redirect::to("/?notice=deleted").into_response())
}

fn page(member: &Member, error: Option<&'static str>) -> Result<Response> {
    let (frame, name) = (member.frame(Destination::DeleteAccount)?, member.account.name.clone());
    Ok(Page(DeleteAccount { frame, name, error }).into_response())
}
