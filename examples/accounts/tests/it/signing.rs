//! Signing up, in and out; being remembered.

use std::thread;
use std::time::{Duration, Instant};

use crate::browser::{Browser, PASSWORD};
use crate::page::Page;
use crate::server::Server;

fn try_in(browser: &Browser, name: &str, password: &str) -> Page {
    browser.submit(&browser.get("/sign-in"), "sign-in-form", &[("name", name), ("password", password)])
}

#[test]
fn somebody_signs_up_and_out_and_in_again() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let home = ada.get("/");
    assert_eq!(
        (home.text_of("who").as_deref(), home.messages()),
        (Some("Ada"), vec!["Welcome, Ada.".to_owned()])
    );
    assert_eq!(ada.get("/").messages(), Vec::<String>::new(), "a message is shown once");

    ada.submit(&home, "sign-out-form", &[]).leads_to("/sign-in?notice=signed-out");
    assert_eq!(ada.get("/sign-in?notice=signed-out").messages(), ["You have signed out."]);
    assert_eq!(ada.who(), None);

    let ada = ada.sign_in(" aDA ");
    assert_eq!(ada.get("/").messages(), ["Welcome back, Ada."]);
    // Whoever is signed in needs neither page.
    ada.get("/sign-in?next=notes").leads_to("/notes");
    ada.get("/sign-up").leads_to("/");
}

#[test]
fn nobody_learns_from_a_refusal_which_names_there_are() {
    let server = Server::start(&[]);
    server.browser().sign_up("Ada");
    let stranger = server.browser();
    let refusal = |name: &str, password: &str| {
        let start = Instant::now();
        let page = try_in(&stranger, name, password).is(422).sets_no_cookie();
        let took = start.elapsed();
        (page.text_of("error").unwrap(), page.html.replace(name, "NAME"), took)
    };
    let wrong = refusal("Ada", "not her password");
    let unknown = refusal("Bob", "not her password");
    assert_eq!((&wrong.0, &wrong.1), (&unknown.0, &unknown.1));
    assert_eq!(refusal("Ada", "").0, wrong.0);
    assert_eq!(refusal("\u{7}", PASSWORD).0, wrong.0);
    assert_eq!(stranger.who(), None);

    // Both hash, which takes most of the time; the quickest of a few tells what the machine needs.
    let quickest = |name: &str| (0..4).map(|_| refusal(name, "wrong").2).min().unwrap();
    let (wrong, unknown) = (quickest("Ada"), quickest("Bob"));
    assert!(
        unknown * 8 > wrong && wrong * 8 > unknown,
        "{wrong:?} for a name that is taken, else {unknown:?}"
    );
}

#[test]
fn whoever_came_for_a_page_goes_on_there() {
    let server = Server::start(&[]);
    server.browser().sign_up("Ada");
    let ada = server.browser();
    for (path, next) in [
        ("/notes", "notes"),
        ("/devices", "devices"),
        ("/account", "account"),
        ("/account/password", "change-password"),
        ("/account/delete", "delete-account"),
    ] {
        ada.get(path).leads_to(&format!("/sign-in?next={next}"));
    }
    let page = ada.get("/sign-in?next=change-password");
    let fields = [("name", "Ada"), ("password", "wrong")];
    let page = ada.submit(&page, "sign-in-form", &fields).is(422);
    let fields = [("password", PASSWORD)];
    ada.submit(&page, "sign-in-form", &fields).leads_to("/account/password");

    let eve = server.browser();
    let page = eve.get("/sign-in?next=https://evil.example/").is(200);
    assert!(!page.html.contains("evil"));
    let fields = [("name", "Ada"), ("password", PASSWORD), ("next", "//evil.example")];
    eve.submit(&page, "sign-in-form", &fields).leads_to("/");
}

#[test]
fn form_of_a_sign_up_says_what_is_wrong_and_keeps_the_name() {
    let server = Server::start(&[]);
    server.browser().sign_up("Ada");
    let bob = server.browser();
    for (name, password, again, complaint) in [
        ("", PASSWORD, PASSWORD, "A name would help."),
        ("ＡＤＡ", PASSWORD, PASSWORD, "That name is taken. Please choose another one."),
        ("Bob", "short", "short", "A password has at least 8 characters. A short sentence makes a good one."),
        ("Bob", PASSWORD, "another one", "The two passwords are not the same."),
    ] {
        let fields = [("name", name), ("password", password), ("password_again", again), ("remember", "yes")];
        let page = bob.submit(&bob.get("/sign-up"), "sign-up-form", &fields).is(422).sets_no_cookie();
        assert_eq!(page.text_of("error").as_deref(), Some(complaint));
        let form = page.form("sign-up-form");
        assert_eq!((form.value("name"), form.value("remember")), (Some(name), Some("yes")));
        assert_eq!((form.value("password"), form.value("password_again")), (Some(""), Some("")));
    }
    assert_eq!(bob.who(), None);
}

