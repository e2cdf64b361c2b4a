//! Makes checkpoints: grows the tree rows, signs, and writes `checkpoints.jsonl` and `checkpoint`.
//!
//! Invariants:
//! - the order is always: records synced → rows synced → where it is noted, its line synced → `checkpoint` written
//!   beside, synced, renamed over the old one, folder synced (`docs/spec/tree.md`);
//! - a checkpoint covers only records whose sync has returned: the committer hands hashes over after it;
//! - after a sync or rename that failed nothing more is written: the log halts.
//!
//! When to make one is decided elsewhere: by the publisher thread for the cadence, by the committer at a rotation.

use std::mem;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use indelible_format::chain::Hash;
use indelible_format::checkpoint::Checkpoint;
use indelible_format::note::Note;
use indelible_format::seeded::{self, Bug};
use indelible_format::tree::leaf_hash;

use crate::error::{CheckpointError, HaltCause, Obstacle};
use crate::history::line_of;
use crate::identity::Identity;
use crate::in_place::stat_in_place;
use crate::io::{IoFailure, Operation, write_whole};
use crate::layout::Layout;
use crate::observer::{MadeCheckpoint, Watch};
use crate::segment::to_u64;
use crate::signer::{SignError, Signer};
use crate::storage::{FileId, Privacy, Storage, StorageFile};
use crate::sync::{Condvar, Mutex, lock};
use crate::tree_store::{ExtendError, TreeStore};

/// Hashes that may wait for the tree before a checkpoint is made ahead of its time: 2 MiB of them.
const FRESH_COUNT_MAX: usize = 64 * 1024;
/// A close notes its checkpoint when so many records follow the last note.
const NOTED_RECORDS_MAX: u64 = 1_000;

/// Why no checkpoint was made.
#[derive(Debug)]
pub(crate) enum PublishError {
    /// Nothing changed: it may be tried again.
    Refused(IoFailure),
    /// The signer did not sign; it may be tried again.
    Signer(SignError),
    /// What is on the disk is not known: the log must halt.
    Unknown(Arc<HaltCause>),
    /// The log is closed.
    Closed,
}

impl From<ExtendError> for PublishError {
    fn from(error: ExtendError) -> Self {
        match error {
            ExtendError::Refused(failure) => Self::Refused(failure),
            ExtendError::Unknown(cause) => Self::Unknown(Arc::new(cause)),
        }
    }
}

impl PublishError {
    /// What the observer is told: only what may be tried again, since the log says itself that it has halted.
    fn as_refused(&self) -> Option<CheckpointError> {
        let obstacle = match self {
            Self::Refused(failure) => Obstacle::Io(failure.clone()),
            Self::Signer(error) => Obstacle::Signer(error.clone()),
            Self::Unknown(_) | Self::Closed => return None,
        };
        Some(CheckpointError::Refused(obstacle))
    }
}

/// Whether a checkpoint also gets a line in `checkpoints.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noting {
    /// At a rotation, a prune, and an adoption.
    Always,
    /// At a close over a thousand records after the last note.
    IfManyFollow,
    /// In between.
    Never,
}

/// `checkpoints.jsonl`, open for appending.
#[derive(Debug)]
pub(crate) struct OpenHistory {
    pub(crate) file: Box<dyn StorageFile>,
    pub(crate) id: FileId,
    /// Bytes that are durable.
    pub(crate) size: u64,
}

/// What the publisher is opened with.
#[derive(Debug)]
pub(crate) struct PublisherParts {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) layout: Layout,
    pub(crate) identity: Identity,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) tree: TreeStore,
    pub(crate) history: OpenHistory,
    /// Tree size of the last noted checkpoint.
    pub(crate) noted: u64,
    /// The note in `checkpoint`, if its signature counts and it is the durable mark.
    pub(crate) latest: Option<(u64, String)>,
    pub(crate) watch: Watch,
}

