//! One request under way: the handler first, then the commit.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use cloakroom_core::{Reply, Visit};
use pin_project_lite::pin_project;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::error::Error;
use crate::headers::Headers;

pin_project! {
    /// The future of [`SessionService`](crate::SessionService).
    ///
    /// Dropped before the handler has answered, nothing is stored; afterwards, everything is.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        state: Progress<F>,
    }
}

pin_project! {
    #[project = ProgressNow]
    enum Progress<F> {
        Handling { #[pin] handler: F, visit: Option<Visit> },
        Committing { commit: JoinHandle<Reply>, response: Option<Response>, visit: Visit },
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) const fn new(handler: F, visit: Option<Visit>) -> Self {
        Self { state: Progress::Handling { handler, visit } }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<http::Response<R>, E>>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                ProgressNow::Handling { handler, visit } => {
                    let response = ready!(handler.poll(cx))?.map(Body::new);
                    let Some(visit) = visit.take() else { return Poll::Ready(Ok(response)) };
                    match begin_commit(&visit, cx) {
                        Commit::Done(reply) => return Poll::Ready(Ok(finish(response, &reply))),
                        Commit::Running(commit) => {
                            state.set(Progress::Committing { commit, response: Some(response), visit });
                        }
                    }
                }
                ProgressNow::Committing { commit, response, visit } => {
                    let outcome = ready!(Pin::new(commit).poll(cx));
                    let response = response.take().unwrap_or_default();
                    return Poll::Ready(Ok(match outcome {
                        Ok(reply) => finish(response, &reply),
                        Err(error) => finish(response, &failed(visit, error.try_into_panic().ok())),
                    }));
                }
            }
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

enum Commit {
    Done(Reply),
    Running(JoinHandle<Reply>),
}

/// What waits for the store runs in a task of its own, which a client that goes away does not end; what need not wait is
/// done here. A panic in it is caught, as a task's would be.
fn begin_commit(visit: &Visit, cx: &mut Context<'_>) -> Commit {
    let begun = catch_unwind(AssertUnwindSafe(|| {
        if let Some(reply) = visit.commit_at_once() {
            return Ok(reply);
        }
        let visit = visit.clone();
        let mut commit = Box::pin(async move { visit.commit().await });
        match commit.as_mut().poll(cx) {
            Poll::Ready(reply) => Ok(reply),
            Poll::Pending => Err(commit),
        }
    }));
    match begun {
        Ok(Ok(reply)) => Commit::Done(reply),
        Ok(Err(commit)) => Commit::Running(tokio::spawn(commit.in_current_span())),
        Err(panic) => Commit::Done(failed(visit, Some(panic))),
    }
}

fn finish(mut response: Response, reply: &Reply) -> Response {
    if let Some(refusal) = reply.refusal() {
        let handlers = std::mem::replace(&mut response, Error::reported(refusal.clone()).into_response());
        // Sessions of other names may have handed out tokens, which are news to the client all the same.
        for (name, value) in handlers.headers().iter().filter(|(_, value)| value.is_sensitive()) {
            response.headers_mut().append(name, value.clone());
        }
    }
    reply.write_to(&mut Headers(response.headers_mut()));
    response
}

/// A commit runs code of the application: the closures of `update`, done again. What they panic with may panic once more
/// when it is dropped, so it is forgotten.
fn failed(visit: &Visit, panic: Option<Box<dyn Any + Send>>) -> Reply {
    tracing::error!(target: "cloakroom", panicked = panic.is_some(), "the commit of a session did not end");
    std::mem::forget(panic);
    visit.failed()
}
