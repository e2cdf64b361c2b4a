//! The handle of a log that is open for appending.
//!
//! It owns the lock, the writer thread and the publisher thread, and wires writer, checkpoints and recovery together;
//! what each does is in their modules. How events come in is [`appending`].

mod appending;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::checkpoints::{Cadence, Noting, PublishError, Publisher, PublisherParts};
use crate::creation;
use crate::error::{CheckpointError, CloseError, Halt, HaltCause, NotRemoved, Obstacle, OpenError};
use crate::idempotency::Window;
use crate::identity::Identity;
use crate::io::{IoFailure, Operation};
use crate::keys::{key_path, load_signer};
use crate::layout::Layout;
use crate::lock_file::{holder, take_lock};
use crate::observer::Watch;
use crate::opening::{
    check_files, check_is_log, check_medium, check_parent, committer, gated, layout_of, local,
    not_made, open_history, sync_name,
};
use crate::options::{LastTimestamp, Options};
use crate::prove::Prover;
use crate::reader::Reader;
use crate::recovery::Recovery;
use crate::recovery::inspect::inspect;
use crate::recovery::mend::{Mend, failed};
use crate::recovery::tail::read_tail;
use crate::segment::to_u64;
use crate::storage::{Lock, Storage};
use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{Mutex, lock};
use crate::tree_store::TreeStore;
use crate::writer::group::{Stored, Waiting, WindowState, Writer};
use crate::writer::salts::Salts;
use crate::writer::timekeeper::Timekeeper;

/// A log that is open for appending: share it with [`Arc`]; all calls take `&self`.
///
/// One process at a time appends to a log; others read and verify it meanwhile.
#[doc(alias = "AuditLogWriter")]
pub struct AuditLog {
    pub(crate) writer: Arc<Writer>,
    publisher: Arc<Publisher>,
    recovery: Recovery,
    storage: Arc<dyn Storage>,
    layout: Layout,
    salts: Arc<Salts>,
    entry_size_max: usize,
    threads: Mutex<Threads>,
}

#[derive(Debug, Default)]
struct Threads {
    handles: Vec<JoinHandle<()>>,
    /// Held until the log is closed.
    lock: Option<Box<dyn Lock>>,
    closed: Option<Result<(), CloseError>>,
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("folder", &self.layout.folder()).finish_non_exhaustive()
    }
}

impl AuditLog {
    /// Makes a new log in `folder`, which must not exist, with its key beside it in `<folder>.key`, and opens it.
    ///
    /// # Durability
    /// On `Ok` the log is on the disk, whole, under its name.
    ///
    /// # Errors
    /// [`OpenError::AlreadyExists`]; [`OpenError::KeyWithoutFolder`] where a log was here; [`OpenError::InsideALog`]
    /// where `folder` would lie in that of another log; and as [`AuditLog::open`].
    pub fn create(folder: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        Self::create_on(local(folder.as_ref())?, folder, options)
    }

    /// Opens the log in `folder` for appending, and first mends what a crash left: [`AuditLog::recovery`] tells what.
    ///
    /// # Durability
    /// On `Ok` all repairs are on the disk, with the records that tell of them, under a checkpoint.
    ///
    /// # Errors
    /// [`OpenError::Refused`] where the log is in a state that a crash alone can't have left; reading and verifying
    /// it still work. The other variants say what stands in the way.
    pub fn open(folder: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        Self::open_on(local(folder.as_ref())?, folder, options)
    }

    /// As [`AuditLog::create`], on another [`Storage`].
    ///
    /// # Durability
    /// As [`AuditLog::create`], as far as that storage keeps what it says.
    ///
    /// # Errors
    /// As [`AuditLog::create`].
    #[expect(clippy::needless_pass_by_value, reason = "options end here, as in `open`")]
    pub fn create_on(
        storage: Arc<dyn Storage>,
        folder: impl AsRef<Path>,
        options: Options,
    ) -> Result<Self, OpenError> {
        options.validate()?;
        let storage = gated(storage);
        let layout = layout_of(folder.as_ref())?;
        check_parent(storage.as_ref(), &layout)?;
        check_medium(storage.as_ref(), &layout, layout.parent(), &options)?;
        let created =
            creation::create(&storage, &layout, &options, &holder(options.purpose.as_deref()))
                .map_err(|error| not_made(storage.as_ref(), &layout, &options, error))?;
        let mut log = Self::open_locked(storage, layout, &options, created.lock)?;
        log.recovery.removed_left_over = created.removed_left_over;
        Ok(log)
    }

