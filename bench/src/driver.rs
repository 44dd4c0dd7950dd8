//! Applications that are called in this process, without a network between the driver and them.

use std::convert::Infallible;
use std::sync::Arc;

use actix_http::Request as ActixRequest;
use actix_service::Service as ActixService;
use actix_session::SessionMiddleware as ActixSessions;
use actix_session::config::{PersistentSession, TtlExtensionPolicy};
use actix_session::storage::{CookieSessionStore, RedisSessionStore, SessionStore};
use actix_web::body::MessageBody;
use actix_web::cookie::{Key, SameSite};
use actix_web::dev::ServiceResponse;
use actix_web::{App, test};
use anyhow::{Context as _, Result, ensure};
use axum::body::Body;
use cloakroom::actix::SessionMiddleware;
use futures_util::future::LocalBoxFuture;

use crate::cell::{Backend, Contender, Framework};
use crate::contender::{self, Setup};
use crate::scenario::Rolling;

/// Something that can be asked one thing many times.
pub trait Driver {
    /// Asks `times` times, one after the other, each time with the next of `cookies`, and fails at the first answer
    /// that is not a success.
    fn ask<'a>(
        &'a mut self,
        path: &'static str,
        cookies: &'a Arc<[String]>,
        times: usize,
    ) -> LocalBoxFuture<'a, Result<()>>;

    /// Asks once without a cookie, and tells the `Set-Cookie` lines of the answer.
    fn fill<'a>(
        &'a mut self,
        path: &'a str,
        cookie: Option<&'a str>,
    ) -> LocalBoxFuture<'a, Result<Vec<String>>>;
}

pub async fn driver(setup: &Setup) -> Result<Box<dyn Driver>> {
    match setup.cell.contender.framework() {
        Framework::Axum if setup.cell.contender == Contender::CloakroomAround => {
            Ok(Box::new(Axum(contender::cloakroom::around(setup).await?)))
        }
        // As `axum::serve` does it: once, and not again at each request.
        Framework::Axum => Ok(Box::new(Axum(contender::router(setup).await?.with_state(())))),
        Framework::Actix => actix(setup).await,
    }
}

struct Axum<S>(S);

impl<S> Axum<S>
where
    S: tower::Service<http::Request<Body>, Response = axum::response::Response, Error = Infallible>,
{
    async fn call(&mut self, path: &str, cookie: Option<&str>) -> Result<axum::response::Response> {
        let request = http::Request::builder().uri(path).header("host", "localhost");
        let request = match cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        let response = self.0.call(request.body(Body::empty())?).await.unwrap_or_else(|never| match never {});
        ensure!(response.status().is_success(), "{path}: {}", response.status());
        Ok(response)
    }
}

impl<S> Driver for Axum<S>
where
    S: tower::Service<http::Request<Body>, Response = axum::response::Response, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    fn ask<'a>(
        &'a mut self,
        path: &'static str,
        cookies: &'a Arc<[String]>,
        times: usize,
    ) -> LocalBoxFuture<'a, Result<()>> {
        let (mut app, cookies) = (Self(self.0.clone()), Arc::clone(cookies));
        // In a task, as each connection of a server is: to wake what the runtime itself waits for is a call of the system.
        let task = tokio::spawn(async move {
            for at in 0..times {
                let cookie = cookies.get(at.checked_rem(cookies.len()).unwrap_or(0)).map(String::as_str);
                drop(app.call(path, cookie).await?);
            }
            Ok(())
        });
        Box::pin(async { task.await? })
    }

    fn fill<'a>(
        &'a mut self,
        path: &'a str,
        cookie: Option<&'a str>,
    ) -> LocalBoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let response = self.call(path, cookie).await?;
            let lines = response.headers().get_all("set-cookie").into_iter();
            lines.map(|line| Ok(line.to_str()?.to_owned())).collect()
        })
    }
}

struct Actix<S>(S);

impl<S, B> Actix<S>
where
    S: ActixService<ActixRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    async fn call(&mut self, path: &str, cookie: Option<&str>) -> Result<ServiceResponse<B>> {
        let request = test::TestRequest::with_uri(path).insert_header(("host", "localhost"));
        let request = match cookie {
            Some(cookie) => request.insert_header(("cookie", cookie)),
            None => request,
        };
        let response = self.0.call(request.to_request()).await.map_err(|error| anyhow::anyhow!("{error}"))?;
        ensure!(response.status().is_success(), "{path}: {}", response.status());
        Ok(response)
    }
}

impl<S, B> Driver for Actix<S>
where
    S: ActixService<ActixRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    fn ask<'a>(
        &'a mut self,
        path: &'static str,
        cookies: &'a Arc<[String]>,
        times: usize,
    ) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for at in 0..times {
                let cookie = cookies.get(at.checked_rem(cookies.len()).unwrap_or(0)).map(String::as_str);
                drop(self.call(path, cookie).await?);
            }
            Ok(())
        })
    }

    fn fill<'a>(
        &'a mut self,
        path: &'a str,
        cookie: Option<&'a str>,
    ) -> LocalBoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let response = self.call(path, cookie).await?;
            let lines = response.headers().get_all("set-cookie");
            lines.map(|line| Ok(line.to_str()?.to_owned())).collect()
        })
    }
}

async fn actix(setup: &Setup) -> Result<Box<dyn Driver>> {
    match (setup.cell.contender, setup.cell.backend) {
        (Contender::BareActix, _) => {
            Ok(Box::new(Actix(test::init_service(App::new().configure(contender::bare::routes)).await)))
        }
        (Contender::CloakroomActix, _) => {
            let sessions = SessionMiddleware::new(contender::cloakroom::sessions(setup).await?);
            let app = App::new().wrap(sessions).configure(contender::cloakroom::routes);
            Ok(Box::new(Actix(test::init_service(app).await)))
        }
        (_, Backend::Cookie) => Ok(peer(CookieSessionStore::default(), setup.rolling).await),
        (Contender::ActixSession, _) => {
            Ok(peer(RedisSessionStore::new(setup.url()?).await?, setup.rolling).await)
        }
        (_, _) => Ok(peer(pooled(setup.url()?).await?, setup.rolling).await),
    }
}

pub async fn pooled(url: &str) -> Result<RedisSessionStore> {
    let pool = deadpool_redis::Config::from_url(url).create_pool(Some(deadpool_redis::Runtime::Tokio1))?;
    RedisSessionStore::new_pooled(pool).await.context("the pool")
}

async fn peer<S: SessionStore + 'static>(store: S, rolling: Rolling) -> Box<dyn Driver> {
    let app = App::new().wrap(actix_sessions(store, rolling)).configure(contender::actix_session::routes);
    Box::new(Actix(test::init_service(app).await))
}

/// actix-session as it is by default, for half an hour.
pub fn actix_sessions<S: SessionStore>(store: S, rolling: Rolling) -> ActixSessions<S> {
    let policy = if rolling == Rolling::No {
        TtlExtensionPolicy::OnStateChanges
    } else {
        TtlExtensionPolicy::OnEveryRequest
    };
    let lifecycle = PersistentSession::default()
        .session_ttl(actix_web::cookie::time::Duration::minutes(30))
        .session_ttl_extension_policy(policy);
    ActixSessions::builder(store, Key::from(&[7; 64]))
        .cookie_same_site(SameSite::Lax)
        .session_lifecycle(lifecycle)
        .build()
}
