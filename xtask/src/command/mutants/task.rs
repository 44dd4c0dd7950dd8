//! What is to be changed.

use crate::{Error, Result};

/// The options of the command.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Task {
    /// The crates; none means all.
    packages: Vec<String>,
    /// Globs or paths of files; none means all.
    pub(super) files: Vec<String>,
    /// The commit after which something must have changed there.
    pub(super) since: Option<String>,
    /// `k/n`, from `0/n`.
    pub(super) shard: Option<String>,
    /// Names the mutants and does nothing.
    pub(super) list: bool,
}

impl Task {
    pub(crate) fn parse(options: &[&str]) -> Result<Self> {
        let cannot = || Error::new(format!("mutants cannot read the options {}", options.join(" ")));
        let mut task = Self::default();
        let mut words = options.iter().flat_map(|option| {
            let (name, value) =
                option.split_once('=').map_or((*option, None), |(name, value)| (name, Some(value)));
            std::iter::once(name).chain(value)
        });
        while let Some(option) = words.next() {
            if option == "--list" {
                task.list = true;
                continue;
            }
            let value = words.next().filter(|value| !value.is_empty()).ok_or_else(cannot)?.to_owned();
            match option {
                "--package" if super::CRATES.iter().any(|(name, _)| *name == value) => {
                    task.packages.push(value)
                }
                "--package" => {
                    return Err(Error::new(format!("{value} is none of the crates that are changed")));
                }
                "--file" => task.files.push(value),
                "--since" if task.since.is_none() => task.since = Some(value),
                "--shard" if task.shard.is_none() => task.shard = Some(value),
                _ => return Err(cannot()),
            }
        }
        Ok(task)
    }

    pub(super) fn wants(&self, package: &str) -> bool {
        let belongs =
            |file: &String| !file.starts_with("crates/") || file.contains(&format!("crates/{package}/"));
        let named = self.packages.is_empty() || self.packages.iter().any(|name| name == package);
        named && (self.files.is_empty() || self.files.iter().any(belongs))
    }
}

#[cfg(test)]
mod tests {
    use super::Task;

    #[test]
    fn options_are_read() {
        let task = Task::parse(&["--package", "cloakroom-codec", "--file=a.rs", "--file", "b.rs", "--list"])
            .unwrap();
        assert_eq!(task.packages, ["cloakroom-codec"]);
        assert_eq!(task.files, ["a.rs", "b.rs"]);
        assert!(task.list);
        let task = Task::parse(&["--shard=0/8", "--since", "HEAD~1"]).unwrap();
        assert_eq!((task.shard.as_deref(), task.since.as_deref()), (Some("0/8"), Some("HEAD~1")));
        let wrong: [&[&str]; 6] = [
            &["--package", "cloakroom"],
            &["--package"],
            &["--file", ""],
            &["--shard=0/8", "--shard=1/8"],
            &["--all"],
            &["--no-such-option"],
        ];
        for wrong in wrong {
            assert!(Task::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_file_chooses_its_crate() {
        let wants = |options: &[&str], package: &str| Task::parse(options).unwrap().wants(package);
        assert!(wants(&[], "cloakroom-core") && wants(&["--file", "seal.rs"], "cloakroom-core"));
        let seal = ["--file", "crates/cloakroom-codec/src/seal.rs"];
        assert!(wants(&seal, "cloakroom-codec") && !wants(&seal, "cloakroom-core"));
        assert!(!wants(&["--package=cloakroom-codec"], "cloakroom-core"));
    }
}
