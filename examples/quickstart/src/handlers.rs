//! The handlers, for either framework: `axum_app` and `actix_app` each compile this file as a module of their own.
//!
//! What has the same name in both comes from `super`, and nothing in here knows which of the two that is.

use cloakroom::Key;

use super::{Form, Page, Redirect, Result, Session, page, see_other};
use crate::pages::{self, Home, LoginForm};

const VISITS: Key<u32> = Key::new("visits");

const LONGEST_NAME: usize = 60;

/// Counts the visit, and shows the messages that were left for it.
pub(super) async fn home(session: Session) -> Result<Page> {
    let visits = session.update(VISITS, |visits| visits.unwrap_or(0).saturating_add(1))?;
    let messages = session.take_flashes::<String>()?;
    let (name, ends_at) = (session.principal(), session.expires_at());
    Ok(page(pages::home(&Home { visits, messages, name, ends_at })))
}

/// Binds a name to the session, which rotates its secret, and leaves a message for the next page.
pub(super) async fn login(session: Session, Form(form): Form<LoginForm>) -> Result<Redirect> {
    match form.name.trim() {
        "" => session.flash("A name would help.")?,
        name if name.chars().count() > LONGEST_NAME => {
            session.flash("That is a long name. A shorter one?")?
        }
        name => {
            session.authenticate(name)?;
            session.flash(&format!("Welcome, {name}. Your ticket was exchanged for a new one."))?;
        }
    }
    Ok(see_other("/"))
}

/// Ends the session.
pub(super) async fn logout(session: Session) -> Redirect {
    session.logout();
    see_other("/")
}
