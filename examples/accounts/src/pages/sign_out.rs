//! Signing out.

use axum::response::Redirect;
use cloakroom::axum::CsrfForm;
use serde::Deserialize;

use crate::member::Member;

/// A form with no field but its token.
#[derive(Deserialize)]
pub(crate) struct Nothing {}

pub(crate) async fn submit(member: Member, CsrfForm(Nothing {}): CsrfForm<Nothing>) -> Redirect {
    member.session.logout();
    Redirect::to("/sign-in?notice=signed-out")
}
