//! Which layers go after which bug, the likeliest first, and with how many cases.

use indelible_format::seeded::{self, Bug};

/// A bug, and who goes after it.
#[derive(Debug)]
pub(super) struct Hunt {
    bug: Bug,
    pub(super) tries: &'static [Try],
}

/// A layer, and how many of its cases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    pub(super) layer: &'static str,
    pub(super) cases: u64,
}

impl Hunt {
    pub(super) fn name(&self) -> &'static str {
        seeded::ALL.iter().find(|(bug, ..)| *bug == self.bug).map_or("", |(_, name, _)| name)
    }

    pub(super) fn does(&self) -> &'static str {
        seeded::ALL.iter().find(|(bug, ..)| *bug == self.bug).map_or("", |(_, _, does)| does)
    }
}

const SCHEDULES: Try = Try { layer: "schedules", cases: 5_000 };
/// A sync that fails must meet a group that is on its way.
const BESIDE: Try = Try { layer: "schedules", cases: 15_000 };
const DISK: Try = Try { layer: "simulated-disk", cases: 10_000 };
/// Those that are staged come first.
const DEVICE: Try = Try { layer: "failing-device", cases: 24 };
/// Then those in which strace alone tells that a sync failed.
const CACHE: Try = Try { layer: "failing-device", cases: 36 };
const TAMPER: Try = Try { layer: "tamper", cases: 5_000 };
const TWO: Try = Try { layer: "two-implementations", cases: 100 };

/// All of them.
pub(super) const HUNTS: &[Hunt] = &[
    Hunt { bug: Bug::AckBeforeSync, tries: &[DISK, SCHEDULES] },
    Hunt { bug: Bug::RetriedSync, tries: &[SCHEDULES, DISK] },
    Hunt { bug: Bug::FirstGroupUnsynced, tries: &[SCHEDULES, DISK] },
    Hunt { bug: Bug::GoesOnAfterHalt, tries: &[SCHEDULES, DISK] },
    Hunt { bug: Bug::SyncUngated, tries: &[BESIDE] },
    Hunt { bug: Bug::BelievesDeadJournal, tries: &[DEVICE] },
    Hunt { bug: Bug::SwallowsSyncError, tries: &[CACHE] },
    Hunt { bug: Bug::ShortWriteWhole, tries: &[DISK] },
    Hunt { bug: Bug::NoFolderSyncAfterCreate, tries: &[SCHEDULES, DISK] },
    Hunt { bug: Bug::NoFolderSyncAfterRename, tries: &[DISK, SCHEDULES] },
    Hunt { bug: Bug::RenameOverwrites, tries: &[DISK] },
    Hunt { bug: Bug::GenesisOnEmptyFile, tries: &[DISK, SCHEDULES] },
    Hunt { bug: Bug::SignsUnwritten, tries: &[SCHEDULES, DISK] },
    Hunt { bug: Bug::CutsBelowMark, tries: &[TAMPER] },
    Hunt { bug: Bug::CutsWithoutQuarantine, tries: &[DISK] },
    Hunt { bug: Bug::QuarantineUntold, tries: &[DISK] },
    Hunt { bug: Bug::ReadsTailFromCache, tries: &[DISK] },
    Hunt { bug: Bug::NulPagesRefused, tries: &[DISK] },
    Hunt { bug: Bug::PruneUnannounced, tries: &[DISK] },
    Hunt { bug: Bug::PrunesBeforeAnnouncing, tries: &[DISK] },
    Hunt { bug: Bug::PrunesOneTooMany, tries: &[DISK] },
    Hunt { bug: Bug::OutcomesSwapped, tries: &[SCHEDULES] },
    Hunt { bug: Bug::LeavesInReverse, tries: &[SCHEDULES] },
    Hunt { bug: Bug::LosesLastOfGroup, tries: &[SCHEDULES] },
    Hunt { bug: Bug::LostWakeUp, tries: &[SCHEDULES] },
    Hunt { bug: Bug::HaltForgetsQueue, tries: &[SCHEDULES] },
    Hunt { bug: Bug::ClosesBeforeDrained, tries: &[SCHEDULES] },
    Hunt { bug: Bug::WindowForgotten, tries: &[SCHEDULES, DISK] },
    Hunt { bug: Bug::InFlightForgotten, tries: &[SCHEDULES] },
    Hunt { bug: Bug::TimeGoesBack, tries: &[SCHEDULES] },
    Hunt { bug: Bug::ComparesSeqsOnly, tries: &[TAMPER, TWO] },
    Hunt { bug: Bug::LenientParsing, tries: &[TAMPER, TWO] },
    Hunt { bug: Bug::GapAtBoundary, tries: &[TAMPER, TWO] },
    Hunt { bug: Bug::TornTailSound, tries: &[TAMPER, TWO] },
    Hunt { bug: Bug::SignatureUnchecked, tries: &[TAMPER, TWO] },
    Hunt { bug: Bug::RowsUncompared, tries: &[TAMPER, TWO] },
    Hunt { bug: Bug::ReceiptHashUncompared, tries: &[TAMPER] },
    Hunt { bug: Bug::OlderRootUncompared, tries: &[TAMPER] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_hunted_once() {
        let hunted: Vec<Bug> = HUNTS.iter().map(|hunt| hunt.bug).collect();
        let all: Vec<Bug> = seeded::ALL.iter().map(|(bug, ..)| *bug).collect();
        assert_eq!(hunted, all);
    }
}
