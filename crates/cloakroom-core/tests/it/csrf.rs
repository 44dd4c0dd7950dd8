//! The token that a session's forms carry.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::testing::{FailingStore, Failure, ModelStore};
use cloakroom_core::{Clock, ErrorKind, KeyRing, Renewal, Session, StoreErrorKind};

use crate::cancellation::Waiting;
use crate::client_side;
use crate::world::{Browser, World};

fn token(session: &Session) -> cloakroom_core::Result<String> {
    session.csrf_token()
}

impl World {
    /// Whether the browser's session takes this token.
    async fn takes(&self, browser: &mut Browser, token: &str) -> bool {
        self.request(browser, |s| Ok(takes(s, token))).await.0
    }
}

fn takes(session: &Session, token: &str) -> bool {
    match session.verify_csrf_token(token) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!((error.kind(), error.status()), (ErrorKind::StaleForm, 403));
            assert!(token.len() < 10 || !error.to_string().contains(token));
            false
        }
    }
}

#[tokio::test]
async fn a_form_belongs_to_its_session() {
    let world = World::new();
    let (mut ada, mut eve) = (world.logged_in("ada").await, world.logged_in("eve").await);
    let first = world.request(&mut ada, token).await.0;
    let second = world.request(&mut ada, token).await.0;
    assert_ne!(first, second, "each page has a text of its own");
    assert!(world.takes(&mut ada, &first).await && world.takes(&mut ada, &second).await);
    assert!(!world.takes(&mut eve, &first).await);
    assert!(!world.takes(&mut Browser::default(), &first).await);
    let cookie = ada.token.clone().unwrap();
    for wrong in ["", "x", &first[1..], &format!("{first}A"), &cookie] {
        assert!(!world.takes(&mut ada, wrong).await, "{wrong}");
    }
}

#[tokio::test]
async fn csrf_token_changes_at_login_rotation_and_logout() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let visitors = world.request(&mut browser, token).await.0;
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    assert!(!world.takes(&mut browser, &visitors).await, "from before the login");

    let adas = world.request(&mut browser, token).await.0;
    world.request(&mut browser, |s| s.set("basket", &2)).await;
    assert!(world.takes(&mut browser, &adas).await);
    world.request(&mut browser, |s| s.rotate()).await;
    assert!(!world.takes(&mut browser, &adas).await, "from before the rotation");

    let adas = world.request(&mut browser, token).await.0;
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    assert!(!world.takes(&mut browser, &adas).await, "from before the step-up");

    let adas = world.request(&mut browser, token).await.0;
    world.logout(&mut browser).await;
    assert!(!world.takes(&mut browser, &adas).await);
    world.request(&mut browser, |s| s.set("basket", &3)).await;
    assert!(!world.takes(&mut browser, &adas).await, "from before the logout");
}

#[tokio::test]
async fn csrf_token_survives_renewal_and_a_change_of_keys() {
    let (clock, old, new) = (Clock::manual(), [1; 31], [2; 31]);
    let ring = |secrets: &[&[u8; 31]]| {
        KeyRing::from_secrets(secrets.iter().map(|secret| [&secret[..], &[9]].concat())).unwrap()
    };
    let model = Arc::new(ModelStore::new(clock.clone()));
    let world = |keys| {
        let store = FailingStore::new(Arc::clone(&model));
        let renewal = Renewal::every(Duration::from_secs(60)).with_grace(Duration::from_secs(10));
        World::over(clock.clone(), Arc::clone(&model), store, keys, |b| b.with_renewal(renewal))
    };
    let before = world(ring(&[&old]));
    let mut browser = before.logged_in("ada").await;
    let form = before.request(&mut browser, token).await.0;
    let secret = browser.token.clone();
    clock.advance(Duration::from_secs(61));
    before.request(&mut browser, |_| Ok(())).await;
    assert_ne!(browser.token, secret, "renewed");
    assert!(before.takes(&mut browser, &form).await);

    let after = world(ring(&[&new, &old]));
    assert!(after.takes(&mut browser, &form).await);
    assert!(!world(ring(&[&new])).takes(&mut browser, &form).await);
}

#[tokio::test]
async fn parallel_pages_of_a_session_agree() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let (a, b) = (world.visit(&browser), world.visit(&browser));
    let (first, second) = (a.session().await.unwrap(), b.session().await.unwrap());
    let (first_form, second_form) = (first.csrf_token().unwrap(), second.csrf_token().unwrap());
    drop((first, second));
    for visit in [a, b] {
        let reply = visit.commit_at_once().expect("a form costs a session nothing");
        assert!(reply.refusal().is_none());
    }
    assert!(world.takes(&mut browser, &first_form).await);
    assert!(world.takes(&mut browser, &second_form).await);
}

#[tokio::test]
async fn a_form_for_a_visitor_begins_a_session() {
    let world = World::new();
    let mut browser = Browser::default();
    let ((first, second), response) =
        world.request(&mut browser, |s| Ok((s.csrf_token()?, s.csrf_token()?))).await;
    assert!(response.set_cookie().is_some());
    assert_eq!(world.model.dump().len(), 1);
    assert!(world.takes(&mut browser, &first).await && world.takes(&mut browser, &second).await);
    // A login in the same request has the last word.
    let mut browser = Browser::default();
    let form = world
        .request(&mut browser, |s| {
            let before = s.csrf_token()?;
            s.authenticate("ada")?;
            assert!(!takes(s, &before));
            s.csrf_token()
        })
        .await
        .0;
    assert!(world.takes(&mut browser, &form).await);
}

#[tokio::test]
async fn asking_for_a_check_writes_nothing() {
    let world = World::new();
    let mut browser = Browser::default();
    assert!(!world.takes(&mut browser, "x").await);
    assert_eq!((browser.token, world.model.dump().len()), (None, 0));
}

