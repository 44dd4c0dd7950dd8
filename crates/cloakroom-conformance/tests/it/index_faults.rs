//! Every law of indexes finds the faults that were planted for it, and nothing where there is none.

use cloakroom_conformance::{index_conformance_tests, laws, run};

use crate::broken::{Broken, Bytes};
use crate::fault::IndexFault::{self, *};
use crate::faults::{finds, verdict};
use crate::indexed_model::Indexed;

/// The faults that each law must find; it may find more.
pub(crate) const TABLE: &[(&str, &[IndexFault])] = &[
    ("entered_session_is_listed", &[EnterListsTwice, EnterForgetsTheOthers]),
    ("admitted_key_is_listed", &[AdmittedIsHidden, AdmitDoesNotEnter]),
    ("unknown_tag_has_no_entries", &[UnknownTagFails]),
    ("removed_key_is_not_listed", &[RemoveWithoutEffect, RemoveAgainFails, RemoveTakesAll]),
    ("remove_spares_what_was_entered_since", &[RemoveIgnoresTheAge, AgesAreThoseOfTheFirstEntry]),
    ("entries_of_one_tag_are_its_own", &[TagsIgnoreCase, TagsAreCut, RemoveIgnoresTheTag]),
    ("entry_dies_with_its_time_to_live", &[EntriesNeverDie, EntriesDieEarly, ListsDieAsOne, ListsLiveAsOne]),
    ("entering_again_extends_and_never_shortens", &[EnterShortens, EnterNeverExtends]),
    ("entries_tell_their_age", &[AgesAreUnknown, AgesAreThoseOfTheFirstEntry]),
    (
        "admit_with_stale_index_version_is_conflict",
        &[AdmitIgnoresTheVersion, ConflictEnters, ConflictEvicts, VersionIgnoresAdmit],
    ),
    ("admit_enters_and_evicts_together", &[AdmitDoesNotEnter, AdmitDoesNotEvict, AdmitInTwoSteps]),
    ("of_concurrent_admits_one_wins", &[AdmitRaces, AdmitIgnoresTheVersion]),
    ("long_lists_are_whole", &[LongListsAreCut, RemoveTakesOneOfMany]),
];

mod model {
    use super::*;

    index_conformance_tests!(Indexed::with(None));
}

macro_rules! proofs {
    ($($module:ident { $($law:ident)+ })+) => {
        $($(
            #[test]
            fn $law() {
                proves(stringify!($law), |fault| run(laws::$module::$law(&Indexed::with(fault))));
                // A store without an index does not pass in silence.
                let verdict = verdict(|| run(laws::$module::$law(&Broken::with(None, Bytes::Shown))));
                finds(stringify!($law), "no index", verdict.as_deref());
            }
        )+)+
    };
}

mod proof_of {
    use super::*;

    cloakroom_conformance::__index_laws! { [proofs] }
}

/// Runs a law on an index without a fault, and on one with each of its faults.
fn proves(law: &str, run: impl Fn(Option<IndexFault>)) {
    run(None);
    let (_, faults) = TABLE.iter().find(|(name, _)| *name == law).expect("the law has faults");
    for fault in *faults {
        let races = matches!(fault, AdmitRaces | AdmitInTwoSteps);
        let mut verdicts = (0..if races { 4 } else { 1 }).map(|_| verdict(|| run(Some(*fault))));
        finds(law, &format!("{fault:?}"), verdicts.find_map(|verdict| verdict).as_deref());
    }
}
