//! When sessions end by themselves. Time itself is the story here, so these wait.

use std::time::{Duration, Instant};

use super::{App, Client, Settings};

/// A session that nobody uses.
///
/// 1. With 400 ms of idle time it is there at once, and gone after 800 ms (and the resolution of the store).
/// 2. No cookie is taken away: another request may just have set a new one.
/// 3. The next write begins a new session under another token.
pub async fn idle_session_ends(app: &impl App) {
    let instance = app.start(Settings::new().with_idle(Duration::from_millis(400))).await;
    let visitor = Client::of(&instance);
    visitor.post("/login/ada").await.is(204);
    let old = visitor.token();
    super::pass(Duration::from_millis(800) + app.resolution()).await;
    let seen = visitor.get("/session").await.is(200).sets_no_cookie().json();
    assert!(seen["new"] == true && seen["principal"].is_null(), "the idle session is {seen}");
    let token = visitor.put("/value/a", "1").await.is(204).token();
    assert!(token.is_some() && token != old, "the new session has the old token");
}

/// A session in use.
///
/// 1. With 800 ms of idle time and a look every 300 ms, it is there after two seconds.
/// 2. Looking is enough, and sends no cookie (where it is a token).
pub async fn session_in_use_lives_on(app: &impl App) {
    let instance = app.start(Settings::new().with_idle(Duration::from_millis(800))).await;
    let visitor = Client::of(&instance);
    visitor.put("/value/a", "1").await.is(204);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        super::pass(Duration::from_millis(300)).await;
        let seen = app.client_keeps().stays_with(visitor.get("/session").await.is(200)).json();
        assert!(seen["new"] == false, "the session ended {:?} after its start", start.elapsed());
    }
}

/// A session in use that has reached its greatest age.
///
/// 1. With an absolute time of 1.2 s and a look every 100 ms, it is there for at least 1.1 s.
/// 2. It ends before 1.5 s are over. Rotation does not make it live longer.
pub async fn session_in_use_ends_at_its_absolute_age(app: &impl App) {
    let settings =
        Settings::new().with_idle(Duration::from_millis(900)).with_absolute(Duration::from_millis(1200));
    let instance = app.start(settings).await;
    let visitor = Client::of(&instance);
    visitor.put("/value/a", "1").await.is(204);
    let start = Instant::now();
    loop {
        super::pass(Duration::from_millis(100)).await;
        let before = start.elapsed();
        let seen = visitor.get("/session").await.is(200).json();
        if seen["new"] == true {
            let after = start.elapsed();
            assert!(after >= Duration::from_millis(1100), "the session ended after {after:?}");
            return;
        }
        assert!(before < Duration::from_millis(1500), "the session lives for {before:?} and goes on");
        if before > Duration::from_millis(600) && before < Duration::from_millis(900) {
            visitor.post("/rotate").await.is(204);
        }
    }
}

/// A login late in the life of an anonymous session.
///
/// 1. It begins a new absolute time: the session outlives what was left to the visitor.
pub async fn login_begins_a_new_absolute_time(app: &impl App) {
    let settings =
        Settings::new().with_idle(Duration::from_millis(1500)).with_absolute(Duration::from_millis(1500));
    let instance = app.start(settings).await;
    let visitor = Client::of(&instance);
    visitor.put("/value/a", "1").await.is(204);
    super::pass(Duration::from_millis(900)).await;
    visitor.post("/login/ada").await.is(204);
    super::pass(Duration::from_millis(900)).await;
    let seen = visitor.get("/session").await.is(200).json();
    assert!(seen["principal"] == "ada", "1.8 s after its start the session is {seen}");
}
