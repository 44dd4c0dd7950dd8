//! A disk of a few MiB, and servers on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use cloakroom_faults::fresh_key;

use crate::servers::Server;

/// A small disk in memory, which root may mount.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Whether a disk can be had; says so where it cannot.
    pub(crate) fn may_mount() -> bool {
        let disk = Self::mount(1);
        if disk.is_none() {
            println!("NOT RUN: a small disk cannot be mounted here; root can");
        }
        disk.is_some()
    }

    pub(crate) fn mount(size_mib: u32) -> Option<Self> {
        let name = fresh_key().expect("randomness").public_handle().as_str().replace(['-', '_'], "x");
        let path = std::env::temp_dir().join(format!("cloakroom-disk-{name}"));
        std::fs::create_dir(&path).expect("a directory");
        let disk = Self(path);
        disk.run("mount", &["-t", "tmpfs", "-o", &format!("size={size_mib}m"), "cloakroom"]).then_some(disk)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn give_to(&self, account: &str) {
        assert!(self.run("chown", &[account]), "no account {account}");
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let output = Command::new(program).args(arguments).arg(&self.0).output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that ends may still have a file open.
        self.run("umount", &["-l"]);
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A server with its data on a small disk. It goes before the disk does.
pub(crate) struct OnSmallDisk<S> {
    pub(crate) server: S,
    pub(crate) disk: SmallDisk,
}

impl<S: Server> Server for OnSmallDisk<S> {
    fn url(&self) -> String {
        self.server.url()
    }

    fn kill9(&mut self) {
        self.server.kill9();
    }

    fn restart(&mut self) {
        self.server.restart();
    }

    fn stop(&self) {
        self.server.stop();
    }

    fn cont(&self) {
        self.server.cont();
    }

    fn end_connections(&self) {
        self.server.end_connections();
    }

    fn make_room(&self) {
        assert!(self.disk.run("mount", &["-o", "remount,size=256m"]), "the disk does not grow");
    }
}
