//! The loads, with the system's allocator as it is.

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    cloakroom_bench::loads::main(&words).unwrap_or_else(|| anyhow::bail!("{}", cloakroom_bench::loads::USAGE))
}
