//! Notes in the session, which several tabs write.

use std::thread;

use crate::server::Server;

#[test]
fn tabs_that_write_at_once_lose_nothing() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let page = ada.get("/notes");
    thread::scope(|scope| {
        for tab in 0..8 {
            let (ada, page) = (&ada, &page);
            scope.spawn(move || {
                for turn in 0..3 {
                    let text = format!("tab {tab} turn {turn}");
                    ada.submit(page, "add-note-form", &[("text", &text)]).leads_to("/notes");
                }
            });
        }
    });
    let page = ada.get("/notes");
    let mut notes = page.texts("text");
    notes.sort();
    let mut all: Vec<String> =
        (0..8).flat_map(|tab| (0..3).map(move |turn| format!("tab {tab} turn {turn}"))).collect();
    all.sort();
    assert_eq!((notes, page.text_of("note-count").as_deref()), (all, Some("24")));
}

#[test]
fn tabs_that_write_at_once_find_no_more_room_than_there_is() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let page = ada.get("/notes");
    for _ in 0..38 {
        ada.submit(&page, "add-note-form", &[("text", "one of many")]).leads_to("/notes");
    }
    let taken = thread::scope(|scope| {
        let tabs: Vec<_> = (0..12)
            .map(|_| {
                let (ada, page) = (&ada, &page);
                scope.spawn(move || ada.submit(page, "add-note-form", &[("text", "last")]).status)
            })
            .collect();
        tabs.into_iter().map(|tab| tab.join().unwrap()).filter(|status| *status == 303).count()
    });
    assert_eq!((taken, ada.get("/notes").text_of("note-count").as_deref()), (2, Some("40")));
}

#[test]
fn removal_hits_the_note_that_was_shown() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    for text in ["first", "second", "third"] {
        ada.submit(&ada.get("/notes"), "add-note-form", &[("text", text)]).leads_to("/notes");
    }
    // Both tabs show three notes, and both remove the one they show first and last.
    let tabs = [ada.get("/notes"), ada.get("/notes")];
    ada.submit(&tabs[0], "remove-note-form", &[]).leads_to("/notes");
    let last = tabs[1].forms().pop().unwrap().1;
    ada.post(&last, crate::browser::Origin::Ours).leads_to("/notes");
    assert_eq!(ada.get("/notes").texts("text"), ["second"]);
}

#[test]
fn note_that_will_not_do_is_refused_in_words() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    for (text, complaint) in
        [(" ", "There is nothing to note."), (&*"é".repeat(201), "A note has at most 200 characters.")]
    {
        let page = ada.submit(&ada.get("/notes"), "add-note-form", &[("text", text)]).is(422);
        assert_eq!(page.text_of("error").as_deref(), Some(complaint));
    }
    for _ in 0..40 {
        ada.submit(&ada.get("/notes"), "add-note-form", &[("text", &"é".repeat(200))]).leads_to("/notes");
    }
    let page = ada.submit(&ada.get("/notes"), "add-note-form", &[("text", "one more")]).is(422);
    assert_eq!(page.text_of("error").as_deref(), Some("There is room for 40 notes. Remove one first."));
}
