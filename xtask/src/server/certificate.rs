//! A certificate authority for one test server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// A fresh authority and one certificate for `localhost` and `127.0.0.1`, good for a day.
#[derive(Clone, Debug)]
pub(super) struct TestAuthority {
    /// The authority's certificate, which clients trust.
    pub(super) ca: PathBuf,
    /// The server's certificate.
    pub(super) certificate: PathBuf,
    /// The server's private key.
    pub(super) key: PathBuf,
}

impl TestAuthority {
    /// Makes both in `directory` with the `openssl` program.
    pub(super) fn create(directory: &Path) -> Result<Self> {
        let path = |name: &str| directory.join(name);
        let (ca, ca_key) = (path("ca.crt"), path("ca.key"));
        let (certificate, key, request) = (path("server.crt"), path("server.key"), path("server.csr"));
        let extensions = path("server.ext");
        fs::write(&extensions, "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
            .map_err(Error::io("cannot write the certificate's extensions"))?;
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

        let mut authority = Command::new("openssl");
        authority.args(["req", "-x509", "-days", "1", "-subj", "/CN=Cloakroom test authority"]).args(new_key);
        authority.args(["-addext", "keyUsage=critical,keyCertSign"]);
        authority.arg("-keyout").arg(&ca_key).arg("-out").arg(&ca);
        run(authority)?;

        let mut asked = Command::new("openssl");
        asked.args(["req", "-subj", "/CN=localhost"]).args(new_key);
        asked.arg("-keyout").arg(&key).arg("-out").arg(&request);
        run(asked)?;

        let mut signed = Command::new("openssl");
        signed.args(["x509", "-req", "-days", "1", "-CAcreateserial"]);
        signed.arg("-in").arg(&request).arg("-CA").arg(&ca).arg("-CAkey").arg(&ca_key);
        signed.arg("-extfile").arg(&extensions).arg("-out").arg(&certificate);
        run(signed)?;
        Ok(Self { ca, certificate, key })
    }
}

fn run(mut command: Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io("cannot run openssl (Debian's package: openssl)"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::new(format!(
        "openssl ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )))
}
