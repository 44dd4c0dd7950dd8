//! Which framework serves.

/// Which framework an instance is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Adapter {
    /// axum.
    Axum,
    /// actix-web.
    Actix,
}

/// Which frameworks the three instances are built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Adapters {
    /// All with one.
    All(Adapter),
    /// The first and the third with axum, the second with actix-web.
    Mixed,
}

impl Adapter {
    /// Its name, as the testbed takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Actix => "actix",
        }
    }
}

impl Adapters {
    pub(crate) const fn of_each(self) -> [Adapter; 3] {
        match self {
            Self::All(adapter) => [adapter; 3],
            Self::Mixed => [Adapter::Axum, Adapter::Actix, Adapter::Axum],
        }
    }
}
