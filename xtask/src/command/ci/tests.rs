//! What is read from README.md and from Cargo.

use std::path::Path;

use super::{published, test_command, typed};

#[test]
fn the_test_command_is_read_from_a_fenced_block() {
    let page =
        "Run `cargo xtask test`:\n\n```sh\ncargo build\ncargo xtask test --only memory   # no server\n```\n";
    assert_eq!(test_command(page).as_deref(), Some("cargo xtask test --only memory"));
    assert_eq!(test_command("cargo xtask test\n"), None);
    assert_eq!(test_command("```\ncargo test\n```\ncargo xtask test\n"), None);
}

#[test]
fn only_cargo_is_run() {
    let command = typed(Path::new("/"), "cargo xtask test --only memory").unwrap();
    assert_eq!(command.get_args().collect::<Vec<_>>(), ["xtask", "test", "--only", "memory"]);
    assert!(typed(Path::new("/"), "rm -r target").is_err());
    assert!(typed(Path::new("/"), "").is_err());
}

#[test]
fn unpublished_crates_are_not_built_alone() {
    let metadata = r#"{"packages":[
        {"name":"a","publish":null,"features":{"x":[],"default":["x"]}},
        {"name":"b","publish":[],"features":{}}]}"#;
    let packages = published(metadata).unwrap();
    assert_eq!(packages.len(), 1);
    assert_eq!(packages[0].name, "a");
    assert_eq!(packages[0].features, ["default", "x"]);
    assert!(published("nonsense").is_err());
}
