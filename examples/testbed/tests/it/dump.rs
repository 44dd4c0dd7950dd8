//! What somebody learns who steals all that Redis keeps, and what it is good for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use cloakroom_conformance::stories::{Client, Instance as _, Line, Request, Settings, tell};
use xtask::server::RedisServer;

use crate::program::{ADAPTERS, Testbed};
use crate::raw_redis::RawRedis;

/// How many bytes a token has, and where its handle and its secret are.
const TOKEN_BYTES: usize = 53;
const HANDLE: std::ops::Range<usize> = 5..21;
const SECRET: std::ops::Range<usize> = 21..37;

/// Texts that stand nowhere else.
const PRINCIPAL: &str = "canary-principal-4711";
const KEY: &str = "canary-key-4711";
const VALUE: &str = "canary-value-4711";
const MESSAGE: &str = "canary-message-4711";

/// How many requests are under way on one connection.
const PIPELINE: usize = 64;

/// Everything that is kept.
struct Dump {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Keys, values, and the bytes of all files.
    all: Vec<u8>,
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn dump_shows_nothing_and_logs_nobody_in() {
    for adapter in ADAPTERS {
        tell(steal(adapter));
    }
}

async fn steal(adapter: &str) {
    let server = RedisServer::start().expect("a server");
    let testbed = Testbed::start(adapter, &server.url(), &Settings::new()).await;
    let mut tokens = Vec::new();
    let mut visitors = Vec::new();
    for number in 0..6 {
        let visitor = Client::of(&testbed);
        visitor.put(&format!("/value/{KEY}"), format!("\"{VALUE}\"")).await.is(204);
        tokens.extend(visitor.token());
        visitor.post(&format!("/login/{PRINCIPAL}")).await.is(204);
        visitor.put("/flash", format!("\"{MESSAGE}\"")).await.is(204);
        tokens.extend(visitor.token());
        if number % 3 == 2 {
            visitor.post("/logout").await.is(204);
        } else {
            visitors.push(visitor);
        }
    }
    let dump = stolen(&server);
    assert_eq!(dump.records.len(), visitors.len(), "one record a session");
    let secrets = secrets(&tokens);
    for (what, needle) in &secrets {
        assert!(!contains(&dump.all, needle), "{adapter}: the dump shows {what}");
    }
    // The same search finds each of them in a dump that does show it.
    for (what, needle) in &secrets {
        let planted = [&dump.all[..dump.all.len() / 2], needle, &dump.all[dump.all.len() / 2..]].concat();
        assert!(contains(&planted, needle), "{what} is not found where it is");
    }
    let guesses = guesses(&dump);
    let mut strangers = 0;
    let mut line = Line::open(testbed.address()).await.expect("a connection");
    for batch in guesses.chunks(PIPELINE) {
        for guess in batch {
            let request =
                Request::new("GET", "/session").with_header("cookie", format!("__Host-session={guess}"));
            line.send(&request).await.expect("it is sent");
        }
        for guess in batch {
            let seen = line.answer().await.expect("it answers").is(200).sets_no_cookie().json();
            assert!(seen["new"] == true && seen["principal"].is_null(), "{guess} logs in");
            strangers += 1;
        }
    }
    for visitor in &visitors {
        assert_eq!(
            visitor.get("/session").await.is(200).json()["principal"],
            PRINCIPAL,
            "a true token logs in"
        );
    }
    println!(
        "{adapter}: a dump of {} records and {} bytes shows none of {} byte strings; {strangers} cookies made of it \
         log nobody in",
        dump.records.len(),
        dump.all.len(),
        secrets.len(),
    );
}

/// Takes everything: through the door, and off the disk.
fn stolen(server: &RedisServer) -> Dump {
    server.cli(&["SAVE"]).expect("it saves");
    let mut redis = RawRedis::open(server.port());
    let mut dump = Dump { records: BTreeMap::new(), all: Vec::new() };
    for key in redis.keys() {
        let value = redis.bytes(&[b"GET", &key]);
        let dumped = redis.bytes(&[b"DUMP", &key]);
        dump.all.extend([key.as_slice(), &value, &dumped].concat());
        dump.records.insert(key, value);
    }
    let before = dump.all.len();
    files(server.directory(), &mut dump.all);
    assert!(dump.all.len() > before, "nothing is on the disk");
    dump
}

fn files(directory: &Path, all: &mut Vec<u8>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, all);
        } else if path.is_file() {
            all.extend(fs::read(&path).expect("a file"));
        }
    }
}

/// What must not be found: texts, and the parts of tokens in each way of writing bytes.
fn secrets(tokens: &[String]) -> Vec<(String, Vec<u8>)> {
    let mut secrets = Vec::new();
    for text in [PRINCIPAL, KEY, VALUE, MESSAGE] {
        secrets.extend(written(text, text.as_bytes()));
    }
    for (number, token) in tokens.iter().enumerate() {
        let bytes = URL_SAFE_NO_PAD.decode(token).expect("a token is base64url");
        assert_eq!(bytes.len(), TOKEN_BYTES);
        secrets.push((format!("token {number}"), token.clone().into_bytes()));
        secrets.extend(written(&format!("handle {number}"), &bytes[HANDLE]));
        secrets.extend(written(&format!("secret {number}"), &bytes[SECRET]));
    }
    secrets
}

/// Bytes as they are, in hexadecimal, and in base64 at each of its three alignments.
fn written(what: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut ways = vec![
        (what.to_owned(), bytes.to_vec()),
        (format!("{what} in hexadecimal"), hex.clone().into_bytes()),
        (format!("{what} in capital hexadecimal"), hex.to_uppercase().into_bytes()),
    ];
    for shift in 0..3 {
        let shifted = [&[0; 3][..shift], bytes].concat();
        for encoded in [URL_SAFE_NO_PAD.encode(&shifted), STANDARD_NO_PAD.encode(&shifted)] {
            // The first and last characters depend on the neighbours, too.
            let inside = &encoded.as_bytes()[[0, 2, 3][shift]..encoded.len() - 1];
            ways.push((format!("{what} in base64"), inside.to_vec()));
        }
    }
    ways
}

/// Every name, and every part of a name or value that is as long as a token or one of its parts.
fn guesses(dump: &Dump) -> Vec<String> {
    let mut guesses = Vec::new();
    for (key, value) in &dump.records {
        let name = String::from_utf8_lossy(key).into_owned();
        guesses.extend(name.rsplit(':').next().map(str::to_owned));
        guesses.push(name);
        for bytes in [key, value] {
            for length in [16, 32, TOKEN_BYTES] {
                guesses.extend(bytes.windows(length).map(|part| URL_SAFE_NO_PAD.encode(part)));
            }
            let texts = bytes.windows(71).filter_map(|part| str::from_utf8(part).ok());
            let visible = texts.filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            guesses.extend(visible.map(str::to_owned));
        }
    }
    guesses
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
