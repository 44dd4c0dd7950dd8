//! The cookie as the browser keeps it.

use cloakroom_browser::{Browser, SameSite};

use crate::driver::Driver;
use crate::findings::Findings;
use crate::world::{ADAPTERS, COOKIE, Testbed, https};

/// What is wrong with the cookie of a page, and with what the browser does with it.
async fn examine(browser: &Browser, page: &str, host: &str) -> Findings {
    let mut found = Findings::default();
    browser.visit(page).await;
    let written = browser.ask("PUT", "/value/hat", Some("\"bowler\"")).await;
    found.demand(written.status == 204, || format!("writing: {written:?}"));
    let read = browser.ask("GET", "/value/hat", None).await;
    found.demand(read.body == "\"bowler\"", || format!("the session does not come back: {read:?}"));
    browser.reload().await;
    let seen: String = browser.run("return document.cookie").await;
    found.demand(seen.is_empty(), || "scripts see the cookie".to_owned());

    let cookies = browser.cookies().await;
    let Some(cookie) = cookies.iter().find(|cookie| cookie.name == COOKIE) else {
        found.demand(false, || format!("the browser has not kept {COOKIE}"));
        return found;
    };
    found.demand(cookies.len() == 1, || format!("{} cookies", cookies.len()));
    found.demand(cookie.http_only, || "no HttpOnly".to_owned());
    found.demand(cookie.secure, || "no Secure".to_owned());
    found.demand(cookie.path == "/", || format!("Path={}", cookie.path));
    found.demand(cookie.domain == host, || format!("it is for {}, not {host} alone", cookie.domain));
    found.demand(cookie.same_site == Some(SameSite::Lax), || format!("SameSite: {:?}", cookie.same_site));
    found.demand(cookie.session, || "it outlives the browser".to_owned());
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn the_cookie_is_kept_on_localhost_without_tls_and_hidden_from_scripts() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    for adapter in ADAPTERS {
        let testbed = Testbed::start(adapter).await;
        browser.forget_cookies().await;
        let found = examine(&browser, &testbed.url("/untouched"), "localhost").await;
        found.none(&format!("{adapter}: {COOKIE} on http://localhost, HttpOnly, Secure, Lax, of one host"));
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn the_cookie_is_kept_with_tls_and_hidden_from_scripts() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    for adapter in ADAPTERS {
        let testbed = Testbed::start(adapter).await;
        let front = testbed.behind_tls(&[]);
        let found = examine(&browser, &https("shop.test", &front, "/untouched"), "shop.test").await;
        found.none(&format!("{adapter}: {COOKIE} on https://shop.test, HttpOnly, Secure, Lax, of one host"));
        browser.forget_cookies().await;
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn a_cookie_that_lost_an_attribute_is_found() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    let testbed = Testbed::start("axum").await;
    let not_kept = "has not kept";
    for (directive, finding) in [
        ("proxy_cookie_flags ~ nohttponly;", "scripts see the cookie"),
        ("proxy_cookie_flags ~ nosecure;", not_kept),
        ("proxy_cookie_flags ~ nosamesite;", "SameSite: None"),
        ("proxy_cookie_flags ~ samesite=none;", "SameSite: Some(None)"),
        ("proxy_cookie_path / /shop;", not_kept),
        ("proxy_cookie_path / \"/; Domain=shop.test\";", not_kept),
        ("proxy_cookie_path / \"/; Max-Age=600\";", "it outlives the browser"),
    ] {
        let front = testbed.behind_tls(&[directive]);
        browser.forget_cookies().await;
        let found = examine(&browser, &https("shop.test", &front, "/untouched"), "shop.test").await;
        found.some(finding, directive);
    }
    browser.close().await;
}
