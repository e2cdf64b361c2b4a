//! Mends what a crash left, in an order in which another crash at any step does no harm.

use std::path::Path;
use std::sync::Arc;

use indelible_format::own::{Adopt, Announcement, OwnRecord, Recover, TailKind};
use indelible_format::record::{Content, Record};
use indelible_format::seeded::{self, Bug};

use crate::error::OpenError;
use crate::io::{IoFailure, Operation, exists};
use crate::layout::{ACTIVE, Layout};
use crate::lines::Line;
use crate::recovery::inspect::{Inspection, Seen, refused};
use crate::recovery::quarantine::{Quarantine, Quarantined, sha256};
use crate::recovery::tail::TailSeen;
use crate::recovery::{Adopted, Mended, Recovery};
use crate::segment::{Segment, to_u64};
use crate::storage::{Access, Storage};
use crate::tail::{Tail, classify};
use crate::tree_store::is_row_tmp;
use crate::verify::{Finding, Problem};
use crate::writer::active::Active;
use crate::writer::commit::{CommitError, Committer};

/// What is done to the files before the log can be written to again.
#[derive(Debug)]
pub(crate) struct Mend<'a> {
    pub(crate) storage: &'a Arc<dyn Storage>,
    pub(crate) layout: &'a Layout,
    pub(crate) seen: &'a Inspection,
    pub(crate) tail: &'a TailSeen,
}

