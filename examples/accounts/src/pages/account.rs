//! What a member can change of the account.

use askama::Template;
use axum::response::IntoResponse;

use crate::destination::Destination;
use crate::error::Result;
use crate::frame::{Frame, Page};
use crate::member::Member;

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    name: String,
}

pub(crate) async fn show(member: Member) -> Result<impl IntoResponse> {
    Ok(Page(Account { frame: member.frame(Destination::Account)?, name: member.account.name }))
}
