//! One server: the way to it, and what is known of it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloakroom_core::{StoreError, Version};
use tokio::time::{Instant, timeout_at};

use crate::errand::Errand;
use crate::error::{Cause, Effect, Failure};
use crate::facts::Facts;
use crate::home::Home;
use crate::interview::interview;
use crate::lifetime::Lifetime;
use crate::pool::{Pool, Want};
use crate::request::{Reply, Request, Written};
use crate::router::Seed;

/// How much later than its deadline a request is given up whose runtime does not get round to it.
const GRACE: Duration = Duration::from_millis(20);

/// One server.
pub(crate) struct Node {
    seed: Seed,
    pool: Pool,
    home: Home,
    facts: Mutex<Option<Facts>>,
    /// Held while the server is asked, so that a crowd asks once.
    asking: Arc<tokio::sync::Mutex<()>>,
}

/// A failed try, and whether another one is worth it.
enum Setback {
    Again(Failure),
    Final(Failure),
}

impl Node {
    pub(crate) fn new(pool: Pool) -> Arc<Self> {
        let seed = Seed::of(pool.address());
        let (home, facts, asking) = (Home::here(), Mutex::new(None), Arc::default());
        Arc::new(Self { seed, pool, home, facts, asking })
    }

    pub(crate) const fn seed(&self) -> Seed {
        self.seed
    }

    /// Sends a request and waits for its reply until the deadline.
    ///
    /// Asks once more when the connection broke, unless the request makes a record. So every other one must be one that may be
    /// executed twice.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        request: Request,
        errand: &mut Errand,
    ) -> Result<Reply, StoreError> {
        let request = Arc::new(request);
        let effect = request.effect();
        match self.attempt(&request, Want::Any, errand.deadline()).await {
            Ok(reply) => return Ok(reply),
            Err(Setback::Again(failure)) => errand.again_after(failure, effect)?,
            Err(Setback::Final(failure)) => return Err(errand.given_up(failure, effect)),
        }
        match self.attempt(&request, Want::Fresh, errand.deadline()).await {
            Ok(reply) => Ok(reply),
            Err(Setback::Again(failure) | Setback::Final(failure)) => Err(errand.given_up(failure, effect)),
        }
    }

    /// Stores a value by a request that is made for whether the version may be chosen as the number that the server
    /// compares; once more, without, where the server does not take it.
    pub(crate) async fn write<F>(
        self: &Arc<Self>,
        version: Version,
        facts: &mut Facts,
        errand: &mut Errand,
        request: F,
    ) -> Result<Written, StoreError>
    where
        F: Fn(Option<Version>) -> Result<Request, StoreError> + Send,
    {
        if facts.chooses {
            let written = self.ask(request(Some(version))?, errand).await?.written()?;
            if written != Written::Stored(Some(version.get()))
                && !matches!(written, Written::Exists | Written::Absent)
            {
                facts.chooses = false;
                self.chooses_not();
            }
            if written != Written::ChoiceRefused {
                return Ok(written);
            }
        }
        self.ask(request(None)?, errand).await?.written()
    }

    /// What is known of the server, asked for if need be.
    pub(crate) async fn facts(
        self: &Arc<Self>,
        lifetime: Lifetime,
        errand: &Errand,
    ) -> Result<Facts, StoreError> {
        if let Some(facts) = self.known(lifetime) {
            return Ok(facts);
        }
        let deadline = errand.deadline();
        let late = || Failure::Unreached(Cause::said("the server did not tell of itself in time"));
        let facts = timeout_at(deadline, self.learn(lifetime, deadline)).await;
        // Nothing that changes anything was sent.
        facts.unwrap_or_else(|_| Err(late())).map_err(|failure| errand.failed(failure, Effect::Look))
    }

    /// Asks the server, unless somebody else has in the meantime.
    ///
    /// Who gives up while it is asked does not end that: else a service whose writes are all dropped early would ask
    /// before each, and never know.
    async fn learn(self: &Arc<Self>, lifetime: Lifetime, deadline: Instant) -> Result<Facts, Failure> {
        // A second time if the home ended meanwhile.
        for _ in 0..2 {
            let turn = Arc::clone(&self.asking).lock_owned().await;
            if let Some(facts) = self.known(lifetime) {
                return Ok(facts);
            }
            let node = Arc::clone(self);
            let work = async move {
                let facts = timeout_at(deadline, node.interview(deadline)).await;
                drop(turn);
                facts
            };
            match self.home.see_through(work).await {
                Some(Ok(facts)) => return facts,
                // It is as late for the one who waits.
                Some(Err(_)) => break,
                None => {}
            }
        }
        Err(Failure::Unreached(Cause::said("the server was not asked to the end")))
    }

    async fn interview(&self, deadline: Instant) -> Result<Facts, Failure> {
        let (asked, ended) = (Instant::now(), self.pool.ended());
        let _slot = self.pool.slot(deadline).await?;
        let stream = self.pool.dial(deadline).await.map_err(Failure::Unreached)?;
        let facts = Facts::new(interview(stream).await?, asked, ended);
        *self.slot() = Some(facts);
        Ok(facts)
    }

    fn known(&self, lifetime: Lifetime) -> Option<Facts> {
        self.slot().filter(|facts| facts.hold(lifetime, self.pool.ended()))
    }

    fn chooses_not(&self) {
        if let Some(facts) = &mut *self.slot() {
            facts.chooses = false;
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Facts>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn attempt(
        self: &Arc<Self>,
        request: &Arc<Request>,
        want: Want,
        deadline: Instant,
    ) -> Result<Reply, Setback> {
        let (node, request) = (Arc::clone(self), Arc::clone(request));
        let work = async move { node.exchange(&request, want, deadline).await };
        // The work ends by its deadline, if its runtime has a thread for it.
        match timeout_at(deadline + GRACE, self.home.run(work)).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => {
                Err(Setback::Again(Failure::Lost(Cause::said("the runtime of the connection ended"))))
            }
            Err(_) => Err(Setback::Final(Failure::Late)),
        }
    }

    async fn exchange(&self, request: &Request, want: Want, deadline: Instant) -> Result<Reply, Setback> {
        if Instant::now() >= deadline {
            return Err(Setback::Final(Failure::Unreached(Cause::said(
                "the deadline passed before the request",
            ))));
        }
        let mut checkout = self.pool.checkout(want, deadline).await.map_err(Setback::Final)?;
        match timeout_at(deadline, checkout.connection.send(request.command())).await {
            Ok(Ok(())) => {}
            // What has not gone out whole is not executed.
            Ok(Err(error)) => return Err(self.ended(Failure::Unreached(Cause::of(&error)))),
            Err(_) => {
                let late = Cause::said("the server did not take the request in time");
                return Err(Setback::Final(Failure::Unreached(late)));
            }
        }
        let Ok(received) = timeout_at(deadline, checkout.connection.receive()).await else {
            // Something in between may have forgotten the others as well.
            self.pool.close_idle();
            return Err(Setback::Final(Failure::Late));
        };
        match request.reply(received) {
            Ok(Reply::Meta(reply)) => {
                checkout.give_back();
                Ok(Reply::Meta(reply))
            }
            Ok(reply @ Reply::ChoiceRefused) => Ok(reply),
            Err(failure @ Failure::Lost(_)) => Err(self.ended(failure)),
            Err(failure) => Err(Setback::Final(failure)),
        }
    }

    fn ended(&self, failure: Failure) -> Setback {
        self.pool.note_end();
        self.pool.close_idle();
        Setback::Again(failure)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.pool.address(), f)
    }
}
