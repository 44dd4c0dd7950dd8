//! Sessions in tasks that a handler starts.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get as on_get;
use cloakroom_axum::{Error, Named, Principal, Result, Session, SessionLayer};
use tokio::sync::oneshot;

use crate::{counted, get};

/// A handle can go wherever a task can.
const fn travels<T: Send + Sync + 'static>() {}
const _: () = {
    enum Admin {}
    travels::<Session>();
    travels::<Named<Admin>>();
    travels::<Principal>();
    travels::<Error>();
    travels::<SessionLayer>();
};

async fn in_a_task_that_is_waited_for(session: Session) -> Result<String> {
    let far = session.clone();
    tokio::spawn(async move { far.set("far", &2) }).await.unwrap()?;
    read(session).await
}

async fn read(session: Session) -> Result<String> {
    Ok(format!("{:?}", session.get::<u8>("far")?))
}

#[tokio::test]
async fn tasks_that_a_handler_waits_for_write_as_it_does() {
    let (store, sessions) = counted();
    let app = Router::new()
        .route("/", on_get(in_a_task_that_is_waited_for))
        .route("/read", on_get(read))
        .layer(SessionLayer::new(sessions));
    let answer = get(&app, "/", &[]).await;
    assert_eq!((&*answer.body, store.calls().total()), ("Some(2)", 1));
    assert_eq!(get(&app, "/read", &[("cookie", &answer.cookie())]).await.body, "Some(2)");
}

#[tokio::test]
async fn tasks_that_outlive_the_response_write_through_a_detached_session() {
    let (_, sessions) = counted();
    let (is_done, done) = oneshot::channel();
    let sender = Arc::new(Mutex::new(Some(is_done)));
    let handler = async move |session: Session| -> Result<&'static str> {
        let is_done = sender.lock().unwrap().take().unwrap();
        session.set("name", "ada")?;
        session.save().await?;
        let detached = session.detached().await?;
        tokio::spawn(async move {
            let stored = detached.set("far", &2).and(detached.save().await);
            let _ = is_done.send(stored.map_err(|error| error.kind()));
        });
        Ok("started")
    };
    let app = Router::new()
        .route("/", on_get(handler))
        .route("/read", on_get(read))
        .layer(SessionLayer::new(sessions));
    let answer = get(&app, "/", &[]).await;
    assert_eq!(done.await.unwrap(), Ok(()));
    assert_eq!(get(&app, "/read", &[("cookie", &answer.cookie())]).await.body, "Some(2)");
}
