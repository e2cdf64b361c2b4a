//! The commit point: one write, one `fdatasync`, and then every record of the group is kept whatever happens.
//!
//! Invariants:
//! - nobody is told of success before the sync has returned and the file was found to be still the one at its path;
//! - head, time and size in memory are those of the last byte that is durable; a group that fails leaves them so;
//! - after a failed sync, or a failed cut, nothing more is ever written (`docs/design/durability.md`).
//!
//! Who commits, and who waits, is `group`; what happens at a full file is `rotation`.

use std::sync::Arc;
use std::time::Duration;

use indelible_format::chain::{Hash, seal};
use indelible_format::own::{Announcement, OwnContext, write_own};
use indelible_format::record::write_head;
use indelible_format::seeded::{self, Bug};
use indelible_format::time::Timestamp;

use crate::checkpoints::{PublishError, Publisher};
use crate::clock::Clock;
use crate::error::{AppendError, Halt, HaltCause, Obstacle};
use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::observer::{CommittedGroup, Observation, Watch};
use crate::options::GROUP_SIZE_MAX;
use crate::pending::Outcome;
use crate::receipt::Receipt;
use crate::segment::to_u64;
use crate::signer::unsigned;
use crate::storage::Storage;
use crate::writer::active::Active;
use crate::writer::group::Stored;
use crate::writer::salts::Salts;
use crate::writer::submission::Submission;
use crate::writer::timekeeper::Timekeeper;

/// Why a step of the committer did not succeed.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// Nothing was written, or it was cut back: it may be tried again.
    Refused(Obstacle),
    /// The log must be opened again; nothing of the group was written.
    Halted(Halt),
    /// The log must be opened again; the group may be there.
    Indeterminate(Halt),
}

impl From<HaltCause> for CommitError {
    fn from(cause: HaltCause) -> Self {
        Self::Halted(Halt::new(cause))
    }
}

impl From<PublishError> for CommitError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Refused(failure) => Self::Refused(Obstacle::Io(failure)),
            PublishError::Signer(error) => Self::Refused(Obstacle::Signer(error)),
            PublishError::Unknown(cause) => Self::Halted(Halt::new(cause)),
            PublishError::Closed => Self::Refused(Obstacle::Closed),
        }
    }
}

impl CommitError {
    pub(crate) fn refused(operation: Operation, path: &std::path::Path, e: std::io::Error) -> Self {
        Self::Refused(Obstacle::Io(IoFailure::new(operation, path, e)))
    }

    pub(crate) fn halted(operation: Operation, path: &std::path::Path, e: std::io::Error) -> Self {
        HaltCause::Io(IoFailure::new(operation, path, e)).into()
    }

    /// The same error, for a group of which nothing was written when it came.
    fn before_the_group(self) -> Self {
        match self {
            Self::Indeterminate(halt) => Self::Halted(halt),
            Self::Refused(_) | Self::Halted(_) => self,
        }
    }
}

impl From<CommitError> for AppendError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Refused(cause) => Self::NotWritten { cause },
            CommitError::Halted(halt) => Self::Halted(halt),
            CommitError::Indeterminate(halt) => Self::Indeterminate(halt),
        }
    }
}

/// Where the chain stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// Sequence number of the next record: how many records there are.
    pub(crate) next_seq: u64,
    /// `_hash` of the last one.
    pub(crate) hash: Hash,
    pub(crate) time: Timekeeper,
}

/// The first record of a segment, and what it is chained to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boundary {
    pub(crate) first_seq: u64,
    pub(crate) prev_hash: Hash,
}