/// Makes the checkpoints of one log.
#[derive(Debug)]
pub(crate) struct Publisher {
    storage: Arc<dyn Storage>,
    layout: Layout,
    identity: Identity,
    signer: Arc<dyn Signer>,
    /// Filled by the committer, drained by whoever publishes.
    fresh: Mutex<Fresh>,
    fresh_came: Condvar,
    /// Held while a checkpoint is made.
    state: Mutex<State>,
    covered: Mutex<Covered>,
    covered_grew: Condvar,
    watch: Watch,
}

#[derive(Debug, Default)]
struct Fresh {
    /// `_hash` of records that are durable and not yet in the tree, in order.
    hashes: Vec<Hash>,
    /// An attempt failed: what it took over is still to be covered.
    behind: bool,
    /// The publisher thread sleeps until something comes.
    idle: bool,
    stopped: bool,
}

#[derive(Debug)]
struct State {
    tree: TreeStore,
    /// Leaves that were taken over, but that a failed attempt did not write.
    backlog: Vec<Hash>,
    history: Box<dyn StorageFile>,
    history_size: u64,
    noted: u64,
    latest: Option<(u64, String)>,
    /// Which file the history is.
    history_id: FileId,
    /// A sync or rename that failed: what is on the disk is not known, and nothing more is written.
    failed: Option<Arc<HaltCause>>,
    /// The log has ended: the folder may be somebody else's by now.
    closed: bool,
}

/// What an attempt that succeeded left as the latest checkpoint.
#[derive(Debug)]
struct Published {
    note: String,
    size: u64,
    noted: bool,
    /// Whether it was not the latest already.
    is_new: bool,
}

#[derive(Debug)]
struct Covered {
    size: u64,
    ended: bool,
}