#[tokio::test]
async fn page_that_a_login_overtakes_is_shown_and_its_form_is_refused() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let mut parked = browser.clone();
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    let (form, response) = world.request(&mut parked, token).await;
    assert_eq!((response.status, response.set_cookie()), (None, None));
    assert!(!world.takes(&mut parked, &form).await);
    assert!(!world.takes(&mut browser, &form).await);
}

#[tokio::test]
async fn forms_of_a_response_under_way_have_a_token_and_those_after_a_logout_have_none() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    assert!(visit.commit().await.refusal().is_none());
    assert!(world.takes(&mut browser, &session.csrf_token().unwrap()).await, "streamed pages have forms");
    let detached = session.detached().await.unwrap();
    assert!(world.takes(&mut browser, &detached.csrf_token().unwrap()).await);

    let new = world.visit(&Browser::default());
    let session = new.session().await.unwrap();
    assert!(new.commit().await.refusal().is_none());
    assert_eq!(session.csrf_token().unwrap_err().kind(), ErrorKind::Committed);

    let refused = world
        .request(&mut browser, |s| {
            let form = s.csrf_token()?;
            s.logout();
            assert!(!takes(s, &form));
            Ok(s.csrf_token().unwrap_err().kind())
        })
        .await
        .0;
    assert_eq!(refused, ErrorKind::LoggedOut);
}

#[tokio::test]
async fn sessions_that_clients_carry_have_forms_too() {
    let world = client_side::World::new();
    let mut browser = Browser::default();
    let form = world.request(&mut browser, token).await.0;
    assert!(browser.token.is_some());
    assert!(world.request(&mut browser, |s| Ok(takes(s, &form))).await.0);
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    assert!(!world.request(&mut browser, |s| Ok(takes(s, &form))).await.0);
    let (form, again) = world.request(&mut browser, |s| Ok((s.csrf_token()?, s.csrf_token()?))).await.0;
    world.request(&mut browser, |s| s.set("a", &1)).await;
    for form in [form, again] {
        assert!(world.request(&mut browser, |s| Ok(takes(s, &form))).await.0);
    }
    assert!(!world.request(&mut Browser::default(), |s| Ok(takes(s, "x"))).await.0);
}

#[tokio::test]
async fn page_with_a_form_is_kept_by_no_cache() {
    let world = World::with(|builder| builder.danger_shared_cache());
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let (_, response) = world.request(&mut browser, |s| Ok(s.keys())).await;
    assert_eq!(response.header("cache-control"), None);
    let (_, response) = world.request(&mut browser, token).await;
    assert_eq!(response.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn form_asked_for_while_its_session_is_first_saved_is_good() {
    for logs_in in [false, true] {
        let clock = Clock::manual();
        let model = Arc::new(ModelStore::new(clock.clone()));
        let store = FailingStore::new(Waiting(Arc::clone(&model)));
        let world = World::over(clock, model, store, KeyRing::generate(), |builder| builder);
        let mut browser = Browser::default();
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        session.set("basket", &1).unwrap();
        if logs_in {
            session.authenticate("ada").unwrap();
        }
        let mut save = Box::pin(session.save());
        assert!(futures_util::poll!(&mut save).is_pending());
        let form = session.csrf_token().unwrap();
        save.await.unwrap();
        let again = session.csrf_token().unwrap();
        drop(session);
        browser.take(&visit.commit().await);
        for form in [form, again] {
            assert!(world.takes(&mut browser, &form).await, "logs in: {logs_in}");
        }
    }
}

/// A session of a release that knew nothing of forms, and logins by instances of it.
#[tokio::test]
async fn forms_need_nothing_of_the_record() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let before = world.model.dump();
    let form = world.request(&mut browser, token).await.0;
    assert_eq!(world.model.dump(), before, "nothing was written");
    assert!(world.takes(&mut browser, &form).await);
    // A login counts the generation up, whatever release does it.
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    assert!(!world.takes(&mut browser, &form).await);
    // A page with a form is shown although the store refuses writes, and beside a login.
    let mut page = browser.clone();
    let visit = world.visit(&page);
    let session = visit.session().await.unwrap();
    let form = session.csrf_token().unwrap();
    drop(session);
    world.request(&mut browser, |s| s.rotate()).await;
    world.store.fail_always(Failure::Before(StoreErrorKind::Unavailable));
    assert_eq!(page.take(&visit.commit().await).status, None);
    world.store.heal();
    assert!(!world.takes(&mut browser, &form).await);
}

#[tokio::test]
async fn parallel_pages_of_a_carried_session_agree() {
    let world = client_side::World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let carried = browser.token.clone();
    let first = world.request(&mut browser, token).await.0;
    let second = world.request(&mut browser, token).await.0;
    assert_eq!(browser.token, carried, "forms change nothing");
    for form in [first, second] {
        assert!(world.request(&mut browser, |s| Ok(takes(s, &form))).await.0);
    }
}

#[tokio::test]
async fn copy_of_a_carried_session_learns_no_token_of_its_owners_login() {
    let world = client_side::World::new();
    let mut mallory = Browser::default();
    world.request(&mut mallory, |s| s.authenticate("mallory")).await;
    let mut ada = mallory.clone();
    let steps: [fn(&Session) -> cloakroom_core::Result<()>; 2] = [|s| s.authenticate("ada"), |s| s.rotate()];
    for step in steps {
        world.request(&mut mallory, step).await;
        let form = world.request(&mut mallory, token).await.0;
        world.request(&mut ada, step).await;
        assert!(!world.request(&mut ada, |s| Ok(takes(s, &form))).await.0);
    }
}
