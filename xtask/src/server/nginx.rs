//! nginx.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::account::Account;
use super::port::on_free_ports;
use super::{PrivateDirectory, Process, TestAuthority, family};
use crate::install::Program;
use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// How long it may take to answer for the first time, and to take a new configuration.
const START: Duration = Duration::from_secs(20);
/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How often the processes of the old configuration are looked for.
const POLL: Duration = Duration::from_millis(5);
/// Where it says that it is there, in its directory: nobody else can answer for it.
const SOCKET: &str = "up.sock";

/// One `nginx` before the instances of a service: it asks them in turn, and can speak TLS and cache for them.
///
/// It runs in the foreground with a configuration, temporary files and a cache in a directory of its own, and reads
/// nothing below `/etc/nginx`. Dropping the value ends it.
///
/// An instance that refuses a connection, resets it, or says nothing for 30 seconds is left alone for a second, and the
/// next one is asked; the client sees nothing of that. A `POST` or `PATCH` that had been sent is not repeated, because it
/// may have had its effect: the client gets a `502` or `504`, and has to find out. What an instance answers, whatever its
/// status, is passed on.
///
/// Each response says which instance made it in `X-Served-By` (`address:port`; those that failed before it stand first,
/// separated by commas), and with a cache what that did in `X-Cache-Status` (`HIT`, `MISS` and so on). A `HIT` has no
/// `X-Served-By`.
///
/// ```no_run
/// use std::net::SocketAddr;
/// use xtask::server::NginxServer;
///
/// let instances: [SocketAddr; 2] = [([127, 0, 0, 1], 3000).into(), ([127, 0, 0, 1], 3001).into()];
/// let proxy = NginxServer::builder(instances).with_cache().start()?;
/// assert!(proxy.url().starts_with("http://127.0.0.1:"));
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Debug)]
pub struct NginxServer {
    // First, so that the process is gone before its directory goes.
    process: Process,
    directory: PrivateDirectory,
    setup: Setup,
    port: u16,
    tls_port: u16,
}

