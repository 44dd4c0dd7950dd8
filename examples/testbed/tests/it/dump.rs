//! What somebody learns who steals all that a store keeps, and what it is good for.

mod databases;
mod secrets;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloakroom::{Created, PrincipalTag, Record, RedisStore, Store, StoreKey, Version};
use cloakroom_conformance::stories::{Client, Instance as _, Line, Request, Settings, tell};
use xtask::server::RedisServer;

use self::secrets::{KEY, MESSAGE, PRINCIPAL, Secrets, TOKEN_BYTES, VALUE, digests};
use crate::program::{ADAPTERS, Testbed};
use crate::raw_redis::RawRedis;

/// How many requests are under way on one connection.
const PIPELINE: usize = 64;

/// Everything that is kept in Redis.
struct Dump {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The members of each index, by its key.
    lists: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    /// Keys, values, and the bytes of all files.
    all: Vec<u8>,
}

/// Visitors who logged in, and the tokens that they and others were given on the way.
struct Crowd {
    visitors: Vec<Client>,
    tokens: Vec<String>,
}

impl Crowd {
    /// Six log in as one principal, and two of them log out again.
    async fn at(testbed: &Testbed) -> Self {
        let (mut visitors, mut tokens) = (Vec::new(), Vec::new());
        for number in 0..6 {
            let visitor = Client::of(testbed);
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
        let listed = visitors[0].get("/sessions").await.is(200).json();
        assert_eq!(listed.as_array().map(Vec::len), Some(visitors.len()), "the index finds all of them");
        Self { visitors, tokens }
    }
}

/// How a testbed admits logins: as they come, or one after the other under a limit, which the store keeps otherwise.
const ADMISSIONS: [&[&str]; 2] = [&[], &["--max-sessions", "5"]];

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn dump_shows_nothing_and_logs_nobody_in() {
    for (adapter, arguments) in ADAPTERS.into_iter().zip(ADMISSIONS) {
        tell(steal(adapter, arguments));
    }
}

async fn steal(adapter: &str, arguments: &[&str]) {
    let server = RedisServer::start().expect("a server");
    let testbed = Testbed::start_with(adapter, &server.url(), &Settings::new(), arguments).await;
    let Crowd { visitors, tokens } = Crowd::at(&testbed).await;
    let dump = stolen(&server);
    assert_eq!(dump.records.len(), visitors.len(), "one record a session");
    assert_eq!(dump.lists.len(), 1, "one list a principal");
    let members: usize = dump.lists.values().map(Vec::len).sum();
    assert!(members >= visitors.len(), "{members} members are on it");
    let secrets = Secrets::of(&tokens);
    assert_eq!(secrets.shown_by(&dump.all), [""; 0], "{adapter}: the dump shows it");
    secrets.are_found_in_the_midst_of(&dump.all);
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
        "{adapter}: a dump of {} records, a list of {members} members and {} bytes shows none of {} byte strings; {strangers} cookies made of it \
         log nobody in",
        dump.records.len(),
        dump.all.len(),
        secrets.count(),
    );
    let store = RedisStore::connect(&server.url()).await.expect("the same server");
    plant(&store).await;
    bites(&secrets, &stolen(&server).all);
}

/// What a store would show whose tags were digests without a key: one entry and one record for each kind of digest.
async fn plant(store: &impl Store) {
    for (number, (_, digest)) in (1..).zip(digests()) {
        let mut bytes = [number; 32];
        let length = digest.len();
        bytes[..length].copy_from_slice(&digest);
        let (tag, key) = (PrincipalTag::from_bytes(bytes), StoreKey::from_bytes([number; 32]));
        let time = Duration::from_secs(600);
        let index = store.principals().expect("an index");
        index.enter(&tag, &key, time).await.expect("it answers");
        let record = Record::new(PRINCIPAL.as_bytes().to_vec(), Version::random().expect("randomness"), time);
        let created = store.create(&key, &record.with_principal(Some(tag))).await.expect("it answers");
        assert_eq!(created, Created::Created);
    }
}

/// Wants that a dump shows what was planted.
fn bites(secrets: &Secrets, dump: &[u8]) {
    let shown = secrets.shown_by(dump);
    for what in [PRINCIPAL, "the MD5 of", "the SHA-1 of", "the SHA-256 of"] {
        assert!(
            shown.iter().any(|shown| shown.contains(what)),
            "{what} was planted, and found was {shown:?}"
        );
    }
}

/// Takes everything: through the door, and off the disk.
fn stolen(server: &RedisServer) -> Dump {
    server.cli(&["SAVE"]).expect("it saves");
    let mut redis = RawRedis::open(server.port());
    let mut dump = Dump { records: BTreeMap::new(), lists: BTreeMap::new(), all: Vec::new() };
    for key in redis.keys() {
        dump.all.extend([key.as_slice(), &redis.bytes(&[b"DUMP", &key])].concat());
        if redis.status(&[b"TYPE", &key]) == "zset" {
            let members = redis.all(&[b"ZRANGE", &key, b"0", b"-1", b"WITHSCORES"]);
            dump.all.extend(members.concat());
            dump.lists.insert(key, members);
        } else {
            let value = redis.bytes(&[b"GET", &key]);
            dump.all.extend(&value);
            dump.records.insert(key, value);
        }
    }
    let before = dump.all.len();
    dump.all.extend(files(server.directory()));
    assert!(dump.all.len() > before, "nothing is on the disk");
    dump
}

/// All that lies in a directory.
fn files(directory: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.is_file() {
            all.extend(fs::read(&path).expect("a file"));
        }
    }
    all
}

/// Every name, and every part of a name or value that is as long as a token or one of its parts.
fn guesses(dump: &Dump) -> Vec<String> {
    let mut guesses = Vec::new();
    let listed = dump.lists.iter().flat_map(|(key, members)| members.iter().map(move |member| (key, member)));
    for (key, value) in dump.records.iter().chain(listed) {
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
