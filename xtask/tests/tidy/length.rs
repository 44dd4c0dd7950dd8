//! A file that one sitting does not suffice for is two files.

use crate::tree::Tree;

const LIMIT: usize = 500;

pub(crate) fn check(tree: &Tree) -> Vec<String> {
    let long = tree.files().map(|file| (file, file.text.lines().count())).filter(|(_, lines)| *lines > LIMIT);
    long.map(|(file, lines)| format!("{}: {lines} lines, more than {LIMIT}", file.path)).collect()
}

#[test]
fn long_files_are_found() {
    use crate::planted::in_file;
    assert_eq!(in_file("crates/a/src/lib.rs", &"//\n".repeat(501), check), 1);
    assert_eq!(in_file("crates/a/src/lib.rs", &"//\n".repeat(500), check), 0);
}
