//! Group commit: the queue of what waits, who commits it, and who is told.
//!
//! Invariants:
//! - one committer at a time: whoever set `committing` owns the commit role until it is given back;
//! - a caller that finds the log idle commits on its own thread, since a hand-off to another costs a good part of a
//!   sync; otherwise the writer thread takes all that wait, so that the next group gathers while the disk syncs;
//! - no timer delays anybody;
//! - nothing that was accepted is dropped, and outcomes come in the order of `seq`.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use indelible_format::seeded::{self, Bug};

use crate::error::{AppendError, BatchError, Halt, HaltCause, NotRemoved, Obstacle};
use crate::idempotency::{Digest, EventKey, Sighting, Window};
use crate::io::IoFailure;
use crate::observer::Watch;
use crate::options::GROUP_SIZE_MAX;
use crate::pending::{Outcome, Slot, Waiters};
use crate::sync::{Condvar, Mutex, MutexGuard, lock};
use crate::writer::commit::Committer;
use crate::writer::submission::Submission;

/// What is queued and not yet taken to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// How many events.
    pub events: usize,
    /// Bytes that they take.
    pub size: usize,
    /// Most bytes that may wait: [`Options::with_queue_size_max`](crate::Options::with_queue_size_max).
    pub limit: usize,
}

/// The segments of a log, the active one among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// How many.
    pub segments: u64,
    /// Bytes of theirs that are durable.
    pub size: u64,
}

/// Where the outcome of an accepted event will be.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) slot: Arc<Slot>,
    /// Whether it joined the same event in flight.
    pub(crate) joined: bool,
}

/// The queue in front of the committer.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Queue>,
    /// The writer thread sleeps here.
    work: Condvar,
    /// Callers sleep here: for room, for the idempotency window, for the queue to drain.
    changed: Condvar,
    pub(super) committer: Mutex<Committer>,
    size_max: usize,
    watch: Watch,
}

#[derive(Debug)]
struct Queue {
    waiting: VecDeque<Submission>,
    waiting_size: usize,
    committing: bool,
    /// Callers in `changed`; without one there is nobody to notify.
    sleepers: u32,
    state: State,
    window: Window,
    window_state: WindowState,
    durable: u64,
    not_removed: Option<NotRemoved>,
    stored: Stored,
}

#[derive(Debug)]
enum State {
    Open,
    Closed,
    Halted(Halt),
}

/// Whether the idempotency window knows the tail yet.
#[derive(Clone, Debug)]
pub(crate) enum WindowState {
    /// Being rebuilt: events that carry an `event_id` wait.
    Rebuilding,
    Ready,
    /// The tail could not be read: events that carry an `event_id` are refused, for they might be recorded twice.
    Failed(IoFailure),
}

impl Writer {
    pub(crate) fn new(
        committer: Committer,
        window: Window,
        window_state: WindowState,
        size_max: usize,
    ) -> Self {
        let (durable, not_removed) = (committer.head.next_seq, committer.not_removed());
        let (stored, watch) = (committer.stored(), committer.watch.clone());
        Self {
            queue: Mutex::new(Queue {
                waiting: VecDeque::new(),
                waiting_size: 0,
                committing: false,
                sleepers: 0,
                state: State::Open,
                window,
                window_state,
                durable,
                not_removed,
                stored,
            }),
            work: Condvar::new(),
            changed: Condvar::new(),
            committer: Mutex::new(committer),
            size_max,
            watch,
        }
    }

    /// How many records are durable.
    pub(crate) fn durable(&self) -> u64 {
        lock(&self.queue).durable
    }

    /// Why the log has halted, if it has.
    pub(crate) fn halted(&self) -> Option<Halt> {
        match &lock(&self.queue).state {
            State::Halted(halt) => Some(halt.clone()),
            State::Open | State::Closed => None,
        }
    }

    /// How many events were forgotten before their time because of the memory cap.
    pub(crate) fn forgotten_early(&self) -> u64 {
        lock(&self.queue).window.forgotten_early()
    }

