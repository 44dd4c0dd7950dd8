//! The password once more, before something dangerous.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cloakroom::axum::CsrfForm;
use serde::Deserialize;

use crate::app::App;
use crate::destination::Destination;
use crate::device::Device;
use crate::error::Result;
use crate::frame::{Frame, Page};
use crate::member::{Member, login};
use crate::password::Password;

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm {
    frame: Frame,
    name: String,
    next: Destination,
    error: Option<&'static str>,
}

#[derive(Deserialize)]
pub(crate) struct Address {
    #[serde(default)]
    next: Destination,
}

#[derive(Deserialize)]
pub(crate) struct ConfirmForm {
    password: String,
    #[serde(default)]
    next: Destination,
}

pub(crate) async fn show(member: Member, Query(address): Query<Address>) -> Result<Response> {
    page(&member, address.next, None)
}

pub(crate) async fn submit(
    State(app): State<App>,
    member: Member,
    device: Device,
    CsrfForm(form): CsrfForm<ConfirmForm>,
) -> Result<Response> {
    let typed = Password::typed(&form.password);
    if !app.passwords.verify(typed, Some(&member.account.hash)).await? {
        let page = page(&member, form.next, Some("That is not your password."))?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    // The same principal: the secret rotates, the values stay.
    member.session.authenticate(login(&member.account, &device))?;
    Ok(form.next.redirect().into_response())
}

fn page(member: &Member, next: Destination, error: Option<&'static str>) -> Result<Response> {
    let (frame, name) = (member.frame(next)?, member.account.name.clone());
    Ok(Page(Confirm { frame, name, next, error }).into_response())
}
