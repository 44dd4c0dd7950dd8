//! Dependencies point one way: codec, core, then stores, adapters and laws, then the front door.

use std::process::Command;

use crate::tree::{Crate, Tree};

/// What the crates at the bottom may build on. A new name here is a decision, not a detail.
const CODEC: [&str; 12] = [
    "aes",
    "aes-gcm",
    "base64",
    "getrandom",
    "hkdf",
    "hmac",
    "rmp-serde",
    "serde",
    "sha2",
    "smallvec",
    "subtle",
    "zeroize",
];
const CORE: [&str; 7] =
    ["async-lock", "async-trait", "base64", "cloakroom-codec", "futures-util", "serde", "tracing"];

/// What must not be reached from the bottom, not even through others; a `*` stands for any rest of the name.
const OUT_OF_REACH: [&str; 24] = [
    "actix*",
    "async-io",
    "async-std",
    "axum*",
    "cookie",
    "cookie_store",
    "diesel*",
    "futures-executor",
    "http",
    "http-body*",
    "hyper*",
    "memcache*",
    "mio",
    "native-tls",
    "openssl*",
    "redis*",
    "reqwest",
    "rustls*",
    "smol*",
    "socket2",
    "sqlx*",
    "tokio*",
    "tower*",
    "warp",
];

pub(crate) fn check(tree: &Tree) -> Vec<String> {
    tree.crates.iter().flat_map(check_crate).collect()
}

fn check_crate(member: &Crate) -> Vec<String> {
    let (name, mut findings) = (member.name(), Vec::new());
    for dependency in member.manifest.dependencies() {
        let ours = dependency == "xtask" || dependency.starts_with("cloakroom");
        let allowed = match name {
            "cloakroom-codec" => CODEC.contains(&dependency),
            "cloakroom-core" => CORE.contains(&dependency),
            // The front door leads to everything but the laws and the tools.
            "cloakroom" => !["cloakroom-conformance", "xtask"].contains(&dependency),
            // It starts servers for whoever runs it.
            "fleet" => true,
            _ if member.is_published() => !ours || dependency == "cloakroom-core",
            _ => dependency != "xtask",
        };
        if !allowed {
            findings.push(format!("{name} may not depend on {dependency}"));
        }
    }
    findings
}

/// What the bottom builds on through others, as Cargo resolves it.
pub(crate) fn check_reach(tree: &Tree) -> Vec<String> {
    ["cloakroom-codec", "cloakroom-core"]
        .into_iter()
        .flat_map(|name| reach(name, &cargo_tree(tree, name)))
        .collect()
}

fn reach(name: &str, listed: &str) -> Vec<String> {
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    let found = names.filter(|dependency| OUT_OF_REACH.iter().any(|pattern| matches(pattern, dependency)));
    found.map(|dependency| format!("{name} reaches {dependency}")).collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

fn cargo_tree(tree: &Tree, name: &str) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(&tree.root)
        .args([
            "tree",
            "--offline",
            "--package",
            name,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--all-features",
        ])
        .output()
        .expect("cargo runs");
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(listed.starts_with(name), "{}", String::from_utf8_lossy(&output.stderr));
    listed
}

#[test]
fn dependencies_against_the_stream_are_found() {
    use crate::planted::{MANIFEST, in_file};
    let found = |member: &str, dependency: &str| {
        let manifest = format!("{MANIFEST}\n[dependencies]\n{dependency}.workspace = true\n");
        in_file(&format!("crates/{member}/Cargo.toml"), &manifest, check)
    };
    for (member, dependency) in [
        ("cloakroom-codec", "cloakroom-core"),
        ("cloakroom-codec", "tokio"),
        ("cloakroom-core", "http"),
        ("cloakroom-core", "cloakroom-memory"),
        ("cloakroom-memory", "cloakroom-codec"),
        ("cloakroom-axum", "cloakroom-redis"),
        ("cloakroom-conformance", "cloakroom"),
        ("cloakroom", "cloakroom-conformance"),
        ("cloakroom-redis", "xtask"),
    ] {
        assert_eq!(found(member, dependency), 1, "{member} -> {dependency}");
    }
    for (member, dependency) in [
        ("cloakroom-core", "cloakroom-codec"),
        ("cloakroom-redis", "cloakroom-core"),
        ("cloakroom-redis", "redis"),
        ("cloakroom", "cloakroom-redis"),
        ("fleet", "xtask"),
    ] {
        assert_eq!(found(member, dependency), 0, "{member} -> {dependency}");
    }
    let only_tests = format!("{MANIFEST}\n[dev-dependencies]\nxtask = {{ path = \"../../xtask\" }}\n");
    assert_eq!(in_file("crates/cloakroom-redis/Cargo.toml", &only_tests, check), 0);
}

#[test]
fn reached_crates_are_found() {
    assert_eq!(reach("a", "a v0.1.0 (/w)\nserde v1.0.0\ntokio-util v0.7.0\nhttp v1.0.0\n").len(), 2);
    assert_eq!(reach("a", "a v0.1.0 (/w)\nserde v1.0.0\nhttparse v1.0.0 (*)\n").len(), 0);
}
