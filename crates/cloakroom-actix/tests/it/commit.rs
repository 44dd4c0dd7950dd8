//! When something is stored, and when nothing is.

use std::future::pending;
use std::panic::panic_any;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};

use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::init_service;
use actix_web::{App, HttpResponse, body, error, web};
use cloakroom_actix::{Result, Session, SessionMiddleware};
use cloakroom_core::{Backend, KeyRing, SessionManager};
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use crate::stores::StagedStore;
use crate::{counted, get, over, request};

async fn count(session: Session) -> Result<String> {
    Ok(session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?.to_string())
}

/// What an application that must not lose a worker does about handlers that panic.
async fn catch_panics(
    request: ServiceRequest,
    next: Next<body::BoxBody>,
) -> Result<ServiceResponse<body::BoxBody>, actix_web::Error> {
    match std::panic::AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answer) => answer,
        Err(_) => Err(error::ErrorInternalServerError("caught")),
    }
}

async fn set_then_panic(session: Session) -> String {
    session.set("marker", &1).unwrap();
    panic!("a handler that panics")
}

#[actix_web::test]
async fn a_handler_that_panics_stores_nothing_though_the_panic_is_caught_below() {
    let (store, sessions) = counted();
    let app = App::new()
        .wrap(from_fn(catch_panics))
        .wrap(SessionMiddleware::new(sessions))
        .route("/", web::get().to(set_then_panic));
    let answer = get(&init_service(app).await, "/", &[]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::INTERNAL_SERVER_ERROR, "caught"));
    assert!(answer.all("set-cookie").is_empty());
    assert_eq!(store.calls().total(), 0);
}

#[actix_web::test]
async fn a_handler_that_is_dropped_stores_nothing() {
    let (store, sessions) = counted();
    let wrote = Rc::new(Semaphore::new(0));
    let signal = Rc::clone(&wrote);
    let handler = move |session: Session| {
        let signal = Rc::clone(&signal);
        async move {
            session.set("marker", &1)?;
            signal.add_permits(1);
            pending::<Result<String>>().await
        }
    };
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(handler));
    let app = init_service(app).await;
    tokio::select! {
        _ = app.call(request("/", &[])) => panic!("the handler never ends"),
        permit = wrote.acquire() => permit.unwrap().forget(),
    }
    // Whatever had been spawned would run now.
    tokio::task::yield_now().await;
    assert_eq!(store.calls().total(), 0);
}

#[actix_web::test]
async fn a_client_that_goes_away_does_not_cut_a_commit_short() {
    let store = StagedStore::new();
    store.close_gate();
    let sessions = over(store.clone());
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(count));
    let app = init_service(app).await;
    tokio::select! {
        _ = app.call(request("/", &[])) => panic!("the store has not answered"),
        () = store.write_arrived() => {}
    }
    assert_eq!(store.records(), 0, "the client is gone before the store has answered");
    store.open_gate();
    store.write_done().await;
    assert_eq!(store.records(), 1);
}

#[actix_web::test]
async fn the_response_waits_for_the_commit() {
    let store = StagedStore::new();
    store.close_gate();
    let sessions = over(store.clone());
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(count));
    let app = init_service(app).await;
    let mut response = pin!(app.call(request("/", &[])));
    tokio::select! {
        _ = &mut response => panic!("the store has not answered"),
        () = store.write_arrived() => {}
    }
    let unanswered = response.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
    assert!(unanswered && store.records() == 0);
    store.open_gate();
    let response = response.await.unwrap();
    assert!(response.headers().contains_key("set-cookie") && store.records() == 1);
}

#[actix_web::test]
async fn a_handler_that_answers_with_an_error_has_answered() {
    let (store, sessions) = counted();
    let handler = async |session: Session| -> actix_web::Result<String> {
        session.set("attempts", &1).map_err(cloakroom_actix::Error::from)?;
        Err(error::ErrorUnprocessableEntity("try again"))
    };
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(handler));
    let answer = get(&init_service(app).await, "/", &[]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::UNPROCESSABLE_ENTITY, "try again"));
    assert_eq!((answer.all("set-cookie").len(), answer.all("vary")), (1, vec!["cookie"]));
    assert_eq!(store.calls().creates, 1);
}

