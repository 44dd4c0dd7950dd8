//! Random bytes, from the operating system alone.

use crate::error::{Error, ErrorKind};

/// Random bytes of the operating system.
///
/// # Errors
///
/// The operating system gave none. There is no fallback.
pub fn random_array<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(ErrorKind::Random).with_source(error))?;
    Ok(bytes)
}
