//! One request under way: the handler first, then the commit.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::rt::task::JoinHandle;
use cloakroom_core::{Reply, Visit};
use pin_project_lite::pin_project;
use tracing::Instrument;

use crate::error::Error;
use crate::headers::Headers;

pin_project! {
    /// The future of [`SessionService`](crate::SessionService).
    ///
    /// Dropped before the handler has answered, nothing is stored; afterwards, everything is.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B> {
        #[pin]
        state: Progress<F, B>,
    }
}

pin_project! {
    #[project = ProgressNow]
    enum Progress<F, B> {
        Handling { #[pin] handler: F, visit: Option<Visit> },
        Committing { commit: JoinHandle<Reply>, answer: Option<Answer<B>>, visit: Visit },
    }
}

/// What a handler and the middleware around it make of a request.
type Answer<B> = Result<ServiceResponse<B>, actix_web::Error>;

impl<F, B> ResponseFuture<F, B> {
    pub(crate) const fn new(handler: F, visit: Option<Visit>) -> Self {
        Self { state: Progress::Handling { handler, visit } }
    }
}

impl<F, B> Future for ResponseFuture<F, B>
where
    F: Future<Output = Answer<B>>,
    B: MessageBody,
{
    type Output = Answer<EitherBody<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                ProgressNow::Handling { handler, visit } => {
                    let answer = ready!(handler.poll(cx));
                    let Some(visit) = visit.take() else {
                        return Poll::Ready(answer.map(ServiceResponse::map_into_left_body));
                    };
                    match begin_commit(&visit, cx) {
                        Commit::Done(reply) => return Poll::Ready(finish(answer, reply)),
                        Commit::Running(commit) => {
                            state.set(Progress::Committing { commit, answer: Some(answer), visit });
                        }
                    }
                }
                ProgressNow::Committing { commit, answer, visit } => {
                    let outcome = ready!(Pin::new(commit).poll(cx));
                    let answer = answer.take().unwrap_or_else(|| Err(polled_again().into()));
                    return Poll::Ready(match outcome {
                        Ok(reply) => finish(answer, reply),
                        Err(error) => finish(answer, failed(visit, error.try_into_panic().ok())),
                    });
                }
            }
        }
    }
}

impl<F, B> fmt::Debug for ResponseFuture<F, B> {
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
        Ok(Err(commit)) => Commit::Running(actix_web::rt::spawn(commit.in_current_span())),
        Err(panic) => Commit::Done(failed(visit, Some(panic))),
    }
}

fn finish<B>(answer: Answer<B>, reply: Reply) -> Answer<EitherBody<B>> {
    let answer = match reply.refusal() {
        Some(refusal) => replace(answer, Error::reported(refusal.clone())),
        None => answer.map(ServiceResponse::map_into_left_body),
    };
    match answer {
        Ok(mut response) => {
            reply.write_to(&mut Headers(response.headers_mut()));
            Ok(response)
        }
        Err(error) if reply.is_untouched() => Err(error),
        Err(mut error) => {
            // Whatever becomes the error's response later carries the headers, and loggers still find the
            // error itself.
            error.add_response_mapper(move |mut response| {
                reply.write_to(&mut Headers(response.headers_mut()));
                response
            });
            Err(error)
        }
    }
}

/// Puts an error in the place of the answer, of whose headers none remain but the tokens that sessions of
/// other names have handed out: those are news to the client all the same.
fn replace<B>(answer: Answer<B>, error: Error) -> Answer<EitherBody<B>> {
    match answer {
        Ok(response) => {
            let tokens = tokens(response.headers());
            let (request, _) = response.into_parts();
            let mut response = ServiceResponse::from_err(error, request).map_into_right_body();
            tokens.into_iter().for_each(|(name, value)| response.headers_mut().append(name, value));
            Ok(response)
        }
        Err(before) => {
            let tokens = tokens(before.error_response().headers());
            let mut error = actix_web::Error::from(error);
            error.add_response_mapper(move |mut response| {
                tokens
                    .iter()
                    .for_each(|(name, value)| response.headers_mut().append(name.clone(), value.clone()));
                response
            });
            Err(error)
        }
    }
}

fn tokens(headers: &actix_web::http::header::HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let sensitive = headers.iter().filter(|(_, value)| value.is_sensitive());
    sensitive.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn polled_again() -> Error {
    Error::reported(cloakroom_core::Error::new(cloakroom_core::ErrorKind::Other))
}

/// A commit runs code of the application: the closures of `update`, done again. What they panic with may panic once more
/// when it is dropped, so it is forgotten.
fn failed(visit: &Visit, panic: Option<Box<dyn Any + Send>>) -> Reply {
    tracing::error!(target: "cloakroom", panicked = panic.is_some(), "the commit of a session did not end");
    std::mem::forget(panic);
    visit.failed()
}