#[actix_web::test]
async fn a_middleware_that_answers_with_an_error_has_answered_and_its_error_is_found_outside() {
    let (store, sessions) = counted();
    let app = App::new()
        .wrap(from_fn(async |session: Session, _: ServiceRequest, _: Next<body::BoxBody>| {
            session.set("attempts", &1).map_err(cloakroom_actix::Error::from)?;
            Err::<ServiceResponse, _>(actix_web::Error::from(std::io::Error::other("no")))
        }))
        .wrap(SessionMiddleware::new(sessions))
        .route("/", web::get().to(HttpResponse::Ok));
    let app = init_service(app).await;
    let error = app.call(request("/", &[])).await.map(drop).unwrap_err();
    assert!(error.as_error::<std::io::Error>().is_some(), "loggers look for it");
    // Whoever asks again gets the same response.
    for _ in 0..2 {
        let answer = crate::read(error.error_response()).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::INTERNAL_SERVER_ERROR, "no"));
        assert_eq!((answer.all("set-cookie").len(), answer.all("vary")), (1, vec!["cookie"]));
    }
    assert_eq!(store.calls().creates, 1);
}

/// What panics again when it is dropped, as long as its test goes on.
struct Bomb(Weak<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0.strong_count() == 0, "dropped");
    }
}

#[actix_web::test]
async fn a_commit_that_panics_is_an_error_of_its_request_alone() {
    for waits in [false, true] {
        let store = StagedStore::new();
        let (runs, test) = (Arc::new(AtomicU32::new(0)), Arc::new(()));
        let bomb = Arc::downgrade(&test);
        let handler = move |session: Session| {
            let (runs, bomb) = (Arc::clone(&runs), Weak::clone(&bomb));
            async move {
                let visits = session.update("visits", move |visits: Option<u32>| {
                    if runs.fetch_add(1, Ordering::SeqCst) >= 2 {
                        panic_any(Bomb(Weak::clone(&bomb)));
                    }
                    visits.unwrap_or(0) + 1
                })?;
                Ok::<_, cloakroom_actix::Error>(visits.to_string())
            }
        };
        let sessions = over(store.clone());
        let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(handler));
        let app = init_service(app).await;
        let cookie = get(&app, "/", &[]).await.cookie();
        store.write_arrived().await;
        store.lose_races(1);
        if waits {
            // Then the closure is done again in a task.
            store.close_gate();
        }
        let headers = [("cookie", &*cookie)];
        let (answer, ()) = tokio::join!(get(&app, "/", &headers), async {
            store.write_arrived().await;
            if waits {
                store.open_gate();
            }
        });
        drop(test);
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "waits: {waits}");
        assert_eq!(answer.body, "internal server error");
        assert!(answer.all("set-cookie").is_empty());
    }
}

#[actix_web::test]
async fn what_panics_when_it_is_settled_is_an_error_of_its_request_alone() {
    let sessions = SessionManager::new(Backend::client_side(), KeyRing::generate());
    let test = Arc::new(());
    let bomb = Arc::downgrade(&test);
    let handler = move |session: Session| {
        let bomb = Bomb(Weak::clone(&bomb));
        async move {
            let visits = session.update("visits", move |visits: Option<u32>| {
                let _ = &bomb;
                visits.unwrap_or(0) + 1
            })?;
            Ok::<_, cloakroom_actix::Error>(visits.to_string())
        }
    };
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(handler));
    let answer = get(&init_service(app).await, "/", &[]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::INTERNAL_SERVER_ERROR, "internal server error"));
}

#[actix_web::test]
async fn the_future_of_a_request_is_little_more_than_that_of_its_handler() {
    use actix_web::body::BoxBody;
    use actix_web::dev::{Transform, fn_service};
    use actix_web::test::TestRequest;

    let (_, sessions) = counted();
    let answer = async |request: ServiceRequest| Ok::<_, actix_web::Error>(request.into_response("ok"));
    let request = || TestRequest::get().to_srv_request();
    let bare = size_of_val(&fn_service(answer).call(request()));
    let service = SessionMiddleware::new(sessions).new_transform(fn_service(answer)).await.unwrap();
    let layered = size_of_val(&service.call(request()));
    // Once the handler is done, its room holds the response.
    let most = bare.max(size_of::<ServiceResponse<BoxBody>>()) + 32;
    assert!(layered <= most, "{layered} bytes where {most} would do");
}
