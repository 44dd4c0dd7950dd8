//! The password once more, before something dangerous.

use std::thread;
use std::time::{Duration, Instant};

use crate::browser::{Browser, Origin, PASSWORD};
use crate::server::Server;

/// Waits until the sign-in of this browser is too old.
fn wait_until_asked(browser: &Browser) {
    let start = Instant::now();
    while browser.get("/account/delete").status != 303 {
        assert!(start.elapsed() < Duration::from_secs(30), "it is never asked");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn dangerous_page_asks_for_the_password_and_goes_on() {
    let server = Server::start(&["--step-up-after", "3"]);
    let ada = server.browser().sign_up("Ada");
    // So fresh a sign-in is good enough.
    let form = ada.get("/account/delete").is(200).form("delete-form").with(&[("sure", "yes")]);
    wait_until_asked(&ada);
    ada.get("/account/delete").leads_to("/confirm?next=delete-account");
    // What was open already is asked, too, and nothing is deleted.
    ada.post(&form, Origin::Ours).leads_to("/confirm?next=delete-account");
    assert_eq!(ada.who().as_deref(), Some("Ada"));

    let page = ada.get("/confirm?next=delete-account").is(200);
    let page = ada.submit(&page, "confirm-form", &[("password", "wrong")]).is(422);
    assert_eq!(page.text_of("error").as_deref(), Some("That is not your password."));
    ada.get("/account/delete").leads_to("/confirm?next=delete-account");
    let page = ada.submit(&page, "confirm-form", &[("password", PASSWORD)]);
    let page = page.leads_to("/account/delete");
    assert_eq!(page.header("set-cookie").len(), 1, "the secret is a new one");
    ada.get("/account/delete").is(200);
    // Pages that are not dangerous never ask.
    wait_until_asked(&ada);
    for path in ["/", "/notes", "/devices", "/account", "/account/password"] {
        ada.get(path).is(200);
    }
}

#[test]
fn deleted_account_is_signed_out_everywhere_and_its_name_is_free() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let (other, bob) = (server.browser().sign_in("Ada"), server.browser().sign_up("Bob"));
    let page = ada.get("/account/delete").is(200);
    let page = ada.submit(&page, "delete-form", &[]).is(422);
    assert_eq!(page.text_of("error").as_deref(), Some("Please tick the box if you are sure."));
    ada.submit(&page, "delete-form", &[("sure", "yes")]).leads_to("/?notice=deleted");
    assert_eq!(
        ada.get("/?notice=deleted").messages(),
        ["Your account is gone, and so are all its sign-ins."]
    );
    assert_eq!((ada.who(), other.who(), bob.who()), (None, None, Some("Bob".into())));

    let namesake = server.browser().sign_up("Ada");
    assert_eq!(namesake.get("/devices").html.matches("<li class=\"device").count(), 1);
    assert_eq!((ada.who(), other.who()), (None, None));
}
