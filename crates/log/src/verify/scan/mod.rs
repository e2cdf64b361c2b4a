//! Goes ahead of the walk on all cores, and finds the [`Run`]s of lines that are right.
//!
//! Each segment is cut into chunks. Threads take them in their order; the walk takes what they found in the same order,
//! through a [`Feed`], and scans a chunk itself where it would have to wait.
//!
//! Invariants:
//! - it makes no finding and fails at nothing: what it does not vouch for is left to the walk;
//! - a bounded number of chunks is under way or waits for the walk, however large the log;
//! - the threads end when the walk ends, however it ends.

mod chunk;
mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::vec_deque::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use indelible_format::record::Depth;

use self::chunk::{Buffers, Chunk};
pub(super) use self::run::{Piece, Run};
use super::ground::Ground;
use super::plan::Plan;
use crate::segment::{Segment, to_u64};
use crate::storage::{Access, StorageFile};

/// How the scan is cut up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Bytes of a chunk; none where nothing is to be scanned ahead.
    pub(super) chunk_size: Option<u64>,
    /// Threads, the walk's own included; one for each core where it is not said.
    pub(super) threads: Option<usize>,
}

impl Default for Pace {
    fn default() -> Self {
        // Small enough for a core's cache, large enough that most tiles of leaves lie within one chunk.
        Self { chunk_size: Some(1 << 20), threads: None }
    }
}

/// Threads above which more would cost memory and have nothing to do: the walk takes the chunks alone.
const THREADS_MAX: usize = 24;

/// Chunks that may be under way or wait for the walk: enough to go on with while a thread that has one sleeps, since what
/// was found in a chunk takes less memory than the chunk by far.
const AHEAD_MAX: u64 = 64;

/// A chunk to scan.
#[derive(Clone, Copy, Debug)]
struct Job {
    index: u64,
    segment: usize,
    from: u64,
    to: u64,
}

