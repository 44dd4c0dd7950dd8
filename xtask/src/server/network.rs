//! A private network, and what cuts it.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::PrivateDirectory;
use super::client;
use crate::install::Program;
use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// Where `ip` shows the namespaces that have a name.
const NAMED: &str = "/run/netns";
/// How many hosts a network may have.
const MOST: u8 = 100;

/// A private network: hosts on one switch, each a network namespace of its own.
///
/// It is apart from the network of the machine. Wires can be pulled and hosts be kept from each other: then packets
/// vanish in silence. The namespaces have no names while they are used, so that they end with the last process or value
/// that uses them, also when this process is killed. It takes root, on Linux. A clone is the same network.
///
/// ```no_run
/// use xtask::server::{Network, RedisServer};
///
/// let network = Network::with_hosts(2)?;
/// let [one, other] = network.hosts() else { panic!("two were asked for") };
/// let server = RedisServer::builder().with_host(one).start()?;
/// let reached = || other.within(|| std::net::TcpStream::connect((one.address(), server.port())).is_ok());
/// assert!(reached()?);
/// network.pull(&[one])?;
/// assert!(!reached()?);
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Network(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    switch: Namespace,
    hosts: Vec<Host>,
}

/// A host of a [`Network`]. A clone is the same host.
#[derive(Clone, Debug)]
pub struct Host(Arc<Place>);

#[derive(Debug)]
struct Place {
    namespace: Namespace,
    number: u8,
    cut_off: AtomicBool,
}

impl Network {
    /// Makes a network of so many hosts, a hundred at most.
    ///
    /// # Errors
    ///
    /// `ip` is missing, or this process may not make namespaces.
    pub fn with_hosts(count: u8) -> Result<Self> {
        if count > MOST {
            return Err(Error::new(format!("a network has {MOST} hosts at most")));
        }
        let switch = Namespace::create()?;
        let hosts: Vec<Host> = (1..=count).map(Host::create).collect::<Result<_>>()?;
        let mut lines = vec!["link add bridge type bridge".to_owned(), "link set bridge up".to_owned()];
        for Host(place) in &hosts {
            let (number, inside) = (place.number, place.namespace.path());
            let mac = mac(number);
            lines.push(format!(
                "link add {} type veth peer name eth0 address {mac} netns {inside}",
                wire(number)
            ));
            lines.push(format!("link set {} master bridge up", wire(number)));
        }
        switch.ip(&lines)?;
        for host in &hosts {
            let own = host.address();
            let mut lines = vec![
                "link set lo up".to_owned(),
                format!("addr add {own}/24 dev eth0"),
                "link set eth0 up".to_owned(),
            ];
            lines.extend(hosts.iter().filter(|other| other.address() != own).map(Host::seen));
            host.0.namespace.ip(&lines)?;
        }
        Ok(Self(Arc::new(Inner { switch, hosts })))
    }

    /// The hosts.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.0.hosts
    }

    /// Pulls the wires of these hosts out of the switch: nobody reaches them, nor they each other.
    ///
    /// # Errors
    ///
    /// `ip` refuses.
    pub fn pull(&self, hosts: &[&Host]) -> Result<()> {
        self.wires(hosts, "down")?;
        hosts.iter().for_each(|host| host.0.cut_off.store(true, Ordering::SeqCst));
        Ok(())
    }

    /// Keeps these hosts and those from each other; everybody else reaches both. These count as cut off.
    ///
    /// # Errors
    ///
    /// `ip` refuses.
    pub fn separate(&self, these: &[&Host], from: &[&Host]) -> Result<()> {
        for (side, others) in [(these, from), (from, these)] {
            for host in side {
                let lines: Vec<String> = others.iter().map(|other| other.unseen()).collect();
                host.0.namespace.ip(&lines)?;
            }
        }
        these.iter().for_each(|host| host.0.cut_off.store(true, Ordering::SeqCst));
        Ok(())
    }

    /// Lets everybody reach everybody again.
    ///
    /// # Errors
    ///
    /// `ip` refuses.
    pub fn mend(&self) -> Result<()> {
        let hosts: Vec<&Host> = self.hosts().iter().collect();
        for host in &hosts {
            let others = hosts.iter().filter(|other| other.address() != host.address());
            host.0.namespace.ip(&others.map(|other| other.seen()).collect::<Vec<_>>())?;
        }
        self.wires(&hosts, "up")?;
        hosts.iter().for_each(|host| host.0.cut_off.store(false, Ordering::SeqCst));
        Ok(())
    }

    fn wires(&self, hosts: &[&Host], state: &str) -> Result<()> {
        let lines = hosts.iter().map(|host| format!("link set {} {state}", wire(host.0.number)));
        self.0.switch.ip(&lines.collect::<Vec<_>>())
    }
}

