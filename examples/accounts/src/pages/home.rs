//! The first page, for members and visitors.

use askama::Template;
use axum::extract::Query;
use axum::response::IntoResponse;
use serde::Deserialize;

use crate::destination::Destination;
use crate::error::Result;
use crate::frame::{Frame, Page};
use crate::member::Member;
use crate::notice::Notice;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
}

#[derive(Deserialize)]
pub(crate) struct Address {
    notice: Option<Notice>,
}

pub(crate) async fn show(
    member: Option<Member>,
    Query(address): Query<Address>,
) -> Result<impl IntoResponse> {
    let frame = match &member {
        Some(member) => member.frame(Destination::Home)?,
        None => Frame::of_visitor(address.notice),
    };
    Ok(Page(Home { frame }))
}
