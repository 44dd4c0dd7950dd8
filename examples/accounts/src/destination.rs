//! Where somebody goes on after a sign-in.

use std::fmt;

use axum::response::Redirect;
use serde::Deserialize;

use crate::notice::Notice;

/// A page of ours to go on with. No text of a request becomes an address, so that nobody is sent elsewhere.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(from = "String")]
pub(crate) enum Destination {
    #[default]
    Home,
    Notes,
    Devices,
    Account,
    ChangePassword,
    DeleteAccount,
}

/// Each with the name that forms carry, and its path.
const ALL: [(Destination, &str, &str); 6] = [
    (Destination::Home, "home", "/"),
    (Destination::Notes, "notes", "/notes"),
    (Destination::Devices, "devices", "/devices"),
    (Destination::Account, "account", "/account"),
    (Destination::ChangePassword, "change-password", "/account/password"),
    (Destination::DeleteAccount, "delete-account", "/account/delete"),
];

impl Destination {
    /// The page to which a path belongs, or to which its form leads back.
    pub(crate) fn of_path(path: &str) -> Self {
        let above =
            |known: &str| known != "/" && path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/'));
        let exact = ALL.iter().find(|(.., known)| path == *known);
        let found = exact.or_else(|| ALL.iter().find(|(.., known)| above(known)));
        found.map(|(page, ..)| *page).unwrap_or_default()
    }

    /// Goes there.
    pub(crate) fn redirect(self) -> Redirect {
        let path = ALL.iter().find(|(page, ..)| *page == self).map_or("/", |(.., path)| path);
        Redirect::to(path)
    }

    /// Goes there after a sign-in.
    pub(crate) fn after_sign_in(self, notice: Option<Notice>) -> Redirect {
        match notice {
            Some(notice) => Redirect::to(&format!("/sign-in?next={self}&notice={notice}")),
            None => Redirect::to(&format!("/sign-in?next={self}")),
        }
    }

    /// Goes there once the password was typed again.
    pub(crate) fn after_confirmation(self) -> Redirect {
        Redirect::to(&format!("/confirm?next={self}"))
    }
}

/// The name that forms and addresses carry.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALL.iter().find(|(page, ..)| page == self).map_or("home", |(_, name, _)| name))
    }
}

/// What nobody knows is home.
impl From<String> for Destination {
    fn from(name: String) -> Self {
        ALL.iter().find(|(_, known, _)| *known == name).map(|(page, ..)| *page).unwrap_or_default()
    }
}

#[test]
fn every_page_is_found_by_its_name_and_its_path() {
    for (page, name, path) in ALL {
        assert_eq!((Destination::from(name.to_owned()), page.to_string().as_str()), (page, name));
        assert_eq!(Destination::of_path(path), page);
    }
    assert_eq!(Destination::of_path("/devices/end-others"), Destination::Devices);
    assert_eq!(Destination::of_path("/notesabc"), Destination::Home);
}

#[test]
fn nobody_is_sent_elsewhere() {
    for name in ["https://evil.example", "//evil.example", "/notes", "", "Notes", "notes\r\nx: y"] {
        assert_eq!(Destination::from(name.to_owned()), Destination::Home, "{name}");
    }
}
