//! What an operator finds in the log.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Once;

use cloakroom_core::testing::{Failure, Verb};
use cloakroom_core::{RejectReason, SessionEventKind, StoreErrorKind};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::world::{Browser, World};

thread_local! {
    /// What this thread has logged since it began to listen.
    static HEARD: RefCell<Option<Vec<(Level, String)>>> = const { RefCell::new(None) };
}

/// One for all threads: an event that is first met by a thread without a subscriber could be heard by nobody.
struct Log;

/// Listens to this thread from now on.
fn listen() {
    static ONE: Once = Once::new();
    ONE.call_once(|| tracing::subscriber::set_global_default(Log).unwrap());
    HEARD.set(Some(Vec::new()));
}

fn heard() -> Vec<(Level, String)> {
    HEARD.take().unwrap()
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == "cloakroom" {
            let mut line = Line(String::new());
            event.record(&mut line);
            HEARD.with_borrow_mut(|heard| {
                if let Some(lines) = heard {
                    lines.push((*event.metadata().level(), line.0));
                }
            });
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// What one request logs, which comes with the cookies of `browsers`.
async fn lines(world: &World, browsers: &[&Browser], work: impl FnOnce(&World)) -> Vec<(Level, String)> {
    listen();
    let cookies: Vec<String> = browsers
        .iter()
        .filter_map(|browser| browser.token.as_ref())
        .map(|token| format!("__Host-session={token}"))
        .collect();
    let visit = world.sessions.visit(cookies.iter().map(String::as_bytes));
    if let Ok(session) = visit.session().await {
        session.set("a", &1).unwrap();
        work(world);
        drop(visit.commit().await);
    }
    heard()
}

#[tokio::test]
async fn failed_commit_is_an_error_with_its_causes() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let down = Failure::Before(StoreErrorKind::Misconfigured);
    let lines = lines(&world, &[&browser], |world| world.store.fail_next(Verb::Replace, down)).await;
    let [(level, line)] = lines.as_slice() else { panic!("one line: {lines:?}") };
    assert_eq!(*level, Level::ERROR);
    assert!(line.contains("the commit of a session failed") && line.contains("cause="), "{line}");
    assert!(!line.contains(browser.token.as_deref().unwrap()), "{line}");
}

#[tokio::test]
async fn ended_session_is_no_error() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    visit.session().await.unwrap().set("a", &1).unwrap();
    world.logout(&mut browser.clone()).await;
    listen();
    drop(visit.commit().await);
    let lines = heard();
    assert!(!lines.is_empty() && lines.iter().all(|(level, _)| *level == Level::DEBUG), "{lines:?}");
}

#[tokio::test]
async fn what_somebody_should_look_at_is_a_warning() {
    let world = World::new();
    let (ada, eve) = (world.logged_in("ada").await, world.logged_in("eve").await);
    world.events();
    let lines = lines(&world, &[&ada, &eve], |_| ()).await;
    let ambiguous = SessionEventKind::TokenRejected(RejectReason::Ambiguous);
    assert!(world.events().contains(&ambiguous));
    let warnings: Vec<_> = lines.iter().filter(|(level, _)| *level == Level::WARN).collect();
    let [(_, line)] = warnings.as_slice() else { panic!("one warning: {lines:?}") };
    assert!(line.contains(&format!("{ambiguous:?}")), "{line}");
    assert!(
        lines.iter().any(|(level, line)| *level == Level::DEBUG && line.contains("Created")),
        "{lines:?}"
    );
}
