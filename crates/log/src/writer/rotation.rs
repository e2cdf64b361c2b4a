//! Rotation by size, and retention: `audit.log` → `.1` → `.2` …, and the oldest removed where only some are kept.
//!
//! Order, so that a crash between any two steps is finished by the next open (`docs/spec/folder.md`): the file is
//! synced; a checkpoint of exactly the records so far is noted; files shift from the highest number down; the new
//! file is created; the folder is synced. Where files are to go: their prune record is the first of the new file,
//! synced; a checkpoint over it is noted; then they are unlinked, the oldest first, the folder synced after each.
//!
//! Invariant: no rename replaces a file, and no file is removed that a signed and covered record does not announce.

use indelible_format::own::{Announcement, Prune};
use indelible_format::seeded::{self, Bug};

use crate::checkpoints::Noting;
use crate::error::{HaltCause, NotRemoved};
use crate::io::{IoFailure, Operation};
use crate::layout::FORMAT;
use crate::observer::{Observation, PrunedSegment, RotatedSegment};
use crate::segment::{Segment, to_u64};
use crate::storage::{Access, Privacy};
use crate::writer::active::Active;
use crate::writer::commit::{Boundary, CommitError, Committer};

impl Committer {
    /// Rotates: on return `audit.log` is a new file, whose first record is the prune record if one was due.
    ///
    /// # Durability
    /// On success all steps are on the disk; on [`CommitError::Refused`] the next commit goes on where it stopped.
    pub(crate) fn rotate(&mut self) -> Result<(), CommitError> {
        // The file is synced: only then are its hashes handed to the publisher.
        self.publisher.publish(Noting::Always)?;
        self.shift()?;
        self.finish_rotation()
    }

    /// Does what is left to do of a rotation, if anything.
    pub(crate) fn finish_rotation(&mut self) -> Result<(), CommitError> {
        self.ensure_active()?;
        if self.active.as_ref().is_some_and(|active| active.size() == 0) {
            self.announce_prune()?;
        }
        Ok(())
    }

    /// Creates `audit.log` where a rotation has not come to it.
    pub(crate) fn ensure_active(&mut self) -> Result<(), CommitError> {
        if self.active.is_none() { self.create_active() } else { Ok(()) }
    }

    /// Renames the segments, from the highest number down. A crash in between leaves a gap, which the next open
    /// closes by going on.
    fn shift(&mut self) -> Result<(), CommitError> {
        for number in (0..=to_u64(self.rotated.len())).rev() {
            let from_below = to_u64(self.rotated.len()) - number;
            let overwrites = seeded::is(Bug::RenameOverwrites);
            self.rename_segment(if overwrites { from_below } else { number })?;
        }
        let first_seq = self.begins.first_seq;
        let records = self.head.next_seq - first_seq;
        let size = self.active.as_ref().map_or(0, Active::size);
        self.observe(|_| Observation::Rotated(RotatedSegment { first_seq, records, size }));
        self.rotated.push(self.begins);
        self.rotated_size += size;
        self.begins = Boundary { first_seq: self.head.next_seq, prev_hash: self.head.hash };
        self.active = None;
        Ok(())
    }

    /// Renames segment `number` to the next higher one. It can't be taken back in general, so a failure halts.
    pub(crate) fn rename_segment(&self, number: u64) -> Result<(), CommitError> {
        let (from, to) = (self.layout.segment(number), self.layout.segment(number + 1));
        let renamed = if seeded::is(Bug::RenameOverwrites) {
            self.storage.replace(&from, &to)
        } else {
            self.storage.rename(&from, &to)
        };
        renamed.map_err(|e| CommitError::halted(Operation::Rename, &from, e))
    }

