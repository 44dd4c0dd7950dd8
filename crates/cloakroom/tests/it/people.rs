//! The sessions of people, on every store that finds them: limits in a crowd, ten thousand that are revoked at once, and
//! what is left when all is over.

mod client;
mod crowd;
mod faulty;
mod left;
mod limit;
mod lives;
mod place;
mod requests;
mod revoke;
