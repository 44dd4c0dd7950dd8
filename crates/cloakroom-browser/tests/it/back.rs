//! The back button after a logout.

use cloakroom_browser::Browser;

use crate::driver::Driver;
use crate::findings::Findings;
use crate::world::{ADAPTERS, Testbed, plain};

/// A server before the shop that lets the browser keep pages, whoever is logged in.
pub(crate) const KEEPABLE: &str = "proxy_hide_header Cache-Control; proxy_hide_header Vary; \
    add_header Cache-Control \"private, max-age=600\";";

/// What the back button still shows of somebody who has logged out, behind the front where she was.
async fn examine(browser: &Browser, front: impl Fn(&str) -> String) -> Findings {
    let mut found = Findings::default();
    browser.forget_cookies().await;
    browser.visit(&front("/untouched")).await;
    assert_eq!(browser.ask("POST", "/login/ada", None).await.status, 204);
    browser.visit(&front("/session")).await;
    assert!(browser.text().await.contains("\"ada\""));
    let () = browser.run("window.mark = 1").await;

    browser.visit(&front("/untouched")).await;
    assert_eq!(browser.ask("POST", "/logout", None).await.status, 204);
    browser.back().await;
    browser.until("location.pathname == '/session' && document.readyState == 'complete'").await;
    let (text, alive) = (browser.text().await, browser.run::<bool>("return window.mark === 1").await);
    let how = if alive { "the page itself" } else { "a page from a cache" };
    found.demand(!text.contains("ada"), || format!("the back button shows {how}: {text}"));
    found.demand(!alive, || "the back button wakes the page".to_owned());
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn the_back_button_shows_nothing_after_a_logout() {
    let driver = Driver::start();
    let (browser, forgetful) = (driver.browser().await, driver.browser_without_frozen_pages().await);
    for adapter in ADAPTERS {
        let testbed = Testbed::start(adapter).await;
        for (browser, which) in [(&browser, "with"), (&forgetful, "without")] {
            let found = examine(browser, |path| testbed.url(path)).await;
            found.none(&format!("{adapter}: back after logout, {which} frozen pages (bfcache)"));
        }
    }
    forgetful.close().await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn a_page_that_may_be_kept_is_found_behind_the_back_button() {
    let driver = Driver::start();
    let (browser, forgetful) = (driver.browser().await, driver.browser_without_frozen_pages().await);
    let testbed = Testbed::start("axum").await;
    // Without TLS: of a server whose certificate it does not know, the browser keeps nothing in its cache.
    let front = testbed.behind_tls(&[KEEPABLE]);
    for (browser, how) in [(&browser, "the page itself"), (&forgetful, "a page from a cache")] {
        examine(browser, |path| plain(&front, path)).await.some(how, KEEPABLE);
    }
    forgetful.close().await;
    browser.close().await;
}
