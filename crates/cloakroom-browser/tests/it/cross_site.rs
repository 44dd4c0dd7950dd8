//! Which requests of other sites take the session along.

use cloakroom_browser::Browser;

use crate::driver::Driver;
use crate::findings::Findings;
use crate::world::{ADAPTERS, World};

/// What the visitor has counted before anybody interferes.
const COUNTED: &str = "5";

/// What is wrong with the way in which links and forms of others take the session along.
async fn examine(browser: &Browser, world: &World) -> Findings {
    let mut found = Findings::default();
    browser.forget_cookies().await;
    log_in(browser, world).await;

    // A link that the user follows.
    let page = format!("<a id=go href='{}'>look</a>", world.shop("/session"));
    browser.visit(&world.evil(&page)).await;
    browser.click("#go").await;
    browser.until("location.pathname == '/session'").await;
    let text = browser.text().await;
    found.demand(text.contains("\"ada\""), || format!("a link from another site arrives logged out: {text}"));

    // What a page fetches by itself: it would count if it came with the session.
    let counting = world.shop("/cached/write");
    browser.visit(&world.evil(&format!("<img src='{counting}'><iframe src='{counting}'></iframe>"))).await;
    let fetch = "await fetch(input, { method: 'POST', mode: 'no-cors', credentials: 'include' })";
    let () = browser.wait_for(fetch, world.shop("/add/hats/1")).await;
    browser.visit(&world.shop("/session")).await;
    let (text, counted) = (browser.text().await, browser.ask("GET", "/value/cached", None).await);
    found.demand(text.contains("\"ada\""), || format!("pages that embed the shop end the session: {text}"));
    found.demand(counted.status == 404, || format!("what a page embeds comes with the session: {counted:?}"));
    let hats = browser.ask("GET", "/value/hats", None).await;
    found.demand(hats.body == COUNTED, || {
        format!("a script of another site comes with the session: {hats:?}")
    });
    assert_eq!(browser.ask("PUT", "/value/hats", Some(COUNTED)).await.status, 204);

    // A form of a neighbour: the same site, and with the session.
    let form = form(&world.shop("/add/hats/1"));
    browser.visit(&world.neighbour(&form)).await;
    browser.click("button").await;
    browser.until("location.pathname == '/add/hats/1'").await;
    let count = browser.text().await;
    found.demand(count == "6", || format!("a form of the same site arrives without the session: {count}"));

    // A form of another site: without.
    browser.visit(&world.evil(&form)).await;
    browser.click("button").await;
    browser.until("location.pathname == '/add/hats/1'").await;
    let count = browser.text().await;
    found.demand(count == "1", || format!("a form of another site arrives with the session: {count}"));
    // No attribute of a cookie helps against that; the policy against forged requests does.
    browser.visit(&world.shop("/session")).await;
    let stays = browser.text().await.contains("\"ada\"");
    println!("noticed: after an answer to a form of another site, the visitor is logged in: {stays}");
    found
}

fn form(action: &str) -> String {
    format!("<form method=post action='{action}'><button>go</button></form>")
}

async fn log_in(browser: &Browser, world: &World) {
    browser.visit(&world.shop("/untouched")).await;
    assert_eq!(browser.ask("POST", "/login/ada", None).await.status, 204);
    assert_eq!(browser.ask("PUT", "/value/hats", Some(COUNTED)).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn links_of_other_sites_arrive_logged_in_and_nothing_else_does() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    for adapter in ADAPTERS {
        let world = World::start(adapter, &[]).await;
        examine(&browser, &world).await.none(&format!(
            "{adapter}: a link of another site comes with the session; its form, image, frame and script do not; a form of \
             the same site does"
        ));
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn a_cookie_that_goes_too_far_or_not_far_enough_is_found() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    for (directive, finding) in [
        ("proxy_cookie_flags ~ samesite=none;", "a form of another site arrives with the session"),
        // Two minutes long, Chromium lets such forms pass.
        ("proxy_cookie_flags ~ nosamesite;", "a form of another site arrives with the session"),
        ("proxy_cookie_flags ~ samesite=strict;", "a link from another site arrives logged out"),
    ] {
        let world = World::start("axum", &[directive]).await;
        examine(&browser, &world).await.some(finding, directive);
    }
    browser.close().await;
}
