//! The stories: what a browser, an attacker or an impatient client sees of an adapter, told over HTTP.
//!
//! A story talks to a running service that has the testbed's routes (`GET /session`, `PUT /value/{key}`,
//! `POST /login/{principal}` and so on), starts it anew for itself, and panics with what the service did and
//! what the story wants. [`stories_tests!`](crate::stories_tests) lists them all.
//!
//! Some need what not every backend has. Those that need an index of principals are listed by
//! [`index_stories_tests!`](crate::index_stories_tests); a backend without one lists
//! [`no_index_stories_tests!`](crate::no_index_stories_tests) instead, which wants a typed refusal, so that
//! nothing is skipped in silence. Where clients carry their sessions,
//! [`client_side_stories_tests!`](crate::client_side_stories_tests) lists them all, those that need a store with the
//! reason why they do not apply.
//!
//! ```no_run
//! use std::net::{Ipv4Addr, SocketAddr};
//! use cloakroom_conformance::stories::{App, Instance, Settings, quiet, tell};
//!
//! struct Mine;
//! struct Served(SocketAddr);
//!
//! impl App for Mine {
//!     type Instance = Served;
//!
//!     async fn start(&self, _settings: Settings) -> Served {
//!         // Starts the service, as the settings say, and waits until it listens.
//!         Served((Ipv4Addr::LOCALHOST, 8080).into())
//!     }
//! }
//!
//! impl Instance for Served {
//!     fn address(&self) -> SocketAddr {
//!         self.0
//!     }
//! }
//!
//! tell(quiet::untouched_session_leaves_no_trace(&Mine));
//! # Ok::<(), cloakroom_core::Error>(())
//! ```
#![allow(
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    clippy::return_self_not_must_use,
    reason = "a story panics when a service tells it differently, and what it wants needs no further use; a JSON \
              value can be indexed by any name"
)]

mod app;
mod client;
mod list;
mod message;
mod wire;

pub mod caching;
pub mod client_side;
pub mod cookies;
pub mod crowds;
pub mod endings;
pub mod expiry;
pub mod flashes;
pub mod forgeries;
pub mod headers;
pub mod hostile;
pub mod index;
pub mod limits;
pub mod logins;
pub mod no_index;
pub mod quiet;
pub mod session_limit;
pub mod values;

use std::time::Duration;

pub use self::app::{App, Instance, Keeps, Settings};
pub use self::client::Client;
pub use self::message::{Request, Response};
pub use self::wire::Line;

/// Tells one story, on a runtime of its own, with 60 s to come to an end.
///
/// # Panics
///
/// When the service tells it differently, and when the story takes longer than 60 s.
///
/// ```should_panic
/// cloakroom_conformance::stories::tell(async { panic!("the cookie came back") });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn tell<F: Future<Output = ()>>(story: F) {
    crate::run(story);
}

/// Lets real time pass, where time itself is the story.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
