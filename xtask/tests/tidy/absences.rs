//! What the design promises to be absent.
//!
//! All of them look at code that users run, never at tests, comments or strings.

use crate::source::{line_of, occurrences};
use crate::tree::{SourceFile, Tree};

/// The crates that keep records.
const STORES: [&str; 4] = ["cloakroom-memory", "cloakroom-redis", "cloakroom-memcached", "cloakroom-sqlx"];
/// The crates that speak a framework's language.
const ADAPTERS: [&str; 2] = ["cloakroom-actix", "cloakroom-axum"];

/// The wall clock is read in core's `clock.rs` only; the monotonic one also by stores with a backend of their own,
/// by the laws, which wait for them, and by the tools that time them.
pub(crate) fn clocks(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in published(tree).filter(|file| file.path != "crates/cloakroom-core/src/clock.rs") {
        findings.extend(phrases(file, &["SystemTime::now", "UNIX_EPOCH.elapsed"]));
        let keeps_time = STORES[1..]
            .iter()
            .chain(&["cloakroom-conformance", "cloakroom-faults", "cloakroom-testkit"])
            .any(|store| file.path.starts_with(&format!("crates/{store}/")));
        if !keeps_time {
            findings.extend(phrases(file, &["Instant::now"]));
        }
    }
    findings
}

/// The modules of core that may call a store: a request's, and the manager's (`listing` is its administration).
/// `store` itself forwards through pointers, and `testing` has stores of its own.
const CALLERS: [&str; 6] = ["visit", "commit", "manager", "listing", "store", "testing"];
const VERBS: [&str; 5] = [".load(", ".create(", ".replace(", ".touch(", ".delete("];

pub(crate) fn store_calls(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.sources("cloakroom-core").filter(|file| !CALLERS.contains(&module(file))) {
        let code = file.product_code();
        for verb in VERBS {
            let calls = occurrences(&code, verb).filter(|at| calls_a_store(&code, *at, verb));
            let lines = calls.map(|at| line_of(&code, at));
            findings.extend(lines.map(|line| format!("{}:{line}: calls a store: `{verb}…)`", file.path)));
        }
    }
    findings
}

/// The first folder or file below `src`: `manager` for both `manager.rs` and `manager/build.rs`.
fn module(file: &SourceFile) -> &str {
    let inside = file.path.split("/src/").nth(1).unwrap_or_default();
    inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// Atomics load, strings replace: a store is awaited, or named so.
fn calls_a_store(code: &str, at: usize, verb: &str) -> bool {
    let receiver = code[receiver(code, at)..at].to_ascii_lowercase();
    let named = ["store", "backend"].iter().any(|name| receiver.contains(name));
    let after = &code[closing(code, at + verb.len())..];
    named || after.trim_start().starts_with(".await")
}

/// Where the expression begins whose method is called at `at`.
fn receiver(code: &str, at: usize) -> usize {
    let bytes = code.as_bytes();
    let (mut start, mut depth) = (at, 0_u32);
    while start > 0 {
        match bytes[start - 1] {
            b')' => depth += 1,
            b'(' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            b'.' | b'?' | b'_' | b'\n' => {}
            b' ' if matches!(bytes[start], b'.' | b' ') => {}
            byte if byte.is_ascii_alphanumeric() => {}
            _ => break,
        }
        start -= 1;
    }
    start
}

/// Just behind the parenthesis that closes the one before `from`.
fn closing(code: &str, from: usize) -> usize {
    let mut depth = 1_u32;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => return at + 1,
            b')' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Adapters hand over headers and send what they are told.
pub(crate) fn adapters(tree: &Tree) -> Vec<String> {
    let names = [
        "Store",
        "StoreKey",
        "Record",
        "Version",
        "Token",
        "PrincipalIndex",
        "cloakroom_codec",
        "async_trait",
    ];
    in_crates(tree, &ADAPTERS, &names)
}

/// Stores keep opaque bytes under opaque keys.
pub(crate) fn stores(tree: &Tree) -> Vec<String> {
    let names = [
        "serde",
        "serde_json",
        "rmp_serde",
        "cloakroom_codec",
        "Serialize",
        "Deserialize",
        "DeserializeOwned",
        "KeyRing",
        "Token",
        "Session",
        "SessionManager",
        "Visit",
        "Login",
    ];
    let dependencies = ["serde", "serde_json", "rmp-serde", "cloakroom-codec"];
    let mut findings = in_crates(tree, &STORES, &names);
    for member in tree.crates.iter().filter(|member| STORES.contains(&member.name())) {
        let listed = member.manifest.dependencies().filter(|dependency| dependencies.contains(dependency));
        findings.extend(listed.map(|dependency| format!("{} depends on {dependency}", member.name())));
    }
    findings
}

/// Bytes in, bytes out.
pub(crate) fn codec(tree: &Tree) -> Vec<String> {
    let names = [
        "async",
        "await",
        "Future",
        "std::fs",
        "std::net",
        "std::process",
        "std::thread",
        "std::time",
        "stdin",
        "stdout",
        "stderr",
    ];
    in_crates(tree, &["cloakroom-codec"], &names)
}

/// Core has no timer and no runtime.
pub(crate) fn core(tree: &Tree) -> Vec<String> {
    let names = ["sleep", "spawn", "spawn_blocking", "std::fs", "std::net", "std::process", "tokio", "http"];
    in_crates(tree, &["cloakroom-core"], &names)
}

/// Libraries are told, they do not look around.
pub(crate) fn environment(tree: &Tree) -> Vec<String> {
    let readers = ["env::var", "env::vars", "env::var_os", "env::vars_os", "option_env!"];
    let libraries = published(tree).filter(|file| !file.path.starts_with("crates/cloakroom-cli/"));
    libraries.flat_map(|file| phrases(file, &readers)).collect()
}

/// The sources below `crates/`: not the examples, not the tools.
fn published(tree: &Tree) -> impl Iterator<Item = &SourceFile> {
    tree.files().filter(|file| file.path.starts_with("crates/"))
}

fn in_crates(tree: &Tree, crates: &[&str], names: &[&str]) -> Vec<String> {
    let files = crates.iter().flat_map(|name| tree.sources(name));
    files.flat_map(|file| phrases(file, names)).collect()
}

fn phrases(file: &SourceFile, names: &[&str]) -> Vec<String> {
    let code = file.product_code();
    let found = names.iter().flat_map(|name| occurrences(&code, name).map(move |at| (*name, at)));
    found.map(|(name, at)| format!("{}:{}: names `{name}`", file.path, line_of(&code, at))).collect()
}

#[cfg(test)]
mod tests;