impl Publisher {
    pub(crate) fn new(parts: PublisherParts) -> Self {
        let size = parts.latest.as_ref().map_or(0, |(size, _)| *size);
        Self {
            storage: parts.storage,
            layout: parts.layout,
            identity: parts.identity,
            signer: parts.signer,
            fresh: Mutex::default(),
            fresh_came: Condvar::new(),
            state: Mutex::new(State {
                tree: parts.tree,
                backlog: Vec::new(),
                history: parts.history.file,
                history_id: parts.history.id,
                history_size: parts.history.size,
                noted: parts.noted,
                latest: parts.latest,
                failed: None,
                closed: false,
            }),
            covered: Mutex::new(Covered { size, ended: false }),
            covered_grew: Condvar::new(),
            watch: parts.watch,
        }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn signer(&self) -> &dyn Signer {
        self.signer.as_ref()
    }

    /// Takes over the hashes of records that are durable now.
    pub(crate) fn hand_over(&self, hashes: &mut Vec<Hash>) {
        let mut fresh = lock(&self.fresh);
        fresh.hashes.append(hashes);
        // One wake-up an interval, not one a group.
        if mem::take(&mut fresh.idle) || fresh.hashes.len() >= FRESH_COUNT_MAX {
            self.fresh_came.notify_one();
        }
    }

    /// Makes a checkpoint over everything handed over so far, and returns its note.
    ///
    /// # Durability
    /// On success rows, note and `checkpoint` are on the disk.
    pub(crate) fn publish(&self, noting: Noting) -> Result<String, PublishError> {
        let (published, took) = self.publish_in_turn(noting);
        self.watch.tell(|observer| match &published {
            Ok(Published { is_new: true, size, noted, .. }) => {
                let (size, noted, at) = (*size, *noted, Instant::now());
                observer.checkpoint_made(&MadeCheckpoint { size, noted, at, took });
            }
            Ok(_) => {}
            Err(error) => {
                if let Some(error) = error.as_refused() {
                    observer.checkpoint_refused(&error);
                }
            }
        });
        published.map(|published| published.note)
    }

    /// Waits for its turn, makes a checkpoint, and says how long that took.
    fn publish_in_turn(&self, noting: Noting) -> (Result<Published, PublishError>, Duration) {
        let mut state = lock(&self.state);
        if state.closed {
            return (Err(PublishError::Closed), Duration::ZERO);
        }
        if let Some(cause) = &state.failed {
            return (Err(PublishError::Unknown(Arc::clone(cause))), Duration::ZERO);
        }
        let mut stopwatch = self.watch.stopwatch();
        let published = self.publish_next(&mut state, noting);
        if let Err(PublishError::Unknown(cause)) = &published {
            state.failed = Some(Arc::clone(cause));
        }
        let took = stopwatch.lap();
        let mut fresh = lock(&self.fresh);
        fresh.behind = published.is_err();
        // Whoever keeps the cadence tries again in an interval.
        if fresh.behind && mem::take(&mut fresh.idle) {
            self.fresh_came.notify_one();
        }
        (published, took)
    }

    fn publish_next(&self, state: &mut State, noting: Noting) -> Result<Published, PublishError> {
        let hashes = mem::take(&mut lock(&self.fresh).hashes);
        state.backlog.extend(hashes.iter().map(leaf_hash));
        let State { tree, backlog, .. } = &mut *state;
        tree.extend(backlog)?;
        backlog.clear();

        let size = state.tree.size();
        let noted = match noting {
            Noting::Always => state.noted != size,
            Noting::IfManyFollow => size.saturating_sub(state.noted) > NOTED_RECORDS_MAX,
            Noting::Never => false,
        };
        if let Some((_, note)) = state.latest.as_ref().filter(|(at, _)| *at == size && !noted) {
            return Ok(Published { note: note.clone(), size, noted, is_new: false });
        }
        let note = match state.latest.take().filter(|(at, _)| *at == size) {
            Some((_, note)) => note,
            None => self.sign(size, state.tree.root()).map_err(PublishError::Signer)?,
        };
        if noted {
            self.note(state, &note, size)?;
        }
        self.replace_latest(&note)?;
        state.latest = Some((size, note.clone()));
        lock(&self.covered).size = size;
        self.covered_grew.notify_all();
        Ok(Published { note, size, noted, is_new: true })
    }

    fn sign(&self, size: u64, root: Hash) -> Result<String, SignError> {
        let text = Checkpoint { origin: self.identity.origin().clone(), size, root }.text();
        let signature = self.signer.sign(text.as_bytes())?;
        Ok(Note { text, signatures: vec![signature] }.to_string())
    }

    /// Adds the note to `checkpoints.jsonl`.
    fn note(&self, state: &mut State, note: &str, size: u64) -> Result<(), PublishError> {
        let path = self.layout.history();
        let line = line_of(note);
        if let Err(e) = write_whole(state.history.as_ref(), &line) {
            let cut = state
                .history
                .truncate(state.history_size)
                .map_err(IoFailure::of(Operation::Truncate, &path))
                .and_then(|()| {
                    state.history.sync_data().map_err(IoFailure::of(Operation::Sync, &path))
                });
            return Err(match cut {
                Ok(()) => PublishError::Refused(IoFailure::new(Operation::Write, &path, e)),
                Err(failure) => unknown(failure),
            });
        }
        state
            .history
            .sync_data()
            .map_err(|e| unknown(IoFailure::new(Operation::Sync, &path, e)))?;
        stat_in_place(self.storage.as_ref(), &path, state.history_id)
            .map_err(|cause| PublishError::Unknown(Arc::new(cause)))?;
        state.history_size += to_u64(line.len());
        state.noted = size;
        Ok(())
    }

    /// Writes `checkpoint` anew, beside it, and renames it over the old one.
    fn replace_latest(&self, note: &str) -> Result<(), PublishError> {
        let (tmp, path) = (self.layout.checkpoint_tmp(), self.layout.checkpoint());
        let written = self.write_tmp(note);
        if let Err(failure) = written {
            // What is left of it is removed here, or by the next open.
            return Err(match self.storage.unlink(&tmp) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    unknown(IoFailure::new(Operation::Remove, &tmp, e))
                }
                Ok(()) | Err(_) => failure,
            });
        }
        let failed = |operation, path: &Path, e| unknown(IoFailure::new(operation, path, e));
        self.storage.replace(&tmp, &path).map_err(|e| failed(Operation::Rename, &path, e))?;
        let folder = self.layout.folder();
        let unsynced = seeded::is(Bug::NoFolderSyncAfterRename);
        seeded::unless(unsynced, || self.storage.sync_folder(folder))
            .map_err(|e| failed(Operation::Sync, folder, e))
    }

    fn write_tmp(&self, note: &str) -> Result<(), PublishError> {
        let tmp = self.layout.checkpoint_tmp();
        let refused = |operation, e| PublishError::Refused(IoFailure::new(operation, &tmp, e));
        let file = self
            .storage
            .create_new(&tmp, Privacy::Group)
            .map_err(|e| refused(Operation::Create, e))?;
        write_whole(file.as_ref(), note.as_bytes()).map_err(|e| refused(Operation::Write, e))?;
        file.sync_data().map_err(|e| unknown(IoFailure::new(Operation::Sync, &tmp, e)))
    }

    /// Runs the cadence until [`Publisher::stop`]; `failed` is told of each attempt that did not succeed, and says
    /// whether to go on.
    pub(crate) fn run(&self, interval: Duration, failed: impl Fn(PublishError) -> Cadence) {
        while self.wait_for_work(interval) {
            if let Err(error) = self.publish(Noting::Never)
                && failed(error) == Cadence::Ended
            {
                break;
            }
        }
    }

    /// Sleeps until records wait to be covered and the interval is nearly over; false when stopped.
    fn wait_for_work(&self, interval: Duration) -> bool {
        let mut fresh = lock(&self.fresh);
        while fresh.hashes.is_empty() && !fresh.behind && !fresh.stopped {
            fresh.idle = true;
            fresh = self.fresh_came.wait(fresh).unwrap_or_else(PoisonError::into_inner);
        }
        // The tenth that is left is for making the checkpoint.
        let deadline = Instant::now() + interval.mul_f64(0.9);
        while !fresh.stopped && fresh.hashes.len() < FRESH_COUNT_MAX {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let (guard, _) =
                self.fresh_came.wait_timeout(fresh, left).unwrap_or_else(PoisonError::into_inner);
            fresh = guard;
        }
        !fresh.stopped
    }

    /// Ends the cadence, and the waiting for it.
    pub(crate) fn stop(&self) {
        lock(&self.fresh).stopped = true;
        self.fresh_came.notify_all();
    }

    /// Makes no more checkpoints, and wakes everyone who waits for one that will not come. On return none is being made.
    pub(crate) fn end(&self) {
        lock(&self.state).closed = true;
        lock(&self.covered).ended = true;
        self.covered_grew.notify_all();
    }

    /// Waits until a checkpoint covers record `seq`; false when the log ended first, `None` when time ran out.
    pub(crate) fn wait_covered(&self, seq: u64, timeout: Duration) -> Option<bool> {
        let covered = lock(&self.covered);
        let (covered, _) = self
            .covered_grew
            .wait_timeout_while(covered, timeout, |c| c.size <= seq && !c.ended)
            .unwrap_or_else(PoisonError::into_inner);
        match (covered.size > seq, covered.ended) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }
}

