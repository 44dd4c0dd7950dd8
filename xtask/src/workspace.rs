//! Where the workspace is.

use std::path::{Path, PathBuf};

/// The directory of the root manifest: the one above this crate's.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
