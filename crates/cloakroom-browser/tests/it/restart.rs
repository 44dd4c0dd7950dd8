//! What is left of sessions when the browser ends and is started again.

use cloakroom_browser::Browser;
use cloakroom_testkit::until;

use crate::driver::Driver;
use crate::findings::Findings;
use crate::world::{ADAPTERS, COOKIE, Testbed, https};

/// How long the shop remembers those who ask for it: 30 days.
const REMEMBER: &str = "/remember/2592000";

/// Whether the visitor asks to be remembered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wish {
    Remembered,
    Forgotten,
}

/// Somebody at a page of her own host, so that one browser can be everybody's.
struct Visitor {
    page: String,
    does: Wish,
    expects: Wish,
}

/// What is wrong after a restart of the browser, for each visitor who logged in before it.
async fn examine(driver: &Driver, visitors: &[Visitor]) -> Vec<Findings> {
    let browser = driver.browser().await;
    for Visitor { page, does, .. } in visitors {
        browser.visit(page).await;
        assert_eq!(browser.ask("POST", "/login/ada", None).await.status, 204);
        if *does == Wish::Remembered {
            assert_eq!(browser.ask("POST", REMEMBER, None).await.status, 204);
        }
        assert!(is_ada(&browser).await, "nobody is logged in");
    }
    end(driver, browser).await;

    let browser = driver.browser().await;
    let mut all = Vec::new();
    for Visitor { page, expects, .. } in visitors {
        let mut found = Findings::default();
        browser.visit(page).await;
        let kept = browser.cookies().await.iter().any(|cookie| cookie.name == COOKIE);
        let known = is_ada(&browser).await;
        let expected = *expects == Wish::Remembered;
        found.demand(kept == expected, || format!("after a restart, the cookie is there: {kept}"));
        found.demand(known == expected, || format!("after a restart, the visitor is logged in: {known}"));
        all.push(found);
    }
    end(driver, browser).await;
    all
}

async fn is_ada(browser: &Browser) -> bool {
    browser.ask("GET", "/session", None).await.body.contains("\"ada\"")
}

/// Ends a browser, and waits until the last of its processes is gone.
async fn end(driver: &Driver, browser: Browser) {
    browser.close().await;
    until(|| driver.processes() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn who_asks_is_remembered_after_a_restart_and_nobody_else() {
    let driver = Driver::start();
    let (mut running, mut visitors, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for adapter in ADAPTERS {
        let testbed = Testbed::start(adapter).await;
        let front = testbed.behind_tls(&[]);
        for (host, wish) in [("asks", Wish::Remembered), ("does-not", Wish::Forgotten)] {
            let page = https(&format!("{adapter}-{host}.test"), &front, "/untouched");
            visitors.push(Visitor { page, does: wish, expects: wish });
            names.push(format!("{adapter}: after a restart of the browser: {wish:?}"));
        }
        running.push((testbed, front));
    }
    for (found, name) in examine(&driver, &visitors).await.into_iter().zip(names) {
        found.none(&name);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn a_cookie_that_lives_too_long_or_not_long_enough_is_found() {
    let driver = Driver::start();
    let testbed = Testbed::start("axum").await;
    let planted = "proxy_cookie_path / \"/; Max-Age=600\";";
    let (spoiled, front) = (testbed.behind_tls(&[planted]), testbed.behind_tls(&[]));
    let (forgotten, remembered) = (Wish::Forgotten, Wish::Remembered);
    let visitors = [
        Visitor { page: https("a.test", &spoiled, "/untouched"), does: forgotten, expects: forgotten },
        Visitor { page: https("b.test", &front, "/untouched"), does: forgotten, expects: remembered },
    ];
    let mut found = examine(&driver, &visitors).await.into_iter();
    found.next().unwrap().some("the visitor is logged in: true", planted);
    found.next().unwrap().some("the visitor is logged in: false", "a wish that nobody heard");
}
