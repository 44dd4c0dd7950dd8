//! The lists of laws are the contracts of the traits.

use std::fs;
use std::path::Path;

const CORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cloakroom-core/src");
const LAWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/laws");

macro_rules! names {
    ($($module:ident { $($law:ident)+ })+) => {
        vec![$($((stringify!($module), stringify!($law))),+),+]
    };
}

/// Module and law, in the order of the list.
pub(crate) fn store_laws() -> Vec<(&'static str, &'static str)> {
    cloakroom_conformance::__store_laws! { [names] }
}

/// Module and law, in the order of the list.
pub(crate) fn index_laws() -> Vec<(&'static str, &'static str)> {
    cloakroom_conformance::__index_laws! { [names] }
}

#[test]
fn the_laws_of_stores_are_the_contract_of_the_trait() {
    let source = read(format!("{CORE}/store.rs"));
    let mut module = "";
    let mut contract = Vec::new();
    for line in source.lines() {
        match line {
            "/// Loading and creating:" => module = "create",
            "/// Replacing:" => module = "replace",
            "/// Deleting:" => module = "delete",
            "/// Expiry:" => module = "expiry",
            "/// Together:" => module = "together",
            _ => contract.extend(bullet(line).map(|law| (module, law))),
        }
    }
    assert!(contract.len() > 30, "the contract of the trait was not found");
    assert_eq!(contract, store_laws(), "the docs of Store (left) and conformance_tests! (right) differ");
}

#[test]
fn the_laws_of_indexes_are_the_contract_of_the_trait() {
    let source = read(format!("{CORE}/principal.rs"));
    let contract: Vec<_> = source.lines().filter_map(bullet).map(|law| ("index", law)).collect();
    assert_eq!(
        contract,
        index_laws(),
        "the docs of PrincipalIndex (left) and index_conformance_tests! (right) differ"
    );
}

#[test]
fn every_law_that_is_written_is_listed() {
    let mut listed: Vec<_> = store_laws();
    listed.extend(index_laws());
    let mut written = Vec::new();
    for entry in fs::read_dir(LAWS).expect("the folder of laws can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let module = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        for line in read(&path).lines() {
            if let Some(rest) = line.strip_prefix("pub async fn ") {
                let law = rest.split('<').next().unwrap_or_default().to_owned();
                written.push((module.clone(), law));
            }
        }
    }
    for (module, law) in &written {
        let known = listed.contains(&(module.as_str(), law.as_str()));
        assert!(known, "laws::{module}::{law} is in no list, so no store is held to it");
    }
    assert_eq!(written.len(), listed.len(), "laws written and laws listed");
}

/// The name in a line of a contract.
fn bullet(line: &str) -> Option<&str> {
    line.strip_prefix("/// - `")?.split_once("`:").map(|(law, _)| law)
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
