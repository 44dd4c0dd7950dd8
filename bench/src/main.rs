//! What sessions cost: Cloakroom, its peers, bare handlers and raw clients, in one run.

use std::alloc::System;

use anyhow::Result;
use cloakroom_bench::{costs, memory_store, singles, worker};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATIONS: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const USAGE: &str = "\
usage: cloakroom-bench costs [--quick] [--urls BACKEND=URL,...] [--backends NAME,...] [--contenders NAME,...]
                             [--scenarios S1,...] [--rounds N] [--instructions] [--no-instructions]
       cloakroom-bench singles [--quick]
       cloakroom-bench memory-store [--quick]
       cloakroom-bench worker CONTENDER BACKEND [--url URL]
       cloakroom-bench once CONTENDER BACKEND --scenario S3 --times N [--idle-cookie] [--url URL]";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first().map(|(name, rest)| (&**name, rest)) {
        Some(("costs", rest)) => costs::main(rest),
        // What a session costs in memory; the rest of it is the business of the program that does not count.
        Some(("memory-store", rest)) => memory_store::main(rest),
        Some(("singles", rest)) => singles::main(rest),
        Some(("worker", rest)) => worker::main(rest, allocations),
        Some(("once", rest)) => worker::once(rest, allocations),
        _ => anyhow::bail!("{USAGE}"),
    }
}

fn allocations() -> [usize; 3] {
    let stats = ALLOCATIONS.stats();
    [stats.allocations, stats.reallocations, stats.bytes_allocated]
}
