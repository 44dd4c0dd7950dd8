//! Planted faults: one small mistake each, and the tests that must notice it.
//!
//! A fault is a file of `xtask/planted`, named after it:
//!
//! ```text
//! # What the code now does wrong, in one line.
//! file: crates/cloakroom-core/src/change.rs
//! needs: redis
//! fails: -p cloakroom-core --test it concurrency::changes_of_different_keys_are_both_kept
//! replace:
//! the lines as they stand in the file, exactly once
//! with:
//! the lines that take their place
//! ```
//!
//! A fault that needs several places has several pairs of `replace` and `with`. `needs` names backends, and what else the tests
//! need of the machine, as the reasons of ignored tests do; it is left out where nothing is needed. There is one `fails` line for each
//! test that must fail: a package and a target for Cargo, then the path of the test.

use std::fs;
use std::path::Path;

use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// Where the faults lie, below the root.
pub const DIRECTORY: &str = "xtask/planted";

/// A mistake that can be planted.
///
/// ```
/// use xtask::fault::Fault;
///
/// let text = "# Five is even.\nfile: a.rs\nfails: -p a --lib even\nreplace:\nn % 2\nwith:\nn % 5\n";
/// let fault = Fault::parse("five-is-even", text)?;
/// assert_eq!(fault.plant("fn even(n: u8) -> bool { n % 2 == 0 }")?, "fn even(n: u8) -> bool { n % 5 == 0 }");
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    name: String,
    what: String,
    file: String,
    needs: Option<String>,
    fails: Vec<Proof>,
    edits: Vec<Edit>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Edit {
    replace: String,
    with: String,
}

/// A test that must fail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof {
    target: String,
    test: String,
}

impl Fault {
    /// Reads all faults of a workspace, sorted by the file that they are planted in.
    ///
    /// # Errors
    ///
    /// The first one that cannot be read.
    pub fn all(root: &Path) -> Result<Vec<Self>> {
        let directory = root.join(DIRECTORY);
        let cannot = || Error::io(format!("cannot read {}", directory.display()));
        let mut faults = Vec::new();
        for entry in fs::read_dir(&directory).map_err(cannot())? {
            let path = entry.map_err(cannot())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let Some(name) = name.strip_suffix(".fault") else {
                return Err(Error::new(format!("{}: not a .fault", path.display())));
            };
            faults.push(Self::parse(name, &fs::read_to_string(&path).map_err(cannot())?)?);
        }
        faults.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
        Ok(faults)
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// What is missing, or stands where it should not.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::new(format!("{name}.fault: {what}"));
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(wrong("a name is lower case letters, digits and hyphens"));
        }
        let (head, blocks) = text.split_once("\nreplace:\n").ok_or_else(|| wrong("no `replace:`"))?;
        let blocks = blocks.strip_suffix('\n').unwrap_or(blocks);
        let edits: Vec<Edit> = blocks
            .split("\nreplace:\n")
            .map(|block| block.split_once("\nwith:\n").ok_or_else(|| wrong("no `with:`")))
            .map(|pair| pair.map(|(replace, with)| Edit { replace: replace.into(), with: with.into() }))
            .collect::<Result<_>>()?;
        let mut lines = head.lines();
        let what = lines.next().and_then(|line| line.strip_prefix("# ")).ok_or_else(|| wrong("no `# `"))?;
        let (mut file, mut needs, mut fails) = (None, None, Vec::new());
        for line in lines {
            match line.split_once(": ") {
                Some(("file", path)) if file.is_none() => file = Some(path.to_owned()),
                Some(("needs", backend)) if needs.is_none() => needs = Some(backend.to_owned()),
                Some(("fails", proof)) => {
                    fails.push(Proof::parse(proof).ok_or_else(|| wrong("cannot read a `fails:`"))?);
                }
                _ => return Err(wrong(&format!("what is {line:?}?"))),
            }
        }
        if fails.is_empty() {
            return Err(wrong("no `fails:`"));
        }
        if edits.iter().any(|edit| edit.replace.trim().is_empty() || edit.replace == edit.with) {
            return Err(wrong("changes nothing"));
        }
        Ok(Self {
            name: name.to_owned(),
            what: what.to_owned(),
            file: file.ok_or_else(|| wrong("no `file:`"))?,
            needs,
            fails,
            edits,
        })
    }

    /// The name, by which the table of behaviours knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the code does wrong with it.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The file that it changes, relative to the root.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The backends that its tests need servers of, and what else they need.
    #[must_use]
    pub fn needs(&self) -> Option<&str> {
        self.needs.as_deref()
    }

    /// The tests that must fail.
    #[must_use]
    pub fn fails(&self) -> &[Proof] {
        &self.fails
    }

    /// The source with the fault in it.
    ///
    /// # Errors
    ///
    /// A text to replace does not occur, or not only once.
    pub fn plant(&self, source: &str) -> Result<String> {
        let mut faulty = source.to_owned();
        for Edit { replace, with } in &self.edits {
            let n = faulty.matches(replace).count();
            if n != 1 {
                return Err(Error::new(format!(
                    "{}.fault: its text occurs {n} times in {}",
                    self.name, self.file
                )));
            }
            faulty = faulty.replacen(replace, with, 1);
        }
        Ok(faulty)
    }
}

impl Proof {
    fn parse(line: &str) -> Option<Self> {
        let (target, test) = line.rsplit_once(' ')?;
        let words: Vec<&str> = target.split(' ').collect();
        let known = matches!(words.as_slice(), ["-p", _, "--lib"] | ["-p", _, "--test" | "--bin", _]);
        let is_path = test.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':');
        (known && is_path).then(|| Self { target: target.to_owned(), test: test.to_owned() })
    }

    /// The arguments for Cargo: package and target.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The package of the test.
    #[must_use]
    pub fn package(&self) -> &str {
        self.target.split(' ').nth(1).unwrap_or_default()
    }

    /// The path of the test in its target.
    #[must_use]
    pub fn test(&self) -> &str {
        &self.test
    }

    /// The name of the function.
    #[must_use]
    pub fn function(&self) -> &str {
        self.test.rsplit("::").next().unwrap_or_default()
    }
}
