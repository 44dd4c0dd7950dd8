//! How certificates of servers are checked.

use std::sync::Arc;

use cloakroom_core::Error;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Checks certificates against these authorities, in PEM, or against the system's. The cryptography is that which the
/// process has chosen, or *ring*.
pub(crate) fn connector(authorities: Option<&[u8]>) -> Result<TlsConnector, Error> {
    let roots = match authorities {
        Some(pem) => given(pem)?,
        None => of_the_system()?,
    };
    let cryptography = CryptoProvider::get_default().cloned();
    let cryptography = cryptography.unwrap_or_else(|| Arc::new(ring::default_provider()));
    let config = ClientConfig::builder_with_provider(cryptography)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::misconfigured("the cryptography of this process speaks no version of TLS"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn given(pem: &[u8]) -> Result<RootCertStore, Error> {
    let none = || Error::misconfigured("the authorities for TLS to Redis hold no certificate in PEM");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|_| none())?).map_err(|_| none())?;
    }
    if roots.is_empty() { Err(none()) } else { Ok(roots) }
}

/// All of them that can be read. Where there is none, no certificate is trusted.
fn of_the_system() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty()
        && let Some(error) = found.errors.first()
    {
        return Err(Error::misconfigured(format!(
            "the system's authorities for TLS cannot be read: {error}"
        )));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    Ok(roots)
}
