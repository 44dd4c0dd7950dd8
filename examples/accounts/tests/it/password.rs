//! Another password.

use std::thread;
use std::time::Duration;

use crate::browser::{Browser, PASSWORD};
use crate::page::Page;
use crate::server::Server;

const NEW: &str = "incorrect donkey";

fn change(browser: &Browser, current: &str, new: &str, again: &str) -> Page {
    let fields = [("current_password", current), ("new_password", new), ("new_password_again", again)];
    browser.submit(&browser.get("/account/password"), "password-form", &fields)
}

fn signs_in_with(server: &Server, password: &str) -> bool {
    let browser = server.browser();
    let fields = [("name", "Ada"), ("password", password)];
    browser.submit(&browser.get("/sign-in"), "sign-in-form", &fields).status == 303
}

#[test]
fn new_password_ends_all_others_and_keeps_this_one() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let (other, untouched) = (server.browser().sign_in("Ada"), server.browser().sign_in("Ada"));
    let copied = ada.clone_jar();
    ada.submit(&ada.get("/notes"), "add-note-form", &[("text", "stays")]).leads_to("/notes");

    change(&ada, PASSWORD, NEW, NEW).leads_to("/account");
    let page = ada.get("/account").is(200);
    assert_eq!(
        page.messages().last().unwrap(),
        "Your password is changed. You are signed out everywhere else."
    );
    assert_eq!(ada.get("/notes").texts("text"), ["stays"]);
    // They are gone from the store, whether anybody uses them or not.
    assert_eq!(ada.get("/devices").html.matches("<li class=\"device").count(), 1);
    assert_eq!((other.who(), untouched.who(), copied.who()), (None, None, None));
    assert!(!signs_in_with(&server, PASSWORD) && signs_in_with(&server, NEW));
}

#[test]
fn change_needs_the_password_of_today_and_a_good_new_one() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let other = server.browser().sign_in("Ada");
    for (current, new, again, complaint) in [
        ("wrong", NEW, NEW, "That is not your password."),
        (
            PASSWORD,
            "short",
            "short",
            "A password has at least 8 characters. A short sentence makes a good one.",
        ),
        (PASSWORD, NEW, PASSWORD, "The two passwords are not the same."),
    ] {
        let page = change(&ada, current, new, again).is(422);
        assert_eq!(page.text_of("error").as_deref(), Some(complaint));
    }
    assert!(signs_in_with(&server, PASSWORD));
    assert_eq!((ada.who().as_deref(), other.who().as_deref()), (Some("Ada"), Some("Ada")));
}

/// Signed out in another tab while the new password is hashed: the page says what became of the password.
#[test]
fn change_whose_session_ends_meanwhile_is_not_denied() {
    let server = Server::start(&[]);
    let mut current = PASSWORD.to_owned();
    server.browser().sign_up("Ada");
    let mut seen = 0;
    for turn in 0..24_u64 {
        let ada = server.browser();
        let fields = [("name", "Ada"), ("password", &*current)];
        ada.submit(&ada.get("/sign-in"), "sign-in-form", &fields).leads_to("/");
        let (form, other) = (ada.get("/account/password"), ada.get("/notes"));
        let new = format!("{NEW} {turn}");
        let page = thread::scope(|scope| {
            let fields =
                [("current_password", &*current), ("new_password", &*new), ("new_password_again", &*new)];
            let (ada, form) = (&ada, &form);
            let changing = scope.spawn(move || ada.submit(form, "password-form", &fields));
            thread::sleep(Duration::from_millis(5 * turn));
            ada.submit(&other, "sign-out-form", &[]);
            changing.join().unwrap()
        });
        let is_changed = signs_in_with(&server, &new);
        assert_eq!(signs_in_with(&server, &current), !is_changed);
        if page.header("location") == ["/sign-in?next=account&notice=password-changed"] {
            seen += 1;
            assert!(is_changed, "turn {turn}");
        } else if is_changed {
            assert_eq!(page.header("location"), ["/account"], "turn {turn}: {page:#?}");
        }
        if is_changed {
            current = new;
        }
    }
    assert!(seen > 0, "no session ended in the middle of a change");
}

#[test]
fn of_two_changes_at_once_one_counts() {
    let server = Server::start(&[]);
    let (one, two) = (server.browser().sign_up("Ada"), server.browser().sign_in("Ada"));
    let pages: Vec<Page> = thread::scope(|scope| {
        let changes = [(&one, "the first new one"), (&two, "the second new one")]
            .map(|(browser, new)| scope.spawn(move || change(browser, PASSWORD, new, new)));
        changes.into_iter().map(|change| change.join().unwrap()).collect()
    });
    let done: Vec<bool> =
        pages.iter().map(|page| page.status == 303 && page.header("location") == ["/account"]).collect();
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{pages:#?}");
    assert_eq!(signs_in_with(&server, "the first new one"), done[0]);
    assert_eq!(signs_in_with(&server, "the second new one"), done[1]);
    assert_eq!((one.who().is_some(), two.who().is_some()), (done[0], done[1]));
}
