//! A free loopback port.

use std::net::{Ipv4Addr, TcpListener};

use crate::{Error, Result};

/// Finds a port that was free a moment ago.
///
/// Somebody else may take it before the server does: whoever starts a server tries again on a clash.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("no free loopback port"))?;
    Ok(listener.local_addr().map_err(Error::io("no free loopback port"))?.port())
}
