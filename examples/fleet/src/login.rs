//! One login, seen by all.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use crate::visitor::{Seen, Visitor};
use crate::{Error, Fleet, Result};

/// How often each thing is done.
const TIMES: u64 = 30;

/// What was seen of one login.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OneLogin {
    /// The instance that took the login, from 1.
    pub at: usize,
    /// How many reads each instance answered.
    pub reads: [u64; 3],
    /// How many additions each instance made, one after the other, to the same count.
    pub additions: [u64; 3],
    /// How many instances saw the logout.
    pub saw_the_logout: usize,
}

/// Logs somebody in through the proxy, and wants every instance to know it, and to see what the others wrote.
///
/// # Errors
///
/// An instance sees somebody else, nobody, or another count; or the proxy does not ask all of them.
///
/// # Cancel safety
///
/// A dropped call leaves the visitor logged in.
pub async fn one_login(fleet: &Fleet) -> Result<OneLogin> {
    let instances = fleet.addresses();
    let ada = Visitor::called("ada", fleet)?;
    let at = number_of(&instances, &ada.log_in().await?)?;
    let (mut reads, mut additions) = ([0; 3], [0; 3]);
    for _ in 0..TIMES {
        let seen = ada.ask("GET", "/session", None, 200).await?;
        let number = number_of(&instances, &seen)?;
        if seen.member("principal").is_none_or(|principal| principal != ada.name()) {
            return Error::broken(format!(
                "{} logged in at instance {at}, and instance {number} answers: {}",
                ada.name(),
                seen.body
            ));
        }
        count(&mut reads, number);
    }
    for sum in 1..=TIMES {
        let seen = ada.ask("POST", "/add/visits/1", None, 200).await?;
        let number = number_of(&instances, &seen)?;
        if seen.number() != Some(sum) {
            return Error::broken(format!(
                "addition {sum}, at instance {number}, was answered {}",
                seen.body
            ));
        }
        count(&mut additions, number);
    }
    if reads.contains(&0) || additions.contains(&0) {
        return Error::broken(format!(
            "the proxy does not ask every instance: {reads:?} reads and {additions:?} additions prove nothing"
        ));
    }
    ada.log_out().await?;
    let mut saw_the_logout = BTreeSet::new();
    for _ in 0..TIMES {
        let seen = ada.ask("GET", "/session", None, 200).await?;
        let number = number_of(&instances, &seen)?;
        if seen.member("principal").is_none_or(|principal| !principal.is_null()) {
            return Error::broken(format!("instance {number} did not see the logout: {}", seen.body));
        }
        saw_the_logout.insert(number);
    }
    Ok(OneLogin { at, reads, additions, saw_the_logout: saw_the_logout.len() })
}

fn number_of(instances: &[SocketAddr; 3], seen: &Seen) -> Result<usize> {
    let at = seen.by.and_then(|by| instances.iter().position(|instance| *instance == by));
    match at {
        Some(at) => Ok(at + 1),
        None => Error::broken(format!("no instance answered, but the proxy or its cache: {seen:?}")),
    }
}

fn count(counts: &mut [u64; 3], number: usize) {
    if let Some(count) = number.checked_sub(1).and_then(|at| counts.get_mut(at)) {
        *count += 1;
    }
}

impl fmt::Display for OneLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, reads: [r1, r2, r3], additions: [a1, a2, a3], saw_the_logout } = self;
        writeln!(
            f,
            "logged in at instance {at}; {r1}, {r2}, {r3} reads by instance, all of them knew who it was"
        )?;
        writeln!(f, "{a1}, {a2}, {a3} additions by instance, one after the other: {} in all", a1 + a2 + a3)?;
        write!(f, "{saw_the_logout} instances saw the logout")
    }
}
