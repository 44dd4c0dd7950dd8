//! What some tests need of the machine itself.

use std::cell::OnceCell;
use std::io;

use super::step;
use crate::install::{self, Program};
use crate::server::{Network, SmallDisk};
use crate::{Error, Result};

/// What some tests need of the machine itself, by the name that the reasons of ignored tests use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Facility {
    /// Network namespaces, for networks that are cut.
    Namespaces,
    /// Mounts, for disks that run full.
    Mounts,
    /// nginx, which stands before the instances of a service.
    Nginx,
}

impl Facility {
    pub(crate) const ALL: [Self; 3] = [Self::Namespaces, Self::Mounts, Self::Nginx];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Mounts => "mounts",
            Self::Nginx => "nginx",
        }
    }

    /// Those that the reason of an ignored test names as words: `needs cluster and namespaces: …`.
    pub(crate) fn named_in(reason: &str) -> impl Iterator<Item = Self> {
        // What stands behind the colon says how to run it.
        let needs = reason.split(':').next().unwrap_or_default();
        Self::ALL.into_iter().filter(move |facility| {
            needs.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == facility.name())
        })
    }

    /// Uses it once.
    fn try_out(self) -> Result<()> {
        if !cfg!(target_os = "linux") {
            return Err(Error::new(format!("there are {} for tests only on Linux", self.name())));
        }
        match self {
            Self::Namespaces => {
                obtain(Program::Ip)?;
                let network = Network::with_hosts(1)?;
                let host = network.hosts().first().ok_or_else(|| Error::new("a network of nobody"))?;
                host.within(|| ())
            }
            Self::Mounts => SmallDisk::mount(1).map(drop),
            Self::Nginx => [Program::Nginx, Program::Openssl].into_iter().try_for_each(obtain),
        }
    }
}

/// Has a program installed. Whatever keeps it from us: where it is not, what needs it is not to be had.
fn obtain(program: Program) -> Result<()> {
    match install::ensure(&[program]) {
        Ok(()) => Ok(()),
        Err(error) => program.path().map(drop).map_err(|missing| Error::new(format!("{missing}: {error}"))),
    }
}

/// Why a facility is not to be had here, if that is what its trial says.
///
/// Any other trouble is none of the machine's: then the tests run, and those fail that meet it too.
fn lack_of(facility: Facility, trial: Result<()>) -> Option<String> {
    let error = trial.err()?;
    if is_lack(&error) {
        return Some(error.to_string());
    }
    step::say(&format!("{} are there, as it seems, but: {error}", facility.name()));
    None
}

/// How programs and the system say that something is not to be had: there is no right to it, no such system, or no such
/// program.
const LACKING: [&str; 8] = [
    "operation not permitted",
    "permission denied",
    "must be superuser",
    "only root can",
    "only on linux",
    "function not implemented",
    "operation not supported",
    "unknown device type",
];

fn is_lack(error: &Error) -> bool {
    let kind = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    let (what, kind) = (error.to_string().to_lowercase(), kind.map(io::Error::kind));
    LACKING.iter().any(|words| what.contains(words))
        || matches!(kind, Some(io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported))
        // A program that is not there cannot be started.
        || what.starts_with("cannot find ")
        || (kind == Some(io::ErrorKind::NotFound) && what.starts_with("cannot start "))
}

/// What this machine has of them. Each is tried out when the first test names it.
#[derive(Debug, Default)]
pub(crate) struct Facilities {
    namespaces: OnceCell<Option<String>>,
    mounts: OnceCell<Option<String>>,
    nginx: OnceCell<Option<String>>,
}

impl Facilities {
    /// Why one of those that a reason names is not to be had here.
    pub(crate) fn lack(&self, reason: &str) -> Option<String> {
        Facility::named_in(reason).find_map(|facility| {
            let tried = match facility {
                Facility::Namespaces => &self.namespaces,
                Facility::Mounts => &self.mounts,
                Facility::Nginx => &self.nginx,
            };
            let why = tried.get_or_init(|| lack_of(facility, facility.try_out()));
            let why = why.as_ref()?.lines().collect::<Vec<_>>().join("; ");
            Some(format!("this machine has no {}: {why}", facility.name()))
        })
    }

    /// A machine that has none of them.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        let none = || OnceCell::from(Some("not permitted".to_owned()));
        Self { namespaces: none(), mounts: none(), nginx: none() }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Facilities, Facility, lack_of};
    use crate::Error;

    #[test]
    fn facilities_are_found_in_reasons_as_whole_words() {
        let named = |reason: &str| Facility::named_in(reason).collect::<Vec<_>>();
        assert_eq!(named("needs cluster and namespaces: run `cargo xtask test`"), [Facility::Namespaces]);
        assert_eq!(named("faults redis and mounts: run it"), [Facility::Mounts]);
        assert_eq!(named("needs redis: run it where mounts are"), []);
        assert_eq!(named("needs nginx: run `cargo xtask test`"), [Facility::Nginx]);
        assert_eq!(named("needs mountains"), []);
    }

    #[test]
    fn what_no_test_names_is_not_tried_out() {
        let facilities = Facilities::default();
        assert_eq!(facilities.lack("needs redis: run `cargo xtask test`"), None);
        let Facilities { namespaces, mounts, nginx } = &facilities;
        assert!([namespaces, mounts, nginx].iter().all(|tried| tried.get().is_none()));
    }

    #[test]
    fn only_what_is_not_permitted_or_not_there_is_lacking() {
        let lack = |error| lack_of(Facility::Mounts, Err(error));
        for lacking in [
            "cannot have a small disk: mount ended with exit status: 32: mount: /x: permission denied.",
            "cannot have a small disk: mount ended with exit status: 1: mount: /x: must be superuser to use mount.",
            "ip ended with exit status: 1: mount --make-shared /run/netns failed: Operation not permitted",
            "there are network namespaces only on Linux",
            "cannot find ip (Debian's package: iproute2): this is no Debian",
        ] {
            assert_eq!(lack(Error::new(lacking)).as_deref(), Some(lacking));
        }
        let io = |what: &str, kind: io::ErrorKind| lack(Error::io(what)(kind.into()));
        assert!(io("cannot enter a network namespace", io::ErrorKind::PermissionDenied).is_some());
        assert!(io("cannot start mount", io::ErrorKind::NotFound).is_some());
        // What goes wrong where it is to be had keeps no test from being run.
        assert!(io("cannot open /run/netns/cloakroom-12", io::ErrorKind::NotFound).is_none());
        assert!(io("cannot use /tmp/client-1.out", io::ErrorKind::StorageFull).is_none());
        for trouble in [
            "ip not done in 20s: ",
            "ip ended with exit status: 2: RTNETLINK answers: File exists",
            "ip ended with exit status: 1: Cannot find device \"eth0\"",
            "cannot have a small disk: mount ended with signal: 9: ",
        ] {
            assert_eq!(lack(Error::new(trouble)), None);
        }
        assert_eq!(lack_of(Facility::Mounts, Ok(())), None);
    }

    #[test]
    fn what_is_not_to_be_had_is_said_with_its_reason() {
        let lack = Facilities::none().lack("needs redis and mounts: run it").unwrap();
        assert_eq!(lack, "this machine has no mounts: not permitted");
    }
}
