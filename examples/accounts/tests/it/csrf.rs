//! What other sites and forms of other sessions cannot do.

use crate::browser::{Browser, Origin, PASSWORD};
use crate::page::{Form, Page};
use crate::server::Server;

/// The pages of members, with every form that there is.
const PAGES: [&str; 7] =
    ["/", "/notes", "/devices", "/account", "/account/password", "/confirm", "/account/delete"];

/// Ada with a note and two devices, so that every form is shown.
fn ada(server: &Server) -> Browser {
    let ada = server.browser().sign_up("Ada");
    server.browser().sign_in("Ada");
    ada.submit(&ada.get("/notes"), "add-note-form", &[("text", "a note")]).leads_to("/notes");
    ada
}

/// Every form of every page of a member, filled in well enough to do harm.
fn forms(browser: &Browser) -> Vec<Form> {
    let all = PAGES.iter().flat_map(|path| browser.get(path).is(200).forms());
    all.map(|(_, form)| {
        let form = if form.action == "/notes" { form.with(&[("text", "harm")]) } else { form };
        match form.action.as_str() {
            "/account/password" => form.with(&[
                ("current_password", PASSWORD),
                ("new_password", "chosen by Eve"),
                ("new_password_again", "chosen by Eve"),
            ]),
            "/confirm" => form.with(&[("password", PASSWORD)]),
            "/account/delete" => form.with(&[("sure", "yes")]),
            _ => form,
        }
    })
    .collect()
}

/// What Ada sees of her account: nothing of it has changed.
fn is_unharmed(server: &Server, ada: &Browser) {
    assert_eq!(ada.who().as_deref(), Some("Ada"));
    assert_eq!(ada.get("/notes").texts("text"), ["a note"]);
    assert_eq!(ada.get("/devices").html.matches("<li class=\"device").count(), 2);
    let check = server.browser().sign_in("Ada");
    check.submit(&check.get("/"), "sign-out-form", &[]).is(303);
}

fn is_refused(page: Page, title: &str) {
    let page = page.fails_with(403).sets_no_cookie();
    assert!(page.html.contains(title), "{page:#?}");
}

const ELSEWHERE: &str = "<h1>That came from elsewhere</h1>";
const OUT_OF_DATE: &str = "<h1>This page was out of date</h1>";

#[test]
fn every_form_of_a_member_has_a_token_and_every_route_a_form() {
    let server = Server::start(&[]);
    let mut actions: Vec<String> = forms(&ada(&server))
        .into_iter()
        .map(|form| {
            assert!(form.value("csrf_token").is_some_and(|token| token.len() == 50), "{form:?}");
            form.action
        })
        .collect();
    for path in ["/sign-in", "/sign-up"] {
        actions.extend(server.browser().get(path).is(200).forms().into_iter().map(|(_, form)| form.action));
    }
    actions.sort();
    actions.dedup();
    let routes = include_str!("../../src/app.rs").lines().filter(|line| line.contains("post("));
    let mut routes: Vec<&str> = routes.filter_map(|line| line.split('"').nth(1)).collect();
    routes.sort_unstable();
    assert_eq!(actions, routes, "a route that takes forms is not tested here");
}

#[test]
fn forms_of_other_sites_do_nothing_whatever_they_know() {
    let server = Server::start(&[]);
    let ada = ada(&server);
    let visitors = [
        Form::made_up("/sign-in", &[("name", "Ada"), ("password", PASSWORD)]),
        Form::made_up("/sign-up", &[("name", "Eve"), ("password", PASSWORD), ("password_again", PASSWORD)]),
    ];
    for form in forms(&ada).iter().chain(&visitors) {
        for origin in [Origin::CrossSite, Origin::SameSite, Origin::OldElsewhere, Origin::Unknown] {
            is_refused(ada.post(form, origin), ELSEWHERE);
            is_refused(server.browser().post(form, origin), ELSEWHERE);
        }
    }
    is_unharmed(&server, &ada);
}

#[test]
fn forms_without_the_token_of_this_session_do_nothing() {
    let server = Server::start(&[]);
    let ada = ada(&server);
    let eves = server.browser().sign_up("Eve").get("/").form("sign-out-form");
    let eves = eves.value("csrf_token").unwrap();
    for form in forms(&ada) {
        is_refused(ada.post(&form.clone().without("csrf_token"), Origin::Ours), OUT_OF_DATE);
        for token in ["", "made up", eves] {
            is_refused(ada.post(&form.clone().with(&[("csrf_token", token)]), Origin::Ours), OUT_OF_DATE);
        }
    }
    is_unharmed(&server, &ada);
}

#[test]
fn token_from_before_a_sign_in_is_refused_after_it() {
    let server = Server::start(&[]);
    let ada = ada(&server);
    let before = ada.get("/notes").form("add-note-form").with(&[("text", "from before")]);
    let page = ada.get("/confirm");
    ada.submit(&page, "confirm-form", &[("password", PASSWORD)]).leads_to("/");
    is_refused(ada.post(&before, Origin::Ours), OUT_OF_DATE);
    is_unharmed(&server, &ada);
}

#[test]
fn browsers_that_tell_less_are_served_all_the_same() {
    let server = Server::start(&[]);
    let old = server.browser();
    let fields = [("name", "Ada"), ("password", PASSWORD), ("password_again", PASSWORD)];
    old.post(&Form::made_up("/sign-up", &fields), Origin::Old).leads_to("/");
    let form = old.get("/notes").form("add-note-form").with(&[("text", "hello")]);
    old.post(&form, Origin::Old).leads_to("/notes");
    assert_eq!(old.get("/notes").texts("text"), ["hello"]);
}
