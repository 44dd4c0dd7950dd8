//! What `connect` makes of URLs, with the features that this build has.

use cloakroom::{ErrorKind, connect};

/// The error that a URL is answered with, which shows nothing of what must not be shown.
async fn refusal(url: &str) -> Option<String> {
    let error = connect(url).await.err()?;
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{url} shows its password");
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
    Some(error.to_string())
}

#[tokio::test]
async fn a_scheme_that_is_not_known_lists_those_that_are() {
    for url in ["", "memory", "/var/run/redis.sock", "s3cret:x", "http://ada:s3cret@cache", "127.0.0.1:6379"]
    {
        let refusal = refusal(url).await.expect("no store is behind this URL");
        assert!(refusal.starts_with("the URL of a session store begins with its scheme"), "{url}: {refusal}");
        for known in
            ["memory:", "cookie:", "sqlite:", "postgres://", "mysql://", "redis+cluster://", "memcache://"]
        {
            assert!(refusal.contains(known), "{url}: {refusal}");
        }
    }
}

#[cfg(feature = "memory")]
#[tokio::test]
async fn memory_takes_its_bounds() {
    for url in ["memory:", "MEMORY:", "memory:?max_entries=10", "memory:?max_entries=10&max_bytes=4096"] {
        assert_eq!(refusal(url).await, None, "{url}");
    }
    let cases = [
        ("memory://", "nothing but parameters"),
        ("memory:sessions", "nothing but parameters"),
        ("memory:?max_entries=1&max_bytes=1&max_entries=2", "twice"),
        ("memory:?max_entries=0", "whole numbers from 1"),
        ("memory:?max_entries=many", "whole numbers from 1"),
        ("memory:?max_bytes", "whole numbers from 1"),
        ("memory:?max_entires=5", "unknown parameter"),
    ];
    for (url, reason) in cases {
        let refusal = refusal(url).await.expect("this URL cannot be understood");
        assert!(refusal.contains(reason), "{url}: {refusal}");
    }
}

#[cfg(feature = "memory")]
#[tokio::test]
async fn memory_keeps_to_the_bounds_of_its_url() {
    assert_eq!(store_two_sessions("memory:").await, None);
    assert_eq!(store_two_sessions("memory:?max_bytes=1").await, Some(ErrorKind::TooLarge));
    assert_eq!(store_two_sessions("memory:?max_entries=1").await, Some(ErrorKind::Full));
}

#[cfg(feature = "memory")]
async fn store_two_sessions(url: &str) -> Option<ErrorKind> {
    use cloakroom::{KeyRing, SessionManager};

    let backend = connect(url).await.expect("a URL that is right");
    let sessions = SessionManager::new(backend, KeyRing::generate());
    for _ in 0..2 {
        let visit = sessions.visit([]);
        visit.session().await.expect("an empty session").set("visits", &1).expect("a small value");
        if let Some(refusal) = visit.commit().await.refusal() {
            return Some(refusal.kind());
        }
    }
    None
}

#[tokio::test]
async fn cookie_takes_nothing_else() {
    for url in ["cookie:", "Cookie:"] {
        assert_eq!(refusal(url).await, None, "{url}");
    }
    for url in ["cookie://", "cookie:?max_size=4096", "cookie:s3cret"] {
        let refusal = refusal(url).await.expect("this URL cannot be understood");
        assert!(refusal.contains("nothing can follow `cookie:`"), "{url}: {refusal}");
    }
}

#[cfg(not(feature = "memory"))]
#[tokio::test]
async fn memory_names_the_feature_that_is_off() {
    let refusal = refusal("memory:").await.expect("the feature is off");
    assert!(refusal.contains("`memory`") && refusal.contains("Cargo.toml"), "{refusal}");
}

/// A URL of each scheme that has a feature, that feature, and whether this build has it.
fn schemes() -> Vec<(&'static str, &'static str, bool)> {
    vec![
        ("sqlite:s3cret.db?tiemout=1s", "sqlite", cfg!(feature = "sqlite")),
        ("sqlite::memory:?tiemout=1s", "sqlite", cfg!(feature = "sqlite")),
        ("postgres://ada:s3cret@db/shop?tiemout=1s", "postgres", cfg!(feature = "postgres")),
        ("POSTGRESQL://ada:s3cret@db/shop?tiemout=1s", "postgres", cfg!(feature = "postgres")),
        ("mysql://ada:s3cret@db/shop?tiemout=1s", "mysql", cfg!(feature = "mysql")),
        ("mariadb://ada:s3cret@db/shop?tiemout=1s", "mysql", cfg!(feature = "mysql")),
        ("redis://:s3cret@cache?tiemout=1s", "redis", cfg!(feature = "redis")),
        ("rediss://:s3cret@cache?tiemout=1s", "redis", cfg!(feature = "redis")),
        ("redis+unix:///run/redis.sock?pass=s3cret&tiemout=1s", "redis", cfg!(feature = "redis")),
        ("redis+sentinel://:s3cret@one,two/main?tiemout=1s", "redis", cfg!(feature = "redis")),
        ("redis+cluster://:s3cret@one,two?tiemout=1s", "redis", cfg!(feature = "redis")),
        ("memcache://one,two?tiemout=1s&pass=s3cret", "memcached", cfg!(feature = "memcached")),
    ]
}

