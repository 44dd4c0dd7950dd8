//! Servers as values.
//!
//! A server is a child process with a private directory. It listens on a free loopback port and, where it can,
//! on a Unix socket in that directory; it answers before its constructor returns, and dropping it ends that one process
//! (and its children) by its id and removes the directory. Nothing is shared between two of them, so tests may run side by side.
//!
//! One file a kind of server, each built from a process, a directory and a port. A [`Network`] gives servers hosts of their
//! own, whose wires can be pulled; a [`SmallDisk`] is soon full.

mod account;
mod certificate;
mod chromedriver;
mod client;
mod cluster;
mod descriptors;
mod directory;
mod disk;
mod family;
mod fleet;
mod mariadb;
mod memcached;
mod network;
mod nginx;
mod port;
mod postgres;
mod process;
mod redis;
mod resp;
mod sentinel;
mod template;

pub use self::chromedriver::ChromedriverServer;
pub use self::cluster::{ClusterFleet, ClusterFleetBuilder};
pub use self::disk::SmallDisk;
pub use self::mariadb::{MariadbServer, MariadbServerBuilder};
pub use self::memcached::{MemcachedServer, MemcachedServerBuilder};
pub use self::network::{Host, Network};
pub use self::nginx::{NginxServer, NginxServerBuilder};
pub use self::port::free_port;
pub use self::postgres::{PostgresServer, PostgresServerBuilder};
pub use self::redis::{Persistence, RedisServer, RedisServerBuilder};
pub use self::sentinel::{SentinelFleet, SentinelFleetBuilder};

use self::certificate::TestAuthority;
use self::directory::PrivateDirectory;
use self::process::Process;
