//! `cargo xtask measure`: the tests that measure, in a release build.

use std::process::ExitCode;

use super::backend::Backend;
use super::executable::{Executable, Profile};
use super::servers::Servers;
use super::suite::Suite;
use crate::{Result, workspace};

pub(crate) fn run(backends: &[Backend]) -> Result<ExitCode> {
    let servers = Servers::start(backends)?;
    let mut suite = Suite::new(backends, &servers);
    for executable in Executable::build(&workspace::root(), Profile::Release)? {
        suite.measure(&executable)?;
    }
    Ok(suite.close())
}
