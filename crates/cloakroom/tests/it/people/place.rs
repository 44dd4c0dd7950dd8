//! Where the sessions of one test lie, and how several instances of an application get there.

use std::path::{Path, PathBuf};

use cloakroom::{Backend, KeyRing, Version};

/// A namespace of its own in a store, which each instance connects to by itself.
pub(super) struct Place {
    pub(super) name: &'static str,
    /// The prefix of the keys, or the name of the table.
    pub(super) namespace: String,
    kind: Kind,
    /// Goes with the test.
    directory: Option<Directory>,
}

enum Kind {
    /// Nobody else sees it: the instances share one connection.
    Shared(Backend),
    Url(String),
}

impl Place {
    #[cfg(feature = "memory")]
    pub(super) async fn memory() -> Self {
        let backend = cloakroom::connect("memory:").await.unwrap();
        Self { name: "memory", namespace: String::new(), kind: Kind::Shared(backend), directory: None }
    }

    /// In the memory of the machine where that has a file system, as each login waits for its writes.
    #[cfg(feature = "sqlite")]
    pub(super) fn sqlite() -> Self {
        let directory = Directory::new();
        let url = format!("sqlite:{}", directory.0.join("sessions.db").display());
        let mut place = Self::at("sqlite", &url);
        place.directory = Some(directory);
        place
    }

    /// Behind the URL that a variable holds.
    pub(super) fn server(name: &'static str, variable: &str) -> Self {
        let url = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names a server"));
        Self::at(name, &url)
    }

    /// Behind this URL.
    pub(super) fn at(name: &'static str, url: &str) -> Self {
        let parameter = if matches!(name, "postgres" | "mariadb" | "sqlite") { "table" } else { "prefix" };
        let joint = if url.contains('?') { '&' } else { '?' };
        let tag = Version::random().unwrap().get();
        let namespace = format!("people_{tag:016x}");
        let url = format!("{url}{joint}{parameter}={namespace}");
        Self { name, namespace, kind: Kind::Url(url), directory: None }
    }

    /// Connects another instance.
    pub(super) async fn connect(&self) -> Backend {
        match &self.kind {
            Kind::Shared(backend) => backend.clone(),
            Kind::Url(url) => cloakroom::connect(url).await.unwrap(),
        }
    }

    /// Connects one with another parameter in its URL.
    #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
    pub(super) async fn connect_with(&self, parameter: &str) -> Backend {
        match &self.kind {
            Kind::Shared(backend) => backend.clone(),
            Kind::Url(url) => cloakroom::connect(&format!("{url}&{parameter}")).await.unwrap(),
        }
    }

    /// The URL without parameters.
    #[cfg(feature = "sqlite")]
    pub(super) fn file(&self) -> &str {
        match &self.kind {
            Kind::Shared(_) => "",
            Kind::Url(url) => url.split('?').next().unwrap(),
        }
    }
}

struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let directory = parent.join(format!("cloakroom-people-{:016x}", Version::random().unwrap().get()));
        std::fs::create_dir(&directory).unwrap();
        Self(directory)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes the key rings of instances that share their secrets.
pub(super) fn ring() -> impl Fn() -> KeyRing {
    let secret: Vec<u8> = (0..4).flat_map(|_| Version::random().unwrap().get().to_be_bytes()).collect();
    move || KeyRing::from_secrets([secret.clone()]).unwrap()
}