impl Host {
    fn create(number: u8) -> Result<Self> {
        let (namespace, cut_off) = (Namespace::create()?, AtomicBool::new(false));
        Ok(Self(Arc::new(Place { namespace, number, cut_off })))
    }

    /// Its address in the network.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self.0.number)
    }

    /// Moves the calling thread to this host, for good: what it opens and starts from now on is there.
    ///
    /// # Errors
    ///
    /// This process may not enter namespaces.
    pub fn enter(&self) -> Result<()> {
        self.0.namespace.enter()
    }

    /// Does some work at this host, in a thread of its own.
    ///
    /// # Errors
    ///
    /// As [`enter`](Self::enter); or the work panicked.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.0.namespace.within(work)
    }

    /// Whether its wire was pulled, or somebody is kept from it.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.0.cut_off.load(Ordering::SeqCst)
    }

    /// How others send to it. Nobody asks around: then nobody learns from silence that it is away.
    fn seen(&self) -> String {
        self.neighbour(mac(self.0.number))
    }

    /// How others send to it in vain: to an interface that nobody has.
    fn unseen(&self) -> String {
        self.neighbour(mac(u8::MAX))
    }

    fn neighbour(&self, mac: String) -> String {
        format!("neigh replace {} lladdr {mac} dev eth0 nud permanent", self.address())
    }
}

/// The end of a host's wire at the switch.
fn wire(number: u8) -> String {
    format!("wire{number}")
}

fn mac(number: u8) -> String {
    format!("02:00:00:00:00:{number:02x}")
}

/// A network namespace that lives as long as this value, or a process in it.
#[derive(Debug)]
struct Namespace {
    file: File,
    /// What `ip` reads and writes.
    directory: PrivateDirectory,
}

impl Namespace {
    fn create() -> Result<Self> {
        let directory = PrivateDirectory::create("network")?;
        let named = Named::create(directory)?;
        let path = format!("{NAMED}/{}", named.name);
        let file = File::open(&path).map_err(Error::io(format!("cannot open {path}")))?;
        Ok(Self { file, directory: named.forget()? })
    }

    /// Where other processes find it.
    fn path(&self) -> String {
        use std::os::fd::AsRawFd as _;
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    fn enter(&self) -> Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
            use std::os::fd::AsFd as _;
            move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(|errno| Error::io("cannot enter a network namespace")(errno.into()))
        }
        #[cfg(not(target_os = "linux"))]
        Err(Error::new("there are network namespaces only on Linux"))
    }

    fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let worker = scope.spawn(|| self.enter().map(|()| work()));
            worker.join().unwrap_or_else(|_| Err(Error::new("the work at a host panicked")))
        })
    }

    /// Runs commands of `ip` in it, one a line.
    fn ip(&self, lines: &[String]) -> Result<()> {
        let mut command = Program::Ip.command()?;
        command.args(["-batch", "-"]);
        self.within(|| client::run_with(command, self.directory.path(), &lines.join("\n")))?.map(drop)
    }
}

/// A namespace that still has a name, which goes with this value.
struct Named {
    name: String,
    directory: Option<PrivateDirectory>,
}

impl Named {
    fn create(directory: PrivateDirectory) -> Result<Self> {
        let name = format!("cloakroom-{:016x}", RandomState::new().hash_one(()));
        let named = Self { name, directory: Some(directory) };
        named.say("add")?;
        Ok(named)
    }

    fn say(&self, verb: &str) -> Result<()> {
        let directory = self.directory.as_ref().ok_or_else(|| Error::new("the name is gone"))?;
        let mut command = Program::Ip.command()?;
        command.args(["netns", verb, &self.name]);
        client::run(command, directory.path()).map(drop)
    }

    /// Takes the name away; who has it open keeps the namespace.
    fn forget(mut self) -> Result<PrivateDirectory> {
        self.say("delete")?;
        self.directory.take().ok_or_else(|| Error::new("the name is gone"))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.say("delete");
    }
}
