//! The directory of the accounts, with what else has to survive a restart: the sessions, and the secret of their keys.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloakroom::KeyRing;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

#[cfg(test)]
mod tests;

/// The directory in which the file of the accounts lies.
#[derive(Debug)]
pub(crate) struct DataDirectory(PathBuf);

impl DataDirectory {
    /// The directory of this file; one that is made is for nobody else.
    pub(crate) fn of(database: &Path) -> Result<Self, String> {
        let directory = database.parent().filter(|path| !path.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new(".")).to_owned();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(|error| format!("--database: {} cannot be made: {error}", directory.display()))?;
        make_private(database)?;
        Ok(Self(directory))
    }

    /// Sessions in a file beside the accounts.
    pub(crate) fn sessions_url(&self) -> Result<String, String> {
        let path = self.0.join("sessions.sqlite3");
        make_private(&path)?;
        Ok(format!("sqlite:{}", percent_encode(path.as_os_str().as_bytes(), OUTSIDE_PATHS)))
    }

    /// The keys of the sessions: of the secrets that were given, or of the one that is kept here.
    pub(crate) fn key_ring(&self, given: Option<&str>) -> Result<KeyRing, String> {
        if let Some(text) = given {
            return KeyRing::parse(text).map_err(|error| format!("--secret: {error}"));
        }
        let path = self.0.join("secret");
        let text = kept_secret(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        KeyRing::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// Makes a database that nobody else can read, whatever the directory, and refuses one that others can: SQLite gives its
/// other files the same mode.
fn make_private(file: &Path) -> Result<(), String> {
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(file);
    let metadata = opened.and_then(|file| file.metadata());
    let metadata =
        metadata.map_err(|error| format!("--database: {} cannot be opened: {error}", file.display()))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(format!("--database: others can read {}, or write it: chmod 600", file.display()));
    }
    Ok(())
}

/// Everything but what stands in ordinary paths.
const OUTSIDE_PATHS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// Reads the secret, and draws it if there is none.
fn kept_secret(path: &Path) -> io::Result<String> {
    if !path.try_exists()? {
        draw_secret(path)?;
    }
    let mode = Permissions::mode(&fs::metadata(path)?.permissions());
    if mode & 0o077 != 0 {
        return Err(io::Error::other("others can read this secret, or write it: chmod 600"));
    }
    fs::read_to_string(path)
}

/// Another instance may start at the same moment: the secret appears as a whole, and the first one stays.
fn draw_secret(path: &Path) -> io::Result<()> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(|error| io::Error::other(error.to_string()))?;
    let draft = path.with_extension(format!("{:016x}.draft", u64::from_be_bytes(name)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = writeln!(file, "{}", STANDARD.encode(bytes)).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    fs::remove_file(&draft)?;
    linked
}
