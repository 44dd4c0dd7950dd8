//! The workspace as files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{Views, without_tests};

/// A workspace, read once.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) crates: Vec<Crate>,
}

/// One member.
#[derive(Debug)]
pub(crate) struct Crate {
    /// Relative to the root: `crates/cloakroom-core`.
    pub(crate) directory: String,
    pub(crate) manifest: Manifest,
    pub(crate) files: Vec<SourceFile>,
}

/// One `.rs` file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Relative to the root.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) views: Views,
}

/// A manifest as lines under section headers, which is all that the checks need.
#[derive(Debug)]
pub(crate) struct Manifest(Vec<Entry>);

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) section: String,
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Tree {
    pub(crate) fn workspace() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::read(here.parent().expect("xtask is in the workspace"))
    }

    pub(crate) fn read(root: &Path) -> Self {
        let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("a root manifest");
        let crates = members(&manifest).into_iter().map(|directory| Crate::read(root, directory)).collect();
        Self { root: root.to_owned(), crates }
    }

    /// All sources.
    pub(crate) fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.crates.iter().flat_map(|member| &member.files)
    }

    /// The sources of one crate, if there is such a crate.
    pub(crate) fn sources(&self, name: &str) -> impl Iterator<Item = &SourceFile> {
        self.crates.iter().filter(move |member| member.name() == name).flat_map(|member| &member.files)
    }

    /// A page of text.
    pub(crate) fn page(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root.join(name)).ok()
    }

    pub(crate) fn has_crate(&self, name: &str) -> bool {
        self.crates.iter().any(|member| member.name() == name)
    }
}

impl Crate {
    fn read(root: &Path, directory: String) -> Self {
        let home = root.join(&directory);
        let manifest = fs::read_to_string(home.join("Cargo.toml")).expect("a member has a manifest");
        let mut paths = Vec::new();
        ["src", "tests", "examples", "benches"].iter().for_each(|part| walk(&home.join(part), &mut paths));
        paths.extend(Some(home.join("build.rs")).filter(|path| path.exists()));
        paths.sort();
        let files = paths.into_iter().map(|path| SourceFile::read(root, &path)).collect();
        Self { directory, manifest: Manifest::parse(&manifest), files }
    }

    /// The name of the package; folders are named after it.
    pub(crate) fn name(&self) -> &str {
        self.directory.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn is_published(&self) -> bool {
        self.manifest.get("package", "publish") != Some("false")
    }
}

impl SourceFile {
    fn read(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a source file is UTF-8");
        let path = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        let views = Views::of(&text);
        Self { path, text, views }
    }

    /// Whether it is built for tests only: below a `tests` or `benches` folder, or a `tests.rs`.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/") || self.path.contains("/benches/")
    }

    /// The code that users run: empty for a test, and without what is under `#[cfg(test)]`.
    pub(crate) fn product_code(&self) -> String {
        if self.is_test() { String::new() } else { without_tests(&self.views.code) }
    }
}

impl Manifest {
    fn parse(text: &str) -> Self {
        let mut section = String::new();
        let mut entries = Vec::new();
        for line in text.lines() {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = header.to_owned();
            } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
                entries.push(Entry { section: section.clone(), key, value });
            }
        }
        Self(entries)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0
    }

    pub(crate) fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|entry| entry.section == section && entry.key == key)
            .map(|entry| entry.value.as_str())
    }

    /// The names under `[dependencies]`: what users of the crate build.
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = &str> {
        let normal = self.0.iter().filter(|entry| entry.section == "dependencies");
        normal.map(|entry| entry.key.split('.').next().unwrap_or_default())
    }
}

/// The strings of `members = [ … ]`.
fn members(manifest: &str) -> Vec<String> {
    let list =
        manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default();
    let without_comments = list.lines().map(|line| line.split('#').next().unwrap_or_default());
    without_comments.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_workspace_is_seen() {
    let tree = Tree::workspace();
    assert!(tree.has_crate("cloakroom-core") && tree.has_crate("xtask"));
    assert!(tree.sources("cloakroom-core").count() > 3);
    assert!(tree.crates.iter().all(|member| !member.files.is_empty()));
}
