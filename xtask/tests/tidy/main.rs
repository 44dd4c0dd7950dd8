//! What a reviewer should not have to look for, checked over the whole workspace.
//!
//! Each check is a function from a [`tree::Tree`] to its findings; the tests here demand that there are none,
//! and the tests beside each check plant the defect that it is there to find.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a check that cannot read the tree must fail"
)]

mod absences;
mod behaviours;
mod directions;
mod documents;
mod examples;
mod faults;
mod ignores;
mod length;
mod manifests;
mod orphans;
mod planted;
mod source;
mod tree;
mod words;

use tree::Tree;

#[track_caller]
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} found:\n{}", findings.len(), findings.join("\n"));
}

/// The findings of a check of one page.
#[track_caller]
fn page(name: &str, check: impl Fn(&Tree, &str) -> Vec<String>) {
    let tree = Tree::workspace();
    match tree.page(name) {
        Some(text) => none(check(&tree, &text)),
        None => panic!("{name} is missing"),
    }
}

#[test]
fn every_source_file_belongs_to_a_crate() {
    none(orphans::check(&Tree::workspace()));
}

#[test]
fn no_documentation_example_is_ignored() {
    none(examples::check(&Tree::workspace()));
}

#[test]
fn every_ignored_test_says_what_it_needs_or_measures() {
    none(ignores::check(&Tree::workspace()));
}

#[test]
fn manifests_inherit_and_describe() {
    none(manifests::check(&Tree::workspace()));
}

#[test]
fn dependencies_point_one_way() {
    none(directions::check(&Tree::workspace()));
}

#[test]
fn core_and_codec_reach_no_framework_client_or_runtime() {
    none(directions::check_reach(&Tree::workspace()));
}

#[test]
fn files_are_short() {
    none(length::check(&Tree::workspace()));
}

#[test]
fn nothing_is_left_to_do() {
    none(words::check(&Tree::workspace()));
}

#[test]
fn clocks_are_read_in_one_place() {
    none(absences::clocks(&Tree::workspace()));
}

#[test]
fn only_visit_commit_and_manager_call_a_store() {
    none(absences::store_calls(&Tree::workspace()));
}

#[test]
fn adapters_hold_no_decision_about_session_state() {
    none(absences::adapters(&Tree::workspace()));
}

#[test]
fn stores_see_neither_plaintext_nor_tokens() {
    none(absences::stores(&Tree::workspace()));
}

#[test]
fn codec_does_no_input_or_output() {
    none(absences::codec(&Tree::workspace()));
}

#[test]
fn core_never_sleeps_and_never_spawns() {
    none(absences::core(&Tree::workspace()));
}

#[test]
fn only_tools_and_examples_read_the_environment() {
    none(absences::environment(&Tree::workspace()));
}

#[test]
fn architecture_names_what_exists() {
    page("ARCHITECTURE.md", documents::names);
}

#[test]
fn commands_of_the_readme_exist() {
    page("README.md", documents::commands);
    page("README.md", documents::test_command);
}

#[test]
fn commands_of_contributing_exist() {
    page("CONTRIBUTING.md", documents::commands);
}

#[test]
fn changelog_names_what_exists() {
    page("CHANGELOG.md", documents::changelog);
}

#[test]
fn planted_faults_name_what_exists() {
    none(faults::check(&Tree::workspace()));
}

#[test]
fn behaviours_are_proved_by_tests_that_exist() {
    page("docs/behaviours.md", |tree, page| {
        let report = behaviours::check(tree, page, behaviours::ALL);
        println!("{} behaviours, {} of them do not apply", report.rows, report.not_applicable);
        report.findings
    });
}
