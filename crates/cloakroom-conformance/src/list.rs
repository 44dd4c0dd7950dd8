//! The lists of laws, and the macros that make a test of each.

/// Lists the laws of [`Store`](cloakroom_core::Store): one `#[test]` a law, each with a line of its own.
///
/// The first argument is an expression for a [`Harness`](crate::Harness); each test evaluates it anew. What
/// follows are attributes for every test: with `#[ignore = "why"]` a test that did not run says so.
///
/// A later version may add laws: a store that passes today is told tomorrow what it still does wrong.
///
/// ```
/// use std::sync::Arc;
/// use cloakroom_conformance::Harness;
/// use cloakroom_core::{Clock, testing::ModelStore};
///
/// struct Model;
///
/// impl Harness for Model {
///     type Store = Arc<ModelStore>;
///
///     async fn open(&self) -> Arc<ModelStore> {
///         Arc::new(ModelStore::new(Clock::system()))
///     }
///
///     async fn open_again(&self, store: &Arc<ModelStore>) -> Arc<ModelStore> {
///         Arc::clone(store)
///     }
/// }
///
/// cloakroom_conformance::conformance_tests!(Model, #[ignore = "sleeps for real"]);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[macro_export]
macro_rules! conformance_tests {
    ($harness:expr $(, #[$attribute:meta])* $(,)?) => {
        $crate::__store_laws! { [$crate::__law_tests] ($harness) [$(#[$attribute])*] }
    };
}

/// Lists the laws of [`PrincipalIndex`](cloakroom_core::PrincipalIndex), as
/// [`conformance_tests!`](crate::conformance_tests) does those of stores.
///
/// A store whose `principals` is `None` breaks each of them: list them only for a store with an index.
///
/// ```
/// # use std::sync::Arc;
/// # use cloakroom_conformance::Harness;
/// # use cloakroom_core::{Clock, Store, testing::ModelStore};
/// struct Indexed;
///
/// impl Harness for Indexed {
///     type Store = Arc<dyn Store>;
///
///     async fn open(&self) -> Arc<dyn Store> {
///         // Connects to a namespace of its own.
/// #       Arc::new(ModelStore::new(Clock::system()))
///     }
///
///     async fn open_again(&self, store: &Arc<dyn Store>) -> Arc<dyn Store> {
///         // Connects to the same namespace once more.
/// #       Arc::clone(store)
///     }
/// }
///
/// cloakroom_conformance::index_conformance_tests!(Indexed, #[ignore = "needs a server"]);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[macro_export]
macro_rules! index_conformance_tests {
    ($harness:expr $(, #[$attribute:meta])* $(,)?) => {
        $crate::__index_laws! { [$crate::__law_tests] ($harness) [$(#[$attribute])*] }
    };
}

/// Hands the laws of stores to another macro, grouped by module.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_laws {
    ([$($then:tt)+] $($arguments:tt)*) => {
        $($then)+! {
            $($arguments)*
            create {
                created_record_is_loaded_back
                load_of_unknown_key_is_none
                load_creates_nothing
                create_never_overwrites
                create_with_its_own_version_in_place_is_created
                of_two_creates_one_wins
                keys_that_differ_in_one_bit_are_different
                payload_of_any_bytes_comes_back
                largest_payload_comes_back_whole_or_is_too_large
                many_records_are_kept_apart
                namespaces_do_not_see_each_other
            }
            replace {
                replace_puts_the_new_record_in_place
                replace_with_stale_version_is_conflict
                replace_of_missing_is_missing
                replace_with_its_own_version_in_place_is_replaced
                of_concurrent_replaces_one_wins
                concurrent_increments_lose_none
            }
            delete {
                deleted_record_is_gone
                delete_is_idempotent
                replace_after_delete_is_missing
                touch_after_delete_is_missing
                late_writers_do_not_resurrect
                deleted_key_can_be_created_again
            }
            expiry {
                expired_record_is_gone
                expired_record_cannot_be_replaced
                expired_record_cannot_be_touched
                expired_key_can_be_created_again
                load_tells_the_time_left
                touch_extends_a_life
                touch_never_shortens_a_life
                touch_with_stale_version_is_conflict
                short_lives_are_rounded_up
                long_lives_do_not_overflow
            }
            together {
                random_operations_agree_with_the_model
                dropped_operations_leave_old_or_new
                mixed_operations_from_many_tasks_hold_the_invariants
            }
        }
    };
}

/// Hands the laws of indexes to another macro, grouped by module.
#[doc(hidden)]
#[macro_export]
macro_rules! __index_laws {
    ([$($then:tt)+] $($arguments:tt)*) => {
        $($then)+! {
            $($arguments)*
            index {
                entered_session_is_listed
                admitted_key_is_listed
                unknown_tag_has_no_entries
                removed_key_is_not_listed
                remove_spares_what_was_entered_since
                entries_of_one_tag_are_its_own
                entry_dies_with_its_time_to_live
                entering_again_extends_and_never_shortens
                entries_tell_their_age
                admit_with_stale_index_version_is_conflict
                admit_enters_and_evicts_together
                of_concurrent_admits_one_wins
                long_lists_are_whole
            }
        }
    };
}

/// Makes a test of each law.
#[doc(hidden)]
#[macro_export]
macro_rules! __law_tests {
    ($harness:tt $attributes:tt $($module:ident { $($law:ident)+ })+) => {
        $( $( $crate::__law_tests! { @one $harness $attributes $module $law } )+ )+
    };
    (@one ($harness:expr) [$($attribute:tt)*] $module:ident $law:ident) => {
        #[test]
        $($attribute)*
        fn $law() {
            let harness = $harness;
            $crate::run($crate::laws::$module::$law(&harness));
        }
    };
}