#[tokio::test]
async fn each_store_reads_its_own_urls() {
    for (url, _, _) in schemes().into_iter().filter(|(_, _, on)| *on) {
        let refusal = refusal(url).await.expect("a parameter is misspelt");
        assert!(refusal.contains("parameter"), "{url}: {refusal}");
    }
}

#[tokio::test]
async fn a_feature_that_is_off_is_named() {
    for (url, feature, _) in schemes().into_iter().filter(|(_, _, on)| !*on) {
        let refusal = refusal(url).await.expect("the feature is off");
        assert!(
            refusal.contains(&format!("`{feature}`")) && refusal.contains("Cargo.toml"),
            "{url}: {refusal}"
        );
    }
}

#[tokio::test]
async fn a_bad_port_is_told_without_the_password() {
    let urls = [
        ("postgres://ada:s3cret@db:99999/shop", cfg!(feature = "postgres")),
        ("mysql://ada:s3cret@db:port/shop", cfg!(feature = "mysql")),
        ("redis://:s3cret@cache:99999", cfg!(feature = "redis")),
        ("redis+sentinel://:s3cret@one:99999,two/main", cfg!(feature = "redis")),
        ("redis+cluster://:s3cret@one:0,two", cfg!(feature = "redis")),
        ("memcache://one:99999,two", cfg!(feature = "memcached")),
    ];
    for (url, _) in urls.into_iter().filter(|(_, on)| *on) {
        let refusal = refusal(url).await.expect("there is no such port");
        assert!(refusal.contains("port"), "{url}: {refusal}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_mistake_of_the_url() {
    let urls = [
        // Nothing listens on port 1, so that the dial is refused at once.
        ("postgres://ada:s3cret@127.0.0.1:1/shop", cfg!(feature = "postgres")),
        ("mysql://ada:s3cret@127.0.0.1:1/shop", cfg!(feature = "mysql")),
        ("redis://:s3cret@127.0.0.1:1", cfg!(feature = "redis")),
        ("redis+sentinel://:s3cret@127.0.0.1:1/main", cfg!(feature = "redis")),
        ("redis+cluster://:s3cret@127.0.0.1:1", cfg!(feature = "redis")),
        ("memcache://127.0.0.1:1", cfg!(feature = "memcached")),
    ];
    for (url, _) in urls.into_iter().filter(|(_, on)| *on) {
        let error = connect(url).await.expect_err("nobody is there");
        assert!(error.is_transient(), "{url}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_file_that_was_not_there_keeps_sessions_over_a_restart() {
    use cloakroom::{KeyRing, SessionManager};

    let directory =
        std::env::temp_dir().join(format!("cloakroom-{}", cloakroom::Version::random().unwrap().get()));
    std::fs::create_dir(&directory).unwrap();
    let url = format!("sqlite:{}", directory.join("sessions.db").display());
    let secret = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY_";
    let mut cookie = String::new();
    for visit in 1..4_u32 {
        let sessions = SessionManager::new(connect(&url).await.unwrap(), KeyRing::parse(secret).unwrap());
        let request = sessions.visit([cookie.as_bytes()]);
        let count = |visits: Option<u32>| visits.unwrap_or(0) + 1;
        assert_eq!(request.session().await.unwrap().update("visits", count).unwrap(), visit);
        let mut headers = Headers::default();
        request.commit().await.write_to(&mut headers);
        if let Some(line) =
            headers.0.into_iter().find_map(|(name, line)| (name == "set-cookie").then_some(line))
        {
            cookie = line.split(';').next().unwrap().to_owned();
        }
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[cfg(feature = "sqlite")]
#[derive(Default)]
struct Headers(Vec<(String, String)>);

#[cfg(feature = "sqlite")]
impl cloakroom::ResponseHeaders for Headers {
    fn values(&self, _name: &str) -> Vec<String> {
        Vec::new()
    }

    fn set(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn append_sensitive(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }
}
