//! Restarts of one instance after the other, under load.

use std::fmt;
use std::time::{Duration, Instant};

use crate::book::Doubt;
use crate::{Ending, Error, Fleet, Load, Result, Ring};

/// How many requests an instance answers between its restart and the next one's.
const ANSWERS: u64 = 10;

/// One instance that was ended and started again.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Restart {
    /// Its number, from 1.
    pub instance: usize,
    /// How many requests were under way, at all instances, when it was told to end.
    pub under_way: usize,
    /// How long there was nobody at its address.
    pub away: Duration,
}

/// All instances, one after the other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Roll(
    /// The restarts, in their order.
    pub Vec<Restart>,
);

/// Ends each instance and starts it again, with other secrets if there are any; the next one's turn comes when it has
/// answered requests.
///
/// # Errors
///
/// An instance does not end, does not start, or gets no requests. What the visitors say is told by
/// [`Load::close`].
///
/// # Cancel safety
///
/// A dropped call may leave an instance ended.
pub async fn roll(fleet: &mut Fleet, load: &Load, ending: Ending, ring: Option<&Ring>) -> Result<Roll> {
    match ending {
        Ending::Drained => load.refuse_doubt().await?,
        Ending::Asked | Ending::Killed => load.set_doubt(Doubt::Allowed),
    }
    let mut restarts = Vec::new();
    for (address, instance) in fleet.addresses().into_iter().zip(1..) {
        load.until_busy().await?;
        let (start, under_way) = (Instant::now(), load.under_way());
        fleet.end(address, ending).await?;
        let answers = load.answers_of(address);
        fleet.start_again(address, ending, ring).await?;
        restarts.push(Restart { instance, under_way, away: start.elapsed() });
        load.until_answered(address, answers + ANSWERS).await?;
    }
    Ok(Roll(restarts))
}

/// A change of the secret that writes: three rolls.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyChange {
    /// How many visitors are in the list of their own sessions afterwards; none where the store has no lists.
    pub listed: Option<usize>,
}

/// Brings another secret in: it is made known everywhere, then it writes everywhere, then the old one goes. Before that, each
/// visitor has come back once, as they do within the time that a session lives.
///
/// # Errors
///
/// As [`roll`], and a session is not in the list of its principal afterwards.
///
/// # Cancel safety
///
/// As [`roll`].
pub async fn change_keys(fleet: &mut Fleet, load: &Load, old: &Ring, new: &Ring) -> Result<KeyChange> {
    for ring in [old.and(new), new.and(old)] {
        roll(fleet, load, Ending::Drained, Some(&ring)).await?;
    }
    load.go_on(8).await?;
    roll(fleet, load, Ending::Drained, Some(new)).await?;
    load.go_on(2).await?;
    let mut listed = Some(0);
    for visitor in load.visitors() {
        let name = visitor.name();
        match visitor.try_to("GET", "/sessions", None).await {
            Ok(seen) if seen.status == 501 => listed = None,
            Ok(seen) if seen.status == 200 && seen.body.contains("\"current\":true") => {
                listed = listed.map(|listed| listed + 1);
            }
            Ok(seen) => {
                return Error::broken(format!(
                    "{name} asked for the list of its sessions: {} {}",
                    seen.status, seen.body
                ));
            }
            Err(error) => return Err(Error::trouble(format!("the proxy is gone: {error}"))),
        }
    }
    Ok(KeyChange { listed })
}

impl fmt::Display for Roll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let restart = |Restart { instance, under_way, away }: &Restart| {
            format!(
                "instance {instance} was away for {} ms, with {under_way} requests under way",
                away.as_millis()
            )
        };
        f.write_str(&self.0.iter().map(restart).collect::<Vec<_>>().join("\n"))
    }
}

impl fmt::Display for KeyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the new secret was made known, then wrote, then the old one went: 9 restarts")?;
        match self.listed {
            Some(listed) => write!(f, "\n{listed} visitors find themselves in the list of their sessions"),
            None => Ok(()),
        }
    }
}
