//! The syncs of a log: one at a time, and none after one that failed.
//!
//! The device here is one that loses its cache with a flush that fails, and has nothing to write at the next: that one
//! succeeds, and what was written before the first is not there. It tells only whoever asked for the first.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use indelible::storage::Storage;
use indelible::storage::in_hand::{Hand, InHand};
use indelible::storage::simulated::{FaultPlan, OperationKind};
use indelible::{AuditLog, CheckpointError};

use crate::checker::assert_log_is_sound;
use crate::scene::*;

/// How many turns a sync leaves to others for beginning theirs.
const TURNS: usize = 2_000;
/// How long a step of another thread is waited for, which takes no time, before the test fails.
const PATIENCE: Duration = Duration::from_mins(3);

fn open_in_hand<H: Hand>(disk: Arc<dyn Storage>, hand: &Arc<H>) -> AuditLog {
    AuditLog::open_on(Arc::new(InHand::new(disk, hand)), FOLDER, options()).unwrap()
}

/// How far the sync that fails has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    NotYet,
    Armed,
    UnderWay,
    Failed,
}

/// What has happened so far.
struct State {
    failing: Failing,
    /// Whether records were written while it was under way.
    written: bool,
    /// What did not come; from then on nobody waits for anything.
    in_vain: Option<&'static str>,
}

/// The device's next flush that is asked for by a sync of `path` fails, once records were written meanwhile.
struct LosesCache {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
    /// Syncs that were asked for after the one that failed.
    after: Mutex<Vec<PathBuf>>,
}

impl LosesCache {
    fn at_sync_of(path: PathBuf) -> Self {
        Self {
            path,
            state: Mutex::new(State { failing: Failing::NotYet, written: false, in_vain: None }),
            changed: Condvar::new(),
            after: Mutex::default(),
        }
    }

    fn arm(&self) {
        self.state.lock().unwrap().failing = Failing::Armed;
    }

    fn wait_until_under_way(&self) {
        let state = self.state.lock().unwrap();
        let sync = "the checkpoint has not synced what it should have";
        drop(self.wait_for(sync, state, |state| state.failing != Failing::Armed));
    }

    /// Waits until `has_come`, but not for ever.
    fn wait_for<'s>(
        &self,
        what: &'static str,
        state: MutexGuard<'s, State>,
        has_come: impl Fn(&State) -> bool,
    ) -> MutexGuard<'s, State> {
        let waits = |state: &mut State| state.in_vain.is_none() && !has_come(state);
        let (mut state, _) = self.changed.wait_timeout_while(state, PATIENCE, waits).unwrap();
        if !has_come(&state) {
            state.in_vain.get_or_insert(what);
            self.changed.notify_all();
        }
        state
    }

    #[track_caller]
    fn assert_nobody_waited_in_vain(&self) {
        let in_vain = self.state.lock().unwrap().in_vain;
        assert!(in_vain.is_none(), "after {PATIENCE:?}: {}", in_vain.unwrap_or_default());
    }
}

impl Hand for LosesCache {
    fn was_written(&self, path: &Path) {
        let mut state = self.state.lock().unwrap();
        state.written |= state.failing == Failing::UnderWay && path.ends_with("audit.log");
        self.changed.notify_all();
    }

    fn sync(&self, path: &Path, sync: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let armed = state.failing == Failing::Armed;
        if state.failing == Failing::NotYet || armed && path != self.path {
            drop(state);
            return sync();
        }
        if armed {
            state.failing = Failing::UnderWay;
            self.changed.notify_all();
            let write = "no record was written while the sync was under way";
            state = self.wait_for(write, state, |state| state.written);
            state.failing = Failing::Failed;
            self.changed.notify_all();
            // On the simulated disk it fails, too: nothing of the file is on the medium.
            return sync().and(Err(io::Error::from_raw_os_error(5)));
        }
        // The device flushes once at a time, and has nothing to write any more.
        let failure = "the sync that was under way has not failed";
        drop(self.wait_for(failure, state, |state| state.failing == Failing::Failed));
        self.after.lock().unwrap().push(path.to_path_buf());
        Ok(())
    }
}

#[test]
fn what_is_written_while_another_sync_fails_is_not_acknowledged_and_nothing_is_synced_after_it() {
    let cases = [
        ("tree/0", OperationKind::SyncData),
        ("checkpoint.tmp", OperationKind::SyncData),
        ("", OperationKind::SyncFolder),
    ];
    for (at, kind) in cases {
        let disk = closed();
        let hand = Arc::new(LosesCache::at_sync_of(in_folder(at)));
        let log = open_in_hand(storage(&disk), &hand);
        let kept = log.append(event(3)).unwrap();
        hand.arm();
        let told = thread::scope(|scope| {
            let checkpoint = scope.spawn(|| log.checkpoint());
            hand.wait_until_under_way();
            disk.fail(FaultPlan::nth(0).of_kind(kind).dropping_dirty_data());
            let told = log.append(event(4)).map(|receipt| receipt.seq);
            let checkpoint = checkpoint.join().unwrap();
            hand.assert_nobody_waited_in_vain();
            assert!(matches!(checkpoint, Err(CheckpointError::Halted(_))), "{at}: {checkpoint:?}");
            told
        });
        let error = told.expect_err("its sync came after one that failed");
        assert!(error.is_indeterminate(), "{at}: {error}");
        assert!(log.halted().is_some());
        assert!(log.append(event(5)).is_err());
        assert!(log.close().is_err());
        assert_eq!(*hand.after.lock().unwrap(), Vec::<PathBuf>::new(), "{at}");
        for state in disk.crash_states(50) {
            let left = disk.after_crash(&state);
            let log = open(&left);
            assert!(log.records() > kept.seq, "{at}: what was acknowledged before is gone");
            log.append(event(99)).unwrap();
            log.close().unwrap();
            drop(assert_log_is_sound(&storage(&left), FOLDER, &[]));
        }
    }
}

/// Counts syncs that are under way, and gives others the time to begin theirs.
#[derive(Default)]
struct CountsSyncs {
    under_way: AtomicUsize,
    made: AtomicUsize,
    overlapped: AtomicBool,
}

impl Hand for CountsSyncs {
    fn sync(&self, _path: &Path, sync: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        let others = self.under_way.fetch_add(1, Ordering::SeqCst);
        for _ in 0..TURNS {
            if self.under_way.load(Ordering::SeqCst) > 1 {
                break;
            }
            thread::yield_now();
        }
        let synced = sync();
        if others > 0 {
            self.overlapped.store(true, Ordering::SeqCst);
        }
        self.made.fetch_add(1, Ordering::SeqCst);
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        synced
    }
}

#[test]
fn no_two_syncs_of_a_log_are_under_way_at_once() {
    let disk = closed();
    let hand = Arc::new(CountsSyncs::default());
    let log = open_in_hand(storage(&disk), &hand);
    let appending = AtomicUsize::new(2);
    thread::scope(|scope| {
        for first in [100, 200] {
            let (log, appending) = (&log, &appending);
            scope.spawn(move || {
                // Enough for a rotation, whose checkpoint is made by who appends.
                for number in first..first + 60 {
                    log.append(event(number)).unwrap();
                }
                appending.fetch_sub(1, Ordering::SeqCst);
            });
        }
        while appending.load(Ordering::SeqCst) > 0 {
            log.checkpoint().unwrap();
        }
    });
    log.close().unwrap();
    assert!(!hand.overlapped.load(Ordering::SeqCst));
    assert!(hand.made.load(Ordering::SeqCst) > 60, "{hand:?}", hand = hand.made);
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}
