//! What the figures were measured on, and with which versions.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::options::Options;

/// The versions of all crates that are measured.
const LOCK: &str = include_str!("../Cargo.lock");
/// Of those, the ones that the figures are about: contenders, frameworks and clients.
const CRATES: [&str; 16] = [
    "cloakroom",
    "axum",
    "actix-web",
    "tower-sessions",
    "tower-sessions-redis-store",
    "tower-sessions-sqlx-store",
    "actix-session",
    "axum_session",
    "axum_session_redispool",
    "axum_session_sqlx",
    "redis",
    "fred",
    "memcache",
    "sqlx",
    "tokio",
    "aes-gcm",
];

/// The line before the figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub machine: Machine,
    pub versions: BTreeMap<String, String>,
    /// What was typed.
    pub command: String,
    /// Year, month and day, in UTC.
    pub date: String,
    /// How many tasks waited for a processor, over the minute before the first of its figures.
    pub load: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub kernel: String,
}

/// `machine --command TEXT [--programs NAME=PATH,...]`: the header, as one line.
pub fn main(words: &[String]) -> Result<()> {
    let options = Options::parse(words, &[], &["--command", "--programs"])?;
    let header = Header {
        machine: Machine::look()?,
        versions: versions(options.get("--programs").unwrap_or_default())?,
        command: options.get("--command").context("--command is needed")?.to_owned(),
        date: time::OffsetDateTime::now_utc().date().to_string(),
        load: load()?,
    };
    println!("{}", serde_json::to_string(&header)?);
    Ok(())
}

/// How many tasks waited for a processor, over the last minute.
pub fn load() -> Result<String> {
    Ok(read("/proc/loadavg")?.split(' ').next().unwrap_or_default().to_owned())
}

impl Machine {
    fn look() -> Result<Self> {
        let after = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        let cpu = read("/proc/cpuinfo")?;
        let memory = after(&read("/proc/meminfo")?, "MemTotal").context("the size of the memory")?;
        let kib: u64 = memory.trim_end_matches(" kB").parse()?;
        Ok(Self {
            cpu: after(&cpu, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            memory_mib: kib / 1024,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        })
    }
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.to_owned())
}

/// Of the compiler, of the crates, and of `NAME=PATH,...`, each of which is asked.
fn versions(programs: &str) -> Result<BTreeMap<String, String>> {
    let mut versions = BTreeMap::from([("rustc".to_owned(), asked("rustc")?)]);
    for name in CRATES {
        let found = locked(LOCK, name);
        if !found.is_empty() {
            versions.insert(name.to_owned(), found.join(", "));
        }
    }
    for pair in programs.split(',').filter(|pair| !pair.is_empty()) {
        let (name, path) = pair.split_once('=').context("--programs NAME=PATH,...")?;
        versions.insert(name.to_owned(), asked(path)?);
    }
    Ok(versions)
}

/// The version that a program says it is.
fn asked(program: &str) -> Result<String> {
    let said = Command::new(program).arg("--version").output().with_context(|| program.to_owned())?;
    // Some of them answer as if it were an error.
    let text = [said.stdout, said.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let number = text.split_whitespace().find_map(number);
    ensure!(number.is_some(), "{program} does not tell its version");
    Ok(number.unwrap_or_default().to_owned())
}

/// `8.0.2` of `v=8.0.2`, `11.8.3-MariaDB` of itself.
fn number(word: &str) -> Option<&str> {
    let from = word.find(|letter: char| letter.is_ascii_digit())?;
    let prefix_fits = ["", "v=", "valgrind-", "debian/"].contains(&word.get(..from)?);
    let version = word.get(from..)?.trim_end_matches([',', ';']);
    (prefix_fits && version.contains('.')).then_some(version)
}

/// All versions of a package in a lock file.
fn locked<'a>(lock: &'a str, name: &str) -> Vec<&'a str> {
    let packages = lock.split("[[package]]").skip(1);
    let field = |package: &'a str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key))?;
        line.strip_prefix(" = \"")?.strip_suffix('"')
    };
    packages
        .filter(|package| field(package, "name") == Some(name))
        .filter_map(|package| field(package, "version"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{CRATES, LOCK, Machine, asked, locked, number};

    #[test]
    fn every_contender_is_in_the_lock_file() {
        for name in CRATES {
            assert!(!locked(LOCK, name).is_empty(), "{name}");
        }
        assert_eq!(locked(LOCK, "tower-sessions").len(), 2, "for its stores, and the last");
        assert!(locked(LOCK, "no-such-package").is_empty());
    }

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (said, version) in [
            ("Redis server v=8.0.2 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "8.0.2"),
            ("memcached 1.6.38", "1.6.38"),
            ("postgres (PostgreSQL) 17.6 (Debian 17.6-0+deb13u1)", "17.6"),
            (
                "mariadbd  Ver 11.8.3-MariaDB-0+deb13u1 from Debian for debian-linux-gnu",
                "11.8.3-MariaDB-0+deb13u1",
            ),
            ("valgrind-3.24.0", "3.24.0"),
            ("wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer", "4.1.0-3+b2"),
        ] {
            assert_eq!(said.split_whitespace().find_map(number), Some(version), "{said}");
        }
        assert!(asked("rustc").unwrap().starts_with("1."));
        assert!(asked("/no/such/program").is_err());
    }

    #[test]
    fn the_machine_is_seen() {
        let machine = Machine::look().unwrap();
        assert!(machine.cores > 0 && machine.memory_mib > 0);
        assert!(!machine.cpu.is_empty() && !machine.kernel.is_empty());
    }
}
