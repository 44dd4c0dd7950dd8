//! Notes that live in the session: two tabs can write at once, and both keep what they wrote.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cloakroom::Key;
use cloakroom::axum::CsrfForm;
use serde::{Deserialize, Serialize};

use crate::destination::Destination;
use crate::error::Result;
use crate::frame::{Frame, Page};
use crate::member::Member;
use crate::notice::Message;

/// There are at most this many notes.
const MOST: usize = 40;
/// A note has at most this many characters.
const LONGEST: usize = 200;

const NOTES: Key<Vec<Note>> = Key::new("notes");

#[derive(Clone, Serialize, Deserialize)]
struct Note {
    /// Drawn at random: a place in the list would be another note's once a tab has removed one.
    id: u64,
    text: String,
}

#[derive(Template)]
#[template(path = "notes.html")]
struct Notes {
    frame: Frame,
    notes: Vec<Note>,
    error: Option<&'static str>,
}

#[derive(Deserialize)]
pub(crate) struct NoteForm {
    text: String,
}

#[derive(Deserialize)]
pub(crate) struct RemovalForm {
    note: u64,
}

pub(crate) async fn show(member: Member) -> Result<Response> {
    page(&member, None)
}

pub(crate) async fn add(member: Member, CsrfForm(form): CsrfForm<NoteForm>) -> Result<Response> {
    let text = form.text.trim().to_owned();
    let refused = match text.chars().count() {
        0 => Some("There is nothing to note."),
        length if length > LONGEST => Some("A note has at most 200 characters."),
        _ => None,
    };
    if refused.is_some() {
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&member, refused)?).into_response());
    }
    let note = Note { id: getrandom::u64()?, text };
    let id = note.id;
    // It runs again on the notes of another tab that was quicker, so that whether there is room is decided in here.
    member.session.update(NOTES, move |notes| {
        let mut notes = notes.unwrap_or_default();
        if notes.len() < MOST {
            notes.push(note.clone());
        }
        notes
    })?;
    // What it decided is certain once it is stored.
    member.session.save().await?;
    let notes = member.session.get(NOTES)?.unwrap_or_default();
    if !notes.iter().any(|note| note.id == id) {
        let page = page(&member, Some("There is room for 40 notes. Remove one first."))?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    Message::leave(&member.session, "Noted.")?;
    Ok(Destination::Notes.redirect().into_response())
}

pub(crate) async fn remove(member: Member, CsrfForm(form): CsrfForm<RemovalForm>) -> Result<Response> {
    member.session.update(NOTES, move |notes| {
        let mut notes = notes.unwrap_or_default();
        notes.retain(|note| note.id != form.note);
        notes
    })?;
    Message::leave(&member.session, "Removed.")?;
    Ok(Destination::Notes.redirect().into_response())
}

fn page(member: &Member, error: Option<&'static str>) -> Result<Response> {
    let notes = member.session.get(NOTES)?.unwrap_or_default();
    Ok(Page(Notes { frame: member.frame(Destination::Notes)?, notes, error }).into_response())
}
