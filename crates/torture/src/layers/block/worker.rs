//! The process that appends: several threads, batches, checkpoints, rotations and prunes, all as drawn from a seed; it
//! writes down each acknowledgement outside of the log's file system, at once and unbuffered.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use indelible::storage::Storage;
use indelible::storage::in_hand::InHand;
use indelible::storage::local::LocalStorage;
use indelible::{
    AppendError, AuditLog, CheckpointError, Event, OpenError, Options, Pending, Receipt,
};

use super::others_sync::OthersSync;
use super::stage::Stage;
use super::teller::Teller;
use super::told::word;
use crate::args::Args;
use crate::invariants::halt_holds;

/// The most bytes of an entry: the smallest limit, so that segments are small and rotations many.
const ENTRY_SIZE_MAX: usize = 8 << 10;
/// The smallest segment for such entries.
const FILE_SIZE_MAX: u64 = 80 << 10;
/// Events of a batch.
const BATCH_MAX: usize = 24;

/// Before which sync of records at the latest somebody else's is staged.
const STAGED_AT_MAX: u64 = 6;

/// What the process is to do.
#[derive(Debug)]
pub(crate) struct Task {
    /// The log's folder; made where it is not there.
    pub(crate) folder: PathBuf,
    /// Where each acknowledgement is written down.
    pub(crate) tell: PathBuf,
    pub(crate) seed: u64,
    /// How many events each thread appends.
    pub(crate) appends: u64,
    /// Whether nobody else syncs the file system.
    pub(crate) alone: bool,
    /// Whether one sync by somebody else is staged.
    pub(crate) staged: bool,
}

impl Task {
    pub(crate) fn of(args: &Args) -> Option<Self> {
        Some(Self {
            folder: args.worker.clone()?,
            tell: args.tell.clone()?,
            seed: args.seed.unwrap_or(0),
            appends: args.cases.unwrap_or(u64::MAX),
            alone: args.alone,
            staged: args.staged,
        })
    }
}

/// Options that make much happen in little time.
pub(crate) fn options(random: &mut fastrand::Rng) -> Options {
    Options::default()
        .with_entry_size_max(ENTRY_SIZE_MAX)
        .with_max_file_size(FILE_SIZE_MAX)
        .with_max_files(random.u32(1..=3))
        .with_checkpoint_interval(Duration::from_millis(random.u64(1..=20)))
}

/// Does it. However it ends, it says so.
pub(crate) fn run(task: &Task) -> anyhow::Result<()> {
    let teller = Arc::new(Teller::to(&task.tell).context("nowhere to tell")?);
    let mut random = fastrand::Rng::with_seed(task.seed);
    if task.staged {
        return run_staged(task, &teller, random);
    }
    let others = if task.alone { Others::Nobody } else { Others::of_draw(&mut random) };
    let hand = OthersSync::nobody(&teller);
    let hand = match others {
        Others::Nobody if task.alone => hand.telling_all(),
        Others::Nobody | Others::SyncAtTimes => hand,
        Others::SyncBeforeUs => hand.before_us(task.folder.parent().context("no file system")?)?,
    };
    let log = match open(in_hand(hand)?, &task.folder, &mut random) {
        Ok(log) => log,
        Err(error) => return Ok(teller.tell(word::REFUSED, &error)?),
    };
    teller.tell(word::OPEN, &log.identity().verifier_key())?;
    if random.u8(..4) == 0 {
        // Open, and nothing appended: creation and recovery must hold on their own.
        thread::sleep(Duration::from_millis(4));
    }
    let working = Working {
        log: &log,
        teller: &teller,
        done: AtomicBool::new(false),
        refused: AtomicU64::new(0),
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..random.u64(1..=4))
            .map(|thread| {
                let random = random.fork();
                let working = &working;
                scope.spawn(move || working.append_all(task, thread, random))
            })
            .collect();
        let (working, draws) = (&working, random.fork());
        let checkpoints = scope.spawn(move || working.checkpoint_at_times(draws));
        let draws = random.fork();
        let syncs = (others == Others::SyncAtTimes).then(|| {
            scope.spawn(move || {
                working.sync_at_times(&task.folder, draws);
                Ok(())
            })
        });
        let ended: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        working.done.store(true, Ordering::Relaxed);
        let others = [Some(checkpoints), syncs].into_iter().flatten();
        let others = others.map(thread::ScopedJoinHandle::join);
        ended.into_iter().chain(others).try_for_each(|ended| match ended {
            Ok(ended) => ended,
            Err(_) => Err(anyhow::anyhow!("a thread panicked")),
        })
    })?;
    end(&log, &teller)
}

/// Appends with one thread and nothing beside it, so that what is staged meets nobody else.
fn run_staged(task: &Task, teller: &Arc<Teller>, mut random: fastrand::Rng) -> anyhow::Result<()> {
    let stage = Arc::new(Stage::new(teller));
    let hand = OthersSync::nobody(teller).staged(&stage);
    let options = options(&mut random).with_checkpoint_interval(Duration::from_hours(1));
    let log = match AuditLog::create_on(in_hand(hand)?, &task.folder, options) {
        Ok(log) => log,
        Err(error) => return Ok(teller.tell(word::REFUSED, &error)?),
    };
    teller.tell(word::OPEN, &log.identity().verifier_key())?;
    stage.set(random.u64(..STAGED_AT_MAX));
    let (done, refused) = (AtomicBool::new(false), AtomicU64::new(0));
    Working { log: &log, teller, done, refused }.append_all(task, 0, random)?;
    end(&log, teller)
}

