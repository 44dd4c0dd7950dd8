//! The ways in which a store is made wrong.

macro_rules! faults {
    ($(#[$doc:meta])* $name:ident { $($fault:ident)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($fault),+ }

        impl $name {
            pub(crate) const ALL: &[Self] = &[$(Self::$fault),+];
        }
    };
}

faults! {
    /// One way of being wrong, named as what the store does.
    Fault {
        // Keys.
        KeysIgnoreCase
        KeysIgnoreCaseInBase64
        KeysAreCut
        KeysAreTrimmed
        KeysCollide
        NamespacesAreShared
        EvictsInSilence
        // Payloads.
        PayloadsEndAtNul
        PayloadsAreTrimmed
        PayloadsAreText
        PayloadsHaveUnixLineEnds
        PayloadsAreCutAt64KiB
        PayloadsAreCutAtTheLimit
        PayloadsOf64KiBAreTooLarge
        TooLargeIsAnotherError
        TooLargeDropsTheOldRecord
        // Loading.
        LoadCreates
        LoadOfUnknownFails
        LoadsAreStale
        LoadTellsTheFirstTtl
        LoadTellsTooMuch
        LoadTellsTooLittle
        RepliesAreForeignAfterADrop
        // Creating.
        CreateOverwrites
        CreateStoresNothing
        CreateIgnoresItsOwnVersion
        CreateRaces
        OccupiedExtends
        // Replacing.
        ReplaceUpserts
        ReplaceOfMissingLeavesATrace
        ReplaceOfMissingIsConflict
        ReplaceIgnoresTheVersion
        ReplaceComparesHalfTheVersion
        ReplaceIgnoresItsOwnVersion
        ReplaceKeepsTheOldTtl
        ReplaceKeepsTheOldPayload
        ReplaceRaces
        ReplaceInTwoSteps
        ConflictExtends
        RepliesAreLost
        WritesArriveLate
        WritesArriveTwice
        // Deleting.
        DeleteWithoutEffect
        DeleteTakesAWhile
        DeleteKeepsTheBytes
        DeleteLeavesATombstone
        DeleteAgainFails
        DeleteAgainIsDeleted
        DeletedCanBeReplaced
        DeletedCanBeTouched
        // Expiry.
        NothingExpires
        ExpiresALittleEarly
        ExpiresALittleLate
        ExpiredCanBeReplaced
        ExpiredCanBeTouched
        ExpiredBlocksCreate
        ShortLivesAreForEver
        ShortLivesAreZero
        PartsOfMillisecondsFail
        LongLivesAreDates
        LongLivesWrap
        // Touching.
        TouchWithoutEffect
        TouchCreates
        TouchShortens
        TouchAddsUp
        TouchCutsThePayload
        TouchChangesTheVersion
        TouchIgnoresTheVersion
        TouchInConflictExtends
        TouchRaces
    }
}

impl Fault {
    /// Whether it shows only when tasks meet, so that a law may be lucky now and then.
    pub(crate) const fn is_a_race(self) -> bool {
        matches!(
            self,
            Self::CreateRaces
                | Self::ReplaceRaces
                | Self::ReplaceInTwoSteps
                | Self::TouchRaces
                | Self::WritesArriveLate
                | Self::RepliesAreForeignAfterADrop
        )
    }
}

faults! {
    /// One way in which an index is wrong.
    IndexFault {
        EnterListsTwice
        EnterForgetsTheOthers
        AdmittedIsHidden
        AgesAreUnknown
        AgesAreThoseOfTheFirstEntry
        LongListsAreCut
        RemoveIgnoresTheAge
        RemoveTakesOneOfMany
        EnterShortens
        EnterNeverExtends
        UnknownTagFails
        TagsIgnoreCase
        TagsAreCut
        RemoveWithoutEffect
        RemoveAgainFails
        RemoveTakesAll
        RemoveIgnoresTheTag
        EntriesNeverDie
        EntriesDieEarly
        ListsDieAsOne
        ListsLiveAsOne
        AdmitIgnoresTheVersion
        AdmitRaces
        AdmitDoesNotEnter
        AdmitDoesNotEvict
        AdmitInTwoSteps
        ConflictEnters
        ConflictEvicts
        VersionIgnoresAdmit
    }
}
