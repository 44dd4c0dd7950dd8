//! How every server of a store is greeted: by whom, with or without TLS, and with which patience.

use std::fmt;
use std::time::Duration;

use cloakroom_core::Error;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    Client, ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo, TlsCertificates,
};

use crate::place::Place;

/// What a server is told first. `Debug` shows none of it.
#[derive(Clone)]
pub(crate) struct Greeting {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    /// The authorities that a certificate is checked against, in PEM, instead of the system's.
    pub(crate) root: Option<Vec<u8>>,
    /// How long a peer may acknowledge nothing.
    pub(crate) timeout: Duration,
}

impl Greeting {
    /// A client of the server at this place; it does not dial yet.
    pub(crate) fn client(&self, place: &Place) -> Result<Client, Error> {
        let mut greeting = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            // It would take one more right, and a line in the server's log of refusals where that is missing.
            .set_skip_set_lib_name()
            .set_db(i64::from(self.database));
        if let Some(user) = &self.user {
            greeting = greeting.set_username(user);
        }
        if let Some(password) = &self.password {
            greeting = greeting.set_password(password);
        }
        let address = match place.clone() {
            Place::Tcp { host, port } => ConnectionAddr::Tcp(host, port),
            Place::Tls { host, port } => {
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
            }
            Place::Unix { path } => ConnectionAddr::Unix(path),
        };
        let info = address
            .into_connection_info()
            .map_err(unusable)?
            .set_redis_settings(greeting)
            .set_tcp_settings(tcp_settings(self.timeout));
        if !place.is_tls() {
            return Client::open(info).map_err(unusable);
        }
        provide_cryptography();
        let certificates = TlsCertificates { client_tls: None, root_cert: self.root.clone() };
        Client::build_with_tls(info, certificates).map_err(unusable)
    }
}

impl fmt::Debug for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Greeting(..)")
    }
}

/// No waiting for more to send; and a peer that acknowledges nothing is given up.
fn tcp_settings(timeout: Duration) -> TcpSettings {
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5));
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(timeout.max(Duration::from_secs(1)));
    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    let _ = timeout;
    settings
}

/// The client library takes the provider of the process, and panics where there is none.
fn provide_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error says that somebody else was faster, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn unusable(error: redis::RedisError) -> Error {
    Error::misconfigured(format!("the Redis URL cannot be used: {}", error.category()))
}