impl Mend<'_> {
    /// Removes what was being written when the crash came, cuts the torn tail, and closes the gap in the numbers.
    ///
    /// # Durability
    /// On success every step is on the disk; the records that tell of them are still to be written.
    pub(crate) fn files(&self, recovery: &mut Recovery) -> Result<(), OpenError> {
        let gap = self.check_numbers()?;
        self.untold_files()?;
        self.remove_tmp()?;
        self.cut_history()?;
        self.cut_tail()?;
        recovery.finished_rotation = gap.is_some() || !self.seen.numbers.contains(&0);
        if let Some(gap) = gap {
            for number in (0..gap).rev() {
                let (from, to) = (self.layout.segment(number), self.layout.segment(number + 1));
                self.storage.rename(&from, &to).map_err(IoFailure::of(Operation::Rename, &from))?;
            }
            self.sync_folder(self.layout.folder())?;
        }
        Ok(())
    }

    /// Checks that the numbers of the segments are those that rotations give, but for one gap: a crash amid the renames
    /// of a rotation leaves it, and the checkpoint of that rotation came before them.
    pub(crate) fn check_numbers(&self) -> Result<Option<u64>, OpenError> {
        let held = self.held();
        let gap = gap(&held);
        let highest = held.first().copied().unwrap_or(0);
        let expected = |number: &u64| Some(*number) != gap;
        let wanted: Vec<u64> = (0..=highest).rev().filter(expected).collect();
        let without_active: Vec<u64> = (1..=highest).rev().collect();
        let in_order = held == wanted || (gap.is_none() && held == without_active);
        let only_held =
            self.seen.numbers.iter().all(|number| *number == 0 || held.contains(number));
        if !in_order || !only_held {
            let finding = Finding::new(Problem::SegmentMissing)
                .expected("segments numbered without a gap, each older than the next lower number")
                .evidence("files that were renamed need nothing but the names that they had: the newest is audit.log")
                .found(format!(
                    "{:?}, oldest first",
                    if only_held { held } else { self.seen.numbers.clone() }
                ));
            return Err(refused(self.layout, finding));
        }
        let rotating = gap.is_some() || self.tail.segment.number != 0;
        let noted = self.seen.mark.noted == self.tail.last.seq + 1 && self.tail.torn.is_none();
        if rotating && !noted {
            let finding = Finding::new(Problem::BoundaryNotNoted).in_file(self.tail.segment.name());
            return Err(refused(self.layout, finding));
        }
        Ok(gap)
    }

    fn held(&self) -> Vec<u64> {
        self.seen.segments.iter().map(|seen| seen.number).collect()
    }

    fn remove_tmp(&self) -> Result<(), OpenError> {
        let tmp = self.layout.checkpoint_tmp();
        if exists(self.storage.as_ref(), &tmp)? {
            self.storage.unlink(&tmp).map_err(IoFailure::of(Operation::Remove, &tmp))?;
            self.sync_folder(self.layout.folder())?;
        }
        for name in self.names(&self.layout.tree())?.iter().filter(|name| is_row_tmp(name)) {
            // An explicit repair that a crash cut short left it.
            let path = self.layout.tree().join(name);
            self.storage.unlink(&path).map_err(IoFailure::of(Operation::Remove, &path))?;
            self.sync_folder(&self.layout.tree())?;
        }
        self.quarantine().remove_tmp()
    }

    /// Names in a folder of the log; none where there is no such folder.
    pub(crate) fn names(&self, folder: &Path) -> Result<Vec<String>, IoFailure> {
        match self.storage.list(folder) {
            Ok(names) => Ok(names),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(IoFailure::new(Operation::List, folder, e)),
        }
    }

    /// Cuts a torn last line of `checkpoints.jsonl`.
    fn cut_history(&self) -> Result<(), OpenError> {
        let history = &self.seen.mark.history;
        if history.size == history.whole_size {
            return Ok(());
        }
        let path = self.layout.history();
        let file = self
            .storage
            .open(&path, Access::Append)
            .map_err(IoFailure::of(Operation::Open, &path))?;
        file.truncate(history.whole_size).map_err(IoFailure::of(Operation::Truncate, &path))?;
        file.sync_data().map_err(IoFailure::of(Operation::Sync, &path))?;
        Ok(())
    }

    /// Puts the torn bytes into quarantine, and then cuts them.
    fn cut_tail(&self) -> Result<(), OpenError> {
        let Some(torn) = self.tail.torn.as_ref().filter(|torn| torn.kind != TailKind::NoLf) else {
            return Ok(());
        };
        let unkept = seeded::is(Bug::CutsWithoutQuarantine);
        seeded::unless(unkept, || {
            self.quarantine().put(self.tail.last.seq + 1, &torn.bytes).map(drop)
        })?;
        let (file, path) = (&self.tail.segment.file, &self.tail.segment.path);
        file.truncate(self.tail.end).map_err(IoFailure::of(Operation::Truncate, path))?;
        file.sync_data().map_err(IoFailure::of(Operation::Sync, path))?;
        Ok(())
    }

    /// Writes the records that tell of the repair and of the records that nothing covered, and makes a checkpoint.
    pub(crate) fn tell(
        &self,
        committer: &mut Committer,
        recovery: &mut Recovery,
    ) -> Result<(), OpenError> {
        // A crash between cut and record leaves the file ending where it was cut.
        let offset = committer.active.as_ref().map_or(0, Active::size);
        let mut repairs = self.untold_repairs(offset)?;
        let mut prefix: &[u8] = b"";
        if self.tail.torn.as_ref().is_some_and(|torn| torn.kind == TailKind::NoLf) {
            prefix = b"\n";
            repairs.push(Recover {
                file: ACTIVE.to_owned(),
                offset,
                length: 0,
                sha256: sha256(b""),
                kind: TailKind::NoLf,
                quarantine: String::new(),
            });
        }
        recovery.mended = repairs.iter().map(Mended::told_by).collect();
        let mut announcements: Vec<_> = repairs.into_iter().map(Announcement::Recover).collect();
        let mark = self.seen.mark.size;
        let found = to_u64(self.tail.hashes.len());
        let told = self.tail.adopted_from == Some(mark) && announcements.is_empty();
        if found > 0 && !told {
            let to_seq = committer.head.next_seq - 1 + to_u64(announcements.len());
            recovery.adopted =
                Some(Adopted { from_seq: mark, to_seq, found_to_seq: self.tail.last.seq });
            announcements.push(Announcement::Adopt(Adopt { from_seq: mark, to_seq }));
        }
        if announcements.is_empty() {
            return Ok(());
        }
        // A rotation that a crash cut short is finished before its new file gets a record.
        committer.ensure_active().map_err(failed)?;
        committer.commit_own(prefix, &announcements).map_err(failed)
    }

    /// Quarantine files that no record names yet, and their bytes, in the order of their seq; refuses those that are not
    /// what they should be.
    pub(crate) fn untold_files(&self) -> Result<Vec<(Quarantined, Vec<u8>)>, OpenError> {
        let mut untold = Vec::new();
        for file in self.quarantine().files()? {
            if !self.is_told(file.seq, &file.path())? {
                let bytes = self.quarantine().read(&file, self.tail.last.seq + 1)?;
                untold.push((file, bytes));
            }
        }
        Ok(untold)
    }

    /// Repair records for quarantine files that no record names yet; `offset` is where the active file ends.
    fn untold_repairs(&self, offset: u64) -> Result<Vec<Recover>, OpenError> {
        let mut repairs = Vec::new();
        for (file, bytes) in self.untold_files()? {
            if seeded::is(Bug::QuarantineUntold) {
                continue;
            }
            let kind = match classify(&bytes, offset) {
                Tail::Torn(kind) => kind,
                Tail::TooLong | Tail::NotTorn => TailKind::Partial,
            };
            repairs.push(Recover {
                file: ACTIVE.to_owned(),
                offset,
                length: to_u64(bytes.len()),
                sha256: sha256(&bytes),
                kind,
                quarantine: file.path(),
            });
        }
        Ok(repairs)
    }

    /// Whether a repair record from `seq` on names the file. Such records come before all others of their opening,
    /// so the search ends at the first record that is not the log's own.
    fn is_told(&self, seq: u64, quarantine: &str) -> Result<bool, OpenError> {
        if seq > self.tail.last.seq {
            return Ok(false);
        }
        let first = |seen: &&Seen| seen.first.is_some_and(|b| b.first_seq <= seq);
        let Some(seen) = self.seen.segments.iter().rev().find(first) else {
            // Its record was pruned.
            return Ok(true);
        };
        let opened;
        let segment = if seen.number == self.tail.segment.number {
            &self.tail.segment
        } else {
            opened = self.open_seen(seen)?;
            &opened
        };
        let from = segment.seek(segment.size, |head| head.seq.cmp(&seq))?;
        let mut lines = segment.lines(from);
        while let Some(line) = lines.next_line().map_err(|e| segment.read_failure(e))? {
            let (Line::Whole { bytes, .. } | Line::Unterminated { bytes, .. }) = line else {
                break;
            };
            let Ok(record) = Record::parse(bytes) else { break };
            let Content::Own(own) = record.content() else { break };
            if matches!(own, OwnRecord::Recover(told) if told.quarantine == quarantine) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Opens a segment that was looked at: its number is one higher once a gap was closed.
    fn open_seen(&self, seen: &Seen) -> Result<Segment, IoFailure> {
        let open = |number| Segment::open(self.storage.as_ref(), self.layout, number, Access::Read);
        let segment = open(seen.number)?;
        let first_seq = segment.first.as_ref().map(|head| head.seq);
        if first_seq == seen.first.map(|first| first.first_seq) {
            return Ok(segment);
        }
        open(seen.number + 1)
    }

    fn quarantine(&self) -> Quarantine<'_> {
        Quarantine::new(self.storage.as_ref(), self.layout)
    }

    fn sync_folder(&self, folder: &Path) -> Result<(), OpenError> {
        self.storage.sync_folder(folder).map_err(IoFailure::of(Operation::Sync, folder))?;
        Ok(())
    }
}

/// A committer's failure while opening.
pub(crate) fn failed(error: CommitError) -> OpenError {
    OpenError::Append(error.into())
}

/// The number that is missing between segments that are there: a crash amid the renames of a rotation left it.
fn gap(numbers: &[u64]) -> Option<u64> {
    let highest = *numbers.first()?;
    (1..highest).rev().find(|number| !numbers.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_what_lies_between_and_not_a_missing_active_segment() {
        assert_eq!(gap(&[4, 2, 1, 0]), Some(3));
        assert_eq!(gap(&[2, 0]), Some(1));
        assert_eq!(gap(&[3, 2, 1]), None);
        assert_eq!(gap(&[0]), None);
        assert_eq!(gap(&[]), None);
    }
}
