//! Pages that name what does not exist.

use super::{changelog, commands, names, test_command};
use crate::planted::Planted;

fn planted() -> Planted {
    Planted::new()
        .member("crates/a")
        .file("crates/a/src/lib.rs", "pub struct Visit; impl Visit { fn open() {} }")
}

#[test]
fn symbols_and_paths_that_do_not_exist_are_found() {
    let planted = planted();
    let tree = planted.tree();
    let found = |page: &str| names(&tree, page);
    assert_eq!(found("`Visit`, `Visit::open()`, `a`, `crates/a`, `src/lib.rs`, `lib.rs`"), [""; 0]);
    assert_eq!(found("`Vist`"), ["`Vist`: nothing is called Vist"]);
    assert_eq!(found("`Visit::close`"), ["`Visit::close`: nothing is called close"]);
    assert_eq!(found("`crates/b` `visit.rs`").len(), 2);
    assert_eq!(found("```text\n`Vist`\n```\n"), [""; 0]);
}

#[test]
fn commands_that_do_not_exist_are_found() {
    let planted = planted();
    let tree = planted.tree();
    let found = |page: &str| commands(&tree, page).len();
    assert_eq!(found("`cargo xtask test`, `cargo xtask ci`, `cargo run -p a`, `cargo test -p CRATE`"), 0);
    assert_eq!(found("Run `cargo xtask tests` now."), 1);
    assert_eq!(found("```\ncargo run -p b -- --port 1\n```"), 1);
    assert_eq!(found("cargo test --package b"), 1);
}

#[test]
fn a_page_without_the_test_command_is_found() {
    let planted = planted();
    let tree = planted.tree();
    assert!(test_command(&tree, "```sh\ncargo xtask test\n```\n").is_empty());
    assert_eq!(test_command(&tree, "Run `cargo xtask test`.\n```sh\ncargo test\n```\n").len(), 1);
}

#[test]
fn defects_of_a_changelog_are_found() {
    let planted = planted();
    let tree = planted.tree();
    let found = |page: &str| changelog(&tree, page).len();
    assert_eq!(found("# Changelog\n\n## Unreleased\n\n- **added** (a): coats.\n"), 0);
    assert_eq!(found("## [Unreleased]\n\n- **added** (a, all): coats.\n"), 0);
    assert_eq!(found("## 0.1.0\n\n- **added** (a): coats.\n"), 1);
    assert_eq!(found("## 0.1.0\n\n- **added** (a): coats.\n\n## Unreleased\n"), 1);
    assert_eq!(found("## Unreleased\n\n- **added** (b): coats.\n"), 1);
    assert_eq!(found("## Unreleased\n\n- **added**: coats.\n"), 1);
}