    /// Pruned segments that the disk did not let go.
    pub(crate) fn not_removed(&self) -> Option<NotRemoved> {
        lock(&self.queue).not_removed.clone()
    }

    pub(crate) fn waiting(&self) -> Waiting {
        let queue = lock(&self.queue);
        let (events, size) = (queue.waiting.len(), queue.waiting_size);
        Waiting { events, size, limit: self.size_max }
    }

    pub(crate) fn stored(&self) -> Stored {
        lock(&self.queue).stored
    }

    /// Queues `submissions` in order, or none of them; it never waits.
    pub(crate) fn try_submit(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Accepted>, BatchError> {
        let mut accepted = Vec::with_capacity(submissions.len());
        let mut queue = lock(&self.queue);
        queue.check_all(&submissions, self.size_max)?;
        accepted.extend(submissions.into_iter().map(|submission| queue.accept(submission)));
        self.wake_writer(&queue);
        Ok(accepted)
    }

    /// Queues `submissions` in order, waiting where the queue is full.
    pub(crate) fn submit(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Accepted>, AppendError> {
        let mut accepted = Vec::with_capacity(submissions.len());
        let mut queue = lock(&self.queue);
        'next: for submission in submissions {
            loop {
                if let Err(error) = queue.check_open() {
                    if accepted.is_empty() {
                        return Err(error);
                    }
                    // Those before it are on their way: the caller must get to know what becomes of them.
                    let slot = Arc::new(Slot::settled(Err(error)));
                    accepted.push(Accepted { slot, joined: false });
                    continue 'next;
                }
                let rebuilding = submission.key.is_some()
                    && matches!(queue.window_state, WindowState::Rebuilding);
                let full = queue.waiting_size + submission.size() > self.size_max
                    && !queue.waiting.is_empty();
                if !rebuilding && !full {
                    break;
                }
                self.wake_writer(&queue);
                queue = self.sleep(queue);
            }
            accepted.push(queue.accept(submission));
        }
        Ok(accepted)
    }

    /// Has what is queued committed: on this thread where the log is idle, by the writer thread otherwise.
    pub(crate) fn drive(&self) {
        let mut queue = lock(&self.queue);
        if queue.committing || queue.waiting.is_empty() {
            return;
        }
        let batch = queue.take_group();
        drop(queue);
        self.commit(&batch);
        if seeded::is(Bug::LostWakeUp) {
            return;
        }
        let queue = lock(&self.queue);
        self.wake_writer(&queue);
    }

    /// Wakes the writer thread if there is work and nobody at it.
    pub(crate) fn hand_off(&self) {
        let queue = lock(&self.queue);
        self.wake_writer(&queue);
    }

    fn wake_writer(&self, queue: &Queue) {
        if !queue.committing && !queue.waiting.is_empty() {
            self.work.notify_one();
        }
    }

    /// Commits groups until the log is closed and nothing waits: the writer thread's life.
    pub(crate) fn run(&self) {
        loop {
            let mut queue = lock(&self.queue);
            while queue.committing || queue.waiting.is_empty() {
                if !matches!(queue.state, State::Open) && queue.waiting.is_empty() {
                    return;
                }
                queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            let batch = queue.take_group();
            drop(queue);
            self.commit(&batch);
        }
    }

    /// Commits a batch that was taken with the commit role, and gives the role back.
    fn commit(&self, batch: &[Submission]) {
        let role = Role { writer: self, batch, settled: Cell::new(0) };
        if let Some(halt) = self.halted() {
            role.settled.set(batch.len());
            self.settle(batch, vec![Err(AppendError::Halted(halt)); batch.len()], None);
        } else {
            let mut committer = lock(&self.committer);
            committer.commit(batch, |done, outcomes, stored| {
                role.settled.set(role.settled.get() + done.len());
                self.settle(done, outcomes, Some(stored));
            });
            lock(&self.queue).not_removed = committer.not_removed();
            if let Some(halt) = committer.halted.clone() {
                drop(committer);
                self.halt(&halt);
            }
        }
        drop(role);
    }

    /// Remembers what became of `done`, and then tells whoever waits.
    fn settle(&self, done: &[Submission], mut outcomes: Vec<Outcome>, stored: Option<Stored>) {
        if seeded::is(Bug::OutcomesSwapped) {
            outcomes.reverse();
        }
        let mut queue = lock(&self.queue);
        queue.stored = stored.unwrap_or(queue.stored);
        for (submission, outcome) in done.iter().zip(&outcomes) {
            if let Ok(receipt) = outcome {
                queue.durable = receipt.seq + 1;
            }
            if let Some(key) = &submission.key {
                match outcome {
                    Ok(r) => queue.window.recorded(key, r.seq, r.timestamp, r.hash),
                    Err(_) => queue.window.failed(key),
                }
            }
        }
        drop(queue);
        let mut waiters = Waiters::default();
        let mut left = done.iter().zip(outcomes);
        let reverse = seeded::is(Bug::LeavesInReverse);
        while let Some((submission, outcome)) = if reverse { left.next_back() } else { left.next() }
        {
            submission.slot.leave(outcome, &mut waiters);
        }
        waiters.wake();
    }

    /// Stops taking appends: everything that waits is told so.
    pub(crate) fn halt(&self, halt: &Halt) {
        let mut queue = lock(&self.queue);
        if matches!(queue.state, State::Halted(_)) {
            return;
        }
        queue.state = State::Halted(halt.clone());
        let waiting: Vec<_> = mem::take(&mut queue.waiting).into();
        queue.waiting_size = 0;
        for key in waiting.iter().filter_map(|submission| submission.key.as_ref()) {
            queue.window.failed(key);
        }
        drop(queue);
        self.work.notify_all();
        self.changed.notify_all();
        for submission in waiting.into_iter().filter(|_| !seeded::is(Bug::HaltForgetsQueue)) {
            submission.slot.settle(Err(AppendError::Halted(halt.clone())));
        }
        self.watch.tell(|observer| observer.halted(halt));
    }

    /// Takes no more events, and waits until those that were taken are settled.
    pub(crate) fn close(&self) {
        let mut queue = lock(&self.queue);
        if matches!(queue.state, State::Open) {
            queue.state = State::Closed;
        }
        self.work.notify_all();
        self.changed.notify_all();
        let undrained = !seeded::is(Bug::ClosesBeforeDrained);
        while undrained && (queue.committing || !queue.waiting.is_empty()) {
            queue = self.sleep(queue);
        }
        // Woken above, the writer thread may have found somebody at work and slept on; callers that then took what was
        // left had nothing to hand it.
        self.work.notify_all();
    }

    fn sleep<'q>(&self, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        queue.sleepers += 1;
        let mut queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        queue.sleepers -= 1;
        queue
    }

    /// Runs `work` on the idempotency window, which a rebuild fills.
    pub(crate) fn with_window<T>(&self, work: impl FnOnce(&mut Window) -> T) -> T {
        work(&mut lock(&self.queue).window)
    }

    /// Ends the rebuild: those who waited for it go on.
    pub(crate) fn window_is(&self, state: WindowState) {
        lock(&self.queue).window_state = state;
        self.changed.notify_all();
    }

    /// Waits; true where the log still takes events after `pause`, false as soon as it does not.
    pub(crate) fn stays_open_for(&self, pause: Duration) -> bool {
        let queue = lock(&self.queue);
        let (queue, _) = self
            .changed
            .wait_timeout_while(queue, pause, |queue| matches!(queue.state, State::Open))
            .unwrap_or_else(PoisonError::into_inner);
        matches!(queue.state, State::Open)
    }

    /// Whether the log still takes events.
    pub(crate) fn is_open(&self) -> bool {
        matches!(lock(&self.queue).state, State::Open)
    }
}

impl Queue {
    fn check_open(&self) -> Result<(), AppendError> {
        match &self.state {
            State::Open => Ok(()),
            State::Closed => Err(AppendError::Closed),
            State::Halted(halt) => Err(AppendError::Halted(halt.clone())),
        }
    }

