//! The sessions of people, on every store that finds them: limits in a crowd, ten thousand that are revoked at once, and
//! what is left when all is over.
#![cfg_attr(
    not(all(
        feature = "memory",
        feature = "mysql",
        feature = "postgres",
        feature = "redis",
        feature = "sqlite"
    )),
    allow(dead_code, unused_imports, reason = "each store uses a part")
)]

mod client;
mod crowd;
mod faulty;
mod left;
mod limit;
mod lives;
mod place;
mod requests;
mod revoke;
