//! Bugs for the torture bench to find: what a layer of it does not find, it can't rule out.
//!
//! Each is one line at the place where somebody could have made the mistake. They are there only in a build with
//! `--cfg seeded_bugs`, which no feature brings, and one of them at most is chosen when the program starts. In every other
//! build [`is`] is false before the program runs, and nothing of them is left.

/// A mistake that somebody could have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "for this workspace alone")]
#[expect(missing_docs, reason = "`ALL` says what each is")]
pub enum Bug {
    AckBeforeSync,
    RetriedSync,
    FirstGroupUnsynced,
    GoesOnAfterHalt,
    SyncUngated,
    BelievesDeadJournal,
    SwallowsSyncError,
    ShortWriteWhole,
    NoFolderSyncAfterCreate,
    NoFolderSyncAfterRename,
    RenameOverwrites,
    GenesisOnEmptyFile,
    SignsUnwritten,
    CutsBelowMark,
    CutsWithoutQuarantine,
    QuarantineUntold,
    ReadsTailFromCache,
    NulPagesRefused,
    PruneUnannounced,
    PrunesBeforeAnnouncing,
    PrunesOneTooMany,
    OutcomesSwapped,
    LeavesInReverse,
    LosesLastOfGroup,
    LostWakeUp,
    HaltForgetsQueue,
    ClosesBeforeDrained,
    WindowForgotten,
    InFlightForgotten,
    TimeGoesBack,
    ComparesSeqsOnly,
    LenientParsing,
    GapAtBoundary,
    TornTailSound,
    SignatureUnchecked,
    RowsUncompared,
    ReceiptHashUncompared,
    OlderRootUncompared,
}

