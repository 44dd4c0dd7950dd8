//! Data directories that are made once and unpacked for every server.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Error, Result, workspace};

/// An archive below `target/servers`, named after all that its content depends on.
#[derive(Debug)]
pub(super) struct Template(PathBuf);

impl Template {
    /// The one of this kind and recipe: program, version, commands, owner.
    pub(super) fn of(kind: &str, recipe: impl Hash) -> Self {
        Self::below(&workspace::root().join("target").join("servers"), kind, recipe)
    }

    fn below(home: &Path, kind: &str, recipe: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        recipe.hash(&mut hasher);
        Self(home.join(format!("{kind}-{:016x}.tar", hasher.finish())))
    }

    /// Fills a directory that does not exist yet: from the archive, or by `make`, of which an archive is then kept.
    pub(super) fn fill(&self, directory: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        if self.0.exists() {
            fs::create_dir(directory).map_err(Error::io(format!("cannot make {}", directory.display())))?;
            return tar("-xf", &self.0, directory);
        }
        make(directory)?;
        // Without one, the next server is as slow as this one.
        let _ = self.keep(directory);
        Ok(())
    }

    /// Writes the archive under a name of its own, so that nobody reads half of it.
    fn keep(&self, directory: &Path) -> Result<()> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let draft = self.0.with_extension(format!("{}-{n}", process::id()));
        let cannot = || Error::io(format!("cannot keep {}", self.0.display()));
        fs::create_dir_all(self.0.parent().unwrap_or(Path::new("/"))).map_err(cannot())?;
        let kept = tar("-cf", &draft, directory).and_then(|()| fs::rename(&draft, &self.0).map_err(cannot()));
        if kept.is_err() {
            let _ = fs::remove_file(&draft);
        }
        kept
    }
}

/// Packs or unpacks everything in a directory, and the directory's own mode and owner.
fn tar(what: &str, archive: &Path, directory: &Path) -> Result<()> {
    let mut command = Command::new("tar");
    command.args(["--numeric-owner", what]).arg(archive).arg("-C").arg(directory);
    if what == "-cf" {
        command.arg(".");
    }
    let output = command.stdin(Stdio::null()).output().map_err(Error::io("cannot run tar"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!("tar ended with {}: {said}", output.status)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Template;
    use crate::Error;
    use crate::server::PrivateDirectory;

    #[test]
    fn a_template_is_made_once_for_each_recipe() {
        let home = PrivateDirectory::create("template").unwrap();
        let fill = |recipe: &str, name: &str| {
            let (directory, mut made) = (home.join(name), false);
            let template = Template::below(&home.join("kept"), "coats", recipe);
            let make = |path: &std::path::Path| {
                made = true;
                fs::create_dir(path).map_err(Error::io("mkdir"))?;
                fs::write(path.join("file"), recipe).map_err(Error::io("write"))
            };
            template.fill(&directory, make).unwrap();
            (fs::read_to_string(directory.join("file")).unwrap(), made)
        };
        assert_eq!(fill("a", "first"), ("a".to_owned(), true));
        assert_eq!(fill("a", "second"), ("a".to_owned(), false));
        assert_eq!(fill("b", "third"), ("b".to_owned(), true));
        assert_eq!(fs::read_dir(home.join("kept")).unwrap().count(), 2, "no drafts are left");
    }

    #[test]
    fn what_cannot_be_made_is_not_kept() {
        let home = PrivateDirectory::create("template").unwrap();
        let template = Template::below(&home.join("kept"), "coats", "a");
        assert!(template.fill(&home.join("first"), |_| Err(Error::new("no"))).is_err());
        assert!(!home.join("kept").exists());
    }
}
