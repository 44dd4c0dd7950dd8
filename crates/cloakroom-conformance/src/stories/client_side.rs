//! Sessions that their clients carry: what that costs, said and shown.

use super::{App, Client, Settings};

/// The longest `Set-Cookie` line that every browser keeps.
const LONGEST_LINE: usize = 4093;

/// A visitor logs out, and somebody has kept a copy of the cookie.
///
/// 1. The browser forgets its cookie.
/// 2. The copy goes on: nobody remembers that it was taken back. A login and a rotation do not end it either.
/// 3. Unused it ends by itself, with its idle time.
pub async fn copied_cookie_goes_on_to_its_deadline(app: &impl App) {
    let idle = std::time::Duration::from_millis(1500);
    let instance = app.start(Settings::new().with_idle(idle)).await;
    let visitor = Client::of(&instance);
    visitor.post("/login/ada").await.is(204);
    let kept = visitor.cookies();
    visitor.post("/rotate").await.is(204);
    visitor.post("/login/ada").await.is(204);
    visitor.post("/logout").await.is(204);
    assert!(visitor.token().is_none(), "the browser keeps the cookie");
    let seen = Client::with_cookies(&instance, kept.clone()).get("/session").await.is(200).json();
    assert!(seen["principal"] == "ada", "the copy opens {seen}; sessions can be taken back, then say so");
    super::pass(idle).await;
    assert!(!Client::with_cookies(&instance, kept).is_known().await, "the copy outlives its idle time");
}

/// A visitor fills the session.
///
/// 1. Every cookie that is set fits into a browser.
/// 2. The value that no longer fits is answered with 413, and the cookie stays as it was.
pub async fn every_cookie_fits_into_a_browser(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    for n in 0..200 {
        let answer = visitor.put(&format!("/value/v{n}"), format!("\"{}\"", "x".repeat(60))).await;
        if answer.status() == 413 {
            answer.sets_no_cookie();
            assert!(n > 10, "{n} values of 60 bytes fill a cookie");
            let keys = visitor.get("/session").await.is(200).json()["keys"].as_array().map(Vec::len);
            assert!(keys == Some(n), "the session has {keys:?} values; the story wants {n}");
            return;
        }
        let lines = answer.is(204).header("set-cookie");
        assert!(lines.iter().all(|line| line.len() <= LONGEST_LINE), "a cookie is too long for browsers");
    }
    panic!("200 values of 60 bytes fit into a cookie");
}
