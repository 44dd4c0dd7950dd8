//! The parts of the benchmark.

use std::time::Duration;

use crate::install::Program;
use crate::{Error, Result};

/// A part of the benchmark, by the name that `--only` uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Section {
    /// What one request costs in a process.
    Costs,
    /// What needs no application.
    Singles,
    MemoryStore,
    /// Over HTTP.
    Load,
    /// Many writers on one session.
    Conflicts,
    /// Many sessions, and large ones.
    Curves,
    /// Cold builds.
    Builds,
}

/// What runs for a section.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Server {
    Redis,
    Memcached,
    Postgres,
    Mariadb,
}

const COUNTS: &str = "cloakroom-bench";
const LOADS: &str = "cloakroom-loads";
const ALL: &[Server] = &[Server::Redis, Server::Memcached, Server::Postgres, Server::Mariadb];

impl Section {
    pub(crate) const ALL: [Self; 7] = [
        Self::Costs,
        Self::Singles,
        Self::MemoryStore,
        Self::Load,
        Self::Conflicts,
        Self::Curves,
        Self::Builds,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Costs => "costs",
            Self::Singles => "singles",
            Self::MemoryStore => "memory-store",
            Self::Load => "load",
            Self::Conflicts => "conflicts",
            Self::Curves => "curves",
            Self::Builds => "builds",
        }
    }

    /// What its figures call it.
    pub(super) const fn in_figures(self) -> &'static str {
        match self {
            Self::MemoryStore => "memory_store",
            other => other.name(),
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|section| section.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::new(format!("no section {name:?}; there are: {known}"))
        })
    }

    /// Whether it runs where it is not asked for by name.
    pub(super) const fn belongs(self, quick: bool) -> bool {
        !quick || self.has_quick()
    }

    /// Builds take as long as they take.
    pub(super) const fn has_quick(self) -> bool {
        !matches!(self, Self::Builds)
    }

    /// The programs that measure it, and what they are told.
    pub(super) const fn subcommands(self) -> &'static [[&'static str; 2]] {
        match self {
            Self::Costs => &[[COUNTS, "costs"]],
            Self::Singles => &[[COUNTS, "singles"]],
            // Bytes by the program that counts them, throughput by the one that does not.
            Self::MemoryStore => &[[COUNTS, "memory-store"], [LOADS, "memory-store"]],
            Self::Load => &[[LOADS, "load"]],
            Self::Conflicts => &[[LOADS, "conflicts"]],
            Self::Curves => &[[LOADS, "curves"]],
            Self::Builds => &[[LOADS, "builds"]],
        }
    }

    /// Whether it and its servers are bound to one processor. To wake another one costs more than a request, and whether
    /// that is necessary is left to chance: it would be most of what is measured.
    pub(super) const fn is_bound(self) -> bool {
        matches!(self, Self::Costs | Self::Singles | Self::Curves)
    }

    pub(super) const fn servers(self, quick: bool) -> &'static [Server] {
        match self {
            Self::Costs if quick => &[Server::Redis],
            Self::Costs | Self::Load => ALL,
            Self::Conflicts => &[Server::Redis, Server::Postgres],
            Self::Curves => &[Server::Redis],
            Self::Singles | Self::MemoryStore | Self::Builds => &[],
        }
    }

    /// What has to be there, or is installed.
    pub(super) fn programs(self, quick: bool) -> Vec<Program> {
        let mut programs: Vec<Program> =
            self.servers(quick).iter().flat_map(|server| server.programs()).copied().collect();
        match self {
            Self::Costs if !quick => programs.push(Program::Valgrind),
            Self::Load => programs.push(Program::Wrk),
            _ => {}
        }
        programs
    }

    /// How long it took on two cores: a guess for those who wait.
    pub(super) const fn guess(self, quick: bool) -> Duration {
        let (quickly, fully) = match self {
            Self::Costs => (70, 15 * 60),
            Self::Singles => (1, 15),
            Self::MemoryStore => (18, 4 * 60),
            Self::Load => (190, 10 * 60),
            Self::Conflicts => (130, 5 * 60),
            Self::Curves => (240, 12 * 60),
            Self::Builds => (12 * 60, 12 * 60),
        };
        Duration::from_secs(if quick { quickly } else { fully })
    }
}

impl Server {
    const fn programs(self) -> &'static [Program] {
        match self {
            Self::Redis => &[Program::RedisServer],
            Self::Memcached => &[Program::Memcached],
            Self::Postgres => &[Program::Initdb],
            Self::Mariadb => &[Program::Mariadbd, Program::MariadbInstallDb, Program::Mariadb],
        }
    }

    /// What `--urls` calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
        }
    }
}

/// `NAME=PATH` of each program whose version matters.
pub(super) fn asked_for_versions(programs: &[Program]) -> Result<Vec<String>> {
    let mut asked = Vec::new();
    for program in programs {
        let name = match program {
            // Of one version with the server.
            Program::Initdb => "PostgreSQL",
            Program::Mariadbd => "MariaDB",
            Program::RedisServer => "Redis",
            Program::Memcached => "Memcached",
            Program::Wrk => "wrk",
            Program::Valgrind => "valgrind",
            _ => continue,
        };
        let pair = format!("{name}={}", program.path()?.display());
        if !asked.contains(&pair) {
            asked.push(pair);
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::{Section, Server};
    use crate::install::Program;

    #[test]
    fn a_section_brings_what_it_needs_and_no_more() {
        assert_eq!(Section::Costs.servers(true), [Server::Redis]);
        assert!(Section::Costs.programs(false).contains(&Program::Valgrind));
        assert!(!Section::Costs.programs(true).contains(&Program::Valgrind));
        assert!(Section::Load.programs(true).contains(&Program::Wrk));
        assert!(Section::Singles.programs(false).is_empty());
    }

    #[test]
    fn sections_have_names_of_their_own() {
        for section in Section::ALL {
            assert_eq!(Section::parse(section.name()).unwrap(), section);
            assert!(!section.in_figures().contains('-'), "as Rust writes it");
        }
    }
}
