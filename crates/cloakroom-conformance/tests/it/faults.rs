//! Every law finds the faults that were planted for it, and nothing where there is none.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::broken::{Broken, Bytes};
use crate::fault::Fault::{self, *};
use crate::fault::IndexFault;
use crate::index_faults;
use crate::list::{index_laws, store_laws};

/// The faults that each law must find; it may find more.
const TABLE: &[(&str, &[Fault])] = &[
    ("created_record_is_loaded_back", &[CreateStoresNothing, PayloadsAreText]),
    ("load_of_unknown_key_is_none", &[LoadOfUnknownFails]),
    ("load_creates_nothing", &[LoadCreates]),
    ("create_never_overwrites", &[CreateOverwrites, OccupiedExtends]),
    ("create_with_its_own_version_in_place_is_created", &[CreateIgnoresItsOwnVersion]),
    ("of_two_creates_one_wins", &[CreateRaces, CreateOverwrites]),
    (
        "keys_that_differ_in_one_bit_are_different",
        &[KeysIgnoreCase, KeysIgnoreCaseInBase64, KeysAreCut, KeysAreTrimmed, KeysCollide],
    ),
    (
        "payload_of_any_bytes_comes_back",
        &[PayloadsEndAtNul, PayloadsAreTrimmed, PayloadsAreText, PayloadsHaveUnixLineEnds],
    ),
    (
        "largest_payload_comes_back_whole_or_is_too_large",
        &[
            PayloadsAreCutAt64KiB,
            PayloadsAreCutAtTheLimit,
            PayloadsOf64KiBAreTooLarge,
            TooLargeIsAnotherError,
            TooLargeDropsTheOldRecord,
        ],
    ),
    ("many_records_are_kept_apart", &[EvictsInSilence, KeysCollide]),
    ("namespaces_do_not_see_each_other", &[NamespacesAreShared]),
    (
        "replace_puts_the_new_record_in_place",
        &[ReplaceKeepsTheOldTtl, ReplaceKeepsTheOldPayload, LoadsAreStale],
    ),
    (
        "replace_with_stale_version_is_conflict",
        &[ReplaceIgnoresTheVersion, ReplaceComparesHalfTheVersion, ConflictExtends],
    ),
    (
        "replace_of_missing_is_missing",
        &[ReplaceUpserts, ReplaceOfMissingLeavesATrace, ReplaceOfMissingIsConflict],
    ),
    ("replace_with_its_own_version_in_place_is_replaced", &[ReplaceIgnoresItsOwnVersion]),
    ("of_concurrent_replaces_one_wins", &[ReplaceRaces, ReplaceIgnoresTheVersion]),
    ("concurrent_increments_lose_none", &[ReplaceRaces, ReplaceIgnoresTheVersion, RepliesAreLost]),
    ("deleted_record_is_gone", &[DeleteWithoutEffect, DeleteTakesAWhile, DeleteKeepsTheBytes, LoadsAreStale]),
    ("delete_is_idempotent", &[DeleteAgainFails, DeleteAgainIsDeleted, DeleteWithoutEffect]),
    ("replace_after_delete_is_missing", &[ReplaceUpserts, DeletedCanBeReplaced, ReplaceOfMissingIsConflict]),
    ("touch_after_delete_is_missing", &[TouchCreates, DeletedCanBeTouched]),
    ("late_writers_do_not_resurrect", &[ReplaceRaces, TouchRaces, WritesArriveLate, WritesArriveTwice]),
    ("deleted_key_can_be_created_again", &[DeleteLeavesATombstone]),
    ("expired_record_is_gone", &[NothingExpires, ExpiresALittleEarly, ExpiresALittleLate]),
    ("expired_record_cannot_be_replaced", &[ExpiredCanBeReplaced, ReplaceUpserts]),
    ("expired_record_cannot_be_touched", &[ExpiredCanBeTouched, TouchCreates]),
    ("expired_key_can_be_created_again", &[ExpiredBlocksCreate]),
    ("load_tells_the_time_left", &[LoadTellsTheFirstTtl, LoadTellsTooMuch, LoadTellsTooLittle]),
    ("touch_extends_a_life", &[TouchWithoutEffect, TouchCutsThePayload, TouchChangesTheVersion, TouchAddsUp]),
    ("touch_never_shortens_a_life", &[TouchShortens]),
    ("touch_with_stale_version_is_conflict", &[TouchIgnoresTheVersion, TouchInConflictExtends]),
    ("short_lives_are_rounded_up", &[ShortLivesAreForEver, ShortLivesAreZero, PartsOfMillisecondsFail]),
    ("long_lives_do_not_overflow", &[LongLivesAreDates, LongLivesWrap]),
    (
        "random_operations_agree_with_the_model",
        &[
            CreateOverwrites,
            CreateIgnoresItsOwnVersion,
            CreateStoresNothing,
            OccupiedExtends,
            ReplaceUpserts,
            ReplaceIgnoresTheVersion,
            ReplaceIgnoresItsOwnVersion,
            ReplaceKeepsTheOldTtl,
            ReplaceKeepsTheOldPayload,
            ConflictExtends,
            TouchWithoutEffect,
            TouchShortens,
            TouchCreates,
            TouchIgnoresTheVersion,
            TouchInConflictExtends,
            DeleteWithoutEffect,
            DeleteAgainIsDeleted,
            DeletedCanBeReplaced,
            DeletedCanBeTouched,
            LoadsAreStale,
        ],
    ),
    (
        "dropped_operations_leave_old_or_new",
        &[ReplaceInTwoSteps, RepliesAreForeignAfterADrop, WritesArriveLate, WritesArriveTwice],
    ),
    (
        "mixed_operations_from_many_tasks_hold_the_invariants",
        &[
            CreateRaces,
            CreateOverwrites,
            ReplaceRaces,
            ReplaceInTwoSteps,
            ReplaceKeepsTheOldPayload,
            DeleteAgainIsDeleted,
            LoadsAreStale,
            RepliesAreForeignAfterADrop,
        ],
    ),
];

