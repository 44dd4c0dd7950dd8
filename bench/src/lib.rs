//! What sessions cost: Cloakroom, its peers, bare handlers and raw clients, in one run.
//!
//! There are two programs: `cloakroom-bench` counts allocations, and `cloakroom-loads` does not, because counters that
//! all threads share would slow down most whoever allocates most.

pub mod builds;
pub mod cell;
pub mod conflicts;
pub mod contender;
pub mod costs;
pub mod curves;
pub mod driver;
pub mod figure;
pub mod load;
pub mod loads;
pub mod machine;
pub mod memory_store;
pub mod options;
pub mod proxy;
pub mod report;
pub mod scenario;
pub mod serve;
pub mod singles;
pub mod statements;
pub mod targets;
pub mod values;
pub mod worker;
