//! Keeps the timer of a runtime from being set anew for each request.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// How long it lasts behind the last request.
const LENGTH: Duration = Duration::from_millis(250);

/// A runtime that waits for no timer is woken from its wait, by a call of the system, whenever one is set, and so by
/// each request that comes alone. While something is asked now and then, it waits for this one, which ends before the
/// deadlines of requests do. When nothing is asked any more, it ends for good.
pub(crate) struct Vigil {
    sleep: Pin<Box<Sleep>>,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Over,
    Kept,
    /// Something was asked since it began.
    Wanted,
}

impl Vigil {
    pub(crate) fn new() -> Self {
        Self { sleep: Box::pin(sleep(LENGTH)), state: State::Over }
    }

    /// Something is asked.
    pub(crate) fn keep(&mut self) {
        match self.state {
            State::Over => self.begin(),
            State::Kept | State::Wanted => self.state = State::Wanted,
        }
    }

    /// To be called whenever the task wakes.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) {
        while self.state != State::Over && matches!(self.sleep.as_mut().poll(context), Poll::Ready(())) {
            match self.state {
                State::Wanted => self.begin(),
                State::Kept | State::Over => self.state = State::Over,
            }
        }
    }

    fn begin(&mut self) {
        self.sleep.as_mut().reset(Instant::now() + LENGTH);
        self.state = State::Kept;
    }
}

#[cfg(test)]
mod tests;