/// Every bug, its name, and what it does.
pub const ALL: &[(Bug, &str, &str)] = &[
    (Bug::AckBeforeSync, "ack-before-sync", "acknowledges a group that is written and not synced"),
    (Bug::RetriedSync, "retried-sync", "retries a sync that failed, and believes the second"),
    (Bug::FirstGroupUnsynced, "first-group-unsynced", "does not sync the first group of a file"),
    (Bug::GoesOnAfterHalt, "goes-on-after-halt", "writes on after a sync that failed"),
    (Bug::SyncUngated, "sync-ungated", "syncs beside other syncs, and after one that failed"),
    (
        Bug::BelievesDeadJournal,
        "believes-dead-journal",
        "believes a sync without asking whether the journal is there",
    ),
    (
        Bug::SwallowsSyncError,
        "swallows-sync-error",
        "takes a sync of a file that failed for one that succeeded",
    ),
    (Bug::ShortWriteWhole, "short-write-whole", "takes a short write for a whole one"),
    (
        Bug::NoFolderSyncAfterCreate,
        "no-folder-sync-after-create",
        "does not sync the folder after it created a segment",
    ),
    (
        Bug::NoFolderSyncAfterRename,
        "no-folder-sync-after-rename",
        "does not sync the folder after a rename: of a new log, of a checkpoint",
    ),
    (Bug::RenameOverwrites, "rename-overwrites", "rotates from the newest up, over what is there"),
    (
        Bug::GenesisOnEmptyFile,
        "genesis-on-empty-file",
        "begins a chain anew where the active segment is empty",
    ),
    (Bug::SignsUnwritten, "signs-unwritten", "signs a tree over records that were not written"),
    (Bug::CutsBelowMark, "cuts-below-mark", "goes on behind a tail cut below the checkpoint"),
    (
        Bug::CutsWithoutQuarantine,
        "cuts-without-quarantine",
        "cuts a torn tail and keeps no bytes of it",
    ),
    (Bug::QuarantineUntold, "quarantine-untold", "writes no record of what it cut off"),
    (
        Bug::ReadsTailFromCache,
        "reads-tail-from-cache",
        "believes of the tail what the cache shows after a failed sync",
    ),
    (
        Bug::NulPagesRefused,
        "nul-pages-refused",
        "takes lost pages for somebody's work, and refuses",
    ),
    (Bug::PruneUnannounced, "prune-unannounced", "removes segments and writes no prune record"),
    (
        Bug::PrunesBeforeAnnouncing,
        "prunes-before-announcing",
        "removes segments before their prune record is written",
    ),
    (Bug::PrunesOneTooMany, "prunes-one-too-many", "removes a segment that it did not announce"),
    (Bug::OutcomesSwapped, "outcomes-swapped", "gives outcomes of a group to the wrong callers"),
    (Bug::LeavesInReverse, "leaves-in-reverse", "leaves outcomes of a group from last to first"),
    (
        Bug::LosesLastOfGroup,
        "loses-last-of-group",
        "drops the last event of a group of four or more",
    ),
    (Bug::LostWakeUp, "lost-wake-up", "does not wake the writer for what came during a commit"),
    (Bug::HaltForgetsQueue, "halt-forgets-queue", "tells those who wait nothing of a halt"),
    (Bug::ClosesBeforeDrained, "closes-before-drained", "closes while a group is being committed"),
    (Bug::WindowForgotten, "window-forgotten", "does not know its event_ids after opening"),
    (Bug::InFlightForgotten, "in-flight-forgotten", "appends an event twice that is in flight"),
    (Bug::TimeGoesBack, "time-goes-back", "follows a clock that goes back"),
    (
        Bug::ComparesSeqsOnly,
        "compares-seqs-only",
        "looks at the sequence numbers of a chain, and not at its hashes",
    ),
    (Bug::LenientParsing, "lenient-parsing", "takes a name that occurs twice in one object"),
    (Bug::GapAtBoundary, "gap-at-boundary", "does not hold a segment against the one before it"),
    (Bug::TornTailSound, "torn-tail-sound", "verifies a torn tail as sound"),
    (Bug::SignatureUnchecked, "signature-unchecked", "believes a note by the name of its key"),
    (Bug::RowsUncompared, "rows-uncompared", "does not hold the rows against the records"),
    (Bug::ReceiptHashUncompared, "receipt-hash-uncompared", "does not compare a receipt's hash"),
    (
        Bug::OlderRootUncompared,
        "older-root-uncompared",
        "takes a proof of growth that does not lead to the older root",
    ),
];

/// Whether this build has them: it is not for use then, and has to say so.
pub const ARE_PLANTED: bool = cfg!(seeded_bugs);

/// Whether `bug` was chosen, by its name in `INDELIBLE_SEEDED_BUG`.
#[cfg(seeded_bugs)]
pub fn is(bug: Bug) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<Bug>> = std::sync::LazyLock::new(|| {
        let name = std::env::var("INDELIBLE_SEEDED_BUG").ok().filter(|name| !name.is_empty())?;
        let known = ALL.iter().find(|(_, known, _)| *known == name);
        Some(known.expect("INDELIBLE_SEEDED_BUG names a bug").0)
    });
    *CHOSEN == Some(bug)
}

/// No bug is.
#[cfg(not(seeded_bugs))]
#[inline]
pub const fn is(_bug: Bug) -> bool {
    false
}

/// Leaves `step` out where a bug says so.
///
/// # Errors
///
/// Those of `step`.
#[inline]
pub fn unless<E>(bug: bool, step: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
    if bug { Ok(()) } else { step() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Not even the choice is left of them: this is compiled, not run.
    #[cfg(not(seeded_bugs))]
    const _: () = {
        let mut at = 0;
        while at < ALL.len() {
            assert!(!is(ALL[at].0));
            at += 1;
        }
    };

    #[test]
    fn every_bug_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = ALL.iter().map(|(_, name, _)| *name).collect();
        assert_eq!(names.len(), ALL.len());
        let bugs: BTreeSet<String> = ALL.iter().map(|(bug, ..)| format!("{bug:?}")).collect();
        assert_eq!(bugs.len(), ALL.len());
    }
}
