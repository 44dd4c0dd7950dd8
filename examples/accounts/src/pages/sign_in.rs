//! Signing in, for now or to be remembered.

use std::time::Duration;

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cloakroom::axum::Session;
use serde::Deserialize;

use crate::app::App;
use crate::destination::Destination;
use crate::device::Device;
use crate::error::Result;
use crate::frame::{Frame, Page};
use crate::member::{Member, login};
use crate::name::Name;
use crate::notice::{Message, Notice};
use crate::password::Password;

/// How long "remember me" lasts.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    name: String,
    remember: bool,
    next: Destination,
    error: Option<&'static str>,
}

#[derive(Deserialize)]
pub(crate) struct Address {
    #[serde(default)]
    next: Destination,
    notice: Option<Notice>,
}

#[derive(Deserialize)]
pub(crate) struct SignInForm {
    name: String,
    password: String,
    /// A box that is not ticked is not sent.
    remember: Option<String>,
    #[serde(default)]
    next: Destination,
}

pub(crate) async fn show(member: Option<Member>, Query(address): Query<Address>) -> Response {
    if member.is_some() {
        return address.next.redirect().into_response();
    }
    let frame = Frame::of_visitor(address.notice);
    let page = SignIn { frame, name: String::new(), remember: false, next: address.next, error: None };
    Page(page).into_response()
}

pub(crate) async fn submit(
    State(app): State<App>,
    session: Session,
    device: Device,
    Form(form): Form<SignInForm>,
) -> Result<Response> {
    let found = match form.name.parse::<Name>() {
        Ok(name) => app.accounts.by_name(&name).await?,
        Err(_) => None,
    };
    let hash = found.as_ref().map(|account| &account.hash);
    let is_right = app.passwords.verify(Password::typed(&form.password), hash).await?;
    let Some(account) = found.filter(|_| is_right) else { return Ok(again(form)) };

    session.authenticate(login(&account, &device))?;
    // Without the tick, one who is remembered here already stays so until the sign-out: `remember` sticks.
    if form.remember.is_some() {
        session.remember(REMEMBERED)?;
    }
    Message::leave(&session, format!("Welcome back, {}.", account.name))?;
    Ok(form.next.redirect().into_response())
}

/// Says the same of a name that nobody has, of one that nobody can have, and of a wrong password.
fn again(form: SignInForm) -> Response {
    let page = SignIn {
        frame: Frame::of_visitor(None),
        name: form.name,
        remember: form.remember.is_some(),
        next: form.next,
        error: Some("This name and this password do not belong together."),
    };
    (StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response()
}