/// Collects what an [`NginxServer`] is to be.
///
/// ```no_run
/// use xtask::server::NginxServer;
///
/// let instance = ([127, 0, 0, 1], 3000).into();
/// let proxy = NginxServer::builder([instance]).with_tls().start()?;
/// assert!(proxy.tls_url().is_some_and(|url| url.starts_with("https://localhost:")));
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct NginxServerBuilder {
    instances: Vec<SocketAddr>,
    tls: Tls,
    cache: Cache,
    directives: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tls {
    Off,
    On,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cache {
    Off,
    On,
}

/// What the configuration is written from.
#[derive(Debug)]
struct Setup {
    options: NginxServerBuilder,
    account: Account,
    authority: Option<TestAuthority>,
    /// The instances that get nothing to do.
    drained: Vec<SocketAddr>,
}

impl NginxServerBuilder {
    /// Speaks TLS on a second port, with a certificate for `localhost` and `127.0.0.1`.
    pub const fn with_tls(mut self) -> Self {
        self.tls = Tls::On;
        self
    }

    /// Caches what the instances' headers allow, by scheme, host and URI; a page without a word about caching for ten
    /// seconds.
    pub const fn with_cache(mut self) -> Self {
        self.cache = Cache::On;
        self
    }

    /// Adds directives to the place where requests are passed on, such as `proxy_read_timeout 1s;`; they win over the
    /// ones given here.
    pub fn with_directives<I>(mut self, directives: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.directives.extend(directives.into_iter().map(Into::into));
        self
    }

    /// Starts it and waits until it answers. The instances need not be there yet.
    ///
    /// # Errors
    ///
    /// `nginx` is missing, takes a directive for wrong, or did not answer within 20 seconds; the message then shows what
    /// it said.
    pub fn start(self) -> Result<NginxServer> {
        let directory = PrivateDirectory::create("nginx")?;
        let account = Account::unprivileged()?;
        account.give(directory.path())?;
        let authority = match self.tls {
            Tls::Off => None,
            Tls::On => {
                let authority = TestAuthority::create(directory.path())?;
                account.give(&authority.key)?;
                Some(authority)
            }
        };
        let setup = Setup { options: self, account, authority, drained: Vec::new() };
        let spawn = |[port, tls_port]: [u16; 2]| {
            setup.write(directory.path(), port, tls_port)?;
            setup.spawn(directory.path())
        };
        let wait = |process: &mut Process, _| process.wait_until(START, || answers(directory.path()));
        let (process, [port, tls_port]) = on_free_ports(spawn, wait)?;
        Ok(NginxServer { process, directory, setup, port, tls_port })
    }
}

impl NginxServer {
    /// One before these instances, to be chosen in detail.
    pub fn builder(instances: impl IntoIterator<Item = SocketAddr>) -> NginxServerBuilder {
        let instances = instances.into_iter().collect();
        NginxServerBuilder { instances, tls: Tls::Off, cache: Cache::Off, directives: Vec::new() }
    }

    /// Where it listens for HTTP/1.1 without TLS.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The URL without TLS: `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The URL with TLS, `https://localhost:port`; `None` without [`with_tls`](NginxServerBuilder::with_tls).
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        self.setup.authority.as_ref().map(|_| format!("https://localhost:{}", self.tls_port))
    }

    /// The certificate of the authority, which clients trust; `None` without [`with_tls`](NginxServerBuilder::with_tls).
    #[must_use]
    pub fn authority(&self) -> Option<&Path> {
        self.setup.authority.as_ref().map(|authority| authority.ca.as_path())
    }

    /// Gives these instances nothing more to do, and all others again, as before a rolling restart; what is under way
    /// comes to its end first.
    ///
    /// # Errors
    ///
    /// The new configuration is not in effect after 20 seconds.
    pub fn drain(&mut self, instances: &[SocketAddr]) -> Result<()> {
        self.setup.drained = instances.to_vec();
        self.setup.write(self.directory.path(), self.port, self.tls_port)?;
        let master = self.process.pid();
        let old = family::children(master);
        kill_process(master, Signal::HUP).map_err(|errno| Error::io("cannot reload nginx")(errno.into()))?;
        let start = Instant::now();
        while family::children(master).iter().any(|child: &Pid| old.contains(child)) {
            if start.elapsed() > START {
                return Err(Error::new(format!(
                    "nginx still serves by its old configuration after {START:?}; its log:\n{}",
                    self.process.tail()
                )));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Setup {
    fn write(&self, directory: &Path, port: u16, tls_port: u16) -> Result<()> {
        let file = file(directory);
        fs::write(&file, self.configuration(directory, port, tls_port))
            .map_err(Error::io(format!("cannot write {}", file.display())))
    }

    fn spawn(&self, directory: &Path) -> Result<Process> {
        let mut command = Program::Nginx.command()?;
        // Or it would look at a log of the system's first.
        command.args(["-e", "stderr"]).arg("-p").arg(directory).arg("-c").arg(file(directory));
        command.current_dir(directory);
        self.account.lend_to(&mut command);
        Process::spawn(command, &directory.join("log"))
    }

    fn configuration(&self, directory: &Path, port: u16, tls_port: u16) -> String {
        let directory = directory.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].iter().fold(
            String::new(),
            |mut lines, what| {
                let _ = writeln!(lines, "    {what}_temp_path {directory}/{what};");
                lines
            },
        );
        let instances = self.options.instances.iter().fold(String::new(), |mut lines, instance| {
            let down = if self.drained.contains(instance) { " down" } else { "" };
            let _ = writeln!(lines, "        server {instance} max_fails=1 fail_timeout=1s{down};");
            lines
        });
        let tls = self.authority.as_ref().map_or_else(String::new, |authority| {
            format!(
                "        listen 127.0.0.1:{tls_port} ssl;\n        ssl_certificate {};\n        ssl_certificate_key {};\n",
                authority.certificate.display(),
                authority.key.display()
            )
        });
        let (cache_path, cache) = match self.options.cache {
            Cache::Off => (String::new(), ""),
            Cache::On => (
                format!(
                    "    proxy_cache_path {directory}/cache levels=1:2 keys_zone=pages:1m max_size=16m use_temp_path=off;\n"
                ),
                CACHE,
            ),
        };
        let directives = self.options.directives.iter().fold(String::new(), |mut lines, directive| {
            let _ = writeln!(lines, "            {directive}");
            lines
        });
        format!(
            "\
daemon off;
pid {directory}/pid;
error_log stderr;
worker_processes 2;
worker_shutdown_timeout 5s;

events {{
    worker_connections 512;
}}

http {{
    access_log off;
{temporary}{cache_path}
    # In turn, by all workers together.
    upstream instances {{
        zone instances 64k;
{instances}    }}

    server {{
        listen 127.0.0.1:{port};
{tls}
        client_max_body_size 2m;
        # Each request on a connection of its own: one that is kept may be closed by an instance that ends while a request is
        # on its way, and a POST is not repeated.
        proxy_http_version 1.1;
        proxy_set_header Connection \"\";
        # With its port, which the origin of a form has too.
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_connect_timeout 2s;
        proxy_read_timeout 30s;
        proxy_send_timeout 30s;
        # What may be repeated: no answer at all, and nothing that may have had its effect.
        proxy_next_upstream error timeout;
        add_header X-Served-By $upstream_addr always;
        add_header X-Cache-Status $upstream_cache_status always;
{cache}
        location / {{
            proxy_pass http://instances;
{directives}        }}
    }}

    server {{
        listen unix:{directory}/{SOCKET};
        return 204;
    }}
}}
"
        )
    }
}

/// No header is ignored: `Cache-Control`, `Set-Cookie` and `Vary` say what may be kept. There is no lock: with one, those who
/// ask for a page that nobody may keep would wait for each other.
const CACHE: &str = "
        proxy_cache pages;
        proxy_cache_key $scheme$http_host$request_uri;
        proxy_cache_valid 200 301 302 404 10s;
        proxy_cache_use_stale error timeout updating;
";

fn file(directory: &Path) -> PathBuf {
    directory.join("nginx.conf")
}

/// Whether a worker is there and answers; by then all ports are its own.
fn answers(directory: &Path) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(directory.join(SOCKET))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 204"))
    };
    ask().unwrap_or(false)
}
