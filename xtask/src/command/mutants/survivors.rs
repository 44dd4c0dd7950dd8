//! The mutants that no test noticed, and what follows from them.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::command::step;
use crate::{Error, Result};

/// The mutants that change nothing anybody could notice, each with the reason, below the root.
pub(super) const EQUIVALENT: &str = "xtask/equivalent-mutants.txt";
/// The files in which none may survive, with what lies below them: they decide who is let in, and what is kept.
const STRICT: [&str; 17] = [
    "crates/cloakroom-codec/src/derive",
    "crates/cloakroom-codec/src/key_ring",
    "crates/cloakroom-codec/src/keys",
    "crates/cloakroom-codec/src/pae",
    "crates/cloakroom-codec/src/random",
    "crates/cloakroom-codec/src/seal",
    "crates/cloakroom-codec/src/sealed_text",
    "crates/cloakroom-codec/src/token",
    "crates/cloakroom-codec/src/xaes",
    "crates/cloakroom-core/src/change",
    "crates/cloakroom-core/src/commit",
    "crates/cloakroom-core/src/cookie",
    "crates/cloakroom-core/src/cookie_header",
    "crates/cloakroom-core/src/expiry",
    "crates/cloakroom-core/src/renewal",
    "crates/cloakroom-core/src/transport",
    "crates/cloakroom-core/src/visit",
];

/// What came of the mutants, by their names: `file:line:column: what was done`.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Survivors {
    missed: Vec<String>,
    timed_out: Vec<String>,
    caught: usize,
    /// Those that the compiler noticed.
    unviable: usize,
}

/// What is to be thought of survivors.
#[derive(Debug, Eq, PartialEq)]
struct Verdict<'a> {
    /// Where none may survive.
    refused: Vec<&'a str>,
    /// Elsewhere.
    others: Vec<&'a str>,
    /// Known to change nothing.
    equivalent: Vec<&'a str>,
}

/// Whether `cargo mutants` wrote down that some survived.
pub(super) fn any(results: &Path) -> bool {
    fs::read(results.join("missed.txt")).is_ok_and(|missed| !missed.is_empty())
}

impl Survivors {
    /// Adds what `cargo mutants` wrote down; nothing, where it found nothing to change.
    pub(super) fn read(&mut self, results: &Path) -> Result<()> {
        if !results.exists() {
            return Ok(());
        }
        let lines = |name: &str| -> Result<Vec<String>> {
            let file = results.join(name);
            let text =
                fs::read_to_string(&file).map_err(Error::io(format!("cannot read {}", file.display())))?;
            Ok(text.lines().map(str::to_owned).collect())
        };
        self.missed.extend(lines("missed.txt")?);
        self.timed_out.extend(lines("timeout.txt")?);
        self.unviable += lines("unviable.txt")?.len();
        // An earlier run's are in a file of their own, if there was one.
        self.caught += lines("caught.txt")?.len();
        self.caught += lines("previously_caught.txt").unwrap_or_default().len();
        Ok(())
    }

    /// Says and writes down who survived.
    pub(super) fn close(&self, equivalent: &str, file: &Path) -> Result<ExitCode> {
        let verdict = self.judge(equivalent);
        let mut page = String::new();
        let said = [
            ("hangs (its tests were ended): ", self.timed_out.iter().map(String::as_str).collect()),
            ("survives, and changes nothing: ", verdict.equivalent),
            ("survives: ", verdict.others),
            ("failed, it may not survive: ", verdict.refused.clone()),
        ];
        for (what, names) in said {
            for name in names {
                page.push_str(&format!("{what}{name}\n"));
            }
        }
        let (missed, caught) = (self.missed.len(), self.caught + self.timed_out.len());
        page.push_str(&format!(
            "{caught} mutants were noticed, {missed} were not, {} of them where none may survive; {} could not be built\n",
            verdict.refused.len(),
            self.unviable
        ));
        fs::write(file, &page).map_err(Error::io(format!("cannot write {}", file.display())))?;
        step::say(&format!("\n{}\nkept in {}", page.trim_end(), file.display()));
        Ok(if verdict.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn judge(&self, equivalent: &str) -> Verdict<'_> {
        let known: Vec<&str> =
            equivalent.lines().filter(|line| !line.starts_with('#')).map(str::trim).collect();
        let mut verdict = Verdict { refused: Vec::new(), others: Vec::new(), equivalent: Vec::new() };
        for name in &self.missed {
            if known.contains(&without_place(name).as_str()) {
                verdict.equivalent.push(name);
            } else if STRICT.iter().any(|strict| is_of(name, strict)) {
                verdict.refused.push(name);
            } else {
                verdict.others.push(name);
            }
        }
        verdict
    }
}

/// Whether a mutant is in the module: in its file, or in its directory.
fn is_of(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.starts_with(".rs:") || rest.starts_with('/'))
}

