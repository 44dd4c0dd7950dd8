//! Texts that would like to be more than text.

use crate::server::Server;

const MARKUP: &str = "<script>alert('\"&\"')</script>";

#[test]
fn names_and_notes_are_text_and_never_markup() {
    let server = Server::start(&[]);
    let mallory = server.browser().called(MARKUP).sign_up(MARKUP);
    mallory.submit(&mallory.get("/notes"), "add-note-form", &[("text", MARKUP)]).leads_to("/notes");
    for path in ["/", "/notes", "/devices", "/account", "/account/password", "/confirm", "/account/delete"] {
        let page = mallory.get(path).is(200);
        assert!(!page.html.contains("<script"), "{path}: {page:#?}");
        assert_eq!(page.text_of("who").as_deref(), Some(MARKUP));
    }
    assert_eq!(mallory.get("/notes").texts("text"), [MARKUP]);
    let visitor = server.browser();
    for (path, form) in [("/sign-in", "sign-in-form"), ("/sign-up", "sign-up-form")] {
        let fields = [("name", MARKUP), ("password", "x"), ("password_again", "x")];
        let page = visitor.submit(&visitor.get(path), form, &fields).is(422);
        assert!(!page.html.contains("<script"), "{page:#?}");
        assert_eq!(page.form(form).value("name"), Some(MARKUP));
    }
    let page = visitor.get("/sign-in?next=%22%3E%3Cscript%3E&notice=%3Cscript%3E").is(200);
    assert!(!page.html.contains("<script") && page.messages().is_empty());
}

#[test]
fn header_of_a_browser_can_be_anything() {
    let server = Server::start(&[]);
    let odd = server.browser().called(&"x".repeat(4000)).sign_up("Ada");
    assert!(odd.get("/devices").is(200).html.contains(">An unknown browser<"));
}