fn unknown(failure: IoFailure) -> PublishError {
    PublishError::Unknown(Arc::new(HaltCause::Io(failure)))
}

/// Whether the cadence goes on after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cadence {
    /// The next interval tries again.
    GoesOn,
    /// The log has halted.
    Ended,
}

#[cfg(feature = "simulated-disk")]
#[cfg(test)]
mod tests {
    use std::path::Path;

    use indelible_format::identity::LogId;
    use indelible_format::note::SignerKey;

    use super::*;
    use crate::storage::simulated::{FaultPlan, OperationKind, SimulatedDisk};

    /// The publisher of a log without a record.
    fn publisher(disk: &SimulatedDisk) -> Publisher {
        let layout = Layout::of(Path::new("/logs/audit")).unwrap();
        disk.plant_folder(layout.tree()).unwrap();
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let file = storage.create_new(&layout.history(), Privacy::Group).unwrap();
        let id = file.stat().unwrap().id;
        let origin = "example.com/audit".parse().unwrap();
        let key = SignerKey::from_seed(&origin, &[1; 32]);
        Publisher::new(PublisherParts {
            tree: TreeStore::empty(Arc::clone(&storage), layout.clone()),
            storage,
            layout,
            identity: Identity::new(LogId::from_bytes([2; 16]), origin, key.verifier_key()),
            signer: Arc::new(key),
            history: OpenHistory { file, id, size: 0 },
            noted: 0,
            latest: None,
            watch: Watch::new(None),
        })
    }

