//! Finds the primary of a Sentinel service, and keeps an eye on who it is.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use cloakroom_core::{Error, StoreErrorKind, Version};
use futures_util::future::{Either, select};
use redis::Value;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};

use crate::dial::{Dialler, Standing, broken};
use crate::error::{Failure, unwelcome};
use crate::form;
use crate::greeting::Greeting;
use crate::hearing::hear;
use crate::home::Home;
use crate::link::{Departure, Link, Setback};
use crate::place::Place;
use crate::request::Packed;
use crate::wire::Wire;
use answer::Answer;
use belief::Belief;

mod answer;
mod belief;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

/// How often the sentinels are asked while all is well, give or take a quarter.
const PERIOD: Duration = Duration::from_secs(1);

/// How long a server that was announced and is no primary is left alone.
const PAUSE: Duration = Duration::from_millis(50);

/// The sentinels of one service.
pub(crate) struct Sentinels {
    service: String,
    voices: Vec<Voice>,
    /// How the primary is greeted.
    greeting: Greeting,
    connect_timeout: Duration,
    home: Home,
    /// Wakes the task that watches.
    heard: Arc<Notify>,
    announced: watch::Sender<Option<Place>>,
    /// What is believed; changed together with what is announced.
    belief: Mutex<Belief>,
    watching: AtomicBool,
}

/// One sentinel.
struct Voice {
    place: Place,
    link: Link,
}

impl Sentinels {
    /// The sentinels at these places; they are greeted in their own way.
    pub(crate) fn new(
        service: String,
        places: Vec<Place>,
        own_greeting: &Greeting,
        greeting: Greeting,
        home: Home,
        connect_timeout: Duration,
    ) -> Result<Self, Error> {
        let heard = Arc::new(Notify::new());
        let voice = |place: Place| {
            let server = Arc::new(own_greeting.server(&place)?);
            let dialler = Dialler::Sentinel { server, heard: Arc::clone(&heard) };
            Ok(Voice { link: Link::new(dialler, home.clone(), connect_timeout), place })
        };
        Ok(Self {
            service,
            voices: places.into_iter().map(voice).collect::<Result<_, Error>>()?,
            greeting,
            connect_timeout,
            home,
            heard: Arc::clone(&heard),
            announced: watch::Sender::new(None),
            belief: Mutex::default(),
            watching: AtomicBool::new(false),
        })
    }

    /// Connects to the primary, once it says itself that it is one.
    pub(crate) async fn dial(self: &Arc<Self>) -> Result<(Wire, Standing), Failure> {
        self.watch();
        let mut until = Instant::now() + self.connect_timeout;
        loop {
            // Those who answer first need not be the ones who know.
            let round = self.round(until, self.voices.len() / 2 + 1).await;
            let place = self.announce(&round)?;
            let standing = Standing::While { place: place.clone(), announced: self.announced.subscribe() };
            let reached = match select(pin!(self.reach_primary(&place)), pin!(standing.ended())).await {
                Either::Left((reached, _)) => reached?,
                // Another one was announced while this one did not answer.
                Either::Right(_) => {
                    until = Instant::now() + self.connect_timeout;
                    continue;
                }
            };
            match reached {
                Some(wire) => return Ok((wire, standing)),
                // Announced too early or too late: a failover is under way.
                None if Instant::now() + PAUSE < until => sleep(PAUSE).await,
                None => {
                    let why = "the server that the sentinels name is not a primary";
                    return Err(Failure::Nobody { kind: StoreErrorKind::Unavailable, why });
                }
            }
        }
    }

    /// A connection to the server at this place, if it is a primary.
    async fn reach_primary(&self, place: &Place) -> Result<Option<Wire>, Failure> {
        let unusable = |_| Failure::Nobody {
            kind: StoreErrorKind::Misconfigured,
            why: "the sentinels name a server by an address that cannot be used",
        };
        let server = self.greeting.server(place).map_err(unusable)?;
        let wire = server.reach(None, self.connect_timeout).await?;
        let question = Arc::new(Packed::one(form::role, ["ROLE".into()]));
        let reply = tokio::time::timeout(self.connect_timeout, wire.ask(&question)).await;
        match reply.map_err(|_| Failure::Unreached(broken(io::ErrorKind::TimedOut)))? {
            Ok(mut role) => match role.pop() {
                Some(Value::ServerError(refusal)) => Err(unwelcome(refusal)),
                Some(Value::Array(role)) => {
                    Ok(matches!(role.first(), Some(Value::BulkString(word)) if word == b"master")
                        .then_some(wire))
                }
                _ => Ok(None),
            },
            Err(failure) => Err(failure.before_any_request()),
        }
    }

