//! From a URL to a backend.

use cloakroom_core::{Backend, Error, Result};

/// Connects to the store that a URL names, and waits until it answers.
///
/// | URL | store | feature |
/// |---|---|---|
/// | `memory:` | this process, with `?max_entries=N` and `&max_bytes=N` as its bounds | `memory` |
/// | `cookie:` | none: each client carries its session, see `Backend::client_side` | |
/// | `redis://…`, `rediss://…`, `redis+unix://…` | one Redis or Valkey, see `RedisStore::connect` | `redis` |
///
/// What a URL cannot say is set on the store itself, of which `Backend::from` then makes a backend.
///
/// ```
/// # #[cfg(feature = "memory")]
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use cloakroom::{KeyRing, SessionManager};
///
/// let backend = cloakroom::connect("memory:?max_entries=10000").await?;
/// let sessions = SessionManager::new(backend, KeyRing::generate());
/// # let _ = sessions;
/// # Ok::<(), cloakroom::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `Misconfigured`, in a sentence that says what to do, for a URL that cannot be read and for one whose
/// feature is off. `Unavailable` or `Timeout` when the server is not there. No error shows any of the URL.
///
/// # Cancel safety
///
/// Of a call that is dropped, a connection under way may remain until its deadline passes.
pub async fn connect(url: &str) -> Result<Backend> {
    match Scheme::of(url)? {
        Scheme::Memory => memory(url),
        Scheme::Cookie => cookie(url),
        Scheme::Redis => redis(url).await,
    }
}

/// Which store a URL is for.
enum Scheme {
    Memory,
    Cookie,
    Redis,
}

/// What later releases may bring, so that a URL for it is not taken for a slip of the pen.
const PLANNED: [&str; 10] = [
    "mariadb",
    "memcache",
    "memcaches",
    "mysql",
    "postgres",
    "postgresql",
    "redis+cluster",
    "redis+sentinel",
    "rediss+cluster",
    "sqlite",
];

impl Scheme {
    fn of(url: &str) -> Result<Self> {
        let name = url.split_once(':').map(|(name, _)| name.to_ascii_lowercase()).unwrap_or_default();
        match name.as_str() {
            "memory" => Ok(Self::Memory),
            "cookie" => Ok(Self::Cookie),
            "redis" | "rediss" | "redis+unix" => Ok(Self::Redis),
            _ => Err(Error::misconfigured(match PLANNED.iter().find(|planned| **planned == name) {
                Some(planned) => {
                    format!("`{planned}:` is not supported by this release of cloakroom; {KNOWN}")
                }
                // What stands before the colon may be anything, a password included.
                None => format!("the URL of a session store begins with its scheme; {KNOWN}"),
            })),
        }
    }
}

const KNOWN: &str = "known are `memory:`, `cookie:`, `redis://`, `rediss://` and `redis+unix://`";

#[cfg(feature = "memory")]
fn memory(url: &str) -> Result<Backend> {
    let mut store = cloakroom_memory::MemoryStore::new();
    let rest = url.split_once(':').map_or("", |(_, rest)| rest);
    let Some(parameters) = rest.strip_prefix('?').or_else(|| rest.is_empty().then_some("")) else {
        return Err(Error::misconfigured(
            "nothing but parameters can follow `memory:`, as in `memory:?max_entries=100000`",
        ));
    };
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        store = match name {
            "max_entries" => store.with_max_entries(bound(value)?),
            "max_bytes" => store.with_max_bytes(bound(value)?),
            _ => {
                return Err(Error::misconfigured(
                    "`memory:` has an unknown parameter; there are `max_entries` and `max_bytes`",
                ));
            }
        };
    }
    Ok(store.into())
}

#[cfg(feature = "memory")]
fn bound(value: &str) -> Result<usize> {
    value.parse().ok().filter(|bound| *bound > 0).ok_or_else(|| {
        Error::misconfigured("`max_entries` and `max_bytes` of `memory:` are whole numbers from 1")
    })
}

#[cfg(not(feature = "memory"))]
fn memory(_url: &str) -> Result<Backend> {
    Err(feature_is_off("memory"))
}

fn cookie(url: &str) -> Result<Backend> {
    match url.split_once(':') {
        Some((_, "")) => Ok(Backend::client_side()),
        _ => Err(Error::misconfigured(
            "nothing can follow `cookie:`; its sizes and times are set on the manager",
        )),
    }
}

#[cfg(feature = "redis")]
async fn redis(url: &str) -> Result<Backend> {
    cloakroom_redis::RedisStore::connect(url).await.map(Backend::from)
}

#[cfg(not(feature = "redis"))]
async fn redis(_url: &str) -> Result<Backend> {
    Err(feature_is_off("redis"))
}

#[cfg(not(all(feature = "memory", feature = "redis")))]
fn feature_is_off(feature: &str) -> Error {
    Error::misconfigured(format!(
        "this URL needs the feature `{feature}` of the crate `cloakroom`: switch it on in Cargo.toml"
    ))
}