    #[test]
    fn after_a_sync_that_failed_nothing_more_is_published_whoever_asks() {
        let disk = SimulatedDisk::new();
        let publisher = publisher(&disk);
        disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncData).on_path("tree/0"));
        publisher.hand_over(&mut vec![Hash::ZERO]);
        let Err(PublishError::Unknown(cause)) = publisher.publish(Noting::Never) else {
            panic!("published");
        };
        let operations = disk.operation_count();
        for noting in [Noting::Never, Noting::Always] {
            let Err(PublishError::Unknown(again)) = publisher.publish(noting) else {
                panic!("published");
            };
            assert!(Arc::ptr_eq(&again, &cause), "the same cause: {again}");
        }
        assert_eq!(disk.operation_count(), operations, "nothing was done");
    }

    #[test]
    fn a_checkpoint_that_was_refused_is_tried_again_by_itself_though_nothing_follows() {
        let disk = SimulatedDisk::new();
        let publisher = publisher(&disk);
        publisher.hand_over(&mut vec![Hash::ZERO]);
        publisher.publish(Noting::Never).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| publisher.run(Duration::from_millis(1), |_| Cadence::GoesOn));
            let wait_for = |is_so: &dyn Fn(&Fresh) -> bool| {
                let begun = Instant::now();
                while !is_so(&lock(&publisher.fresh)) {
                    assert!(begun.elapsed() < Duration::from_mins(1), "it does not come");
                    std::thread::yield_now();
                }
            };
            // It sleeps until there is something to cover.
            wait_for(&|fresh| fresh.idle);
            disk.remove_file(publisher.layout.checkpoint()).unwrap();
            let note =
                FaultPlan::nth(0).of_kind(OperationKind::Append).on_path("checkpoints.jsonl");
            disk.fail(note);
            let refused = publisher.publish(Noting::Always);
            assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
            wait_for(&|fresh| !fresh.behind);
            publisher.stop();
        });
        assert!(disk.read_file(publisher.layout.checkpoint()).is_ok(), "it was made");
    }

    #[test]
    fn who_waits_for_a_checkpoint_is_told_when_none_will_come() {
        let disk = SimulatedDisk::new();
        let publisher = publisher(&disk);
        publisher.hand_over(&mut vec![Hash::ZERO]);
        assert_eq!(publisher.wait_covered(0, Duration::ZERO), None, "not yet");
        publisher.publish(Noting::Never).unwrap();
        publisher.end();
        assert_eq!(publisher.wait_covered(0, Duration::from_hours(1)), Some(true));
        assert_eq!(publisher.wait_covered(1, Duration::from_hours(1)), Some(false));
        let refused = publisher.publish(Noting::Never);
        assert!(matches!(refused, Err(PublishError::Closed)), "{refused:?}");
    }
}
