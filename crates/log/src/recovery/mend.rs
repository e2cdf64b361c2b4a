//! Mends what a crash left, in an order in which another crash at any step does no harm.

use std::path::Path;
use std::sync::Arc;

use indelible_format::chain::Hash;
use indelible_format::own::{Adopt, Announcement, OwnRecord, Recover, TailKind};
use indelible_format::record::{Content, Record};
use sha2::{Digest as _, Sha256};

use crate::error::OpenError;
use crate::io::{IoFailure, Operation};
use crate::layout::{ACTIVE, Layout, QUARANTINE};
use crate::lines::Line;
use crate::recovery::inspect::{Inspection, refused};
use crate::recovery::tail::TailSeen;
use crate::recovery::{Adopted, Mended, Recovery};
use crate::segment::{Segment, read_range, to_u64};
use crate::storage::{Access, Privacy, Storage};
use crate::tail::{Tail, classify};
use crate::tree_store::write_whole;
use crate::verify::{Finding, Problem};
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
    fn check_numbers(&self) -> Result<Option<u64>, OpenError> {
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
        if crate::creation::exists(self.storage.as_ref(), &tmp)? {
            self.storage.unlink(&tmp).map_err(IoFailure::of(Operation::Remove, &tmp))?;
            self.sync_folder(self.layout.folder())?;
        }
        let folder = self.layout.quarantine();
        for name in self.quarantined()?.iter().filter(|name| has_tmp_suffix(name)) {
            let path = folder.join(name);
            self.storage.unlink(&path).map_err(IoFailure::of(Operation::Remove, &path))?;
            self.sync_folder(&folder)?;
        }
        Ok(())
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
        let name = format!("{}-{}", self.tail.last.seq + 1, sha256(&torn.bytes));
        self.put_into_quarantine(&name, &torn.bytes)?;
        let (file, path) = (&self.tail.segment.file, &self.tail.segment.path);
        file.truncate(self.tail.end).map_err(IoFailure::of(Operation::Truncate, path))?;
        file.sync_data().map_err(IoFailure::of(Operation::Sync, path))?;
        Ok(())
    }

    /// Writes a quarantine file; one that is there already holds the same bytes, as its name says.
    fn put_into_quarantine(&self, name: &str, bytes: &[u8]) -> Result<(), OpenError> {
        let folder = self.layout.quarantine();
        if !crate::creation::exists(self.storage.as_ref(), &folder)? {
            self.storage
                .create_folder(&folder)
                .map_err(IoFailure::of(Operation::Create, &folder))?;
            self.sync_folder(self.layout.folder())?;
        }
        let (path, tmp) = (folder.join(name), folder.join(format!("{name}.tmp")));
        let file = self
            .storage
            .create_new(&tmp, Privacy::Group)
            .map_err(IoFailure::of(Operation::Create, &tmp))?;
        write_whole(file.as_ref(), bytes).map_err(IoFailure::of(Operation::Write, &tmp))?;
        file.sync_data().map_err(IoFailure::of(Operation::Sync, &tmp))?;
        match self.storage.rename(&tmp, &path) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                if read_all(self.storage.as_ref(), &path)? != bytes {
                    let file = format!("{QUARANTINE}/{name}");
                    let finding = Finding::new(Problem::QuarantineDiffers).in_file(file);
                    return Err(refused(
                        self.layout,
                        finding.evidence(
                            "its name promises other bytes than it holds; nothing was cut",
                        ),
                    ));
                }
                self.storage.unlink(&tmp).map_err(IoFailure::of(Operation::Remove, &tmp))?;
            }
            Err(e) => return Err(IoFailure::new(Operation::Rename, &tmp, e).into()),
        }
        self.sync_folder(&folder)
    }

    /// Writes the records that tell of the repair and of the records that nothing covered, and makes a checkpoint.
    pub(crate) fn tell(
        &self,
        committer: &mut Committer,
        recovery: &mut Recovery,
    ) -> Result<(), OpenError> {
        // A crash between cut and record leaves the file ending where it was cut.
        let offset = committer.active.as_ref().map_or(0, |active| active.size);
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
            recovery.adopted = Some(Adopted { from_seq: mark, to_seq });
            announcements.push(Announcement::Adopt(Adopt { from_seq: mark, to_seq }));
        }
        if announcements.is_empty() {
            return Ok(());
        }
        // A rotation that a crash cut short is finished before its new file gets a record.
        committer.ensure_active().map_err(failed)?;
        committer.commit_own(prefix, &announcements).map_err(failed)
    }

    /// Repair records for quarantine files that no record names yet, in the order of their seq; `offset` is where the
    /// active file ends.
    fn untold_repairs(&self, offset: u64) -> Result<Vec<Recover>, OpenError> {
        let mut untold = Vec::new();
        for name in self.quarantined()? {
            let Some(seq) = quarantine_seq(&name) else { continue };
            let quarantine = format!("{QUARANTINE}/{name}");
            if !self.is_told(seq, &quarantine)? {
                untold.push((seq, name, quarantine));
            }
        }
        untold.sort();
        let mut repairs = Vec::new();
        for (_, name, quarantine) in untold {
            let path = self.layout.quarantine().join(name);
            let bytes = read_all(self.storage.as_ref(), &path)?;
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
                quarantine,
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
        let first =
            |seen: &&crate::recovery::inspect::Seen| seen.first.is_some_and(|b| b.first_seq <= seq);
        let Some(seen) = self.seen.segments.iter().rev().find(first) else {
            // Its record was pruned.
            return Ok(true);
        };
        // After the gap was closed numbers may have moved: the tail's segment is open already.
        let opened;
        let segment = if seen.number == self.tail.segment.number {
            &self.tail.segment
        } else {
            let number = match gap(&self.held()) {
                Some(gap) if seen.number < gap => seen.number + 1,
                Some(_) | None => seen.number,
            };
            opened = Segment::open(self.storage.as_ref(), self.layout, number, Access::Read)?;
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

    fn quarantined(&self) -> Result<Vec<String>, IoFailure> {
        let folder = self.layout.quarantine();
        match self.storage.list(&folder) {
            Ok(names) => Ok(names),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(IoFailure::new(Operation::List, &folder, e)),
        }
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

fn has_tmp_suffix(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "tmp")
}

/// The seq in `<seq>-<sha256>`.
fn quarantine_seq(name: &str) -> Option<u64> {
    let (seq, hash) = name.split_once('-')?;
    Hash::parse_hex(hash.as_bytes())?;
    let number = seq.parse().ok()?;
    (u64::to_string(&number) == seq).then_some(number)
}

fn read_all(storage: &dyn Storage, path: &Path) -> Result<Vec<u8>, IoFailure> {
    let file = storage.open(path, Access::Read).map_err(IoFailure::of(Operation::Open, path))?;
    let size = file.stat().map_err(IoFailure::of(Operation::Stat, path))?.size;
    read_range(file.as_ref(), 0, size.min(8 << 20)).map_err(IoFailure::of(Operation::Read, path))
}

fn sha256(bytes: &[u8]) -> Hash {
    Hash::from_bytes(Sha256::digest(bytes).into())
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

    #[test]
    fn only_a_number_and_a_hash_name_a_quarantine_file() {
        let hash = "0".repeat(64);
        assert_eq!(quarantine_seq(&format!("17-{hash}")), Some(17));
        assert_eq!(quarantine_seq(&format!("017-{hash}")), None);
        assert_eq!(quarantine_seq("17-x"), None);
    }
}
