//! Clients and thieves on bad networks, while secrets are renewed.
//!
//! The clients are honest as [`Renewal`] says it: what they send and what is sent to them is under way for less than the
//! grace. Everything else may happen: responses are lost or come in any order, handlers last for any time, instances
//! have different keys, the store fails.

mod moves;

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloakroom_core::{
    EndReason, ErrorKind, Expiry, OnReuse, RejectReason, Renewal, Session, SessionEventKind, Visit,
};
use futures_util::FutureExt as _;
use proptest::prelude::*;

use self::moves::{Move, Work, moves, periods};
use crate::fleet::Fleet;
use crate::world::{Browser, World};

const GRACE: u64 = 1_000;
const AGES: Duration = Duration::from_secs(1_000_000);

/// The instances, of which two at a time take requests: at first no one writes with the second key, in the end both.
const RINGS: [&[u8]; 4] = [&[1, 2], &[1, 2], &[2, 1], &[2, 1]];

/// A request on its way.
struct Flight {
    token: String,
    /// Which secret it came with, counted from the login.
    secret: usize,
    of_thief: bool,
    stage: Stage,
    /// Since when it is there.
    since: u64,
    /// How many of its updates are stored, and how many are noted.
    stored: i64,
    noted: i64,
    /// Some save failed.
    in_doubt: bool,
}

enum Stage {
    Sent,
    Parked { visit: Visit, session: Session, served: bool },
    Answered(Browser),
}

struct Scene {
    period: u64,
    on_reuse: OnReuse,
    with_thief: bool,
    worlds: Vec<World>,
    failing: bool,
    /// The first of the two instances that take requests.
    first: usize,
    jar: Browser,
    /// What the thief has.
    loot: VecDeque<String>,
    flights: Vec<Flight>,
    chain: Vec<Link>,
    /// Updates that were acknowledged, and those of which nobody knows.
    stored: i64,
    unsure: i64,
    over: bool,
}

/// One of the secrets, in their order.
struct Link {
    secret: Vec<u8>,
    /// A token with it.
    token: String,
    /// When a request that brought it came to its end first, perhaps without the store's hearing of it.
    perhaps_back: Option<u64>,
    /// When one did surely.
    back: Option<u64>,
}

impl Link {
    fn new(token: &str) -> Self {
        Self { secret: parts(token).1, token: token.to_owned(), perhaps_back: None, back: None }
    }
}

/// Handle and secret of a token.
fn parts(token: &str) -> (Vec<u8>, Vec<u8>) {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    (bytes[5..21].to_vec(), bytes[21..37].to_vec())
}

impl Scene {
    async fn new(period: u64, on_reuse: OnReuse, with_thief: bool) -> Self {
        let fleet = Fleet::new(false);
        let renewal = Renewal::every(Duration::from_millis(period)).with_grace(Duration::from_millis(GRACE));
        let expiry = Expiry::new(AGES, AGES).with_touch_interval(Duration::from_millis(GRACE + GRACE / 2));
        let world = |ring: &&[u8]| {
            fleet.world(ring, |b| b.with_renewal(renewal).with_on_reuse(on_reuse).with_expiry(expiry))
        };
        let worlds: Vec<World> = RINGS.iter().map(world).collect();
        let jar = worlds[0].logged_in("ada").await;
        let token = jar.token.clone().unwrap();
        let chain = vec![Link::new(&token)];
        Self {
            period,
            on_reuse,
            with_thief,
            worlds,
            failing: false,
            first: 0,
            jar,
            loot: VecDeque::new(),
            flights: Vec::new(),
            chain,
            stored: 0,
            unsure: 0,
            over: false,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.worlds[0].clock.monotonic().as_millis()).unwrap()
    }