    /// Asks all sentinels at once, and waits for so many of them.
    async fn round(&self, until: Instant, enough: usize) -> Round {
        let asked = self.voices.iter().map(|voice| voice.ask(&self.service, until));
        let counts = |answer: &Result<Answer, Failure>| matches!(answer, Ok(Answer::Primary { .. }));
        Round { answers: hear(asked, counts, enough, until).await }
    }

    /// Tells all links who the primary is: what the sentinels say, unless those who said it may be behind the
    /// times.
    fn announce(&self, round: &Round) -> Result<Place, Failure> {
        // Held to the end: of two rounds at once, the older one must not have the last word.
        let mut belief = self.belief.lock().unwrap_or_else(PoisonError::into_inner);
        let told = belief.hear(round, self.voices.len())?;
        let mut moved = false;
        self.announced.send_if_modified(|now| {
            moved = now.as_ref().is_some_and(|now| *now != told);
            let changed = now.as_ref() != Some(&told);
            *now = Some(told.clone());
            changed
        });
        if moved {
            tracing::info!(target: "cloakroom::redis", "the sentinels name another primary");
        }
        Ok(told)
    }

    /// Sees to it that a task looks after the announcements.
    fn watch(self: &Arc<Self>) {
        if !self.watching.swap(true, Ordering::AcqRel) {
            let watcher = Watcher(Arc::downgrade(self));
            self.home.spawn(async move {
                while let Some(sentinels) = watcher.0.upgrade() {
                    let next = Instant::now() + jittered(PERIOD);
                    let until = Instant::now() + sentinels.connect_timeout;
                    // The one who knows of a new primary may be the slowest.
                    let round = sentinels.round(until, sentinels.voices.len()).await;
                    // What nobody can tell, the next dial reports.
                    let _ = sentinels.announce(&round);
                    let heard = Arc::clone(&sentinels.heard);
                    drop((round, sentinels));
                    // Sentinels tell when something happens; those that cannot be heard are asked.
                    let _ = timeout_at(next, heard.notified()).await;
                }
            });
        }
    }
}

/// The right to be the task that watches; it passes on when that task ends.
struct Watcher(Weak<Sentinels>);

impl Drop for Watcher {
    fn drop(&mut self) {
        // It ends by itself only when they are gone.
        if let Some(sentinels) = self.0.upgrade() {
            sentinels.home.is_gone();
            sentinels.watching.store(false, Ordering::Release);
        }
    }
}

impl Voice {
    async fn ask(&self, service: &str, until: Instant) -> Result<Answer, Failure> {
        let question = |what| ["SENTINEL", what, service].map(Into::into);
        // The epoch first, so that an address is never older than it.
        let questions = Packed::one(form::facts, question("MASTER"))
            .and(form::address_or_nil, question("GET-MASTER-ADDR-BY-NAME"));
        match self.link.attempt(&Arc::new(questions), until, &Departure::default()).await {
            Ok(replies) => Answer::read(replies, &self.place),
            Err(Setback::Again(failure) | Setback::Final(failure)) => Err(failure),
        }
    }
}

/// What the sentinels said when they were asked at once.
struct Round {
    answers: Vec<Result<Answer, Failure>>,
}

impl Round {
    /// The primary of the highest epoch, after so many sentinels were asked.
    fn newest(&self, asked: usize) -> Result<(u64, &Place), Failure> {
        if let Some(named) = self.named().max_by_key(|(epoch, _)| *epoch) {
            return Ok(named);
        }
        let nobody = |kind, why| Err(Failure::Nobody { kind, why });
        // One of them may have been set up otherwise, while those who know cannot be reached, or are slow.
        let unknown = self.answers.iter().filter(|answer| matches!(answer, Ok(Answer::Unknown))).count();
        if unknown * 2 > asked {
            return nobody(
                StoreErrorKind::Misconfigured,
                "the sentinels watch no service of the name that the URL gives",
            );
        }
        let mut failures = self.answers.iter().filter_map(|answer| answer.as_ref().err());
        match failures.find(|failure| failure.is_refusal()) {
            Some(refusal) => Err(refusal.clone()),
            None => nobody(StoreErrorKind::Unavailable, "no sentinel can be reached"),
        }
    }

    fn named(&self) -> impl Iterator<Item = (u64, &Place)> {
        self.answers.iter().filter_map(|answer| match answer {
            Ok(Answer::Primary { epoch, place }) => Some((*epoch, place)),
            _ => None,
        })
    }
}

/// This long, give or take a quarter, so that a fleet does not ask in step.
fn jittered(period: Duration) -> Duration {
    let quarter = period / 4;
    // Without random bytes there are no sessions either.
    let tag = Version::random().map_or(0, Version::get);
    let share = u32::try_from(tag % 1000).unwrap_or(0);
    period - quarter + quarter * 2 * share / 1000
}

#[cfg(test)]
mod tests;
