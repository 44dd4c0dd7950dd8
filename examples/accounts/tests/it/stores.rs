//! Other stores, with all pages or those that they can.

use crate::browser::{Browser, PASSWORD};
use crate::server::Server;

/// What somebody does with an account, from beginning to end.
fn life(store: &str) -> (Server, Browser) {
    let server = Server::start(&["--store", store]);
    let ada = server.browser().sign_up("Ada");
    let other = server.browser().sign_in("Ada");
    ada.submit(&ada.get("/notes"), "add-note-form", &[("text", "hello")]).leads_to("/notes");
    assert_eq!(ada.get("/notes").texts("text"), ["hello"]);
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", "another one"),
        ("new_password_again", "another one"),
    ];
    ada.submit(&ada.get("/account/password"), "password-form", &fields).leads_to("/account");
    assert_eq!((ada.who().as_deref(), other.who()), (Some("Ada"), None), "{store}");
    (server, ada)
}

#[test]
fn memory_serves_everything() {
    let (_server, ada) = life("memory:");
    assert_eq!(ada.get("/devices").is(200).html.matches("<li class=\"device").count(), 1);
    ada.submit(&ada.get("/account/delete"), "delete-form", &[("sure", "yes")]).leads_to("/?notice=deleted");
}

/// Everything, on a server that others use, too.
fn all_pages(variable: &str, place: &str) {
    let (_server, ada) = life(&store(variable, place));
    assert_eq!(ada.get("/devices").is(200).html.matches("<li class=\"device").count(), 1);
    ada.submit(&ada.get("/account/delete"), "delete-form", &[("sure", "yes")]).leads_to("/?notice=deleted");
}

/// The server that a variable names, with a place of our own in it.
fn store(variable: &str, place: &str) -> String {
    let url = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names no server"));
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}{place}=accounts_{:016x}", getrandom::u64().expect("randomness"))
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn redis_serves_everything() {
    all_pages("CLOAKROOM_TEST_REDIS_URL", "prefix");
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn postgres_serves_everything() {
    all_pages("CLOAKROOM_TEST_POSTGRES_URL", "table");
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn mariadb_serves_everything() {
    all_pages("CLOAKROOM_TEST_MARIADB_URL", "table");
}

#[test]
#[ignore = "needs memcached: run `cargo xtask test`"]
fn memcached_serves_all_but_the_list() {
    let (_server, ada) = life(&store("CLOAKROOM_TEST_MEMCACHED_URL", "prefix"));
    assert!(ada.get("/devices").is(200).text_of("no-list").is_some());
    ada.submit(&ada.get("/account/delete"), "delete-form", &[("sure", "yes")]).leads_to("/?notice=deleted");
    assert_eq!(ada.who(), None);
}

#[test]
fn clients_that_carry_their_sessions_have_no_list_and_little_room() {
    let (_server, ada) = life("cookie:");
    let page = ada.get("/devices").is(200);
    assert!(page.text_of("no-list").is_some_and(|text| text.contains("nobody can list them")));
    // Nobody can take a session back from a client, but its fingerprint is that of an old password.
    let mut refused = 0;
    for _ in 0..40 {
        let page = ada.submit(&ada.get("/notes"), "add-note-form", &[("text", &"x".repeat(200))]);
        if page.status != 303 {
            page.fails_with(413).sets_no_cookie();
            refused += 1;
        }
    }
    assert!((1..40).contains(&refused), "{refused} refused");
    assert_eq!(ada.who().as_deref(), Some("Ada"));
    ada.submit(&ada.get("/account/delete"), "delete-form", &[("sure", "yes")]).leads_to("/?notice=deleted");
    assert_eq!(ada.who(), None);
}

#[test]
fn member_whose_password_has_changed_elsewhere_is_told_so() {
    // Here nothing but the fingerprint ends the other session.
    let server = Server::start(&["--store", "cookie:"]);
    let ada = server.browser().sign_up("Ada");
    let other = server.browser().sign_in("Ada");
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", "another one"),
        ("new_password_again", "another one"),
    ];
    ada.submit(&ada.get("/account/password"), "password-form", &fields).leads_to("/account");
    other.get("/devices").leads_to("/sign-in?next=devices&notice=ended");
    let page = other.get("/sign-in?next=devices&notice=ended");
    assert!(page.messages()[0].contains("your password has changed"));
    let fields = [("name", "Ada"), ("password", "another one")];
    other.submit(&page, "sign-in-form", &fields).leads_to("/devices");
}
