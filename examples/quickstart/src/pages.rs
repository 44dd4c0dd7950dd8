//! The pages, and what they do with a session: the same for every framework.

use std::time::SystemTime;

use cloakroom::{Key, Result, Session};
use serde::Deserialize;

#[cfg(test)]
mod tests;

const VISITS: Key<u32> = Key::new("visits");

/// What the login form sends. A page that is not a demonstration asks for more than a name.
#[derive(Deserialize)]
pub(crate) struct LoginForm {
    pub(crate) name: String,
}

/// Counts the visit, and shows the messages that were left for it.
pub(crate) fn home(session: &Session) -> Result<String> {
    let visits = session.update(VISITS, |visits| visits.unwrap_or(0).saturating_add(1))?;
    let messages: String = session
        .take_flashes::<String>()?
        .iter()
        .map(|message| format!("<p class=\"message\" role=\"status\">{}</p>", escape(message)))
        .collect();
    let (greeting, form) = match session.principal() {
        Some(name) => (format!("Hello, {}.", escape(&name)), LOGOUT),
        None => ("Hello, stranger.".to_owned(), LOGIN),
    };
    let times = if visits == 1 { "visit" } else { "visits" };
    let minutes = minutes_until(session.expires_at());
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"data:,\"><title>Cloakroom</title><style>{STYLE}</style></head>\
         <body><main>{messages}<h1>{greeting}</h1>\
         <p class=\"count\"><strong>{visits}</strong> {times}</p>\
         <p>Your ticket is good for {minutes} more minutes; each visit renews it.</p>\
         {form}</main></body></html>\n"
    ))
}

/// Binds a name to the session, which rotates its secret, and leaves a message for the next page.
pub(crate) fn login(session: &Session, form: &LoginForm) -> Result<()> {
    match form.name.trim() {
        "" => session.flash("A name would help."),
        name if name.chars().count() > LONGEST_NAME => session.flash("That is a long name. A shorter one?"),
        name => {
            session.authenticate(name)?;
            session.flash(&format!("Welcome, {name}. Your ticket was exchanged for a new one."))
        }
    }
}

const LOGIN: &str = "<form method=\"post\" action=\"/login\"><label for=\"name\">Your name</label>\
    <div class=\"row\"><input id=\"name\" name=\"name\" autocomplete=\"username\" maxlength=\"60\" required>\
    <button>Log in</button></div></form>";

const LOGOUT: &str = "<form method=\"post\" action=\"/logout\"><button>Log out</button></form>";

const STYLE: &str = include_str!("style.css");

const LONGEST_NAME: usize = 60;

fn minutes_until(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::now()).unwrap_or_default().as_secs().div_ceil(60)
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
