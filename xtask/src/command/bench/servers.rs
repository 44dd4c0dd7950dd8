//! The servers of one section: fresh ones, and no more than it needs.

use std::fmt;

use super::section::Server;
use crate::Result;
use crate::server::{MariadbServer, MemcachedServer, PostgresServer, RedisServer};

/// Running servers; they end with this value.
#[derive(Debug)]
pub(super) struct Servers(Vec<(&'static str, String, Box<dyn fmt::Debug>)>);

impl Servers {
    pub(super) fn start(servers: &[Server]) -> Result<Self> {
        let start = |server: &Server| -> Result<(String, Box<dyn fmt::Debug>)> {
            Ok(match server {
                Server::Redis => {
                    let server = RedisServer::start()?;
                    (server.url(), Box::new(server))
                }
                Server::Memcached => {
                    let server = MemcachedServer::start()?;
                    (server.url(), Box::new(server))
                }
                Server::Postgres => {
                    let server = PostgresServer::start()?;
                    (server.url(), Box::new(server))
                }
                Server::Mariadb => {
                    let server = MariadbServer::start()?;
                    (server.url(), Box::new(server))
                }
            })
        };
        let mut running = Vec::new();
        for server in servers {
            let (url, value) = start(server)?;
            running.push((server.name(), url, value));
        }
        Ok(Self(running))
    }

    /// What `--urls` is given, if there are any.
    pub(super) fn urls(&self) -> Option<String> {
        let pairs: Vec<String> = self.0.iter().map(|(name, url, _)| format!("{name}={url}")).collect();
        (!pairs.is_empty()).then(|| pairs.join(","))
    }
}