    /// Those flights of which something can be said, and one of them.
    fn pick(&self, n: u8, wanted: impl Fn(&Stage) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.flights.len()).filter(|at| wanted(&self.flights[*at].stage)).collect();
        (!all.is_empty()).then(|| all[usize::from(n) % all.len()])
    }

    fn send(&mut self, token: String, of_thief: bool) {
        let secret = self.number_of(&token);
        let since = self.now();
        let stage = Stage::Sent;
        self.flights.push(Flight {
            token,
            secret,
            of_thief,
            stage,
            since,
            stored: 0,
            noted: 0,
            in_doubt: false,
        });
    }

    fn number_of(&mut self, token: &str) -> usize {
        let (_, secret) = parts(token);
        let known = self.chain.iter().position(|link| link.secret == secret);
        known.unwrap_or_else(|| {
            self.chain.push(Link::new(token));
            self.chain.len() - 1
        })
    }

    /// The store hears that this secret came back, unless it fails.
    fn came_back(&mut self, secret: usize, surely: bool) {
        let now = self.now();
        self.chain[secret].perhaps_back.get_or_insert(now);
        if surely {
            self.chain[secret].back.get_or_insert(now);
        }
    }

    /// Whether this secret's successor came back a grace ago.
    fn is_dead(&self, secret: usize) -> bool {
        let back = self.chain.get(secret + 1).and_then(|next| next.back);
        back.is_some_and(|back| self.now() >= back + GRACE) || self.chain.len() > secret + 2
    }

    fn may_be_dead(&self, secret: usize) -> bool {
        let back = self.chain.get(secret + 1).and_then(|next| next.perhaps_back);
        back.is_some_and(|back| self.now() >= back + GRACE)
    }

    /// Whether a response with this secret may yet arrive.
    fn is_under_way(&self, secret: Option<usize>) -> bool {
        let Some(link) = secret.map(|secret| &self.chain[secret]) else { return false };
        self.flights.iter().filter(|flight| !flight.of_thief).any(|flight| match &flight.stage {
            Stage::Answered(Browser { token: Some(token) }) => parts(token).1 == link.secret,
            _ => false,
        })
    }

    async fn reach(&mut self, at: usize, n: u8) -> Result<(), TestCaseError> {
        let which = self.first + usize::from(n % 2);
        let (now, world) = (self.now(), &self.worlds[which]);
        let visit = world.visit(&Browser::with(&self.flights[at].token));
        let dead = self.is_dead(self.flights[at].secret);
        for world in &self.worlds {
            world.events();
        }
        let Ok(session) = visit.session().await else {
            prop_assert!(self.failing);
            self.flights.swap_remove(at);
            return Ok(());
        };
        let served = session.principal().is_some();
        let events = world.events();
        prop_assert!(!(served && (dead || self.over)), "served after the grace");
        prop_assert_eq!(served, !session.is_new());
        if !self.with_thief {
            prop_assert!(served, "an honest client was logged out: {:?}", events);
            prop_assert!(events.is_empty(), "{:?}", events);
        }
        if served {
            prop_assert!(!session.contains("of a stranger"));
        } else if !self.over {
            let (secret, newest) = (self.flights[at].secret, self.chain.len() - 1);
            let reused = events.contains(&SessionEventKind::TokenRejected(RejectReason::Reused));
            let ended = events.contains(&SessionEventKind::Ended(EndReason::TokenReuse));
            prop_assert!(self.may_be_dead(secret), "refused within the grace: {:?}", events);
            prop_assert!(!reused || secret + 1 == newest);
            prop_assert_eq!(ended, reused && self.on_reuse == OnReuse::End);
            self.over = ended;
            // Whoever holds the newest goes on, unless it was the end.
            self.heal();
            let probe = self.worlds[which].visit(&Browser::with(&self.chain[newest].token));
            prop_assert_eq!(probe.session().await.unwrap().principal().is_some(), !ended);
            if !reused && secret + 1 == newest {
                // Merely stale: there was a renewal that nobody has heard of.
                let mut told = Browser::default();
                told.take(&probe.commit().await);
                prop_assert_eq!(self.number_of(&told.token.unwrap()), newest + 1);
            }
        }
        let flight = &mut self.flights[at];
        flight.since = now;
        flight.stage = Stage::Parked { visit, session, served };
        Ok(())
    }

    async fn work(&mut self, at: usize, work: Work) -> Result<(), TestCaseError> {
        let secret = self.flights[at].secret;
        if matches!(work, Work::Save) {
            self.came_back(secret, false);
        }
        let flight = &mut self.flights[at];
        let Stage::Parked { session, served, .. } = &flight.stage else { return Ok(()) };
        if !served {
            let _ = session.set("of a stranger", &1);
            return Ok(());
        }
        match work {
            Work::Update if session.update("n", |n: Option<i64>| n.unwrap_or(0) + 1).is_ok() => {
                flight.noted += 1
            }
            Work::Update => prop_assert!(self.over),
            Work::Save => match session.save().await {
                Ok(()) => flight.stored = flight.noted,
                Err(error) if error.kind() == ErrorKind::Ended => prop_assert!(self.over),
                Err(_) => {
                    prop_assert!(self.failing);
                    self.unsure += flight.noted - flight.stored;
                    flight.noted = flight.stored;
                    flight.in_doubt = true;
                }
            },
            Work::Remember => {
                let _ = session.remember(AGES * 2);
            }
        }
        Ok(())
    }

    async fn answer(&mut self, all: &[usize]) -> Result<(), TestCaseError> {
        let visits = all.iter().filter_map(|at| match &self.flights[*at].stage {
            Stage::Parked { visit, .. } => Some(visit.clone()),
            _ => None,
        });
        let replies =
            futures_util::future::join_all(visits.map(|visit| async move { visit.commit().await })).await;
        let now = self.now();
        for (at, reply) in all.iter().zip(replies) {
            let mut told = Browser::default();
            told.take(&reply);
            let Flight { token, secret, of_thief, noted, stored, in_doubt, .. } = &self.flights[*at];
            let in_doubt = *in_doubt;
            let (secret, noted, before) = (*secret, *noted, *stored);
            let same = told.token.as_deref().filter(|new| parts(new).0 == parts(token).0);
            let same = same.map(str::to_owned);
            let Stage::Parked { served, .. } = &self.flights[*at].stage else { continue };
            let served = *served;
            if let Some(new) = &same {
                prop_assert!(served);
                prop_assert!(!self.is_dead(secret), "given a token after the grace");
                if *of_thief {
                    self.loot.push_back(new.clone());
                }
                let number = self.number_of(new);
                // One that arrived after it would take its place.
                prop_assert!(
                    !self.is_under_way(number.checked_sub(1)),
                    "told before {} has arrived",
                    number - 1
                );
                prop_assert!(number == secret || number == secret + 1, "{} for {}", number, secret);
            } else if served && !self.over {
                prop_assert_eq!(&told.token, &None);
            }
            match reply.refusal() {
                None => self.stored += noted,
                Some(error) => {
                    prop_assert!(self.failing || self.over || !served || in_doubt, "{:?}", error);
                    self.stored += before;
                    self.unsure += noted - before;
                }
            }
            if served {
                self.came_back(secret, !self.failing);
            }
            self.flights[*at].stage = Stage::Answered(Browser { token: same });
            self.flights[*at].since = now;
        }
        Ok(())
    }

    fn arrive(&mut self, at: usize, lost: bool) {
        let flight = self.flights.swap_remove(at);
        if let Stage::Answered(Browser { token: Some(token) }) = flight.stage
            && !lost
            && !flight.of_thief
        {
            self.jar.token = Some(token);
        }
    }

    /// Time goes on, and nothing is under way for as long as the grace.
    async fn wait(&mut self, millis: u64) -> Result<(), TestCaseError> {
        let until = self.now() + millis;
        loop {
            let late = self
                .flights
                .iter()
                .enumerate()
                .filter(|(_, flight)| !flight.of_thief && !matches!(flight.stage, Stage::Parked { .. }));
            let next = late.map(|(at, flight)| (flight.since + GRACE - 1, at)).min();
            let Some((when, at)) = next.filter(|(when, _)| *when <= until) else { break };
            self.go_to(when);
            match self.flights[at].stage {
                Stage::Sent => self.reach(at, (when % 251) as u8).await?,
                _ => self.arrive(at, false),
            }
        }
        self.go_to(until);
        Ok(())
    }

    fn go_to(&self, when: u64) {
        self.worlds[0].clock.advance(Duration::from_millis(when - self.now()));
    }

    async fn play(&mut self, step: Move) -> Result<(), TestCaseError> {
        let is_parked = |stage: &Stage| matches!(stage, Stage::Parked { .. });
        match step {
            Move::Send => self.send(self.jar.token.clone().unwrap(), false),
            Move::Request(n) => {
                self.send(self.jar.token.clone().unwrap(), false);
                let at = self.flights.len() - 1;
                self.reach(at, n).await?;
                if self.flights.get(at).is_some_and(|flight| is_parked(&flight.stage)) {
                    self.answer(&[at]).await?;
                }
            }
            Move::Steal if self.with_thief => self.loot.push_back(self.jar.token.clone().unwrap()),
            Move::Abuse(n) if !self.loot.is_empty() => {
                self.send(self.loot[usize::from(n) % self.loot.len()].clone(), true);
            }
            Move::Steal | Move::Abuse(_) => {}
            Move::Reach(n) => {
                if let Some(at) = self.pick(n / 2, |stage| matches!(stage, Stage::Sent)) {
                    self.reach(at, n).await?;
                }
            }
            Move::Work(n, work) => {
                if let Some(at) = self.pick(n, is_parked) {
                    self.work(at, work).await?;
                }
            }
            Move::Answer(n) => {
                if let Some(at) = self.pick(n, is_parked) {
                    self.answer(&[at]).await?;
                }
            }
            Move::AnswerTwo(one, two) => {
                let pair = (self.pick(one, is_parked), self.pick(two, is_parked));
                if let (Some(one), Some(two)) = pair
                    && one != two
                {
                    self.answer(&[one, two]).await?;
                }
            }
            Move::Cut(n, polls) => {
                if let Some(at) = self.pick(n, is_parked)
                    && let flight = self.flights.swap_remove(at)
                    && let Stage::Parked { visit, .. } = flight.stage
                {
                    let mut commit = Box::pin(visit.commit());
                    for _ in 0..polls {
                        if commit.as_mut().now_or_never().is_some() {
                            break;
                        }
                    }
                    self.came_back(flight.secret, false);
                    self.stored += flight.stored;
                    self.unsure += flight.noted - flight.stored;
                }
            }
            Move::Arrive(n) | Move::Lose(n) => {
                if let Some(at) = self.pick(n, |stage| matches!(stage, Stage::Answered(_))) {
                    self.arrive(at, matches!(step, Move::Lose(_)));
                }
            }
            Move::Wait(millis) => self.wait(millis).await?,
            Move::Fail(n, verb, failure) => {
                self.worlds[usize::from(n) % RINGS.len()].store.fail_next(verb, failure);
                self.failing = true;
            }
            Move::Heal => self.heal(),
            Move::ChangeKeys => self.first = (self.first + 1).min(RINGS.len() - 2),
        }
        Ok(())
    }

    fn heal(&mut self) {
        for world in &self.worlds {
            world.store.heal();
        }
        self.failing = false;
    }

    /// The last request of an honest client finds everything that was stored.
    async fn end(mut self) -> Result<(), TestCaseError> {
        self.heal();
        self.wait(GRACE).await?;
        while let Some(at) = self.pick(0, |stage| matches!(stage, Stage::Parked { .. })) {
            self.answer(&[at]).await?;
        }
        self.wait(self.period).await?;
        self.send(self.jar.token.clone().unwrap(), false);
        let at = self.flights.len() - 1;
        self.reach(at, 1).await?;
        if let Stage::Parked { session, served: true, .. } = &self.flights[at].stage {
            let n: i64 = session.get("n").unwrap().unwrap_or(0);
            prop_assert!((self.stored..=self.stored + self.unsure).contains(&n), "{} of {}", n, self.stored);
        }
        Ok(())
    }
}

fn run(period: u64, on_reuse: OnReuse, with_thief: bool, moves: Vec<Move>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut scene = Scene::new(period, on_reuse, with_thief).await;
        for step in moves {
            scene.play(step).await?;
        }
        scene.end().await
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(640))]

    /// Whoever loses responses, gets them in any order, or sends requests in parallel, stays logged in.
    #[test]
    fn honest_clients_are_never_logged_out(
        (period, moves) in periods().prop_flat_map(|period| (Just(period), moves(period)))
    ) {
        run(period, OnReuse::End, false, moves)?;
    }

    /// Whoever comes with an old secret after its grace is not served, nor given a newer one.
    #[test]
    fn no_thief_is_served_after_the_grace(
        (period, moves) in periods().prop_flat_map(|period| (Just(period), moves(period))),
        ends in any::<bool>(),
    ) {
        run(period, if ends { OnReuse::End } else { OnReuse::Report }, true, moves)?;
    }
}
