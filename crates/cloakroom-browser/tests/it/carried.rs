//! Sessions that the browser carries itself, up to the size of a cookie.

use cloakroom_browser::{Browser, Site};

use crate::driver::Driver;
use crate::findings::Findings;
use crate::world::{ADAPTERS, COOKIE, Testbed, https};

/// The largest name and value together that browsers keep, in bytes.
const LIMIT: usize = 4096;
/// The largest session that fits into the testbed's cookie, encoded; its manager takes no larger number.
const MAX_SIZE: &str = "2937";

/// What is wrong with the largest session that the server lets the browser carry.
async fn examine(browser: &Browser, page: &str) -> (Findings, usize) {
    let mut found = Findings::default();
    browser.forget_cookies().await;
    browser.visit(page).await;
    let (mut taken, mut refused) = (0, LIMIT);
    while refused - taken > 1 {
        let middle = taken.midpoint(refused);
        match put(browser, middle).await {
            204 => taken = middle,
            413 => refused = middle,
            status => panic!("{middle} letters: {status}"),
        }
    }
    // One letter too many: refused, and what was there stays.
    assert_eq!(put(browser, taken).await, 204);
    assert_eq!(put(browser, refused).await, 413);
    browser.reload().await;
    let kept = browser.ask("GET", "/value/big", None).await;
    let length = if kept.status == 200 { kept.body.len().saturating_sub(2) } else { 0 };
    found.demand(length == taken, || format!("of {taken} letters, the browser brings back {length}"));
    let size = browser.cookies().await.iter().find(|cookie| cookie.name == COOKIE).map(|cookie| cookie.size);
    let size = size.unwrap_or_default();
    found.demand((LIMIT - 200..=LIMIT).contains(&size), || format!("a cookie of {size} bytes"));
    (found, taken)
}

async fn put(browser: &Browser, letters: usize) -> u16 {
    browser.ask("PUT", "/value/big", Some(&format!("\"{}\"", "x".repeat(letters)))).await.status
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn the_largest_session_comes_back_and_a_larger_one_is_refused() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    for adapter in ADAPTERS {
        let testbed = Testbed::start_with(adapter, "cookie:", &["--max-size", MAX_SIZE]).await;
        let (found, letters) = examine(&browser, &testbed.url("/untouched")).await;
        found.none(&format!(
            "{adapter}: a carried session of {letters} letters is kept and comes back; one more is 413, and the old one stays"
        ));
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn a_cookie_that_the_browser_drops_is_found() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    let testbed = Testbed::start_with("axum", "cookie:", &["--max-size", MAX_SIZE]).await;
    // The prefix of its name asks for the path of everything.
    let planted = "proxy_cookie_path / /shop;";
    // Its own buffer for headers is smaller than such a cookie.
    let front = testbed.behind_tls(&[planted, "proxy_buffer_size 8k; proxy_buffers 8 8k;"]);
    let (found, _) = examine(&browser, &https("shop.test", &front, "/untouched")).await;
    found.some("the browser brings back 0", planted);
    browser.close().await;
}

/// The bound itself: what the library reckons with is what the browser does.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn the_browser_keeps_4096_bytes_of_name_and_value_and_not_one_more() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    let site = Site::start().await;
    let mut found = Findings::default();
    for (size, expected) in [(LIMIT, true), (LIMIT + 1, false)] {
        let value = "x".repeat(size - "coat".len());
        let page =
            site.put_with("<p>coat", &[("set-cookie", &format!("coat={value}; Path=/; HttpOnly; Secure"))]);
        browser.forget_cookies().await;
        browser.visit(&format!("http://localhost:{}{page}", site.address().port())).await;
        let cookies = browser.cookies().await;
        let kept = cookies.iter().any(|cookie| cookie.size == size);
        found.demand(kept == expected, || format!("a cookie of {size} bytes is kept: {kept}"));
    }
    found.none("Chromium keeps a name and value of 4096 bytes, and drops 4097");
    browser.close().await;
}