macro_rules! proofs {
    ($($module:ident { $($law:ident)+ })+) => {
        $($(
            #[test]
            fn $law() {
                proves(stringify!($law), |fault, bytes| {
                    cloakroom_conformance::run(
                        cloakroom_conformance::laws::$module::$law(&Broken::with(fault, bytes)),
                    );
                });
            }
        )+)+
    };
}

mod proof_of {
    use super::*;

    cloakroom_conformance::__store_laws! { [proofs] }
}

#[test]
fn every_law_has_a_fault_and_every_fault_a_law() {
    let laws: Vec<_> = store_laws().into_iter().map(|(_, law)| law).collect();
    let proved: Vec<_> = TABLE.iter().map(|(law, _)| *law).collect();
    assert_eq!(proved, laws, "the table of faults (left) and the list of laws (right) differ");
    for (law, faults) in TABLE {
        assert!(!faults.is_empty(), "no fault is planted for {law}");
    }
    for fault in Fault::ALL {
        let found = TABLE.iter().any(|(_, faults)| faults.contains(fault));
        assert!(found, "no law is asked to find {fault:?}");
    }
    let pairs: usize = TABLE.iter().map(|(_, faults)| faults.len()).sum();
    println!("{} laws of stores, {} faults, {pairs} pairs", laws.len(), Fault::ALL.len());

    let laws: Vec<_> = index_laws().into_iter().map(|(_, law)| law).collect();
    let proved: Vec<_> = index_faults::TABLE.iter().map(|(law, _)| *law).collect();
    assert_eq!(proved, laws, "the table of faults (left) and the list of laws (right) differ");
    for fault in IndexFault::ALL {
        let found = index_faults::TABLE.iter().any(|(_, faults)| faults.contains(fault));
        assert!(found, "no law is asked to find {fault:?}");
    }
    let pairs: usize = index_faults::TABLE.iter().map(|(_, faults)| faults.len()).sum();
    println!("{} laws of indexes, {} faults, {pairs} pairs", laws.len(), IndexFault::ALL.len());
}

/// Runs a law on a store without a fault, and on one with each of its faults.
///
/// The verbs alone tell of every fault but one, which is about the bytes in the backend.
fn proves(law: &str, run: impl Fn(Option<Fault>, Bytes)) {
    let (_, faults) = TABLE.iter().find(|(name, _)| *name == law).expect("the law has faults");
    for bytes in [Bytes::Shown, Bytes::Hidden] {
        run(None, bytes);
        for fault in *faults {
            if (*fault, bytes) == (DeleteKeepsTheBytes, Bytes::Hidden) {
                continue;
            }
            let tries = if fault.is_a_race() { 4 } else { 1 };
            let mut verdicts = (0..tries).map(|_| verdict(|| run(Some(*fault), bytes)));
            let verdict = verdicts.find_map(|verdict| verdict);
            finds(law, &format!("{fault:?} (bytes: {bytes:?})"), verdict.as_deref());
        }
    }
}

/// Wants a law to have ended with a verdict of its own.
pub(crate) fn finds(law: &str, fault: &str, verdict: Option<&str>) {
    match verdict {
        Some(verdict) if verdict.starts_with("the store broke the law: ") => {
            println!("{law} finds {fault}: {verdict}");
        }
        Some(other) => panic!("{law} met {fault} and failed without a verdict: {other}"),
        None => panic!("{law} does not find {fault}"),
    }
}

/// The message of a panic.
pub(crate) fn verdict(run: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    Some(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic without words".to_owned()))
}