    /// As [`AuditLog::open`], on another [`Storage`].
    ///
    /// # Durability
    /// As [`AuditLog::open`], as far as that storage keeps what it says.
    ///
    /// # Errors
    /// As [`AuditLog::open`].
    #[expect(clippy::needless_pass_by_value, reason = "options end here, as in `open`")]
    pub fn open_on(
        storage: Arc<dyn Storage>,
        folder: impl AsRef<Path>,
        options: Options,
    ) -> Result<Self, OpenError> {
        options.validate()?;
        let storage = gated(storage);
        let layout = layout_of(folder.as_ref())?;
        check_is_log(storage.as_ref(), &layout)?;
        check_medium(storage.as_ref(), &layout, layout.folder(), &options)?;
        check_files(storage.as_ref(), &layout)?;
        let lock = take_lock(storage.as_ref(), &layout, &holder(options.purpose.as_deref()))?;
        sync_name(storage.as_ref(), &layout)?;
        Self::open_locked(storage, layout, &options, lock)
    }

    /// Goes on where `storage` is gated, and the lock is held.
    fn open_locked(
        storage: Arc<dyn Storage>,
        layout: Layout,
        options: &Options,
        held: Box<dyn Lock>,
    ) -> Result<Self, OpenError> {
        let signer = load_signer(storage.as_ref(), &layout, options)?;
        let seen = inspect(storage.as_ref(), &layout)?;
        let (expected, found) = (seen.identity.verifier_key(), signer.verifier_key());
        if *expected != found {
            let key = options.signer.is_none().then(|| key_path(&layout, options));
            let (expected, found) = (expected.to_string(), found.to_string());
            return Err(OpenError::KeyOfAnotherLog { key, expected, found });
        }
        let tail = read_tail(storage.as_ref(), &layout, &seen)?;
        let now = options.clock.now();
        let last = tail.last.timestamp;
        if options.last_timestamp == LastTimestamp::Refuse
            && Timekeeper::is_far_ahead(last, now.wall)
        {
            return Err(OpenError::LastTimestampAhead { last, wall: now.wall });
        }

        let mut recovery = Recovery::default();
        let mend = Mend { storage: &storage, layout: &layout, seen: &seen, tail: &tail };
        mend.files(&mut recovery)?;
        let tree =
            TreeStore::open(Arc::clone(&storage), layout.clone(), seen.mark.frontier.clone())?;
        let history = open_history(storage.as_ref(), &layout)?;
        let publisher = Arc::new(Publisher::new(PublisherParts {
            storage: Arc::clone(&storage),
            layout: layout.clone(),
            identity: seen.identity.clone(),
            signer,
            tree,
            history,
            noted: seen.mark.noted,
            latest: seen.mark.latest.clone(),
            watch: Watch::new(options.observer.clone()),
        }));
        publisher.hand_over(&mut tail.hashes.clone());
        let mut committer = committer(&storage, &layout, options, &publisher, &seen, &tail)?;
        mend.tell(&mut committer, &mut recovery)?;
        if committer.head.next_seq > seen.mark.size || seen.mark.latest.is_none() {
            publisher
                .publish(Noting::Never)
                .map_err(|error| OpenError::Checkpoint { cause: error.into() })?;
        }
        let doomed = committer.doomed;
        committer.remove_doomed().map_err(failed)?;
        recovery.removed_segments = to_u64(doomed - committer.doomed);
        committer.finish_rotation().map_err(failed)?;
        committer.tell_observer();

        let window = Window::new(seen.identity.log_id(), options.idempotency);
        let rebuild = crate::rebuild::needed(options, committer.head.next_seq);
        let state = if rebuild { WindowState::Rebuilding } else { WindowState::Ready };
        let salts = Arc::clone(&committer.salts);
        let writer = Arc::new(Writer::new(committer, window, state, options.queue_size_max));
        let mut log = Self {
            writer,
            publisher,
            recovery,
            storage,
            layout,
            salts,
            entry_size_max: options.entry_size_max,
            threads: Mutex::new(Threads { lock: Some(held), ..Threads::default() }),
        };
        log.start_threads(options, rebuild)?;
        Ok(log)
    }

    fn start_threads(&mut self, options: &Options, rebuild: bool) -> Result<(), OpenError> {
        let writer = Arc::clone(&self.writer);
        self.spawn("indelible-writer", move || {
            let guard = HaltOnPanic { writer };
            guard.writer.run();
        })?;
        let (writer, publisher) = (Arc::clone(&self.writer), Arc::clone(&self.publisher));
        let interval = options.checkpoint_interval;
        self.spawn("indelible-checkpoint", move || {
            let guard = HaltOnPanic { writer };
            publisher.run(interval, |error| match error {
                PublishError::Refused(_) | PublishError::Signer(_) => Cadence::GoesOn,
                PublishError::Unknown(cause) => {
                    guard.writer.halt(&Halt::new(cause));
                    Cadence::Ended
                }
                PublishError::Closed => Cadence::Ended,
            });
        })?;
        if rebuild {
            let writer = Arc::clone(&self.writer);
            let (storage, layout) = (Arc::clone(&self.storage), self.layout.clone());
            let limits = options.idempotency;
            self.spawn("indelible-idempotency", move || {
                let guard = HaltOnPanic { writer };
                crate::rebuild::rebuild(storage.as_ref(), &layout, &guard.writer, limits);
            })?;
        }
        Ok(())
    }

