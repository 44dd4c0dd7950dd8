//! Small trees with a defect in them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use crate::tree::Tree;

/// A workspace in a temporary directory, removed on drop.
#[derive(Debug)]
pub(crate) struct Planted {
    root: PathBuf,
    members: Vec<String>,
}

/// A manifest that every check is content with.
pub(crate) const MANIFEST: &str = "[package]\ndescription = \"d\"\nversion.workspace = true\n\
    edition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\n\n\
    [package.metadata.docs.rs]\nall-features = true\n\n[lints]\nworkspace = true\n";

impl Planted {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = env::temp_dir().join(format!("cloakroom-tidy-{}-{n}", process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        Self { root, members: Vec::new() }
    }

    /// Adds a crate without defects: manifest, README and an empty `lib.rs`.
    pub(crate) fn member(mut self, directory: &str) -> Self {
        self.members.push(directory.to_owned());
        self.file(&format!("{directory}/Cargo.toml"), MANIFEST)
            .file(&format!("{directory}/README.md"), "# Title\n")
            .file(&format!("{directory}/src/lib.rs"), "")
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn tree(&self) -> Tree {
        let members: Vec<String> = self.members.iter().map(|member| format!("\"{member}\"")).collect();
        let manifest = format!("[workspace]\nmembers = [{}]\n", members.join(", "));
        fs::write(self.root.join("Cargo.toml"), manifest).unwrap();
        Tree::read(&self.root)
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The findings of a check in one file of one crate that has no other defect.
pub(crate) fn in_file(path: &str, text: &str, check: fn(&Tree) -> Vec<String>) -> usize {
    let directory = path.split('/').take(2).collect::<Vec<_>>().join("/");
    check(&Planted::new().member(&directory).file(path, text).tree()).len()
}
