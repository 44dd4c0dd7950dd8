//! What the pages look like.

use std::time::SystemTime;

use serde::Deserialize;

#[cfg(test)]
mod tests;

/// What the login form sends. A page that is not a demonstration asks for more than a name.
#[derive(Deserialize)]
pub(crate) struct LoginForm {
    pub(crate) name: String,
}

/// What the home page shows.
pub(crate) struct Home {
    pub(crate) visits: u32,
    pub(crate) messages: Vec<String>,
    pub(crate) name: Option<String>,
    pub(crate) ends_at: SystemTime,
}

/// The home page: HTML in which names and messages are text.
pub(crate) fn home(home: &Home) -> String {
    let Home { visits, messages, name, ends_at } = home;
    let messages: String = messages
        .iter()
        .map(|message| format!("<p class=\"message\" role=\"status\">{}</p>", escape(message)))
        .collect();
    let (greeting, form) = match name {
        Some(name) => (format!("Hello, {}.", escape(name)), LOGOUT),
        None => ("Hello, stranger.".to_owned(), LOGIN),
    };
    let times = if *visits == 1 { "visit" } else { "visits" };
    let minutes = minutes_until(*ends_at);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"data:,\"><title>Cloakroom</title><style>{STYLE}</style></head>\
         <body><main>{messages}<h1>{greeting}</h1>\
         <p class=\"count\"><strong>{visits}</strong> {times}</p>\
         <p>Your ticket is good for {minutes} more minutes; each visit renews it.</p>\
         {form}</main></body></html>\n"
    )
}

const LOGIN: &str = "<form method=\"post\" action=\"/login\"><label for=\"name\">Your name</label>\
    <div class=\"row\"><input id=\"name\" name=\"name\" autocomplete=\"username\" maxlength=\"60\" required>\
    <button>Log in</button></div></form>";

const LOGOUT: &str = "<form method=\"post\" action=\"/logout\"><button>Log out</button></form>";

const STYLE: &str = include_str!("style.css");

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
