//! A disk of a few MiB.

use std::path::Path;
use std::process::Command;

use super::PrivateDirectory;
use super::client;
use crate::{Error, Result};

/// A small disk in memory, for servers that are to run out of space. It takes root, on Linux.
///
/// It goes with this value. Its server goes first.
///
/// ```no_run
/// use xtask::server::SmallDisk;
///
/// let disk = SmallDisk::mount(4)?;
/// assert!(std::fs::write(disk.path().join("coat"), vec![0; 5 << 20]).is_err());
/// disk.resize(8)?;
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Debug)]
pub struct SmallDisk {
    point: PrivateDirectory,
    /// What the programs write that mount it.
    words: PrivateDirectory,
}

impl SmallDisk {
    /// Mounts a disk of so many MiB.
    ///
    /// # Errors
    ///
    /// This process may not mount.
    pub fn mount(mib: u32) -> Result<Self> {
        let disk =
            Self { point: PrivateDirectory::create("disk")?, words: PrivateDirectory::create("mount")? };
        let size = format!("size={mib}m");
        disk.run("mount", &["-t", "tmpfs", "-o", &size, "cloakroom"])?;
        Ok(disk)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.point.path()
    }

    /// Gives it to an account.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn give_to(&self, account: &str) -> Result<()> {
        self.run("chown", &[account])
    }

    /// Makes it larger or smaller.
    ///
    /// # Errors
    ///
    /// What is on it needs more.
    pub fn resize(&self, mib: u32) -> Result<()> {
        self.run("mount", &["-o", &format!("remount,size={mib}m")])
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(program);
        command.args(arguments).arg(self.path());
        client::run(command, self.words.path())
            .map(drop)
            .map_err(|error| Error::new(format!("cannot have a small disk: {error}")))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that ends may still have a file open.
        let _ = self.run("umount", &["-l"]);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use super::SmallDisk;

    #[test]
    #[ignore = "needs mounts: run `cargo xtask test`"]
    fn small_disk_runs_full_and_grows_and_goes() {
        let disk = SmallDisk::mount(1).unwrap();
        let (path, coats) = (disk.path().to_owned(), vec![0; 3 << 19]);
        let full = fs::write(path.join("coats"), &coats).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        disk.resize(4).unwrap();
        fs::write(path.join("coats"), &coats).unwrap();
        assert!(disk.give_to("no-such-account").is_err());
        drop(disk);
        assert!(!path.exists());
    }
}
