//! Finds the programs that tests need, or installs them, or says what to do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::command::step;
use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// A program that tests start, and the Debian package that has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Program {
    /// `redis-server`: the server of the tests that need Redis.
    RedisServer,
    /// `openssl`: makes the certificates of servers that speak TLS.
    Openssl,
}

impl Program {
    /// The name it is started under.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RedisServer => "redis-server",
            Self::Openssl => "openssl",
        }
    }

    /// The Debian package that has it.
    #[must_use]
    pub const fn package(self) -> &'static str {
        match self {
            Self::RedisServer => "redis-server",
            Self::Openssl => "openssl",
        }
    }

    /// Looks for it in the directories of `PATH`.
    #[must_use]
    pub fn find(self) -> Option<PathBuf> {
        let path = env::var_os("PATH")?;
        env::split_paths(&path).map(|directory| directory.join(self.name())).find(|file| is_program(file))
    }
}

/// Makes sure that the programs are there.
///
/// What is missing is installed with `apt-get` when this is root on Debian, and said first.
///
/// # Errors
///
/// Something is missing and cannot be installed by us; the message says what it is and how to get it.
pub fn ensure(programs: &[Program]) -> Result<()> {
    let missing: Vec<Program> = programs.iter().copied().filter(|program| program.find().is_none()).collect();
    match plan(&missing, System::look()) {
        Plan::Ready => Ok(()),
        Plan::Install(packages) => {
            step::say(&format!(
                "missing: {}; installing the Debian packages {} (a package may also start a service of its own, \
                 which no test touches)",
                names(&missing),
                packages.join(" ")
            ));
            let mut update = Command::new("apt-get");
            update.args(["update", "-qq"]);
            step::run(update)?;
            let mut install = Command::new("apt-get");
            install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
            install.env("DEBIAN_FRONTEND", "noninteractive");
            step::run(install)?;
            match missing.iter().find(|program| program.find().is_none()) {
                None => Ok(()),
                Some(program) => Err(Error::new(format!("{} is still not in PATH", program.name()))),
            }
        }
        Plan::Ask(message) => Err(Error::new(message)),
    }
}

/// What stands between us and a package manager that we know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum System {
    DebianAsRoot,
    Debian,
    Other,
}

#[derive(Debug, Eq, PartialEq)]
enum Plan {
    Ready,
    Install(Vec<&'static str>),
    Ask(String),
}

impl System {
    fn look() -> Self {
        if !Path::new("/etc/debian_version").exists() {
            Self::Other
        } else if rustix::process::geteuid().is_root() {
            Self::DebianAsRoot
        } else {
            Self::Debian
        }
    }
}

fn plan(missing: &[Program], system: System) -> Plan {
    if missing.is_empty() {
        return Plan::Ready;
    }
    let packages: Vec<&str> = missing.iter().map(|program| program.package()).collect();
    let how = match system {
        System::DebianAsRoot => return Plan::Install(packages),
        System::Debian => format!("`sudo apt-get install --no-install-recommends {}`", packages.join(" ")),
        System::Other => format!(
            "install them with your system's package manager (Debian calls the packages: {}) and have them in PATH",
            packages.join(" ")
        ),
    };
    Plan::Ask(format!(
        "missing: {}\nto get them: {how}\nto run without them: `cargo xtask test --only memory`",
        names(missing)
    ))
}

fn names(programs: &[Program]) -> String {
    programs.iter().map(|program| program.name()).collect::<Vec<_>>().join(", ")
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
