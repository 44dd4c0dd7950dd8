//! Free loopback ports.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use super::Process;
use crate::{Error, Result};

/// Below it, services with well-known ports are likely.
const FIRST: u16 = 10_000;
/// Where the system's range for outgoing connections begins, if it does not say.
const END: u16 = 32_768;
/// How many ports are looked at.
const LOOKS: usize = 1000;
/// How often other ports are tried when somebody took one that was found.
const TRIES: usize = 5;

/// Finds a port that was free a moment ago.
///
/// Somebody else may take it before the server does. It lies below the range of outgoing connections, so that none of
/// them sits on it while its server is down. This process gets no port twice.
///
/// # Errors
///
/// Of a thousand ports, none was free.
///
/// ```
/// let (one, other) = (xtask::server::free_port()?, xtask::server::free_port()?);
/// assert_ne!(one, other);
/// # Ok::<(), xtask::Error>(())
/// ```
pub fn free_port() -> Result<u16> {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..LOOKS {
        let port = any_port();
        if !taken.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            taken.insert(port);
            return Ok(port);
        }
    }
    Err(Error::new("no free loopback port"))
}

/// Starts a process on so many free ports and waits for it; if somebody took one in between, tries others.
pub(super) fn on_free_ports<const N: usize>(
    mut spawn: impl FnMut([u16; N]) -> Result<Process>,
    mut wait: impl FnMut(&mut Process, [u16; N]) -> Result<()>,
) -> Result<(Process, [u16; N])> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut ports = [0; N];
        for port in &mut ports {
            *port = free_port()?;
        }
        let mut process = spawn(ports)?;
        match wait(&mut process, ports) {
            Ok(()) => return Ok((process, ports)),
            Err(_) if tries < TRIES && process.tail().contains("Address already in use") => {}
            Err(error) => return Err(error),
        }
    }
}

fn any_port() -> u16 {
    let end = outgoing().filter(|end| *end > FIRST + 1000).unwrap_or(END);
    let random = RandomState::new().hash_one(()) % u64::from(end - FIRST);
    FIRST + u16::try_from(random).unwrap_or_default()
}

fn outgoing() -> Option<u16> {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::free_port;

    #[test]
    fn no_port_is_found_twice_and_each_is_free() {
        let ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 50);
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0])).is_ok());
    }

    #[test]
    fn outgoing_connections_use_other_ports() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).unwrap();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let outgoing = connection.local_addr().unwrap().port();
        assert!((0..50).all(|_| free_port().unwrap() < outgoing));
    }
}
