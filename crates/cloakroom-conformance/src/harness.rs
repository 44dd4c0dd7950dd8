//! What the laws need to know of a store under test.

use std::time::Duration;

use cloakroom_core::Store;

/// Opens stores for the laws.
///
/// A store author implements it in about ten lines, and lists the laws with
/// [`conformance_tests!`](crate::conformance_tests). Each law evaluates the harness anew and calls
/// [`open`](Self::open) for itself, so laws may run at the same time.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use cloakroom_conformance::{Harness, laws, run};
/// use cloakroom_core::{Clock, testing::ModelStore};
///
/// struct Model(Clock);
///
/// impl Harness for Model {
///     type Store = Arc<ModelStore>;
///
///     async fn open(&self) -> Arc<ModelStore> {
///         Arc::new(ModelStore::new(self.0.clone()))
///     }
///
///     async fn open_again(&self, store: &Arc<ModelStore>) -> Arc<ModelStore> {
///         Arc::clone(store)
///     }
///
///     async fn elapse(&self, time: Duration) {
///         self.0.advance(time);
///     }
/// }
///
/// let model = Model(Clock::manual());
/// run(laws::create::create_never_overwrites(&model));
/// run(laws::expiry::expired_record_is_gone(&model));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a harness for the laws of session stores",
    note = "implement `Harness`: a type of store, `open` and `open_again` are enough"
)]
pub trait Harness: Send + Sync + 'static {
    /// The store under test; `Arc<dyn Store>` will do.
    type Store: Store;

    /// Opens a store on a fresh and empty namespace, such as a random key prefix or a table of its own.
    ///
    /// It panics when the backend cannot be had: a law that did not run is not one that holds.
    ///
    /// # Cancel safety
    ///
    /// The laws never drop this future.
    fn open(&self) -> impl Future<Output = Self::Store> + Send;

    /// Opens the namespace of `store` a second time, as another instance of the service would.
    ///
    /// Where a backend can be reached over several connections, this is another one. A store that lives in
    /// the process returns a clone that shares its records.
    ///
    /// # Cancel safety
    ///
    /// The laws never drop this future.
    fn open_again(&self, store: &Self::Store) -> impl Future<Output = Self::Store> + Send;

    /// Lets `time` pass for the backend: sleeps, unless a store has a clock that can be moved.
    ///
    /// # Cancel safety
    ///
    /// The laws never drop this future.
    fn elapse(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }

    /// How much later than asked for a record may go, and by how much a told time to live may be too low.
    ///
    /// By default 1 ms. A record that goes too early breaks the law whatever this says.
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    /// The largest payload that the store takes, in bytes, at least 65 536; one byte more is `TooLarge`.
    ///
    /// By default `None`: there is no limit that a test could reach, and 2 MiB are kept whole.
    fn largest_payload(&self) -> Option<usize> {
        None
    }

    /// Everything that the backend holds in the namespace of `store`, raw, as somebody with a copy of its
    /// disk would see it: keys, values, index, in any layout.
    ///
    /// By default `None`: the backend does not show it. Where it is given, the laws about absence
    /// (`load_creates_nothing`, `replace_of_missing_is_missing`, `deleted_record_is_gone`) look for traces
    /// there as well as through the verbs.
    ///
    /// # Cancel safety
    ///
    /// The laws never drop this future.
    fn dump(&self, store: &Self::Store) -> impl Future<Output = Option<Vec<u8>>> + Send {
        let _ = store;
        std::future::ready(None)
    }
}
