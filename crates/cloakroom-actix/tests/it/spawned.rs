//! Sessions in tasks that a handler starts.

use actix_web::test::init_service;
use actix_web::{App, rt, web};
use cloakroom_actix::{Error, Named, Principal, Result, Session, SessionMiddleware};
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
    travels::<SessionMiddleware>();
};

async fn in_tasks_that_are_waited_for(session: Session) -> Result<String> {
    let (near, far) = (session.clone(), session.clone());
    let near = rt::spawn(async move { near.set("near", &1) });
    let far = tokio::spawn(async move { far.set("far", &2) });
    near.await.unwrap()?;
    far.await.unwrap()?;
    Ok(format!("{:?} {:?}", session.get::<u8>("near")?, session.get::<u8>("far")?))
}

async fn read(session: Session) -> Result<String> {
    Ok(format!("{:?} {:?}", session.get::<u8>("near")?, session.get::<u8>("far")?))
}

#[actix_web::test]
async fn tasks_that_a_handler_waits_for_write_as_it_does() {
    let (store, sessions) = counted();
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions))
        .route("/", web::get().to(in_tasks_that_are_waited_for))
        .route("/read", web::get().to(read));
    let app = init_service(app).await;
    let answer = get(&app, "/", &[]).await;
    assert_eq!((&*answer.body, store.calls().total()), ("Some(1) Some(2)", 1));
    assert_eq!(get(&app, "/read", &[("cookie", &answer.cookie())]).await.body, "Some(1) Some(2)");
}

#[actix_web::test]
async fn tasks_that_outlive_the_response_write_through_a_detached_session() {
    let (_, sessions) = counted();
    let (near_is_done, near) = oneshot::channel();
    let (far_is_done, far) = oneshot::channel();
    let senders = std::rc::Rc::new(std::cell::Cell::new(Some((near_is_done, far_is_done))));
    let handler = move |session: Session| {
        let (near_is_done, far_is_done) = senders.take().unwrap();
        async move {
            session.set("name", "ada")?;
            session.save().await?;
            let detached = session.detached().await?;
            let clone = detached.clone();
            rt::spawn(async move {
                let stored = clone.set("near", &1).and(clone.save().await);
                let _ = near_is_done.send(stored.map_err(|error| error.kind()));
            });
            tokio::spawn(async move {
                let stored = detached.set("far", &2).and(detached.save().await);
                let _ = far_is_done.send(stored.map_err(|error| error.kind()));
            });
            Ok::<_, Error>("started")
        }
    };
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions))
        .route("/", web::get().to(handler))
        .route("/read", web::get().to(read));
    let app = init_service(app).await;
    let answer = get(&app, "/", &[]).await;
    assert_eq!((near.await.unwrap(), far.await.unwrap()), (Ok(()), Ok(())));
    assert_eq!(get(&app, "/read", &[("cookie", &answer.cookie())]).await.body, "Some(1) Some(2)");
}
