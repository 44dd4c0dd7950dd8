//! From a URL to a backend.

use cloakroom_core::{Backend, Error, Result};

/// Connects to the store that a URL names, and waits until it answers.
///
/// | URL | store | feature |
/// |---|---|---|
/// | `memory:` | this process, with `?max_entries=N` and `&max_bytes=N` as its bounds | `memory` |
/// | `cookie:` | none: each client carries its session, see [`Backend::client_side`] | |
/// | `sqlite:PATH`, `sqlite::memory:` | a file, made if it is not there; see `SqliteStore::connect` | `sqlite` |
/// | `postgres://…`, `postgresql://…` | PostgreSQL, see `PostgresStore::connect` | `postgres` |
/// | `mysql://…`, `mariadb://…` | MySQL or MariaDB, see `MysqlStore::connect` | `mysql` |
/// | `redis://…`, `rediss://…`, `redis+unix://…` | one Redis or Valkey, see `RedisStore::connect` | `redis` |
/// | `redis+sentinel://h1,h2/service`, `rediss+sentinel://…` | the primary that Sentinel names | `redis` |
/// | `redis+cluster://h1,h2`, `rediss+cluster://…` | a Redis cluster | `redis` |
/// | `memcache://h1,h2` | Memcached, one or many servers; see `MemcachedStore::connect` | `memcached` |
///
/// In a database it creates the table and starts a task that removes expired rows, and an event under the target
/// `cloakroom::sqlx` says so; `?migrate=never` and `?sweep=never` leave either to you.
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
        // Boxed: the futures of client libraries lie so deep in one another that the compiler would ask the crates that
        // call this for a higher `recursion_limit`.
        Scheme::Sqlite => Box::pin(sqlite(url)).await,
        Scheme::Postgres => Box::pin(postgres(url)).await,
        Scheme::Mysql => Box::pin(mysql(url)).await,
        Scheme::Redis => Box::pin(redis(url)).await,
        Scheme::Memcached => Box::pin(memcached(url)).await,
    }
}

/// Which store a URL is for.
enum Scheme {
    Memory,
    Cookie,
    Sqlite,
    Postgres,
    Mysql,
    Redis,
    Memcached,
}

impl Scheme {
    fn of(url: &str) -> Result<Self> {
        let name = url.split_once(':').map(|(name, _)| name.to_ascii_lowercase()).unwrap_or_default();
        match name.as_str() {
            "memory" => Ok(Self::Memory),
            "cookie" => Ok(Self::Cookie),
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            "mysql" | "mariadb" => Ok(Self::Mysql),
            "redis" | "rediss" | "redis+unix" | "redis+sentinel" | "rediss+sentinel" | "redis+cluster"
            | "rediss+cluster" => Ok(Self::Redis),
            "memcache" => Ok(Self::Memcached),
            // What stands before the colon may be anything, a password included.
            _ => Err(Error::misconfigured(
                "the URL of a session store begins with its scheme; known are `memory:`, `cookie:`, `sqlite:`, \
                 `postgres://`, `mysql://`, `redis://`, `rediss://`, `redis+unix://`, `redis+sentinel://`, \
                 `redis+cluster://` and `memcache://`",
            )),
        }
    }
}

#[cfg(feature = "memory")]
fn memory(url: &str) -> Result<Backend> {
    let mut store = cloakroom_memory::MemoryStore::new();
    let rest = url.split_once(':').map_or("", |(_, rest)| rest);
    let Some(parameters) = rest.strip_prefix('?').or_else(|| rest.is_empty().then_some("")) else {
        return Err(Error::misconfigured(
            "nothing but parameters can follow `memory:`, as in `memory:?max_entries=100000`",
        ));
    };
    let mut seen = Vec::new();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if seen.contains(&name) {
            return Err(Error::misconfigured("`memory:` has a parameter twice: leave one of them out"));
        }
        seen.push(name);
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

#[cfg(feature = "sqlite")]
async fn sqlite(url: &str) -> Result<Backend> {
    cloakroom_sqlx::SqliteStore::connect(url).await.map(Backend::from)
}

#[cfg(not(feature = "sqlite"))]
async fn sqlite(_url: &str) -> Result<Backend> {
    Err(feature_is_off("sqlite"))
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str) -> Result<Backend> {
    cloakroom_sqlx::PostgresStore::connect(url).await.map(Backend::from)
}

#[cfg(not(feature = "postgres"))]
async fn postgres(_url: &str) -> Result<Backend> {
    Err(feature_is_off("postgres"))
}

#[cfg(feature = "mysql")]
async fn mysql(url: &str) -> Result<Backend> {
    cloakroom_sqlx::MysqlStore::connect(url).await.map(Backend::from)
}

#[cfg(not(feature = "mysql"))]
async fn mysql(_url: &str) -> Result<Backend> {
    Err(feature_is_off("mysql"))
}

#[cfg(feature = "redis")]
async fn redis(url: &str) -> Result<Backend> {
    cloakroom_redis::RedisStore::connect(url).await.map(Backend::from)
}

#[cfg(not(feature = "redis"))]
async fn redis(_url: &str) -> Result<Backend> {
    Err(feature_is_off("redis"))
}

#[cfg(feature = "memcached")]
async fn memcached(url: &str) -> Result<Backend> {
    cloakroom_memcached::MemcachedStore::connect(url).await.map(Backend::from)
}

#[cfg(not(feature = "memcached"))]
async fn memcached(_url: &str) -> Result<Backend> {
    Err(feature_is_off("memcached"))
}

#[cfg(not(all(
    feature = "memory",
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql",
    feature = "redis",
    feature = "memcached"
)))]
fn feature_is_off(feature: &str) -> Error {
    Error::misconfigured(format!(
        "this URL needs the feature `{feature}` of the crate `cloakroom`: switch it on in Cargo.toml"
    ))
}
