//! One request under way: the handler first, then the commit.

use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use cloakroom_core::{Reply, Visit};
use pin_project_lite::pin_project;
use tokio::task::{JoinError, JoinHandle};
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
                    match begin_commit(visit.clone(), cx) {
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
                        Err(error) => {
                            log_failure(&error);
                            finish(response, &visit.failed())
                        }
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

/// What waits for the store runs in a task of its own, which a client that goes away does not end.
fn begin_commit(visit: Visit, cx: &mut Context<'_>) -> Commit {
    if !visit.needs_store()
        && let Poll::Ready(reply) = pin!(visit.commit()).poll(cx)
    {
        return Commit::Done(reply);
    }
    Commit::Running(tokio::spawn(async move { visit.commit().await }.in_current_span()))
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

/// A commit runs code of the application: the closures of `update`, done again.
fn log_failure(error: &JoinError) {
    tracing::error!(target: "cloakroom", panicked = error.is_panic(), "the commit of a session did not end");
}
