//! A store that does not answer: a page that says so, and nobody is signed out by it.

use std::path::Path;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::browser::{Browser, PASSWORD};
use crate::server::Server;

/// Does something to a file that the server uses.
fn change(file: &Path, statement: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(file);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// Every page and every form is refused, and the cookie stays.
fn is_out(browser: &Browser, forms: &crate::page::Page) {
    for path in ["/", "/notes", "/devices", "/account", "/sign-in", "/sign-up"] {
        let page = browser.get(path).fails_with(503).sets_no_cookie();
        assert!(page.html.contains("You have not been signed out"), "{page:#?}");
    }
    for (_, form) in forms.forms() {
        browser.post(&form, crate::browser::Origin::Ours).fails_with(503).sets_no_cookie();
    }
}

#[test]
fn outage_of_the_sessions_is_a_page_and_no_sign_out() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    ada.submit(&ada.get("/notes"), "add-note-form", &[("text", "stays")]).leads_to("/notes");
    let page = ada.get("/notes");

    change(&server.sessions(), "ALTER TABLE cloakroom_sessions RENAME TO away");
    is_out(&ada, &page);
    // Who has no session needs no store to look around, but cannot sign in.
    let bob = server.browser();
    let form = bob.get("/sign-in").is(200);
    let fields = [("name", "Ada"), ("password", PASSWORD)];
    bob.submit(&form, "sign-in-form", &fields).fails_with(503).sets_no_cookie();
    bob.get("/style.css").is(200);

    change(&server.sessions(), "ALTER TABLE away RENAME TO cloakroom_sessions");
    assert_eq!(ada.who().as_deref(), Some("Ada"));
    assert_eq!(ada.get("/notes").texts("text"), ["stays"]);
    bob.submit(&form, "sign-in-form", &fields).leads_to("/");
}

/// The accounts have taken it when the sessions turn out to be out.
#[test]
fn what_was_done_before_an_outage_is_not_denied() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let form = ada.get("/account/password");
    let refuse =
        "CREATE TRIGGER out BEFORE UPDATE ON cloakroom_sessions BEGIN SELECT RAISE(ABORT, 'out'); END;
        CREATE TRIGGER shut BEFORE INSERT ON cloakroom_sessions BEGIN SELECT RAISE(ABORT, 'out'); END;";
    let heal = "DROP TRIGGER out; DROP TRIGGER shut;";

    change(&server.sessions(), refuse);
    let new = "incorrect donkey";
    let fields = [("current_password", PASSWORD), ("new_password", new), ("new_password_again", new)];
    let page = ada.submit(&form, "password-form", &fields).fails_with(503);
    assert!(page.html.contains("Perhaps a part of what you sent was taken"), "{page:#?}");
    let bob = server.browser();
    let fields = [("name", "Bob"), ("password", PASSWORD), ("password_again", PASSWORD)];
    let page = bob.submit(&bob.get("/sign-up"), "sign-up-form", &fields).fails_with(503);
    assert!(page.html.contains("Perhaps a part of what you sent was taken"), "{page:#?}");

    change(&server.sessions(), heal);
    ada.get("/notes").leads_to("/sign-in?next=notes&notice=ended");
    let fields = [("name", "Ada"), ("password", new)];
    ada.submit(&ada.get("/sign-in"), "sign-in-form", &fields).leads_to("/");
    assert_eq!(bob.sign_in("Bob").who().as_deref(), Some("Bob"));
}

#[test]
fn account_that_is_gone_is_not_said_to_be_signed_in() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let form = ada.get("/account/delete");
    let refuse =
        "CREATE TRIGGER out BEFORE DELETE ON cloakroom_sessions BEGIN SELECT RAISE(ABORT, 'out'); END";
    change(&server.sessions(), refuse);
    let page = ada.submit(&form, "delete-form", &[("sure", "yes")]).fails_with(503);
    assert!(page.html.contains("Perhaps a part of what you sent was taken"), "{page:#?}");
    assert!(!page.html.contains("not been signed out"), "{page:#?}");

    change(&server.sessions(), "DROP TRIGGER out");
    ada.get("/notes").leads_to("/sign-in?next=notes&notice=ended");
}

#[test]
fn outage_of_the_accounts_is_a_page_and_no_sign_out() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let page = ada.get("/notes");
    change(&server.accounts(), "ALTER TABLE accounts RENAME TO away");
    is_out(&ada, &page);
    change(&server.accounts(), "ALTER TABLE away RENAME TO accounts");
    assert_eq!(ada.who().as_deref(), Some("Ada"));
}