#[test]
fn a_token_from_before_the_sign_in_is_worth_nothing_after_it() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let thief = ada.clone_jar();
    let page = ada.get("/confirm");
    ada.submit(&page, "confirm-form", &[("password", PASSWORD)]).leads_to("/");
    assert_eq!((ada.who().as_deref(), thief.who()), (Some("Ada"), None));
}

#[test]
fn only_whoever_asks_for_it_is_remembered_beyond_the_browser() {
    let server = Server::start(&[]);
    let max_age = |page: &Page| {
        let cookie = page.header("set-cookie");
        assert_eq!(cookie.len(), 1);
        assert!(
            cookie[0].starts_with("__Host-session=")
                && cookie[0].contains("; Secure; HttpOnly; SameSite=Lax")
        );
        cookie[0].split_once("Max-Age=").map(|(_, seconds)| Duration::from_secs(seconds.parse().unwrap()))
    };
    let month = Duration::from_secs(30 * 24 * 60 * 60);
    let is_a_month =
        |age: Option<Duration>| age.is_some_and(|age| age <= month && age > month - Duration::from_secs(60));
    let (ada, bob) = (server.browser(), server.browser());
    let fields = [("name", "Ada"), ("password", PASSWORD), ("password_again", PASSWORD), ("remember", "yes")];
    assert!(is_a_month(max_age(&ada.submit(&ada.get("/sign-up"), "sign-up-form", &fields))));
    let fields = [("name", "Bob"), ("password", PASSWORD), ("password_again", PASSWORD)];
    assert_eq!(max_age(&bob.submit(&bob.get("/sign-up"), "sign-up-form", &fields)), None);

    // It lasts through a new secret, and is asked for anew at each sign-in.
    let page = ada.get("/confirm");
    assert!(is_a_month(max_age(&ada.submit(&page, "confirm-form", &[("password", PASSWORD)]))));
    ada.submit(&ada.get("/"), "sign-out-form", &[]).is(303);
    assert_eq!(max_age(&try_in(&ada, "Ada", PASSWORD)), None);
    let fields = [("name", "Ada"), ("password", PASSWORD), ("remember", "yes")];
    let second = server.browser();
    assert!(is_a_month(max_age(&second.submit(&second.get("/sign-in"), "sign-in-form", &fields))));
}

#[test]
fn restart_signs_nobody_out() {
    let server = Server::start(&[]);
    let (ada, bob) = (server.browser().sign_up("Ada"), server.browser());
    let fields = [("name", "Bob"), ("password", PASSWORD), ("password_again", PASSWORD), ("remember", "yes")];
    bob.submit(&bob.get("/sign-up"), "sign-up-form", &fields).leads_to("/");
    ada.submit(&ada.get("/notes"), "add-note-form", &[("text", "buy milk")]).leads_to("/notes");

    let server = server.restart();
    let (ada, bob) = (ada.at(&server.browser()), bob.at(&server.browser()));
    assert_eq!((ada.who().as_deref(), bob.who().as_deref()), (Some("Ada"), Some("Bob")));
    assert_eq!(ada.get("/notes").texts("text"), ["buy milk"]);
    assert_eq!(server.browser().sign_in("Ada").who().as_deref(), Some("Ada"));
}

#[test]
fn sign_out_beats_what_another_tab_was_about_to_do() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    // One tab waits for its password to be hashed, behind others that wait for theirs; it may be quicker all the same.
    for _ in 0..10 {
        let (page, home) = (ada.get("/confirm"), ada.get("/"));
        let crowd: Vec<_> = (0..8).map(|_| server.browser()).collect();
        let page = thread::scope(|scope| {
            crowd.iter().for_each(|browser| {
                scope.spawn(|| try_in(browser, "Ada", "wrong"));
            });
            thread::sleep(Duration::from_millis(50));
            let slow = scope.spawn(|| ada.submit(&page, "confirm-form", &[("password", PASSWORD)]));
            thread::sleep(Duration::from_millis(50));
            ada.clone_jar().submit(&home, "sign-out-form", &[]);
            slow.join().unwrap()
        });
        if page.status == 409 {
            page.fails_with(409).sets_no_cookie();
            assert_eq!(ada.who(), None);
            return;
        }
        if ada.who().is_none() {
            ada.clone().sign_in("Ada");
        }
    }
    panic!("no sign-out was quick enough");
}
