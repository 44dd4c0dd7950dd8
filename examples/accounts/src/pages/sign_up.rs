//! A new account, whose owner is signed in at once.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cloakroom::axum::Session;
use serde::Deserialize;

use crate::accounts::Account;
use crate::app::App;
use crate::destination::Destination;
use crate::device::Device;
use crate::error::Result;
use crate::frame::{Frame, Page};
use crate::member::{Member, login};
use crate::name::{Name, NameFault};
use crate::notice::{Message, Notice};
use crate::pages::sign_in::REMEMBERED;
use crate::password::{Password, PasswordFault};

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUp {
    frame: Frame,
    name: String,
    remember: bool,
    error: Option<&'static str>,
}

#[derive(Deserialize)]
pub(crate) struct SignUpForm {
    name: String,
    password: String,
    password_again: String,
    /// A box that is not ticked is not sent.
    remember: Option<String>,
}

pub(crate) async fn show(member: Option<Member>) -> Response {
    if member.is_some() {
        return Destination::Home.redirect().into_response();
    }
    let frame = Frame::of_visitor(None);
    Page(SignUp { frame, name: String::new(), remember: false, error: None }).into_response()
}

pub(crate) async fn submit(
    State(app): State<App>,
    session: Session,
    device: Device,
    Form(form): Form<SignUpForm>,
) -> Result<Response> {
    let name = form.name.parse::<Name>().map_err(NameFault::sentence);
    let password = Password::chosen(&form.password, &form.password_again).map_err(PasswordFault::sentence);
    let (name, password) = match (name, password) {
        (Ok(name), Ok(password)) => (name, password),
        (Err(error), _) | (_, Err(error)) => return Ok(again(form, error)),
    };
    let hash = app.passwords.hash(password).await?;
    // Whoever signs up learns which names are taken. Where names are addresses of mail, ask for a click in a mail instead.
    let Some(account) = app.accounts.add(&name, &hash).await? else {
        return Ok(again(form, "That name is taken. Please choose another one."));
    };
    if let Err(error) = sign_in(&session, &account, &device, form.remember.is_some()).await {
        // There is an account, and its name is taken from now on.
        tracing::warn!(%error, "an account was made, and its owner not signed in");
        return Ok(Destination::Home.after_sign_in(Some(Notice::AccountMade)).into_response());
    }
    Ok(Destination::Home.redirect().into_response())
}

async fn sign_in(
    session: &Session,
    account: &Account,
    device: &Device,
    remember: bool,
) -> cloakroom::Result<()> {
    session.authenticate(login(account, device))?;
    if remember {
        session.remember(REMEMBERED)?;
    }
    Message::leave(session, format!("Welcome, {}.", account.name))?;
    session.save().await
}

fn again(form: SignUpForm, error: &'static str) -> Response {
    let frame = Frame::of_visitor(None);
    let page = SignUp { frame, name: form.name, remember: form.remember.is_some(), error: Some(error) };
    (StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response()
}
