//! What is wrong with the command line is said in a sentence, before anything is served.

use std::net::TcpListener;

use crate::program::{self, ADAPTERS, Testbed};
use cloakroom_conformance::stories::{Client, Settings, tell};

/// Arguments after `--adapter axum --store memory:`, and words of the sentence that refuses them.
const REFUSED: [(&[&str], &str); 38] = [
    (&["--idle", "0ms"], "less than a millisecond"),
    (&["--idle", "13h"], "longer than its absolute time"),
    (&["--absolute", "99999h"], "longer than 3650 days"),
    (&["--touch-interval", "30m"], "not shorter than the idle time"),
    (&["--idle", "30"], "--idle: `30` is no duration"),
    (&["--idle", "1.5s"], "--idle: `1.5s` is no duration"),
    (&["--absolute", "-1s"], "--absolute: `-1s` is no duration"),
    (&["--touch-interval", ""], "--touch-interval: `` is no duration"),
    (&["--rotation-grace", "16m"], "longer than its period"),
    (&["--secret", "c2hvcnQ="], "--secret:"),
    (&["--secret", "no base64!"], "--secret:"),
    (&["--secret", ""], "--secret:"),
    (&["--secret", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="], "--secret:"),
    (&["--cookie-name", "a b"], "the name of the cookie"),
    (&["--cookie-name", "a;b"], "the name of the cookie"),
    (&["--cookie-name", ""], "the name of the cookie"),
    (&["--header", "x y"], "the name of the header"),
    (&["--header", "x:y"], "the name of the header"),
    (&["--header", "Cookie"], "has a meaning of its own"),
    (&["--header", "authorization"], "has a meaning of its own"),
    (&["--header", "x-session", "--cookie-name", "id"], "takes the place of the cookie"),
    (&["--header", "x-session", "--insecure-cookie"], "takes the place of the cookie"),
    (&["--max-sessions", "0"], "not between 1 and 1000"),
    (&["--max-sessions", "1001"], "not between 1 and 1000"),
    (&["--max-sessions", "99999999999999999999"], "--max-sessions: `99999999999999999999` is no number"),
    (&["--max-sessions", "many"], "--max-sessions: `many` is no number of sessions"),
    (&["--max-sessions", "-1"], "--max-sessions: `-1` is no number of sessions"),
    (&["--max-sessions", "+5"], "--max-sessions: `+5` is no number of sessions"),
    (&["--max-sessions", ""], "--max-sessions: `` is no number of sessions"),
    (&["--max-size", "511"], "between 512 bytes and 1 MiB"),
    (&["--max-size", "4k"], "--max-size: `4k` is no number of bytes"),
    (&["--max-size", ""], "--max-size: `` is no number of bytes"),
    (&["--listen", "nowhere"], "no address with a port"),
    (&["--listen", "127.0.0.1"], "no address with a port"),
    (&["--idle", "1m", "--idle", "2m"], "--idle is given twice"),
    (&["--idle"], "--idle needs a value"),
    (&["--insecure-cookie=yes"], "--insecure-cookie takes no value"),
    (&["--tiemout", "3s"], "there is no option --tiemout"),
];

/// Whole command lines.
const INCOMPLETE: [(&[&str], &str); 5] = [
    (&[], "--adapter is missing"),
    (&["--adapter", "axum"], "--store is missing"),
    (&["--store", "memory:"], "--adapter is missing"),
    (&["--adapter", "rocket", "--store", "memory:"], "neither axum nor actix"),
    (&["serve"], "there is no option serve"),
];

/// Stores that there are not, or that cannot be reached.
const STORES: [&str; 14] = [
    "memory",
    "",
    "nosuch:",
    "cookie:s3cret",
    "sqlite:",
    "sqlite:/no/such/directory/s3cret.db",
    "memcache://127.0.0.1:1",
    "memcache://127.0.0.1:port",
    "postgres://ada:s3cret@127.0.0.1:1/shop",
    "mysql://ada:s3cret@127.0.0.1:1/shop",
    "redis+sentinel://:s3cret@127.0.0.1:1/main",
    "redis://:s3cret@127.0.0.1:1/",
    "redis://:s3cret@127.0.0.1:1/?tiemout=1s",
    "redis+cluster://:s3cret@127.0.0.1:1/",
];

#[test]
fn bad_configurations_are_refused_in_a_sentence() {
    tell(async {
        for (arguments, words) in REFUSED {
            let all = [&["--adapter", "axum", "--store", "memory:"], arguments].concat();
            refused(&all, words).await;
        }
        for (arguments, words) in INCOMPLETE {
            refused(arguments, words).await;
        }
        for store in STORES {
            refused(&["--adapter", "actix", "--store", store], "--store:").await;
        }
        let limited = ["--adapter", "axum", "--store", "cookie:", "--max-sessions", "3"];
        refused(&limited, "cannot find the sessions of a principal").await;
    });
}

#[test]
fn taken_port_is_refused_in_a_sentence() {
    tell(async {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("an address").to_string();
        for adapter in ADAPTERS {
            let arguments = ["--adapter", adapter, "--store", "memory:", "--listen", &address];
            refused(&arguments, "cannot listen on").await;
        }
    });
}

#[test]
fn help_names_every_option() {
    tell(async {
        let help = program::run(&["--help"]).await;
        assert_eq!(help.code, Some(0));
        for (arguments, _) in REFUSED.iter().filter(|(arguments, _)| arguments[0] != "--tiemout") {
            let name = arguments[0].split('=').next().unwrap();
            assert!(help.stderr.contains(name), "{name}");
        }
    });
}

#[test]
fn sigterm_ends_the_program_with_clients_still_there() {
    tell(async {
        for adapter in ADAPTERS {
            let testbed = Testbed::start(adapter, "memory:", &Settings::new()).await;
            let client = Client::of(&testbed);
            client.put("/value/a", "1").await.is(204);
            let mut idle = cloakroom_conformance::stories::Line::open(
                cloakroom_conformance::stories::Instance::address(&testbed),
            )
            .await
            .unwrap();
            idle.ask(&cloakroom_conformance::stories::Request::new("GET", "/session")).await.unwrap();
            assert_eq!(testbed.terminate().await, Some(0), "{adapter}");
        }
    });
}

async fn refused(arguments: &[&str], words: &str) {
    let ended = program::run(arguments).await;
    assert!(ended.code.is_some_and(|code| code != 0), "{arguments:?} ended with {:?}", ended.code);
    assert!(ended.stdout.is_empty(), "{arguments:?} said {:?}", ended.stdout);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("testbed: ") && last.contains(words), "{arguments:?} was refused with {last:?}");
    assert!(!ended.stderr.contains("s3cret"), "{arguments:?} shows the password");
    assert!(!ended.stderr.contains("panicked"), "{arguments:?} panicked");
}