/// Writes the log; one at a time holds it.
#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) layout: Layout,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) salts: Arc<Salts>,
    pub(crate) max_file_size: u64,
    pub(crate) max_files: Option<u32>,
    /// `None` between the renames of a rotation and the new file.
    pub(crate) active: Option<Active>,
    /// Where the active segment begins.
    pub(crate) begins: Boundary,
    /// Rotated segments that are there, oldest first: the last one is `audit.log.1`.
    pub(crate) rotated: Vec<Boundary>,
    /// Their bytes.
    pub(crate) rotated_size: u64,
    /// How many of the oldest are announced as pruned and not yet removed.
    pub(crate) doomed: usize,
    /// Why they were not, where the disk refused.
    pub(crate) removal_failure: Option<IoFailure>,
    pub(crate) head: Head,
    /// Lines of the group under way.
    pub(crate) buf: Vec<u8>,
    /// Their hashes, for the tree.
    pub(crate) hashes: Vec<Hash>,
    pub(crate) halted: Option<Halt>,
    pub(crate) watch: Watch,
    /// What is still to be told of.
    pub(crate) observations: Vec<Observation>,
}

/// What to do before a record can be added to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placed {
    Added(Receipt),
    /// The group is as large as it may be, or the file full: write it out first.
    GroupFull,
    /// The file is full and the group empty.
    FileFull,
}

impl Committer {
    /// Commits `submissions` in order, in as many groups as limits ask for; `settle` is told the outcome of each
    /// stretch of them, in order, and what is stored with it.
    ///
    /// # Durability
    /// Each record that `settle` is given a receipt for is on the disk.
    pub(crate) fn commit(
        &mut self,
        submissions: &[Submission],
        mut settle: impl FnMut(&[Submission], Vec<Outcome>, Stored),
    ) {
        let mut rest = submissions;
        while !rest.is_empty() {
            let mut outcomes = Vec::with_capacity(rest.len());
            let error = self.commit_group(rest, &mut outcomes).err();
            if let Some(error) = error {
                // The group under way failed whole; where it could not even begin, so does the first that waits.
                let failed = outcomes.len().max(1);
                outcomes.clear();
                outcomes.resize(failed, Err(self.failure(error)));
            }
            let (done, left) = rest.split_at_checked(outcomes.len()).unwrap_or((rest, &[]));
            settle(done, outcomes, self.stored());
            self.tell_observer();
            rest = left;
        }
    }

    /// Keeps what the observer is told once those who wait were told.
    pub(crate) fn observe(&mut self, what: impl FnOnce(&Self) -> Observation) {
        if !self.watch.is_absent() {
            self.observations.push(what(self));
        }
    }

    /// Tells the observer what was kept for it.
    pub(crate) fn tell_observer(&mut self) {
        for observation in self.observations.drain(..) {
            self.watch.tell(|observer| observation.tell(observer));
        }
    }

    /// The segments, and their bytes that are durable.
    pub(crate) fn stored(&self) -> Stored {
        let active = self.active.as_ref();
        Stored {
            segments: to_u64(self.rotated.len()) + u64::from(active.is_some()),
            size: self.rotated_size + active.map_or(0, Active::size),
        }
    }

    /// What to tell those whose group failed.
    fn failure(&mut self, error: CommitError) -> AppendError {
        if let CommitError::Halted(halt) | CommitError::Indeterminate(halt) = &error
            && !seeded::is(Bug::GoesOnAfterHalt)
        {
            self.halted.get_or_insert_with(|| halt.clone());
        }
        error.into()
    }

    /// Gathers one group from the front of `submissions` and commits it; `receipts` gets one for each.
    fn commit_group(
        &mut self,
        submissions: &[Submission],
        receipts: &mut Vec<Outcome>,
    ) -> Result<(), CommitError> {
        self.check_running().map_err(CommitError::before_the_group)?;
        self.begin_group();
        let mut durable = self.head;
        let committed =
            self.gather(submissions, receipts, &mut durable).and_then(|()| self.write_and_sync());
        self.end_group(durable, committed)
    }