/// `file: what was done`: lines move.
fn without_place(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    let (file, what) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
    format!("{file}:{what}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{STRICT, Survivors, Verdict, any, is_of, without_place};
    use crate::workspace;

    const SEAL: &str = "crates/cloakroom-codec/src/seal.rs:12:5: replace < with <= in Seal::open";
    const SLOT: &str = "crates/cloakroom-core/src/live.rs:7:1: replace Live::end with ()";

    #[test]
    fn where_none_may_survive_a_survivor_is_refused() {
        let survivors = Survivors { missed: vec![SEAL.into(), SLOT.into()], ..Survivors::default() };
        let expected = Verdict { refused: vec![SEAL], others: vec![SLOT], equivalent: vec![] };
        assert_eq!(survivors.judge(""), expected);
        let known = "# Equal lengths are refused above.\ncrates/cloakroom-codec/src/seal.rs: replace < with <= in Seal::open\n";
        let expected = Verdict { refused: vec![], others: vec![SLOT], equivalent: vec![SEAL] };
        assert_eq!(survivors.judge(known), expected);
    }

    #[test]
    fn modules_are_files_and_directories() {
        let commit = "crates/cloakroom-core/src/commit";
        assert!(is_of("crates/cloakroom-core/src/commit.rs:1:1: a", commit));
        assert!(is_of("crates/cloakroom-core/src/commit/write.rs:1:1: a", commit));
        assert!(!is_of("crates/cloakroom-core/src/commitment.rs:1:1: a", commit));
        assert_eq!(without_place(SLOT), "crates/cloakroom-core/src/live.rs: replace Live::end with ()");
    }

    #[test]
    fn strict_modules_exist() {
        for module in STRICT {
            assert!(workspace::root().join(format!("{module}.rs")).exists(), "{module}");
        }
    }

    #[test]
    fn results_are_read_and_told() {
        let home = std::env::temp_dir().join(format!("cloakroom-survivors-{}", std::process::id()));
        fs::create_dir_all(&home).unwrap();
        for (name, text) in [("missed", SLOT), ("timeout", ""), ("unviable", ""), ("caught", "a\nb\n")] {
            fs::write(home.join(format!("{name}.txt")), text).unwrap();
        }
        let mut survivors = Survivors::default();
        survivors.read(&home.join("nowhere")).unwrap();
        assert_eq!(survivors, Survivors::default());
        survivors.read(&home).unwrap();
        assert!(any(&home) && !any(&home.join("nowhere")));
        assert_eq!((survivors.missed.len(), survivors.caught), (1, 2));
        let (green, red) = (std::process::ExitCode::SUCCESS, std::process::ExitCode::FAILURE);
        let code = survivors.close("", &home.join("survivors.txt")).unwrap();
        assert_eq!(format!("{code:?}"), format!("{green:?}"));
        let page = fs::read_to_string(home.join("survivors.txt")).unwrap();
        assert!(page.starts_with(&format!("survives: {SLOT}\n2 mutants were noticed, 1 were not")), "{page}");
        survivors.missed.push(SEAL.to_owned());
        let code = survivors.close("", &home.join("survivors.txt")).unwrap();
        assert_eq!(format!("{code:?}"), format!("{red:?}"));
        fs::remove_dir_all(&home).unwrap();
    }
}
