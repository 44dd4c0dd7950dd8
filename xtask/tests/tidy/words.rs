//! Nothing is left to do, and nothing is left over from looking for a fault.

use crate::source::{line_of, occurrences};
use crate::tree::Tree;

const IN_CODE: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];
const IN_COMMENTS: [&str; 3] = ["TODO", "FIXME", "XXX"];

pub(crate) fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.files() {
        let code = IN_CODE.map(|word| (word, &file.views.code));
        let comments = IN_COMMENTS.map(|word| (word, &file.views.comments));
        for (word, view) in code.into_iter().chain(comments) {
            let lines = occurrences(view, word).map(|at| line_of(view, at));
            findings.extend(lines.map(|line| format!("{}:{line}: {word}", file.path)));
        }
    }
    findings
}

#[test]
fn leftovers_are_found() {
    use crate::planted::in_file;
    let lib = "crates/a/src/lib.rs";
    for word in IN_CODE {
        assert_eq!(in_file(lib, &format!("fn a() {{ {word}() }}"), check), 1);
        assert_eq!(in_file(lib, &format!("const A: &str = \"{word}\"; // {word}"), check), 0);
    }
    for word in IN_COMMENTS {
        assert_eq!(in_file(lib, &format!("// {word}: later"), check), 1);
        assert_eq!(in_file(lib, &format!("const A: &str = \"{word}\";"), check), 0);
    }
}
