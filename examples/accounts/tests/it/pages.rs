//! What holds for every page: headers, errors, and what there is for eyes and ears.

use crate::page::Page;
use crate::server::Server;

fn has_guards(page: &Page) {
    let policy = page.header("content-security-policy");
    assert!(policy.len() == 1 && policy[0].starts_with("default-src 'none'; style-src 'self';"), "{page:#?}");
    assert!(!policy[0].contains("unsafe"));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), [value]);
    }
}

/// The attributes by which inputs and labels find each other.
fn values<'p>(html: &'p str, tag: &str, attribute: &str) -> Vec<&'p str> {
    let (begin, start) = (format!("<{tag} "), format!("{attribute}=\""));
    let tags = html.split(begin.as_str()).skip(1).map(|rest| rest.split('>').next().unwrap());
    let tags = tags.filter(|tag| !tag.contains("hidden"));
    tags.filter_map(|tag| tag.split_once(&start)).map(|(_, rest)| rest.split('"').next().unwrap()).collect()
}

#[test]
fn every_page_is_guarded_kept_out_of_caches_and_labelled() {
    let server = Server::start(&[]);
    let (ada, visitor) = (server.browser().sign_up("Ada"), server.browser());
    ada.submit(&ada.get("/notes"), "add-note-form", &[("text", "a note")]).leads_to("/notes");
    let members = ["/", "/notes", "/devices", "/account", "/account/password", "/confirm", "/account/delete"];
    let members = members.map(|path| ada.get(path).is(200));
    for page in &members {
        assert_eq!((page.header("cache-control"), page.header("vary")), (vec!["no-store"], vec!["cookie"]));
    }
    for page in members.iter().chain(&["/", "/sign-in", "/sign-up"].map(|path| visitor.get(path).is(200))) {
        has_guards(page);
        assert_eq!(page.html.matches("<h1>").count(), 1);
        assert!(page.html.contains("<html lang=\"en\">") && page.html.contains("name=\"viewport\""));
        assert_eq!(values(&page.html, "input", "id"), values(&page.html, "label", "for"), "{page:#?}");
        assert!(
            !page.html.contains("style=") && !page.html.contains("//"),
            "nothing inline, nothing of others"
        );
        let mut ids: Vec<&str> =
            page.html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "an id stands twice");
    }
}

#[test]
fn page_of_a_member_says_which_one_it_is() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    for (path, id) in [("/", "home"), ("/notes", "notes"), ("/devices", "devices"), ("/account", "account")] {
        let page = ada.get(path).is(200);
        assert_eq!(page.html.matches("aria-current").count(), 1);
        assert!(page.html.contains(&format!("id=\"nav-{id}\" aria-current=\"page\"")), "{page:#?}");
    }
}

#[test]
fn style_sheet_needs_no_session() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let style = ada.get("/style.css").is(200).sets_no_cookie();
    has_guards(&style);
    assert_eq!(style.header("content-type"), ["text/css; charset=utf-8"]);
    assert_eq!(style.header("cache-control"), ["public, max-age=300"]);
    assert!(style.header("vary").is_empty(), "it is the same for everybody");
    assert!(!style.html.contains("url(") && !style.html.contains("@import"));
}

#[test]
fn errors_are_pages_too() {
    let server = Server::start(&[]);
    let ada = server.browser().sign_up("Ada");
    let same = "sec-fetch-site: same-origin\r\n";
    for (page, status) in [
        (ada.get("/nowhere"), 404),
        (ada.get("/sign-out"), 405),
        (ada.send("POST", "/sign-in", same, Some("name=only")), 422),
        (
            ada.send(
                "POST",
                "/sign-in",
                &format!("{same}content-type: text/plain\r\n"),
                Some("name=a&password=b"),
            ),
            415,
        ),
        (ada.send("POST", "/sign-in", same, Some(&"x".repeat(20_000))), 413),
        (ada.send("POST", "/notes", "sec-fetch-site: cross-site\r\n", Some("")), 403),
    ] {
        let page = page.fails_with(status).sets_no_cookie();
        has_guards(&page);
        assert_eq!(page.header("cache-control"), ["no-store"]);
    }
    assert_eq!(ada.who().as_deref(), Some("Ada"));
}