    /// Adds records until the group is full; `durable` is the head before it.
    fn gather(
        &mut self,
        submissions: &[Submission],
        receipts: &mut Vec<Outcome>,
        durable: &mut Head,
    ) -> Result<(), CommitError> {
        for submission in submissions {
            let mut placed = self.add(submission.fields())?;
            if placed == Placed::FileFull {
                let rotated = self.rotate();
                // The group is empty here, and what the rotation wrote is durable, also where a later step failed.
                *durable = self.head;
                self.begin_group();
                rotated.map_err(CommitError::before_the_group)?;
                placed = self.add(submission.fields())?;
            }
            match placed {
                Placed::Added(receipt) => receipts.push(Ok(receipt)),
                Placed::GroupFull | Placed::FileFull => break,
            }
        }
        Ok(())
    }

    fn begin_group(&mut self) {
        self.buf.clear();
        self.hashes.clear();
    }

    /// Fails where the log has halted; finishes what a rotation left undone.
    pub(crate) fn check_running(&mut self) -> Result<(), CommitError> {
        if let Some(halt) = &self.halted {
            return Err(CommitError::Halted(halt.clone()));
        }
        self.finish_rotation()
    }

    /// Adds a record with these fields to the group, and before it what the log has to say about its clock.
    fn add(&mut self, fields: &[u8]) -> Result<Placed, CommitError> {
        let (before, buffered, hashed) = (self.head, self.buf.len(), self.hashes.len());
        let (timestamp, notices) = self.head.time.next(self.clock.now());
        for notice in notices {
            self.add_own(timestamp, &notice.into())?;
        }
        let start = self.buf.len();
        write_head(&mut self.buf, self.head.next_seq, timestamp);
        self.buf.extend_from_slice(fields);
        let receipt = self.seal(start, timestamp);
        let over_group = self.buf.len() > GROUP_SIZE_MAX;
        let in_file = self.active.as_ref().map_or(0, Active::size);
        let over_file = in_file + to_u64(self.buf.len()) > self.max_file_size;
        if buffered > 0 && (over_group || over_file) {
            self.take_back(before, buffered, hashed);
            return Ok(Placed::GroupFull);
        }
        if over_file && in_file > 0 {
            self.take_back(before, buffered, hashed);
            return Ok(Placed::FileFull);
        }
        Ok(Placed::Added(receipt))
    }

    fn take_back(&mut self, head: Head, buffered: usize, hashed: usize) {
        self.head = head;
        self.buf.truncate(buffered);
        self.hashes.truncate(hashed);
    }

    /// Links the entry at `start` to the chain and ends its line.
    fn seal(&mut self, start: usize, timestamp: Timestamp) -> Receipt {
        let hash = seal(&mut self.buf, start, &self.head.hash);
        self.buf.push(b'\n');
        self.hashes.push(hash);
        let seq = self.head.next_seq;
        self.head.next_seq += 1;
        self.head.hash = hash;
        let log_id = self.publisher.identity().log_id();
        Receipt { log_id, seq, timestamp, hash, duplicate: false }
    }

    /// Adds a record of the log's own to the group.
    fn add_own(&mut self, timestamp: Timestamp, what: &Announcement) -> Result<(), CommitError> {
        let start = self.buf.len();
        write_head(&mut self.buf, self.head.next_seq, timestamp);
        let identity = self.publisher.identity();
        let context = OwnContext { log_id: identity.log_id(), origin: identity.origin() };
        let mut failed = None;
        let signer = self.publisher.signer();
        write_own(&mut self.buf, start, what, &context, &mut |message| {
            signer.sign(message).unwrap_or_else(|error| {
                failed = Some(error);
                unsigned(message)
            })
        });
        if let Some(error) = failed {
            self.buf.truncate(start);
            return Err(CommitError::Refused(Obstacle::Signer(error)));
        }
        self.salts.write(&mut self.buf).map_err(|e| CommitError::Refused(Obstacle::Io(e)))?;
        self.seal(start, timestamp);
        Ok(())
    }

    /// Commits records of the log's own, behind `prefix`: the line feed that a torn tail lacks, or nothing.
    ///
    /// # Durability
    /// On success they are on the disk.
    pub(crate) fn commit_own(
        &mut self,
        prefix: &[u8],
        announcements: &[Announcement],
    ) -> Result<(), CommitError> {
        let durable = self.head;
        self.begin_group();
        self.buf.extend_from_slice(prefix);
        let committed = self.add_all_own(announcements).and_then(|()| self.write_and_sync());
        self.end_group(durable, committed)
    }

