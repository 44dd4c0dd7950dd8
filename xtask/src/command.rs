//! What the subcommands do.

pub(crate) mod backend;
pub(crate) mod bench;
pub(crate) mod ci;
mod copy;
mod executable;
mod facility;
pub(crate) mod faults;
pub(crate) mod measure;
pub(crate) mod mutants;
pub(crate) mod plant;
mod servers;
pub(crate) mod step;
pub(crate) mod suite;
mod tally;
pub(crate) mod test;
