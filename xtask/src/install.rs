//! Finds the programs that tests need, or installs them, or says what to do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::command::step;
use crate::{Error, Result};

mod policy;

#[cfg(test)]
mod tests;

/// A program that tests start, and the Debian package that has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Program {
    /// `redis-server`: alone, under sentinels, and in a cluster.
    RedisServer,
    /// `memcached`.
    Memcached,
    /// `initdb`: beside it lie `postgres` and `psql` of the same version.
    Initdb,
    /// `mariadbd`: the server.
    Mariadbd,
    /// `mariadb-install-db`: makes its data directory.
    MariadbInstallDb,
    /// `mariadb`: its client.
    Mariadb,
    /// `ip`: makes networks for tests that cut them.
    Ip,
    /// `openssl`: makes the certificates of servers that speak TLS.
    Openssl,
    /// `nginx`: stands before the instances of a service.
    Nginx,
    /// `chromium`: a browser, without a screen.
    Chromium,
    /// `chromedriver`: tells it what to do.
    Chromedriver,
    /// `wrk`: asks a server over and over, as fast as it answers.
    Wrk,
    /// `valgrind`: counts the instructions of a program.
    Valgrind,
}

/// Where administrators' programs lie, which not everybody has in `PATH`.
const ALSO: [&str; 2] = ["/usr/local/sbin", "/usr/sbin"];
/// Where Debian keeps each version of PostgreSQL.
const POSTGRESQL: &str = "/usr/lib/postgresql";

impl Program {
    /// The name it is started under.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RedisServer => "redis-server",
            Self::Memcached => "memcached",
            Self::Initdb => "initdb",
            Self::Mariadbd => "mariadbd",
            Self::MariadbInstallDb => "mariadb-install-db",
            Self::Mariadb => "mariadb",
            Self::Ip => "ip",
            Self::Openssl => "openssl",
            Self::Nginx => "nginx",
            Self::Chromium => "chromium",
            Self::Chromedriver => "chromedriver",
            Self::Wrk => "wrk",
            Self::Valgrind => "valgrind",
        }
    }

    /// The Debian package that has it.
    #[must_use]
    pub const fn package(self) -> &'static str {
        match self {
            Self::RedisServer => "redis-server",
            Self::Memcached => "memcached",
            Self::Initdb => "postgresql",
            // The core alone has the programs and brings no service.
            Self::Mariadbd | Self::MariadbInstallDb => "mariadb-server-core",
            Self::Mariadb => "mariadb-client-core",
            Self::Ip => "iproute2",
            Self::Openssl => "openssl",
            Self::Nginx => "nginx",
            Self::Chromium => "chromium",
            Self::Chromedriver => "chromium-driver",
            Self::Wrk => "wrk",
            Self::Valgrind => "valgrind",
        }
    }

    /// Looks for it in the directories of `PATH`, and where Debian hides some of them.
    #[must_use]
    pub fn find(self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut directories: Vec<PathBuf> = env::split_paths(&path).collect();
        directories.extend(ALSO.map(PathBuf::from));
        if self == Self::Initdb {
            directories
                .extend(versions(Path::new(POSTGRESQL)).into_iter().map(|version| version.join("bin")));
        }
        directories.into_iter().map(|directory| directory.join(self.name())).find(|file| is_program(file))
    }

    /// A command that starts it.
    ///
    /// # Errors
    ///
    /// It is not there; the message names its package.
    pub(crate) fn command(self) -> Result<Command> {
        Ok(Command::new(self.path()?))
    }

    /// Where it is.
    pub(crate) fn path(self) -> Result<PathBuf> {
        let (name, package) = (self.name(), self.package());
        self.find().ok_or_else(|| Error::new(format!("cannot find {name} (Debian's package: {package})")))
    }
}

/// The directories that are named after a number, the greatest first.
fn versions(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut numbered: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))).collect();
    numbered.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    numbered.into_iter().map(|(_, path)| path).collect()
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
                "missing: {}; installing the Debian packages {}",
                names(&missing),
                packages.join(" ")
            ));
            let _quiet = policy::NoServices::declare()?;
            let mut update = Command::new("apt-get");
            update.args(["update", "-qq"]);
            step::run(update)?;
            let mut install = Command::new("apt-get");
            install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
            install.env("DEBIAN_FRONTEND", "noninteractive");
            step::run(install)?;
            match missing.iter().find(|program| program.find().is_none()) {
                None => Ok(()),
                Some(program) => Err(Error::new(format!("{} is still not to be found", program.name()))),
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
    let mut packages: Vec<&str> = Vec::new();
    for package in missing.iter().map(|program| program.package()) {
        if !packages.contains(&package) {
            packages.push(package);
        }
    }
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
