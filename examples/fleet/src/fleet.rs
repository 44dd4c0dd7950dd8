//! Three instances and the proxy before them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tokio::task::block_in_place;
use xtask::server::NginxServer;

use crate::instance::{Instance, Recipe};
use crate::{Adapters, Ending, Error, Result, Ring, SharedStore};

/// What a fleet is to be.
#[derive(Clone, Debug)]
#[must_use]
pub struct Plan {
    testbed: PathBuf,
    recipes: [Recipe; 3],
    directives: Vec<String>,
}

impl Plan {
    /// Three instances of this program, with one store and one key ring.
    pub fn new(testbed: &Path, adapters: Adapters, store: &SharedStore, ring: &Ring) -> Self {
        let recipe = |adapter| Recipe { adapter, store: store.url().to_owned(), ring: ring.clone() };
        Self { testbed: testbed.to_owned(), recipes: adapters.of_each().map(recipe), directives: Vec::new() }
    }

    /// Gives the second instance a key ring of its own: a mistake to be found.
    pub fn with_ring_of_the_second(mut self, ring: &Ring) -> Self {
        let [_, second, _] = &mut self.recipes;
        second.ring = ring.clone();
        self
    }

    /// Gives the second instance a store of its own: a mistake to be found.
    pub fn with_store_of_the_second(mut self, url: &str) -> Self {
        let [_, second, _] = &mut self.recipes;
        second.store = url.to_owned();
        self
    }

    /// Adds directives to the place where the proxy passes requests on.
    pub fn with_directives<const N: usize>(mut self, directives: [&str; N]) -> Self {
        self.directives.extend(directives.map(str::to_owned));
        self
    }
}

/// Three running instances behind a proxy that asks them in turn and caches what it may.
#[derive(Debug)]
pub struct Fleet {
    proxy: NginxServer,
    instances: [Instance; 3],
}

impl Fleet {
    /// Starts them, and waits until all of them serve. It needs a runtime of several threads.
    ///
    /// # Errors
    ///
    /// One of them does not start; the error says why.
    ///
    /// # Cancel safety
    ///
    /// A dropped call ends what it has started.
    pub async fn start(plan: Plan) -> Result<Self> {
        let Plan { testbed, recipes, directives } = plan;
        let [first, second, third] = recipes.map(|recipe| Instance::start(testbed.clone(), recipe));
        let (first, second, third) = tokio::try_join!(first, second, third)?;
        let instances = [first, second, third];
        let addresses = instances.each_ref().map(Instance::address);
        let proxy = NginxServer::builder(addresses).with_cache().with_directives(directives);
        Ok(Self { proxy: block_in_place(|| proxy.start())?, instances })
    }

    /// Number, framework and address of each instance, for people to read.
    #[must_use]
    pub fn describe(&self) -> String {
        let instance = |(instance, number): (&Instance, usize)| {
            format!("{number} {} at {}", instance.adapter().name(), instance.address())
        };
        self.instances.iter().zip(1..).map(instance).collect::<Vec<_>>().join(", ")
    }

    /// The URL of the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        self.proxy.url()
    }

    /// Freezes the first instance: its connections stay open, and it does not answer.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn freeze_the_first(&self) -> Result<()> {
        self.tell_the_first(Signal::STOP)
    }

    /// Lets the first instance go on.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn thaw_the_first(&self) -> Result<()> {
        self.tell_the_first(Signal::CONT)
    }

    fn tell_the_first(&self, signal: Signal) -> Result<()> {
        let [first, ..] = &self.instances;
        first.signal(signal)
    }

    /// Where each instance listens, in the order of their numbers.
    pub(crate) fn addresses(&self) -> [SocketAddr; 3] {
        self.instances.each_ref().map(Instance::address)
    }

    /// Ends the instance at an address, and waits until it is gone.
    pub(crate) async fn end(&mut self, address: SocketAddr, ending: Ending) -> Result<()> {
        if ending == Ending::Drained {
            let proxy = &mut self.proxy;
            block_in_place(|| proxy.drain(&[address]))?;
        }
        let instance = self.instance(address)?;
        match ending {
            Ending::Drained | Ending::Asked => instance.terminate().await,
            Ending::Killed => instance.kill().await,
        }
    }

    /// Starts the instance at an address again, with other secrets if there are any.
    pub(crate) async fn start_again(
        &mut self,
        address: SocketAddr,
        ending: Ending,
        ring: Option<&Ring>,
    ) -> Result<()> {
        self.instance(address)?.start_again(ring).await?;
        if ending == Ending::Drained {
            let proxy = &mut self.proxy;
            block_in_place(|| proxy.drain(&[]))?;
        }
        Ok(())
    }

    fn instance(&mut self, address: SocketAddr) -> Result<&mut Instance> {
        let mut instances = self.instances.iter_mut();
        instances
            .find(|instance| instance.address() == address)
            .ok_or_else(|| Error::trouble(format!("no instance of this fleet is at {address}")))
    }
}

impl cloakroom_conformance::stories::Instance for Fleet {
    fn address(&self) -> SocketAddr {
        self.proxy.address()
    }
}
