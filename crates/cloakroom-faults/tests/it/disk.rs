//! Servers on a disk of a few MiB.

use xtask::server::SmallDisk;

use crate::servers::Server;

/// A server with its data on a small disk. It goes before the disk does.
pub(crate) struct OnSmallDisk<S> {
    pub(crate) server: S,
    pub(crate) disk: SmallDisk,
}

impl<S: Server> Server for OnSmallDisk<S> {
    fn url(&self) -> String {
        self.server.url()
    }

    fn kill9(&mut self) {
        self.server.kill9();
    }

    fn restart(&mut self) {
        self.server.restart();
    }

    fn stop(&self) {
        self.server.stop();
    }

    fn cont(&self) {
        self.server.cont();
    }

    fn end_connections(&self) -> usize {
        self.server.end_connections()
    }

    fn make_room(&self) {
        self.disk.resize(256).expect("a disk that grows");
    }
}
