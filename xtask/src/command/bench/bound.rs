//! All of a section on one processor.

use std::process::{self, Command};

use crate::command::step;
use crate::{Error, Result};

/// This process, and all that it starts, run on one processor until this value goes.
#[derive(Debug)]
pub(super) struct Bound {
    /// As `taskset` writes it.
    before: String,
}

impl Bound {
    /// The first processor of those that are allowed.
    pub(super) fn to_one() -> Result<Self> {
        let before = allowed()?;
        let first = before.split([',', '-']).next().unwrap_or_default();
        bind(first)?;
        Ok(Self { before })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Err(error) = bind(&self.before) {
            step::complain(&error);
        }
    }
}

/// Those that this process may run on, such as `0-3,6`.
fn allowed() -> Result<String> {
    let mut taskset = Command::new("taskset");
    taskset.args(["-c", "-p", &process::id().to_string()]);
    let said = step::output(taskset)?;
    let list = said.rsplit_once(": ").map(|(_, list)| list.trim().to_owned());
    list.ok_or_else(|| Error::new(format!("taskset says {said}")))
}

fn bind(list: &str) -> Result<()> {
    let mut taskset = Command::new("taskset");
    taskset.args(["-a", "-c", "-p", list, &process::id().to_string()]);
    step::output(taskset).map(drop)
}

#[cfg(test)]
mod tests {
    use std::thread::available_parallelism;

    use super::{Bound, allowed};

    #[test]
    fn process_is_bound_for_a_while() {
        let (before, many) = (allowed().unwrap(), available_parallelism().unwrap());
        let bound = Bound::to_one().unwrap();
        assert_eq!(available_parallelism().unwrap().get(), 1);
        drop(bound);
        assert_eq!((allowed().unwrap(), available_parallelism().unwrap()), (before, many));
    }
}