/// Tells how it ended.
fn end(log: &AuditLog, teller: &Teller) -> anyhow::Result<()> {
    if let Some(halt) = log.halted() {
        teller.tell(word::HALTED, &halt)?;
        // More than once: the kernel has told of the failed sync, and the next one would succeed.
        for _ in 0..3 {
            for violation in halt_holds(log, "file:/after-halt") {
                teller.tell(word::AFTER_HALT, &violation)?;
            }
        }
    }
    match log.close() {
        Ok(()) => teller.tell(word::CLOSED, &"")?,
        Err(error) => teller.tell(word::NOT_CLOSED, &error)?,
    }
    Ok(())
}

/// What else syncs the file system meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    Nobody,
    SyncAtTimes,
    SyncBeforeUs,
}

impl Others {
    fn of_draw(random: &mut fastrand::Rng) -> Self {
        match random.u8(..3) {
            0 => Self::Nobody,
            1 => Self::SyncAtTimes,
            _ => Self::SyncBeforeUs,
        }
    }
}

fn in_hand(hand: OthersSync) -> anyhow::Result<Arc<dyn Storage>> {
    Ok(Arc::new(InHand::new(Arc::new(LocalStorage::new()?), &Arc::new(hand))))
}

fn open(
    disk: Arc<dyn Storage>,
    folder: &Path,
    random: &mut fastrand::Rng,
) -> Result<AuditLog, OpenError> {
    let options = options(random);
    match AuditLog::open_on(Arc::clone(&disk), folder, options.clone()) {
        Err(OpenError::NotFound { .. }) => AuditLog::create_on(disk, folder, options),
        opened => opened,
    }
}

fn event(random: &mut fastrand::Rng, id: &str) -> Event {
    let event = Event::new("agent:7", "tool.call:read_file", format!("file:/{id}"));
    let event = if random.u8(..4) == 0 { event } else { event.event_id(id) };
    // From less than a sector to more than a page.
    let size = if random.bool() { random.usize(..400) } else { random.usize(..6_000) };
    let filler: String = std::iter::repeat_with(|| random.alphanumeric()).take(size).collect();
    event.metadata(serde_json::json!({ "filler": filler }))
}

/// After so many appends in a row that were not written the disk is taken to be gone.
const REFUSED_MAX: u64 = 2_000;

struct Working<'a> {
    log: &'a AuditLog,
    teller: &'a Teller,
    done: AtomicBool,
    /// Appends in a row that were not written.
    refused: AtomicU64,
}

impl Working<'_> {
    /// Appends until all is appended or the log takes no more: one by one, or in batches.
    fn append_all(
        &self,
        task: &Task,
        thread: u64,
        mut random: fastrand::Rng,
    ) -> anyhow::Result<()> {
        let mut number = 0;
        while number < task.appends {
            let batch = if random.u8(..3) == 0 { random.usize(1..=BATCH_MAX) } else { 1 };
            let ids = (0..batch).map(|index| format!("{:x}-{thread}-{number}-{index}", task.seed));
            let events: Vec<Event> = ids.map(|id| event(&mut random, &id)).collect();
            number += u64::try_from(batch)?;
            for event in &events {
                self.teller.tell(word::SENDING, &event.resource())?;
            }
            let outcomes: Vec<_> = match &events[..] {
                [event] => vec![self.log.append(event)],
                // Nothing was queued where it fails.
                events => match self.log.submit_all(events) {
                    Ok(pending) => pending.iter().map(Pending::wait).collect(),
                    Err(_) => events.iter().map(|_| Err(AppendError::Closed)).collect(),
                },
            };
            let mut goes_on = true;
            for (event, outcome) in events.iter().zip(outcomes) {
                goes_on &= self.acknowledge(event.resource(), outcome)?;
            }
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Writes down what an append came to; whether the log goes on.
    fn acknowledge(
        &self,
        resource: &str,
        outcome: Result<Receipt, AppendError>,
    ) -> anyhow::Result<bool> {
        match outcome {
            Ok(receipt) => {
                self.refused.store(0, Ordering::Relaxed);
                self.teller.tell(word::RECEIPT, &format!("{resource} {receipt}"))?;
                Ok(true)
            }
            Err(AppendError::Indeterminate(_)) => Ok(false),
            Err(error) => {
                self.teller.tell(word::NOT_WRITTEN, &resource)?;
                // A full disk takes appends again; one that is gone never does.
                let goes_on = matches!(error, AppendError::NotWritten { .. })
                    && self.refused.fetch_add(1, Ordering::Relaxed) < REFUSED_MAX;
                thread::sleep(Duration::from_millis(u64::from(goes_on)));
                Ok(goes_on)
            }
        }
    }

    /// Makes checkpoints now and then; each is kept outside, to hold the log against.
    fn checkpoint_at_times(&self, mut random: fastrand::Rng) -> anyhow::Result<()> {
        while !self.done.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_micros(random.u64(500..8_000)));
            match self.log.checkpoint() {
                Ok(note) => {
                    self.teller.tell(word::CHECKPOINT, &serde_json::to_string(&note)?)?;
                }
                Err(CheckpointError::Refused(_)) => {}
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Has the kernel write everything back at any moment, as it may by itself and as anybody's `sync` makes it do: also
    /// half a group, and what lies between two steps of a rotation.
    fn sync_at_times(&self, folder: &Path, mut random: fastrand::Rng) {
        let Ok(folder) = File::open(folder) else { return };
        while !self.done.load(Ordering::Relaxed) {
            // Where it fails, so does the log's own sync: that one counts.
            if rustix::fs::syncfs(&folder).is_err() {
                break;
            }
            thread::sleep(Duration::from_micros(random.u64(..1_000)));
        }
    }
}
