//! What visitors were answered, and whether every promise was kept.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::visitor::Seen;
use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// How many broken promises are told one by one.
const TOLD: usize = 3;

/// What a visitor does, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Asks who it is.
    Read,
    /// Adds one to its count.
    Add,
}

/// Whether the proxy may leave an addition without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// An instance ended with an addition under way, or on its way.
    Allowed,
    /// No instance ended before it was through with what it had.
    Refused,
}

/// All that happened so far.
#[derive(Debug, Default)]
pub(crate) struct Book {
    by: BTreeMap<SocketAddr, u64>,
    repeated: u64,
    /// Additions without an answer, by what came instead.
    in_doubt: BTreeMap<String, u64>,
    broken: Vec<String>,
    slowest: Duration,
    accounts: Vec<Account>,
}

/// What one visitor's count may be.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    requests: u64,
    acknowledged: u64,
    in_doubt: u64,
    found: u64,
    logouts: u64,
}

impl Book {
    pub(crate) fn of(visitors: usize) -> Self {
        Self { accounts: vec![Account::default(); visitors], ..Self::default() }
    }

    /// Notes what a visitor was answered.
    pub(crate) fn note(
        &mut self,
        visitor: usize,
        name: &str,
        deed: Deed,
        doubt: Doubt,
        answer: &std::io::Result<Seen>,
        took: Duration,
    ) {
        self.slowest = self.slowest.max(took);
        let Some(account) = self.accounts.get_mut(visitor) else { return };
        account.requests += 1;
        let seen = match answer {
            Ok(seen) => seen,
            Err(error) => {
                // The proxy was there all the time.
                account.in_doubt += u64::from(deed == Deed::Add);
                return self.broken.push(format!("{deed:?} of {name} got no answer: {error}"));
            }
        };
        if let Some(by) = seen.by {
            *self.by.entry(by).or_default() += 1;
        }
        self.repeated += seen.repeated as u64;
        match (deed, seen.status) {
            (Deed::Read, 200) if seen.member("principal").is_some_and(|principal| principal == name) => {}
            (Deed::Read, 200) => {
                account.logouts += 1;
                self.broken.push(format!("{name} was logged out, and is told: {}", seen.body));
            }
            (Deed::Add, 200) if seen.number().is_some() => account.acknowledged += 1,
            (Deed::Add, 502 | 504) => {
                account.in_doubt += 1;
                *self.in_doubt.entry(seen.status.to_string()).or_default() += 1;
                if doubt == Doubt::Refused {
                    self.broken.push(format!(
                        "an addition of {name} was answered {} although every instance was drained first",
                        seen.status
                    ));
                }
            }
            (Deed::Add, 409) => {
                account.logouts += 1;
                self.broken.push(format!("an addition of {name} was told that the session ended"));
            }
            (_, status) => {
                account.in_doubt += u64::from(deed == Deed::Add);
                self.broken.push(format!("{deed:?} of {name} was answered {status} {:?}", seen.body));
            }
        }
    }

    /// Notes what a visitor's count is in the end.
    pub(crate) fn found(&mut self, visitor: usize, name: &str, found: u64) {
        let Some(account) = self.accounts.get_mut(visitor) else { return };
        account.found = found;
        let Account { acknowledged, in_doubt, .. } = *account;
        if found < acknowledged {
            self.broken.push(format!(
                "{} of {acknowledged} acknowledged additions of {name} are lost",
                acknowledged - found
            ));
        } else if found > acknowledged + in_doubt {
            self.broken.push(format!(
                "{name} added {acknowledged} times, and {in_doubt} times without an answer, and has {found}"
            ));
        }
    }

    /// How many requests an instance answered.
    pub(crate) fn answers_of(&self, instance: SocketAddr) -> u64 {
        self.by.get(&instance).copied().unwrap_or_default()
    }

    /// How many requests each visitor made.
    pub(crate) fn requests(&self) -> Vec<u64> {
        self.accounts.iter().map(|account| account.requests).collect()
    }

    /// The figures, if no promise was broken.
    pub(crate) fn close(self, instances: [SocketAddr; 3], most_under_way: usize) -> Result<Figures> {
        let Self { by, repeated, in_doubt, broken, slowest, accounts } = self;
        if !broken.is_empty() {
            let logouts: u64 = accounts.iter().map(|account| account.logouts).sum();
            let told = broken.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join("\n  ");
            return Error::broken(format!(
                "{} promises were broken, {logouts} of them by a logout; the first:\n  {told}",
                broken.len()
            ));
        }
        let sum = |of: fn(&Account) -> u64| accounts.iter().map(of).sum();
        Ok(Figures {
            requests: sum(|account| account.requests),
            by: instances.map(|instance| by.get(&instance).copied().unwrap_or_default()),
            most_under_way,
            repeated,
            in_doubt,
            acknowledged: sum(|account| account.acknowledged),
            found: sum(|account| account.found),
            slowest,
        })
    }
}

/// What visitors were answered while no promise was broken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Figures {
    /// How many requests were made.
    pub requests: u64,
    /// How many of them each instance answered, in the order of their numbers.
    pub by: [u64; 3],
    /// How many were under way at once, at most.
    pub most_under_way: usize,
    /// How often the proxy asked another instance, because one was not there.
    pub repeated: u64,
    /// Additions that the proxy could not answer and did not repeat, by its status: they may have had their effect.
    pub in_doubt: BTreeMap<String, u64>,
    /// How many additions were acknowledged.
    pub acknowledged: u64,
    /// How many additions are there in the end.
    pub found: u64,
    /// How long the slowest answer took.
    pub slowest: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.by;
        let Self { requests, most_under_way, repeated, acknowledged, found, .. } = self;
        writeln!(
            f,
            "{requests} requests, answered by {first}, {second}, {third}; at most {most_under_way} at once, the slowest took \
             {} ms",
            self.slowest.as_millis()
        )?;
        writeln!(f, "{repeated} were passed on to another instance, because one was not there")?;
        let doubts: u64 = self.in_doubt.values().sum();
        let by_status = self.in_doubt.iter().map(|(status, count)| format!("{count} × {status}"));
        let by_status = by_status.collect::<Vec<_>>().join(", ");
        match doubts {
            0 => writeln!(f, "every request was answered")?,
            _ => writeln!(
                f,
                "{doubts} additions were not answered ({by_status}): a write that was sent is not repeated"
            )?,
        }
        write!(f, "0 logouts; {acknowledged} additions acknowledged, {found} there")
    }
}