    fn spawn(&self, name: &str, life: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let handle = Builder::new()
            .name(name.to_owned())
            .spawn(life)
            .map_err(IoFailure::of(Operation::StartThread, self.layout.folder()))?;
        lock(&self.threads).handles.push(handle);
        Ok(())
    }

    /// Who the log is.
    pub fn identity(&self) -> &Identity {
        self.publisher.identity()
    }

    /// What opening had to mend.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The log's folder, as an absolute path.
    pub fn folder(&self) -> &Path {
        self.layout.folder()
    }

    /// What is queued and not yet taken to be written.
    pub fn waiting(&self) -> Waiting {
        self.writer.waiting()
    }

    /// How many segments the log has and how large they are, after the last group.
    pub fn stored(&self) -> Stored {
        self.writer.stored()
    }

    /// Reads the log up to the last sync; readers in other processes read up to `checkpoint`.
    pub fn reader(&self) -> Reader {
        let writer = Arc::clone(&self.writer);
        let limit = Arc::new(move || writer.durable());
        Reader::with_limit(Arc::clone(&self.storage), self.layout.clone(), limit)
    }

    /// Proves from the log, up to its latest checkpoint, under its own key.
    pub fn prover(&self) -> Prover {
        let key = self.identity().verifier_key().clone();
        Prover::of_open(Arc::clone(&self.storage), self.layout.clone(), key)
    }

    /// How many records are durable.
    pub fn records(&self) -> u64 {
        self.writer.durable()
    }

    /// Why the log has halted, if it has.
    pub fn halted(&self) -> Option<Halt> {
        self.writer.halted()
    }

    /// How many `event_id`s were forgotten before their time, because the memory cap of the idempotency window was
    /// reached.
    pub fn idempotency_forgotten_early(&self) -> u64 {
        self.writer.forgotten_early()
    }

    /// Segments that were pruned and are still there, because the disk did not let them go; the log is sound with them.
    /// Removing them is tried again at the next rotation and the next opening.
    pub fn not_removed(&self) -> Option<NotRemoved> {
        self.writer.not_removed()
    }

    /// Makes a checkpoint over all records that are durable now, and returns its signed note.
    ///
    /// # Durability
    /// On `Ok` it is on the disk.
    ///
    /// # Errors
    /// [`CheckpointError::Refused`] may be tried again; after [`CheckpointError::Halted`] the log must be opened
    /// again.
    pub fn checkpoint(&self) -> Result<String, CheckpointError> {
        if let Some(halt) = self.writer.halted() {
            return Err(CheckpointError::Halted(halt));
        }
        self.publish(Noting::Never)
    }

    fn publish(&self, noting: Noting) -> Result<String, CheckpointError> {
        self.publisher.publish(noting).map_err(|error| {
            let error = CheckpointError::from(error);
            if let CheckpointError::Halted(halt) = &error {
                self.writer.halt(halt);
            }
            error
        })
    }

    /// Ends the log: takes no more events, commits those that wait, makes a last checkpoint, gives up the lock.
    /// Closing again returns the same. Dropping the log does it quietly.
    ///
    /// # Durability
    /// Everything acknowledged is durable in any case; on `Ok` a checkpoint covers it.
    ///
    /// # Errors
    /// [`CloseError::Checkpoint`] where the last checkpoint could not be made; the next open makes it.
    pub fn close(&self) -> Result<(), CloseError> {
        let mut threads = lock(&self.threads);
        if let Some(closed) = &threads.closed {
            return closed.clone();
        }
        self.writer.close();
        self.publisher.stop();
        for handle in threads.handles.drain(..) {
            // A thread that panicked has halted the log.
            drop(handle.join());
        }
        let closed = match self.writer.halted() {
            Some(halt) => Err(CloseError::Checkpoint(CheckpointError::Halted(halt))),
            None => self.publish(Noting::IfManyFollow).map(drop).map_err(CloseError::from),
        };
        self.publisher.end();
        threads.lock = None;
        threads.closed = Some(closed.clone());
        closed
    }
}

impl From<PublishError> for CheckpointError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Refused(failure) => Self::Refused(Obstacle::Io(failure)),
            PublishError::Signer(error) => Self::Refused(Obstacle::Signer(error)),
            PublishError::Closed => Self::Closed,
            PublishError::Unknown(cause) => Self::Halted(Halt::new(cause)),
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        // Quietly: whoever wants to know closes.
        drop(self.close());
    }
}

/// Halts the log when its thread panics: nobody would do that thread's work any more.
struct HaltOnPanic {
    writer: Arc<Writer>,
}

impl Drop for HaltOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.writer.halt(&Halt::new(HaltCause::Panicked));
        }
    }
}
