//! What some tests need of the machine itself.

use std::cell::OnceCell;

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
}

impl Facility {
    pub(crate) const ALL: [Self; 2] = [Self::Namespaces, Self::Mounts];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Mounts => "mounts",
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
        match self {
            Self::Namespaces => {
                install::ensure(&[Program::Ip])?;
                let network = Network::with_hosts(1)?;
                let host = network.hosts().first().ok_or_else(|| Error::new("a network of nobody"))?;
                host.within(|| ())
            }
            Self::Mounts => SmallDisk::mount(1).map(drop),
        }
    }
}

/// What this machine has of them. Each is tried out when the first test names it.
#[derive(Debug, Default)]
pub(crate) struct Facilities {
    namespaces: OnceCell<Option<String>>,
    mounts: OnceCell<Option<String>>,
}

impl Facilities {
    /// Why one of those that a reason names is not to be had here.
    pub(crate) fn lack(&self, reason: &str) -> Option<String> {
        Facility::named_in(reason).find_map(|facility| {
            let tried = match facility {
                Facility::Namespaces => &self.namespaces,
                Facility::Mounts => &self.mounts,
            };
            let why = tried.get_or_init(|| facility.try_out().err().map(|error| error.to_string()));
            let why = why.as_ref()?.lines().collect::<Vec<_>>().join("; ");
            Some(format!("this machine has no {}: {why}", facility.name()))
        })
    }

    /// A machine that has none of them.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        let none = || OnceCell::from(Some("not permitted".to_owned()));
        Self { namespaces: none(), mounts: none() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Facilities, Facility};

    #[test]
    fn facilities_are_found_in_reasons_as_whole_words() {
        let named = |reason: &str| Facility::named_in(reason).collect::<Vec<_>>();
        assert_eq!(named("needs cluster and namespaces: run `cargo xtask test`"), [Facility::Namespaces]);
        assert_eq!(named("faults redis and mounts: run it"), [Facility::Mounts]);
        assert_eq!(named("needs redis: run it where mounts are"), []);
        assert_eq!(named("needs mountains"), []);
    }

    #[test]
    fn what_no_test_names_is_not_tried_out() {
        let facilities = Facilities::default();
        assert_eq!(facilities.lack("needs redis: run `cargo xtask test`"), None);
        assert!(facilities.namespaces.get().is_none() && facilities.mounts.get().is_none());
    }

    #[test]
    fn what_is_not_to_be_had_is_said_with_its_reason() {
        let lack = Facilities::none().lack("needs redis and mounts: run it").unwrap();
        assert_eq!(lack, "this machine has no mounts: not permitted");
    }
}
