//! Three instances of the testbed behind nginx, on one store, and what visitors may rely on there.
//!
//! [`Fleet`] starts them. Each check watches it from outside, as a visitor does, and ends with figures, or with the
//! sentence that says which promise was broken:
//!
//! - [`one_login`]: what one instance did, all others see.
//! - [`Load`] with [`roll`] and [`change_keys`]: restarts and another secret under way, and nobody is logged out, nothing
//!   acknowledged is lost.
//! - [`shared_cache`]: a cache in front keeps public pages, and gives nobody what is another one's.
//!
//! `cargo run -p fleet` shows all of them; the tests of the testbed run the same checks, and plant what each of them is
//! there to find.

mod adapter;
mod book;
mod error;
mod fleet;
mod instance;
mod load;
mod login;
mod ring;
mod roll;
mod shared_cache;
mod store;
mod visitor;

pub use crate::adapter::{Adapter, Adapters};
pub use crate::book::Figures;
pub use crate::error::{Error, Result};
pub use crate::fleet::{Fleet, Plan};
pub use crate::instance::Ending;
pub use crate::load::{Load, Tabs};
pub use crate::login::{OneLogin, one_login};
pub use crate::ring::Ring;
pub use crate::roll::{KeyChange, Restart, Roll, change_keys, roll};
pub use crate::shared_cache::{SharedCache, shared_cache};
pub use crate::store::SharedStore;