/// The scan of one plan, which its threads share.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    ground: Ground<'a>,
    depth: Depth,
    /// `tree/0`.
    leaves: Option<Box<dyn StorageFile>>,
    chunk_size: Option<u64>,
    threads: usize,
    state: Mutex<State>,
    /// Something in `state` changed.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Where the next chunk begins: segment and offset.
    next: (usize, u64),
    taken: u64,
    /// Index of the chunk that the walk takes next.
    wanted: u64,
    done: BTreeMap<u64, Vec<Run>>,
    closed: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(ground: Ground<'a>, depth: Depth, pace: Pace) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            ground,
            depth,
            leaves: ground.storage.open(&ground.layout.row(0), Access::Read).ok(),
            chunk_size: pace.chunk_size.map(|size| size.max(1)),
            threads: pace.threads.unwrap_or_else(cores).clamp(1, THREADS_MAX),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Starts the threads beside the walk's own; they end when what is returned is dropped.
    pub(super) fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> Threads<'scope, 'a> {
        let chunks: u64 = match self.chunk_size {
            Some(size) => self.ground.plan.segments.iter().map(|s| s.size.div_ceil(size)).sum(),
            None => 0,
        };
        let beside = to_u64(self.threads).min(chunks).saturating_sub(1);
        for _ in 0..beside {
            // Where no thread is to be had, fewer do the work.
            let started = std::thread::Builder::new()
                .name("indelible-verify".to_owned())
                .spawn_scoped(scope, || self.work());
            if started.is_err() {
                break;
            }
        }
        Threads { scan: self }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What each thread does.
    fn work(&self) {
        let mut scanner = Scanner::default();
        let mut state = self.lock();
        loop {
            if state.closed {
                return;
            }
            let Some(job) = self.take(&mut state) else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            scanner.scan(self, job);
            state = self.lock();
        }
    }

    /// The next chunk, where there is one and not too many wait for the walk.
    fn take(&self, state: &mut State) -> Option<Job> {
        let chunk_size = self.chunk_size?;
        if state.taken >= state.wanted + AHEAD_MAX {
            return None;
        }
        let (segment, from) = state.next;
        let size = self.ground.plan.segments.get(segment)?.size;
        let to = from.saturating_add(chunk_size).min(size);
        state.next = if to < size { (segment, to) } else { (segment + 1, 0) };
        let job = Job { index: state.taken, segment, from, to };
        state.taken += 1;
        Some(job)
    }

    /// What was found in chunk `index`, which is the one that the walk wants next.
    fn receive(&self, index: u64, scanner: &mut Scanner) -> Vec<Run> {
        let mut state = self.lock();
        loop {
            if let Some(runs) = state.done.remove(&index) {
                state.wanted = index + 1;
                self.changed.notify_all();
                return runs;
            }
            if let Some(job) = self.take(&mut state) {
                drop(state);
                scanner.scan(self, job);
                state = self.lock();
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Ends the threads when it is dropped.
#[derive(Debug)]
pub(super) struct Threads<'s, 'a> {
    scan: &'s Scan<'a>,
}

impl Drop for Threads<'_, '_> {
    fn drop(&mut self) {
        self.scan.lock().closed = true;
        self.scan.changed.notify_all();
    }
}

/// One thread's open segment and buffers.
#[derive(Debug, Default)]
struct Scanner {
    segment: Option<(usize, Segment)>,
    buffers: Buffers,
}

impl Scanner {
    fn scan(&mut self, scan: &Scan<'_>, job: Job) {
        // Whatever happens, the walk must not wait for it in vain.
        let mut found = Delivery { scan, index: job.index, runs: Vec::new() };
        found.runs = self.runs(scan, job).unwrap_or_default();
    }

    fn runs(&mut self, scan: &Scan<'_>, job: Job) -> Option<Vec<Run>> {
        let Ground { storage, layout, plan, roots } = scan.ground;
        let planned = plan.segments.get(job.segment)?;
        if self.segment.as_ref().is_none_or(|(number, _)| *number != job.segment) {
            // One that is gone, or can't be opened, is for the walk to find.
            self.segment = None;
            self.segment = Some((job.segment, Plan::open(storage, layout, planned).ok()??));
        }
        let (_, segment) = self.segment.as_ref()?;
        let chunk = Chunk {
            file: segment.file.as_ref(),
            segment: job.segment,
            from: job.from,
            to: job.to,
            size: planned.size.min(segment.size),
            depth: scan.depth,
            roots,
            leaves: scan.leaves.as_deref(),
        };
        Some(chunk.runs(&mut self.buffers))
    }
}

/// Hands over what was found in a chunk when it is dropped: nothing, where the thread panicked.
struct Delivery<'s, 'a> {
    scan: &'s Scan<'a>,
    index: u64,
    runs: Vec<Run>,
}

impl Drop for Delivery<'_, '_> {
    fn drop(&mut self) {
        let runs = std::mem::take(&mut self.runs);
        self.scan.lock().done.insert(self.index, runs);
        self.scan.changed.notify_all();
    }
}

/// Hands the runs to the walk, in their order.
#[derive(Debug)]
pub(super) struct Feed<'a> {
    scan: &'a Scan<'a>,
    scanner: Scanner,
    /// Where the next chunk to be received begins: segment and offset; and its index.
    next: (usize, u64),
    index: u64,
    runs: VecDeque<Run>,
}

impl<'a> Feed<'a> {
    pub(super) fn new(scan: &'a Scan<'a>) -> Self {
        Self { scan, scanner: Scanner::default(), next: (0, 0), index: 0, runs: VecDeque::new() }
    }

    /// The run that begins at `offset` of `segment`. What stands before is not asked for any more.
    pub(super) fn run_at(&mut self, segment: usize, offset: u64) -> Option<&Run> {
        let chunk_size = self.scan.chunk_size?;
        while self.next <= (segment, offset)
            && let Some(planned) = self.scan.ground.plan.segments.get(self.next.0)
        {
            self.runs = self.scan.receive(self.index, &mut self.scanner).into();
            self.index += 1;
            let to = self.next.1.saturating_add(chunk_size);
            self.next = if to < planned.size { (self.next.0, to) } else { (self.next.0 + 1, 0) };
        }
        while self.runs.front().is_some_and(|run| (run.segment, run.start) < (segment, offset)) {
            self.runs.pop_front();
        }
        self.runs.front().filter(|run| (run.segment, run.start) == (segment, offset))
    }

    /// Hands over the run that [`run_at`](Self::run_at) has shown.
    pub(super) fn take(&mut self) -> Option<Run> {
        self.runs.pop_front()
    }
}