    /// Checks that all of `submissions` can be queued now, and would not meet others under their `event_id`, among
    /// themselves either.
    fn check_all(&self, submissions: &[Submission], size_max: usize) -> Result<(), BatchError> {
        self.check_open()?;
        if submissions.iter().any(|submission| submission.key.is_some()) {
            match &self.window_state {
                WindowState::Ready => {}
                WindowState::Rebuilding => return Err(AppendError::NotReady.into()),
                WindowState::Failed(failure) => {
                    let cause = Obstacle::Io(failure.clone());
                    return Err(AppendError::NotWritten { cause }.into());
                }
            }
        }
        let mut size = 0;
        let mut batch: HashMap<Digest, &EventKey> = HashMap::new();
        for (index, submission) in submissions.iter().enumerate() {
            let seen = match &submission.key {
                None => Ok(false),
                Some(key) => match self.window.look(key) {
                    Sighting::InFlight(_) | Sighting::Recorded(_) => Ok(true),
                    Sighting::Conflict(seq) => Err(seq),
                    Sighting::New => match batch.insert(key.id(), key) {
                        Some(other) if other != key => Err(None),
                        other => Ok(other.is_some()),
                    },
                },
            };
            match seen {
                Ok(true) => {}
                Ok(false) => size += submission.size(),
                Err(seq) => {
                    let error = AppendError::Conflict { seq };
                    return Err(BatchError { index: Some(index), error });
                }
            }
        }
        if self.waiting_size + size > size_max {
            let (waiting, limit) = (self.waiting_size, size_max);
            return Err(AppendError::QueueFull { waiting, limit, size }.into());
        }
        Ok(())
    }

