//! A copy of the tree to plant faults and mutants in, so that the tree itself stays as it is.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::step;
use crate::fault::Fault;
use crate::{Error, Result};

/// The copy, below `target/planted`. It stays there, so that the next run builds only what has changed.
#[derive(Debug)]
pub(crate) struct Copy {
    tree: PathBuf,
    target: PathBuf,
    /// Held by one run at a time.
    _lock: File,
}

/// A fault in the copy.
#[derive(Debug)]
pub(crate) struct Planted {
    path: PathBuf,
    original: String,
    out: bool,
}

impl Copy {
    /// Brings the copy up to date: files that git tracks, and new ones that it does not ignore.
    pub(crate) fn of(root: &Path) -> Result<Self> {
        let home = root.join("target").join("planted");
        let (tree, target) = (home.join("tree"), home.join("target"));
        fs::create_dir_all(&tree).map_err(Error::io(format!("cannot make {}", tree.display())))?;
        let lock = File::create(home.join("lock")).map_err(Error::io("cannot make the lock"))?;
        lock.try_lock().map_err(|_| {
            Error::new("another `cargo xtask plant` or `cargo xtask mutants` runs in this tree")
        })?;
        let mut known = BTreeSet::new();
        for name in listed(root)? {
            // What was deleted and not yet committed is listed as well.
            if let Ok(bytes) = fs::read(root.join(&name)) {
                let path = tree.join(&name);
                write_if_other(&path, &bytes)?;
                known.insert(path);
            }
        }
        remove_unknown(&tree, &known)?;
        Ok(Self { tree, target, _lock: lock })
    }

    /// Where the copied tree is.
    pub(crate) fn tree(&self) -> &Path {
        &self.tree
    }

    /// Cargo, in the copy and with its own target directory.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = step::cargo();
        command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        // Nobody will look at a backtrace; without its lines the linker is quicker.
        command.env("CARGO_INCREMENTAL", "1").env("CARGO_PROFILE_DEV_DEBUG", "0");
        command
    }

    /// Plants a fault; it is taken out on drop.
    pub(crate) fn plant(&self, fault: &Fault) -> Result<Planted> {
        let path = self.tree.join(fault.file());
        let original =
            fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
        let faulty = fault.plant(&original)?;
        let planted = Planted { path, original, out: false };
        fs::write(&planted.path, faulty).map_err(Error::io("cannot plant a fault"))?;
        Ok(planted)
    }
}

impl Planted {
    /// Puts the original back.
    pub(crate) fn take_out(mut self) -> Result<()> {
        self.out = true;
        fs::write(&self.path, &self.original).map_err(Error::io("cannot take a fault out"))
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        if !self.out {
            // The next run would find a difference and put it right.
            let _ = fs::write(&self.path, &self.original);
        }
    }
}

/// The names that git knows or would add.
fn listed(root: &Path) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().map_err(Error::io("cannot run git"))?;
    if !output.status.success() {
        return Err(Error::new(format!("git ls-files: {}", String::from_utf8_lossy(&output.stderr))));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Leaves a file alone that is the same: Cargo would build it again.
fn write_if_other(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let cannot = || Error::io(format!("cannot write {}", path.display()));
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(cannot())?;
    fs::write(path, bytes).map_err(cannot())
}

fn remove_unknown(directory: &Path, known: &BTreeSet<PathBuf>) -> Result<()> {
    let cannot = || Error::io(format!("cannot tidy {}", directory.display()));
    for entry in fs::read_dir(directory).map_err(cannot())? {
        let path = entry.map_err(cannot())?.path();
        if path.is_dir() {
            remove_unknown(&path, known)?;
        } else if !known.contains(&path) {
            fs::remove_file(&path).map_err(cannot())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::Copy;
    use crate::fault::Fault;

    fn git(root: &Path, arguments: &[&str]) {
        assert!(Command::new("git").current_dir(root).args(arguments).status().unwrap().success());
    }

    #[test]
    fn a_copy_follows_the_tree_and_loses_its_faults() {
        let root = std::env::temp_dir().join(format!("cloakroom-copy-{}", std::process::id()));
        fs::create_dir_all(root.join("src")).unwrap();
        fs::write(root.join(".gitignore"), "/target\n/ignored\n").unwrap();
        fs::write(root.join("src/a.rs"), "fn a() -> u8 { 1 }\n").unwrap();
        fs::write(root.join("src/b.rs"), "").unwrap();
        fs::write(root.join("ignored"), "").unwrap();
        git(&root, &["init", "-q"]);
        git(&root, &["add", "src/a.rs"]);

        let tree = root.join("target/planted/tree");
        let there = |name: &str| fs::read_to_string(tree.join(name)).ok();
        let copy = Copy::of(&root).unwrap();
        assert!(Copy::of(&root).is_err(), "one at a time");
        assert_eq!(there("src/a.rs").as_deref(), Some("fn a() -> u8 { 1 }\n"));
        assert_eq!((there("src/b.rs").as_deref(), there("ignored")), (Some(""), None));

        let text = "# W.\nfile: src/a.rs\nfails: -p a --lib t\nreplace:\n{ 1 }\nwith:\n{ 2 }\n";
        let fault = Fault::parse("f", text).unwrap();
        let planted = copy.plant(&fault).unwrap();
        assert_eq!(there("src/a.rs").as_deref(), Some("fn a() -> u8 { 2 }\n"));
        planted.take_out().unwrap();
        assert_eq!(there("src/a.rs").as_deref(), Some("fn a() -> u8 { 1 }\n"));
        drop(copy.plant(&fault).unwrap());
        assert_eq!(there("src/a.rs").as_deref(), Some("fn a() -> u8 { 1 }\n"));

        drop(copy);
        fs::write(tree.join("src/a.rs"), "left over by a run that was killed").unwrap();
        fs::remove_file(root.join("src/b.rs")).unwrap();
        let copy = Copy::of(&root).unwrap();
        assert_eq!(there("src/a.rs").as_deref(), Some("fn a() -> u8 { 1 }\n"));
        assert_eq!(there("src/b.rs"), None);
        assert_eq!(fs::read_to_string(root.join("src/a.rs")).unwrap(), "fn a() -> u8 { 1 }\n");
        drop(copy);
        fs::remove_dir_all(&root).unwrap();
    }
}
