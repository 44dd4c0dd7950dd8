//! Where somebody is signed in, and how that ends.

use crate::browser::{Browser, Origin};
use crate::page::{Form, Page};
use crate::server::Server;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/18.5 Mobile/15E148 Safari/604.1";

/// Ada at her desk and on the way.
fn ada_twice(server: &Server) -> (Browser, Browser) {
    let desk = server.browser().called(FIREFOX).sign_up("Ada");
    let phone = server.browser().called(IPHONE).sign_in("Ada");
    (desk, phone)
}

/// Each device: its name, and whether it is this one.
fn devices(page: &Page) -> Vec<(String, bool)> {
    let items = page.html.split("<li class=\"device").skip(1);
    let mut devices: Vec<_> = items
        .map(|item| {
            let name = item.split_once("class=\"name\"").unwrap().1.split_once('>').unwrap().1;
            (name.split('<').next().unwrap().to_owned(), item.starts_with(" current"))
        })
        .collect();
    devices.sort();
    devices
}

#[test]
fn list_tells_devices_apart_and_which_one_this_is() {
    let server = Server::start(&[]);
    let (desk, phone) = ada_twice(&server);
    server.browser().sign_up("Bob");
    let (firefox, safari) = ("Firefox on Linux".to_owned(), "Safari on iPhone".to_owned());
    let page = desk.get("/devices").is(200);
    assert_eq!(devices(&page), [(firefox.clone(), true), (safari.clone(), false)]);
    assert_eq!(
        (page.texts("last-used"), page.texts("began")),
        (vec!["just now".into(); 2], vec!["just now".into(); 2])
    );
    assert_eq!(devices(&phone.get("/devices")), [(firefox, false), (safari, true)]);
}

#[test]
fn lost_phone_is_signed_out_and_nobody_else() {
    let server = Server::start(&[]);
    let (desk, phone) = ada_twice(&server);
    let tablet = server.browser().sign_in("Ada");
    let page = desk.get("/devices");
    let handle = page.html.split("<li ").find(|item| item.contains("Safari on iPhone")).unwrap();
    let handle = handle.split("data-handle=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    desk.submit(&page, "end-device-form", &[("handle", &handle)]).leads_to("/devices");
    assert_eq!(desk.get("/devices").messages(), ["Signed out there."]);
    assert_eq!((phone.who(), desk.who(), tablet.who()), (None, Some("Ada".into()), Some("Ada".into())));
    phone.get("/notes").leads_to("/sign-in?next=notes");

    desk.submit(&page, "end-device-form", &[("handle", &handle)]).leads_to("/devices");
    assert_eq!(desk.get("/devices").messages(), ["It was over already."]);
    desk.submit(&page, "end-device-form", &[("handle", "no handle")]).leads_to("/devices");
    assert_eq!(desk.get("/devices").messages(), ["It was over already."]);
}

#[test]
fn all_others_are_signed_out_at_once() {
    let server = Server::start(&[]);
    let (desk, phone) = ada_twice(&server);
    let (tablet, bob) = (server.browser().sign_in("Ada"), server.browser().sign_up("Bob"));
    let page = desk.get("/devices");
    desk.submit(&page, "end-others-form", &[]).leads_to("/devices");
    assert_eq!((phone.who(), tablet.who()), (None, None));
    assert_eq!((desk.who(), bob.who()), (Some("Ada".into()), Some("Bob".into())));
    let page = desk.get("/devices");
    assert_eq!(devices(&page), [("Firefox on Linux".to_owned(), true)]);
    assert!(page.forms().iter().all(|(name, _)| name == "sign-out-form"), "there is nothing left to end");
}

#[test]
fn nobody_ends_the_session_of_somebody_else() {
    let server = Server::start(&[]);
    let (ada, _phone) = ada_twice(&server);
    let page = ada.get("/devices");
    let eve = server.browser().sign_up("Eve");
    let token = eve.get("/").form("sign-out-form").value("csrf_token").unwrap().to_owned();
    for item in page.html.split("data-handle=\"").skip(1) {
        let fields = [("csrf_token", token.as_str()), ("handle", item.split('"').next().unwrap())];
        eve.post(&Form::made_up("/devices/end", &fields), Origin::Ours).leads_to("/devices");
        assert_eq!(eve.get("/devices").messages(), ["It was over already."]);
    }
    assert_eq!(devices(&ada.get("/devices")).len(), 2);
}

#[test]
fn ending_this_device_is_signing_out() {
    let server = Server::start(&[]);
    let (desk, phone) = ada_twice(&server);
    let page = desk.get("/devices");
    let current = page.html.split("<li class=\"device current\" data-handle=\"").nth(1).unwrap();
    let current = current.split('"').next().unwrap().to_owned();
    desk.submit(&page, "end-device-form", &[("handle", &current)]).leads_to("/sign-in?notice=signed-out");
    assert_eq!((desk.who(), phone.who()), (None, Some("Ada".into())));
}
