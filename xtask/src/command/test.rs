//! `cargo xtask test`: the whole suite against real servers.

use std::process::ExitCode;

use super::backend::Backend;
use super::executable::{Executable, Profile};
use super::servers::Servers;
use super::step;
use super::suite::Suite;
use crate::{Result, workspace};

pub(crate) fn run(backends: &[Backend]) -> Result<ExitCode> {
    let root = workspace::root();
    let servers = Servers::start(backends)?;
    let mut suite = Suite::new(backends, &servers);
    for executable in Executable::build(&root, Profile::Test)? {
        suite.test(&executable)?;
    }
    let mut examples = step::cargo();
    examples.current_dir(&root).args(["test", "--workspace", "--all-features", "--doc", "--no-fail-fast"]);
    suite.examples(examples)?;
    Ok(suite.close())
}
