//! `cargo xtask faults`: what breaks, at length, on servers that the runs start themselves.

use std::process::ExitCode;

use super::backend::Backend;
use super::executable::{Executable, Profile};
use super::servers::Servers;
use super::suite::{Effort, Suite};
use crate::{Result, install, workspace};

/// The package of the fault runs.
const PACKAGE: &str = "cloakroom-faults";

pub(crate) fn run(backends: &[Backend], effort: Effort) -> Result<ExitCode> {
    let programs: Vec<_> = backends.iter().flat_map(|backend| backend.programs()).copied().collect();
    install::ensure(&programs)?;
    // Each run harms a server of its own.
    let servers = Servers::start(&[])?;
    let mut suite = Suite::new(backends, &servers);
    for executable in Executable::build_package(&workspace::root(), Profile::Test, PACKAGE)? {
        suite.faults(&executable, effort)?;
    }
    Ok(suite.close())
}