    /// Adds `announcements`, and behind them what the log has to say about its clock: a prune record comes first in
    /// its file.
    fn add_all_own(&mut self, announcements: &[Announcement]) -> Result<(), CommitError> {
        let mut notices = Vec::new();
        let mut last = None;
        for announcement in announcements {
            let (timestamp, more) = self.head.time.next(self.clock.now());
            self.add_own(timestamp, announcement)?;
            notices.extend(more);
            last = Some(timestamp);
        }
        if let Some(timestamp) = last {
            for notice in notices {
                self.add_own(timestamp, &notice.into())?;
            }
        }
        Ok(())
    }

    /// Hands the group's hashes to the tree, or takes the group back.
    fn end_group(
        &mut self,
        durable: Head,
        committed: Result<(), CommitError>,
    ) -> Result<(), CommitError> {
        if committed.is_ok() || seeded::is(Bug::SignsUnwritten) {
            self.publisher.hand_over(&mut self.hashes);
        }
        if committed.is_err() {
            self.head = durable;
        }
        committed
    }

    /// Writes the group, syncs it, and makes sure that it went into the file at the path.
    fn write_and_sync(&mut self) -> Result<(), CommitError> {
        let Some(active) = &mut self.active else {
            return Err(HaltCause::Replaced { path: self.layout.segment(0) }.into());
        };
        active.reserve(to_u64(self.buf.len()), self.max_file_size);
        let mut stopwatch = self.watch.stopwatch();
        if let Err(write) = active.write(&self.buf) {
            return Err(match active.cut_back() {
                Ok(()) => CommitError::Refused(Obstacle::Io(write)),
                Err(cut) => CommitError::Indeterminate(HaltCause::CutBack { write, cut }.into()),
            });
        }
        let (write, mut sync) = (stopwatch.lap(), Duration::ZERO);
        active
            .sync(self.storage.as_ref(), to_u64(self.buf.len()), || sync = stopwatch.lap())
            .map_err(|cause| CommitError::Indeterminate(cause.into()))?;
        self.observe(|committer| {
            Observation::Committed(CommittedGroup {
                records: to_u64(committer.hashes.len()),
                size: to_u64(committer.buf.len()),
                write,
                sync,
                durable: committer.head.next_seq,
            })
        });
        Ok(())
    }
}

#[cfg(test)]
#[cfg(feature = "simulated-disk")]
mod tests {
    use super::*;
    use crate::AuditLog;
    use crate::options::Options;
    use crate::storage::simulated::SimulatedDisk;
    use crate::sync::lock;

    #[test]
    fn a_group_grows_up_to_the_most_that_a_crash_can_leave_torn_and_no_further() {
        let disk = Arc::new(SimulatedDisk::new());
        let log = AuditLog::create_on(disk, "/log", Options::default()).unwrap();
        let mut committer = lock(&log.writer.committer);
        let head = committer.head;
        let fields = |size: usize| vec![b'x'; size];
        let is_added = |placed| matches!(placed, Ok(Placed::Added(_)));

        committer.begin_group();
        assert!(is_added(committer.add(&fields(0))));
        let frame = committer.buf.len();
        let room = GROUP_SIZE_MAX - 2 * frame;
        assert!(matches!(committer.add(&fields(room + 1)), Ok(Placed::GroupFull)));
        assert_eq!((committer.buf.len(), committer.hashes.len()), (frame, 1), "taken back");
        assert_eq!(committer.head.next_seq, head.next_seq + 1);
        assert!(is_added(committer.add(&fields(room))));
        assert_eq!(committer.buf.len(), GROUP_SIZE_MAX);
        // Far beyond it too.
        assert!(matches!(committer.add(&fields(room)), Ok(Placed::GroupFull)));
        committer.take_back(head, 0, 0);
    }
}