    /// Creates `audit.log`.
    fn create_active(&mut self) -> Result<(), CommitError> {
        let path = self.layout.segment(0);
        let file = self
            .storage
            .create_new(&path, Privacy::Group)
            .map_err(|e| CommitError::refused(Operation::Create, &path, e))?;
        let stat = file.stat().map_err(|e| CommitError::halted(Operation::Stat, &path, e))?;
        let folder = self.layout.folder();
        let unsynced = seeded::is(Bug::NoFolderSyncAfterCreate);
        seeded::unless(unsynced, || self.storage.sync_folder(folder))
            .map_err(|e| CommitError::halted(Operation::Sync, folder, e))?;
        self.active = Some(Active::new(path, file, &stat));
        Ok(())
    }

    /// Writes the prune record where more segments are there than are kept, and removes what it announces.
    fn announce_prune(&mut self) -> Result<(), CommitError> {
        let Some(kept) = self.max_files.and_then(|count| usize::try_from(count).ok()) else {
            return Ok(());
        };
        let excess = self.rotated.len().saturating_sub(kept);
        let Some(first_kept) = self.rotated.get(excess).filter(|_| excess > 0).copied() else {
            return Ok(());
        };
        let identity = self.publisher.identity();
        let announcement = Announcement::Prune(Prune {
            format: FORMAT,
            log_id: identity.log_id(),
            origin: identity.origin().clone(),
            keys: vec![identity.verifier_key().clone()],
            first_kept_seq: first_kept.first_seq,
            last_pruned_hash: first_kept.prev_hash,
            files: to_u64(excess),
            reason: "max_files".to_owned(),
        });
        if seeded::is(Bug::PrunesBeforeAnnouncing) {
            self.doomed = excess;
            self.remove_doomed()?;
        }
        let untold = seeded::is(Bug::PruneUnannounced);
        seeded::unless(untold, || self.commit_own(b"", &[announcement]))?;
        if !seeded::is(Bug::PrunesBeforeAnnouncing) {
            self.doomed = excess + usize::from(seeded::is(Bug::PrunesOneTooMany));
        }
        self.remove_doomed()
    }

    /// Halts where the file at a number is not the oldest segment: numbers say nothing, first records do. Gives its first
    /// record and its bytes.
    fn check_doomed(&self, number: u64) -> Result<PrunedSegment, CommitError> {
        let oldest = Segment::open(self.storage.as_ref(), &self.layout, number, Access::Read)
            .map_err(|failure| CommitError::Halted(HaltCause::Io(failure).into()))?;
        let expected = self.rotated.first().map(|begins| begins.first_seq);
        if let Some(first) = oldest.first.as_ref().filter(|first| Some(first.seq) == expected) {
            return Ok(PrunedSegment { first_seq: first.seq, size: oldest.size });
        }
        Err(HaltCause::Replaced { path: oldest.path }.into())
    }

    /// Removes the segments that a durable prune record announces. Where the disk does not let them go, they stay,
    /// announced, until the next rotation or open: the log is sound with them, and [`Committer::not_removed`] tells.
    pub(crate) fn remove_doomed(&mut self) -> Result<(), CommitError> {
        self.removal_failure = None;
        if self.doomed == 0 {
            return Ok(());
        }
        self.publisher.publish(Noting::Always)?;
        while self.doomed > 0 {
            let number = to_u64(self.rotated.len());
            let path = self.layout.segment(number);
            let segment = self.check_doomed(number)?;
            match self.storage.unlink(&path) {
                Ok(()) => {}
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    return Err(HaltCause::Replaced { path }.into());
                }
                Err(e) => {
                    self.removal_failure = Some(IoFailure::new(Operation::Remove, &path, e));
                    return Ok(());
                }
            }
            let folder = self.layout.folder();
            self.storage
                .sync_folder(folder)
                .map_err(|e| CommitError::halted(Operation::Sync, folder, e))?;
            self.rotated.remove(0);
            self.rotated_size = self.rotated_size.saturating_sub(segment.size);
            self.doomed -= 1;
            self.observe(|_| Observation::Pruned(segment));
        }
        Ok(())
    }

    /// What the disk did not let go.
    pub(crate) fn not_removed(&self) -> Option<NotRemoved> {
        let failure = self.removal_failure.clone()?;
        Some(NotRemoved { segments: to_u64(self.doomed), failure })
    }
}