    /// Puts an event into the queue, unless it is there, or recorded, already.
    fn accept(&mut self, submission: Submission) -> Accepted {
        let fresh = |slot: &Arc<Slot>| Accepted { slot: Arc::clone(slot), joined: false };
        let settled = |outcome| fresh(&Arc::new(Slot::settled(outcome)));
        if let Some(key) = &submission.key {
            if let WindowState::Failed(failure) = &self.window_state {
                let cause = Obstacle::Io(failure.clone());
                return settled(Err(AppendError::NotWritten { cause }));
            }
            match self.window.look(key) {
                Sighting::New => self.window.queued(key, &submission.slot),
                Sighting::InFlight(slot) => return Accepted { slot, joined: true },
                Sighting::Recorded(receipt) => return settled(Ok(receipt)),
                Sighting::Conflict(seq) => return settled(Err(AppendError::Conflict { seq })),
            }
        }
        let accepted = fresh(&submission.slot);
        self.waiting_size += submission.size();
        self.waiting.push_back(submission);
        accepted
    }

    /// Takes the commit role and the next group; at least one event.
    fn take_group(&mut self) -> Vec<Submission> {
        self.committing = true;
        let mut size = 0;
        let mut count = 0;
        for submission in &self.waiting {
            size += submission.size();
            if size > GROUP_SIZE_MAX && count > 0 {
                size -= submission.size();
                break;
            }
            count += 1;
        }
        self.waiting_size -= size;
        let mut group: Vec<_> = self.waiting.drain(..count).collect();
        if group.len() > 3 && seeded::is(Bug::LosesLastOfGroup) {
            group.pop();
        }
        group
    }
}

/// The commit role: given back when dropped. Dropped by a panic, it halts the log, since nobody knows then what was
/// written.
struct Role<'w> {
    writer: &'w Writer,
    batch: &'w [Submission],
    /// How many of the batch know their outcome.
    settled: Cell<usize>,
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let halt = Halt::new(HaltCause::Panicked);
            self.writer.halt(&halt);
            for submission in self.batch.iter().skip(self.settled.get()) {
                submission.slot.settle(Err(AppendError::Indeterminate(halt.clone())));
            }
        }
        let mut queue = lock(&self.writer.queue);
        queue.committing = false;
        let sleepers = queue.sleepers;
        drop(queue);
        if sleepers > 0 {
            self.writer.changed.notify_all();
        }
    }
}

