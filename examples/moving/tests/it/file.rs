//! A database in a file, which is gone with the test.

use std::path::PathBuf;

#[derive(Debug)]
pub struct File(PathBuf);

impl File {
    /// No file as yet.
    pub fn new(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        Self(directory.join(format!("moving-{}-{name}.db", std::process::id())))
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}?mode=rwc", self.0.display())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn file_goes_with_its_value() {
    let file = File::new("goes");
    let path = file.0.clone();
    std::fs::write(&path, "a page").unwrap();
    drop(file);
    assert!(!path.exists());
}
