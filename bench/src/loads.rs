//! The parts of the run that put a load on many threads, each with its subcommand.

use anyhow::Result;

use crate::{builds, conflicts, curves, load, machine, memory_store, report, serve};

pub const USAGE: &str = "\
usage: cloakroom-loads memory-store [--quick] [--threads N]
       cloakroom-loads serve CONTENDER BACKEND [--url URL] [--rolling]
       cloakroom-loads load [--quick] [--urls BACKEND=URL,...] [--scenarios S1,...] [--connections 1,...]
                            [--backends NAME,...] [--contenders NAME,...] [--rounds N] [--seconds N]
       cloakroom-loads conflicts [--quick] [--urls BACKEND=URL,...] [--backends NAME,...] [--writers 1,...]
                            [--rounds N] [--seconds N]
       cloakroom-loads curves [--quick] [--urls BACKEND=URL,...] [--backends NAME,...] [--most N] [--rounds N]
       cloakroom-loads draw FILE DIRECTORY
       cloakroom-loads builds [--only NAME,...] [--directory PATH] [--rounds N]
       cloakroom-loads machine --command TEXT [--programs NAME=PATH,...]
       cloakroom-loads report FILE OUTPUT.md";

/// Runs the subcommand that `words` name; `None` if it is none of these.
pub fn main(words: &[String]) -> Option<Result<()>> {
    let (name, rest) = words.split_first()?;
    match &**name {
        "memory-store" => Some(memory_store::main(rest)),
        "builds" => Some(builds::main(rest)),
        "conflicts" => Some(conflicts::main(rest)),
        "curves" => Some(curves::main(rest)),
        "draw" => Some(curves::draw(rest)),
        "serve" => Some(serve::main(rest)),
        "load" => Some(load::main(rest)),
        "machine" => Some(machine::main(rest)),
        "report" => Some(report::main(rest)),
        _ => None,
    }
}
