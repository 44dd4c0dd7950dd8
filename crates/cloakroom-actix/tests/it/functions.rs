//! Functions as middleware that use the session themselves.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::test::init_service;
use actix_web::{App, FromRequest, HttpResponse, web};
use cloakroom_actix::{Error, Result, Session, SessionMiddleware};
use cloakroom_core::ErrorKind;

use crate::{counted, get};

async fn count(session: Session) -> Result<String> {
    Ok(session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?.to_string())
}

/// Writes before the handler, reads what it wrote, and writes after it.
async fn around<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let session = request.extract::<Session>().await?;
    session.set("visits", &10).map_err(Error::from)?;
    let mut response = next.call(request).await?;
    let visits: Option<u32> = session.get("visits").map_err(Error::from)?;
    session.set("after", &visits).map_err(Error::from)?;
    let seen = HeaderValue::from_str(&format!("{visits:?}")).unwrap();
    response.headers_mut().insert(HeaderName::from_static("x-seen"), seen);
    Ok(response)
}

/// Looks at the session once the response is made.
async fn look_back<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let mut response = next.call(request).await?;
    let session = Session::extract(response.request()).await?;
    let visits: Option<u32> = session.get("visits").map_err(Error::from)?;
    let late = session.set("late", &1).map_err(|error| error.kind());
    let seen = HeaderValue::from_str(&format!("{visits:?} {late:?}")).unwrap();
    response.headers_mut().insert(HeaderName::from_static("x-seen"), seen);
    Ok(response)
}

/// Lets nobody in who is not logged in.
async fn guard<B: MessageBody + 'static>(
    session: Session,
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<impl MessageBody>> {
    if session.principal().is_none() {
        return Ok(request
            .into_response(HttpResponse::Forbidden().body("log in first"))
            .map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

#[actix_web::test]
async fn inside_it_writes_before_and_after_the_handler_in_one_commit() {
    let (store, sessions) = counted();
    let after = async |session: Session| -> Result<_> { Ok(format!("{:?}", session.get::<u32>("after")?)) };
    let app = App::new()
        .service(web::scope("/in").wrap(from_fn(around)).route("/count", web::get().to(count)))
        .route("/after", web::get().to(after))
        .wrap(SessionMiddleware::new(sessions));
    let app = init_service(app).await;
    let answer = get(&app, "/in/count", &[]).await;
    assert_eq!((&*answer.body, answer.all("x-seen")), ("11", vec!["Some(11)"]));
    assert_eq!((store.calls().creates, store.calls().total()), (1, 1));
    assert_eq!(get(&app, "/after", &[("cookie", &answer.cookie())]).await.body, "Some(11)");
}

#[actix_web::test]
async fn outside_before_the_handler_there_is_no_session_yet() {
    let (store, sessions) = counted();
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions))
        .wrap(from_fn(around))
        .route("/count", web::get().to(count));
    let answer = get(&init_service(app).await, "/count", &[]).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (500, "internal server error"));
    assert_eq!(store.calls().total(), 0);
}

#[actix_web::test]
async fn outside_after_the_handler_it_can_be_read_and_not_written() {
    let (store, sessions) = counted();
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions))
        .wrap(from_fn(look_back))
        .route("/count", web::get().to(count));
    let answer = get(&init_service(app).await, "/count", &[]).await;
    let late = Err::<(), _>(ErrorKind::Committed);
    assert_eq!((&*answer.body, answer.all("x-seen")), ("1", vec![&*format!("Some(1) {late:?}")]));
    assert_eq!((store.calls().creates, store.calls().total()), (1, 1));
}

#[actix_web::test]
async fn one_that_answers_itself_has_answered() {
    let (store, sessions) = counted();
    let log_in = async |session: Session| -> Result<_> {
        session.authenticate("ada")?;
        Ok("welcome")
    };
    let app = App::new()
        .route("/login", web::get().to(log_in))
        .service(web::resource("/inside").wrap(from_fn(guard)).route(web::get().to(count)))
        .wrap(SessionMiddleware::new(sessions));
    let app = init_service(app).await;
    let answer = get(&app, "/inside", &[]).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (403, "log in first"));
    assert_eq!((answer.all("vary"), store.calls().total()), (vec!["cookie"], 0));
    let cookie = get(&app, "/login", &[]).await.cookie();
    assert_eq!(get(&app, "/inside", &[("cookie", &cookie)]).await.body, "1");
}
