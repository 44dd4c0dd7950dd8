//! Two tabs of one browser share one session.

use cloakroom_browser::Browser;
use serde_json::json;

use crate::driver::Driver;
use crate::findings::Findings;
use crate::world::{ADAPTERS, Testbed, https};

/// How often each of two tabs writes.
const WRITES: u32 = 40;

/// What one tab still sees after the other one has logged out, over a front of its own.
async fn examine_logout(
    browser: &Browser,
    front: impl Fn(&str) -> String,
    exit: impl Fn(&str) -> String,
) -> Findings {
    let mut found = Findings::default();
    browser.forget_cookies().await;
    browser.visit(&front("/untouched")).await;
    assert_eq!(browser.ask("POST", "/login/ada", None).await.status, 204);
    browser.visit(&front("/session")).await;
    let first = browser.tab().await;
    assert!(browser.text().await.contains("\"ada\""));

    browser.new_tab().await;
    browser.visit(&exit("/session")).await;
    assert!(browser.text().await.contains("\"ada\""), "the other tab is logged in as well");
    assert_eq!(browser.ask("POST", "/logout", None).await.status, 204);
    browser.close_tab().await;

    browser.switch(&first).await;
    let asked = browser.ask("GET", "/session", None).await;
    found.demand(!asked.body.contains("ada"), || {
        format!("a script of the first tab is still logged in: {asked:?}")
    });
    browser.reload().await;
    let text = browser.text().await;
    found.demand(!text.contains("ada"), || format!("the first tab is still logged in: {text}"));
    found
}

/// What is lost when two tabs run a script at once that counts, many requests at a time.
async fn examine_writes(browser: &Browser, page: &str, count: &str) -> Findings {
    let mut found = Findings::default();
    browser.forget_cookies().await;
    browser.visit(page).await;
    assert_eq!(browser.ask("PUT", "/value/n", Some("0")).await.status, 204);
    let first = browser.tab().await;
    let second = browser.new_tab().await;
    browser.visit(page).await;

    let begin = format!(
        "const [{{ writes, tab }}] = arguments;
        const count = async i => {{ {count} }};
        window.work = Promise.all(Array.from({{ length: writes }}, (_, i) => count(i)));"
    );
    for (tab, name) in [(&first, "first"), (&second, "second")] {
        browser.switch(tab).await;
        // Not awaited here, so that the tabs work beside each other.
        browser.run_with::<()>(&begin, json!({ "writes": WRITES, "tab": name })).await;
    }
    for tab in [&first, &second] {
        browser.switch(tab).await;
        let statuses: Vec<u16> = browser.wait_for("return await window.work", ()).await;
        let failed: Vec<&u16> = statuses.iter().filter(|status| !(200..300).contains(*status)).collect();
        found.demand(failed.is_empty(), || format!("requests failed: {failed:?}"));
    }
    let total = browser.ask("GET", "/value/n", None).await.body;
    found.demand(total == (2 * WRITES).to_string(), || format!("{total} of {} writes are left", 2 * WRITES));
    let described = browser.ask("GET", "/session", None).await.body;
    for tab in ["first", "second"] {
        let of_tab = described.matches(&format!("\"{tab}")).count();
        found.demand(of_tab == WRITES as usize, || {
            format!("{of_tab} of {WRITES} values of the {tab} tab are left")
        });
    }
    browser.close_tab().await;
    browser.switch(&first).await;
    found
}

/// Counts, and leaves a value of its own.
const BY_UPDATE: &str = "const added = await fetch('/slow/5/add/n/1', { method: 'POST' });
    const set = await fetch(`/value/${tab}${i}`, { method: 'PUT', body: '1' });
    return Math.max(added.status, set.status);";

/// Counts by itself, as an application should not.
const BY_HAND: &str = "const n = await (await fetch('/value/n')).json();
    const put = await fetch('/slow/5/value/n', { method: 'POST', body: String(n + 1) });
    const set = await fetch(`/value/${tab}${i}`, { method: 'PUT', body: '1' });
    return Math.max(put.status, set.status);";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn a_logout_in_one_tab_is_seen_in_the_other() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    for adapter in ADAPTERS {
        for store in ["memory:", "cookie:"] {
            let testbed = Testbed::start_with(adapter, store, &[]).await;
            let front = |path: &str| testbed.url(path);
            examine_logout(&browser, front, front)
                .await
                .none(&format!("{adapter}: logout in another tab, {store}"));
        }
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn a_logout_that_does_not_reach_the_browser_is_found_where_it_holds_the_session() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    let planted = "proxy_hide_header Set-Cookie;";
    for (store, is_lost) in [("memory:", false), ("cookie:", true)] {
        let testbed = Testbed::start_with("axum", store, &[]).await;
        let (front, exit) = (testbed.behind_tls(&[]), testbed.behind_tls(&[planted]));
        let (front, exit) =
            (|path: &str| https("shop.test", &front, path), |path: &str| https("shop.test", &exit, path));
        let found = examine_logout(&browser, front, exit).await;
        if is_lost {
            found.some("still logged in", planted);
        } else {
            found.none(
                "a logout whose answer is lost ends the session all the same, where the server holds it",
            );
        }
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn two_tabs_that_write_at_once_lose_nothing() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    for adapter in ADAPTERS {
        let testbed = Testbed::start(adapter).await;
        let found = examine_writes(&browser, &testbed.url("/untouched"), BY_UPDATE).await;
        found.none(&format!("{adapter}: two tabs count to {} and set as many values at once", 2 * WRITES));
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn writes_that_were_lost_are_found() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    let testbed = Testbed::start("axum").await;
    let found = examine_writes(&browser, &testbed.url("/untouched"), BY_HAND).await;
    found.some("writes are left", "a page that counts by itself");
    browser.close().await;
}
