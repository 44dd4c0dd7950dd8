//! Another password, which ends all sign-ins but this one.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cloakroom::ErrorKind;
use cloakroom::axum::{CsrfForm, Session};
use serde::Deserialize;

use crate::accounts::Account;
use crate::app::App;
use crate::destination::Destination;
use crate::device::Device;
use crate::error::Result;
use crate::frame::{Frame, Page};
use crate::member::{Member, login};
use crate::notice::{Message, Notice};
use crate::password::Password;

#[derive(Template)]
#[template(path = "change_password.html")]
struct ChangePassword {
    frame: Frame,
    name: String,
    error: Option<&'static str>,
}

#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    current_password: String,
    new_password: String,
    new_password_again: String,
}

pub(crate) async fn show(member: Member) -> Result<Response> {
    page(&member, None)
}

pub(crate) async fn submit(
    State(app): State<App>,
    member: Member,
    device: Device,
    CsrfForm(form): CsrfForm<PasswordForm>,
) -> Result<Response> {
    let new = match Password::chosen(&form.new_password, &form.new_password_again) {
        Ok(new) => new,
        Err(fault) => return again(&member, fault.sentence()),
    };
    let current = Password::typed(&form.current_password);
    if !app.passwords.verify(current, Some(&member.account.hash)).await? {
        return again(&member, "That is not your password.");
    }
    let hash = app.passwords.hash(new).await?;
    if !app.accounts.set_hash(&member.account, &hash).await? {
        return again(&member, "Your password was changed elsewhere at the same time.");
    }

    // From here on every other session ends at its next request, because its fingerprint is the old one's. This one gets the
    // new one, and a new secret.
    let account = Account { hash, ..member.account };
    if let Err(error) = sign_in_anew(&member.session, &account, &device).await {
        // The password is another one all the same, and whoever reads this must not be told otherwise.
        tracing::warn!(%error, "a session did not outlive its change of password");
        return Ok(Destination::Account.after_sign_in(Some(Notice::PasswordChanged)).into_response());
    }
    // Those that nobody uses go at once, where the store finds them.
    match app.sessions.revoke_others(&member.session).await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        Err(error) => {
            tracing::warn!(%error, "sessions of before a new password end at their next request only")
        }
    }
    Ok(Destination::Account.redirect().into_response())
}

async fn sign_in_anew(session: &Session, account: &Account, device: &Device) -> cloakroom::Result<()> {
    session.authenticate(login(account, device))?;
    Message::leave(session, "Your password is changed. You are signed out everywhere else.")?;
    session.save().await
}

fn again(member: &Member, error: &'static str) -> Result<Response> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page(member, Some(error))?).into_response())
}

fn page(member: &Member, error: Option<&'static str>) -> Result<Response> {
    let (frame, name) = (member.frame(Destination::ChangePassword)?, member.account.name.clone());
    Ok(Page(ChangePassword { frame, name, error }).into_response())
}
