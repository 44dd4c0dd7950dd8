//! One server, and how it is reached.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_ok;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dial::broken;
use crate::error::Failure;
use crate::greeting::Greeting;
use crate::wire::{Socket, Wire};

/// After which time without a word the network is asked whether the server is still there, and how often then.
const SILENCE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(5));

impl Socket for TcpStream {}

#[cfg(unix)]
impl Socket for tokio::net::UnixStream {}

impl Socket for TlsStream<TcpStream> {
    /// What one record holds, which the other end reads whole or not at all. Of several, some may have gone where the
    /// last one failed.
    fn at_once(&self) -> usize {
        16 << 10
    }
}

/// One server.
pub(crate) struct Server {
    address: Address,
    greeting: Greeting,
}

/// How it is reached.
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16, name: ServerName<'static>, connector: TlsConnector },
    Unix { path: PathBuf },
}

impl Server {
    pub(crate) const fn new(address: Address, greeting: Greeting) -> Self {
        Self { address, greeting }
    }

    /// One try to connect, greeting included.
    pub(crate) async fn reach(
        &self,
        listener: Option<Arc<Notify>>,
        patience: Duration,
    ) -> Result<Wire, Failure> {
        let reached = async {
            let socket = self.socket().await.map_err(|error| Failure::Unreached(error.into()))?;
            let wire = Wire::new(socket, listener);
            self.greeting.say(&wire).await.map(|()| wire)
        };
        let late = |_| Err(Failure::Unreached(broken(io::ErrorKind::TimedOut)));
        timeout(patience, reached).await.unwrap_or_else(late)
    }

    async fn socket(&self) -> io::Result<Box<dyn Socket>> {
        Ok(match &self.address {
            Address::Tcp { host, port } => Box::new(self.tcp(host, *port).await?),
            Address::Tls { host, port, name, connector } => {
                let plain = self.tcp(host, *port).await?;
                Box::new(connector.connect(name.clone(), plain).await?)
            }
            #[cfg(unix)]
            Address::Unix { path } => Box::new(tokio::net::UnixStream::connect(path).await?),
            #[cfg(not(unix))]
            Address::Unix { .. } => return Err(io::ErrorKind::Unsupported.into()),
        })
    }

    /// Of several addresses, the first one that answers. No waiting for more to send; and a peer that acknowledges
    /// nothing is given up.
    async fn tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let dials: Vec<_> =
            lookup_host((host, port)).await?.map(|address| Box::pin(TcpStream::connect(address))).collect();
        if dials.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (stream, _) = select_ok(dials).await?;
        let socket = SockRef::from(&stream);
        socket.set_tcp_nodelay(true)?;
        let (first, next) = SILENCE;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(first).with_interval(next))?;
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        socket.set_tcp_user_timeout(Some(self.greeting.timeout.max(Duration::from_secs(1))))?;
        Ok(stream)
    }
}