#[cfg(test)]
#[cfg(feature = "simulated-disk")]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread::{self, ScopedJoinHandle};
    use std::time::Duration;

    use indelible_format::event::Event;

    use super::*;
    use crate::storage::Storage;
    use crate::storage::simulated::SimulatedDisk;
    use crate::{AuditLog, Options, Verdict, Verifier};

    /// Time for a thread that was woken to find nothing to do and to sleep again: without it the test passes whatever the
    /// writer does.
    const PAUSE: Duration = Duration::from_millis(100);
    const DEADLINE: Duration = Duration::from_secs(30);
    const QUEUE_SIZE_MAX: usize = 128 << 10;

    /// A log whose queue has room for two submissions of half its size.
    fn narrow() -> (Arc<dyn Storage>, AuditLog) {
        let disk: Arc<dyn Storage> = Arc::new(SimulatedDisk::new());
        let options = Options::default().with_queue_size_max(QUEUE_SIZE_MAX);
        let log = AuditLog::create_on(Arc::clone(&disk), "/log", options).unwrap();
        (disk, log)
    }

    #[track_caller]
    fn close(disk: Arc<dyn Storage>, log: &AuditLog) {
        log.close().unwrap();
        let report = Verifier::on(disk, "/log").verify().unwrap();
        assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    }

    /// A submission that takes so many bytes.
    fn submission(size: usize) -> Submission {
        let of = |more: usize| {
            let event = Event::new("a", "b", "c")
                .metadata_raw(format!("{{\"x\":\"{}\"}}", "x".repeat(more)));
            Submission::new(event.encode().unwrap().into_bytes(), None)
        };
        let submission = of(size - of(0).size());
        assert_eq!(submission.size(), size);
        submission
    }

    /// Somebody commits, until this is dropped.
    fn committing(writer: &Writer) -> Role<'_> {
        lock(&writer.queue).committing = true;
        Role { writer, batch: &[], settled: Cell::new(0) }
    }

    /// Waits until `thread` sleeps for a change of the queue; false where it comes to its end instead.
    fn sleeps<T>(writer: &Writer, thread: &ScopedJoinHandle<'_, T>) -> bool {
        loop {
            if lock(&writer.queue).sleepers > 0 {
                return true;
            }
            if thread.is_finished() {
                return false;
            }
            thread::yield_now();
        }
    }

    #[test]
    fn the_queue_is_filled_to_the_byte_and_who_comes_then_waits_for_room() {
        let (disk, log) = narrow();
        let writer = &log.writer;
        let halves = (0..3).map(|_| submission(QUEUE_SIZE_MAX / 2)).collect();
        thread::scope(|scope| {
            let role = committing(writer);
            let submitting = scope.spawn(|| writer.submit(halves));
            assert!(sleeps(writer, &submitting), "the third does not wait for room");
            let full = Waiting { events: 2, size: QUEUE_SIZE_MAX, limit: QUEUE_SIZE_MAX };
            assert_eq!(writer.waiting(), full);
            drop(role);
            writer.drive();
            let accepted = submitting.join().unwrap().unwrap();
            writer.drive();
            for (seq, accepted) in (1..).zip(&accepted) {
                assert_eq!(accepted.slot.wait().unwrap().seq, seq);
            }
        });
        close(disk, &log);
    }

    #[test]
    fn who_does_not_wait_fills_the_queue_to_the_byte_and_is_refused_then() {
        let (disk, log) = narrow();
        let writer = &log.writer;
        let role = committing(writer);
        let half = QUEUE_SIZE_MAX / 2;
        let refused = writer.try_submit(vec![submission(half), submission(half + 1)]).unwrap_err();
        assert!(matches!(refused.error, AppendError::QueueFull { waiting: 0, .. }), "{refused}");
        let accepted = writer.try_submit(vec![submission(half), submission(half)]).unwrap();
        let refused = writer.try_submit(vec![submission(400)]).unwrap_err();
        let AppendError::QueueFull { waiting, limit, size } = refused.error else {
            panic!("{refused}")
        };
        assert_eq!((waiting, limit, size), (QUEUE_SIZE_MAX, QUEUE_SIZE_MAX, 400));
        drop(role);
        writer.drive();
        assert_eq!(accepted.last().unwrap().slot.wait().unwrap().seq, 2);
        close(disk, &log);
    }

    #[test]
    fn an_event_that_comes_while_somebody_commits_is_left_to_the_next_group() {
        let (disk, log) = narrow();
        let writer = &log.writer;
        let role = committing(writer);
        let accepted = writer.submit(vec![submission(1_000)]).unwrap();
        writer.drive();
        assert_eq!((writer.waiting().events, writer.durable()), (1, 1));
        drop(role);
        writer.hand_off();
        assert_eq!(accepted.first().unwrap().slot.wait().unwrap().seq, 1);
        close(disk, &log);
    }

    #[test]
    fn a_group_is_filled_to_the_byte_and_the_rest_goes_on_waiting() {
        const PART: usize = GROUP_SIZE_MAX / 4;
        let disk: Arc<dyn Storage> = Arc::new(SimulatedDisk::new());
        let log = AuditLog::create_on(Arc::clone(&disk), "/log", Options::default()).unwrap();
        let writer = &log.writer;
        let role = committing(writer);
        for (sizes, groups) in [
            (vec![PART; 4], vec![4]),
            (vec![PART; 9], vec![4, 4, 1]),
            (vec![PART, PART, PART, PART + 1, PART], vec![3, 2]),
            (vec![GROUP_SIZE_MAX - 500, 500, 500, GROUP_SIZE_MAX], vec![2, 1, 1]),
        ] {
            let of_sizes = sizes.iter().map(|size| submission(*size)).collect();
            drop(writer.try_submit(of_sizes).unwrap());
            let mut left = &sizes[..];
            for count in groups {
                let group = lock(&writer.queue).take_group();
                assert_eq!(group.len(), count, "{sizes:?}");
                left = &left[count..];
                let waiting = writer.waiting();
                assert_eq!((waiting.events, waiting.size), (left.len(), left.iter().sum()));
            }
            assert!(left.is_empty());
        }
        drop(role);
        close(disk, &log);
    }

    #[test]
    fn closing_waits_for_the_group_under_way_also_where_nothing_waits_behind_it() {
        let (disk, log) = narrow();
        let writer = &log.writer;
        thread::scope(|scope| {
            let role = committing(writer);
            let closing = scope.spawn(|| writer.close());
            assert!(sleeps(writer, &closing), "closed amid a group");
            assert!(!writer.is_open(), "it takes events no more");
            drop(role);
            closing.join().unwrap();
        });
        close(disk, &log);
    }

    #[test]
    fn a_closed_log_ends_when_callers_commit_the_last_groups_themselves() {
        let disk = Arc::new(SimulatedDisk::new());
        let log = Arc::new(AuditLog::create_on(disk, "/log", Options::default()).unwrap());
        let writer = Arc::clone(&log.writer);
        let fields = Event::new("a", "b", "c").encode().unwrap().into_bytes();

        // One caller commits. Another has queued an event, and not yet looked who commits it.
        lock(&writer.queue).committing = true;
        let accepted = writer.submit(vec![Submission::new(fields, None)]).unwrap();
        let (closed, outcome) = mpsc::channel();
        let closing = Arc::clone(&log);
        thread::spawn(move || closed.send(closing.close()));
        while writer.is_open() {
            thread::yield_now();
        }
        thread::sleep(PAUSE);

        // The first is done, and before it looks for more to do the second commits what is there.
        lock(&writer.queue).committing = false;
        writer.drive();
        writer.hand_off();

        outcome.recv_timeout(DEADLINE).expect("close returns").unwrap();
        assert_eq!(accepted.first().unwrap().slot.wait().unwrap().seq, 1);
    }
}
