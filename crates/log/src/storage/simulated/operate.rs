//! The one way that each operation goes: it is numbered, written down, judged, and then it happens or not.

use std::io;
use std::path::Path;

use super::fault::{Drop, Moment, Operation, OperationKind, Outcome, crashed};
use super::{Errno, SimulatedDisk, State, count};

impl SimulatedDisk {
    /// Writes the operation down, and lets it happen as far as faults and crash allow.
    pub(super) fn operate<T>(
        &self,
        call: Call<'_>,
        action: impl FnOnce(&mut State, Manner) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        let operation = call.numbered(count(state.operations.len()));
        let verdict = state.judge(&operation);
        state.remember(&operation);
        state.operations.push(operation);
        let whole = Manner::default();
        match verdict {
            Verdict::Go => action(&mut state, whole),
            Verdict::Crash(Moment::Before) => Err(crashed()),
            Verdict::Crash(Moment::After) => {
                drop(action(&mut state, whole));
                Err(crashed())
            }
            Verdict::Fault(Outcome::Effect, errno) => {
                action(&mut state, whole).and(Err(errno.into()))
            }
            Verdict::Fault(Outcome::Short(size), _) => {
                action(&mut state, Manner { size_max: Some(size), ..whole })
            }
            Verdict::Fault(Outcome::Dropped(drop), errno)
                if call.kind == OperationKind::SyncData =>
            {
                action(&mut state, Manner { drops: Some(drop), ..whole }).and(Err(errno.into()))
            }
            Verdict::Fault(Outcome::CacheLost, errno) => {
                if matches!(call.kind, OperationKind::SyncData | OperationKind::SyncFolder) {
                    state.tree.drop_dirty_data();
                }
                Err(errno.into())
            }
            Verdict::Fault(Outcome::NoEffect | Outcome::Dropped(_), errno) => Err(errno.into()),
        }
    }
}

impl State {
    fn remember(&mut self, operation: &Operation) {
        if let Some(remembered) = &mut self.remembered
            && operation.kind.changes_disk()
            && !self.crashed
        {
            remembered.push((operation.index, self.tree.clone()));
        }
    }

    /// Tells what is to become of an operation.
    fn judge(&mut self, operation: &Operation) -> Verdict {
        if self.crashed {
            return Verdict::Crash(Moment::Before);
        }
        if let Some((at, moment)) = self.crash
            && operation.index >= at
        {
            self.crashed = true;
            // One that was planned for an operation in the past has no effect to wait for.
            let moment = if operation.index == at { moment } else { Moment::Before };
            return Verdict::Crash(moment);
        }
        // Each counts, also those that are too late.
        let struck: Vec<_> =
            self.faults.iter_mut().filter_map(|plan| plan.strikes(operation)).collect();
        match struck.first() {
            Some((outcome, errno)) => {
                self.faults_struck += 1;
                Verdict::Fault(*outcome, *errno)
            }
            None => Verdict::Go,
        }
    }
}

/// What is to become of an operation.
enum Verdict {
    Go,
    Crash(Moment),
    Fault(Outcome, Errno),
}

/// How an operation takes effect.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner {
    size_max: Option<usize>,
    /// What a sync that fails loses.
    pub(super) drops: Option<Drop>,
}

impl Manner {
    pub(super) fn size(self, asked: usize) -> usize {
        self.size_max.map_or(asked, |max| max.min(asked))
    }
}

/// An operation that has no number yet.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    kind: OperationKind,
    path: &'a Path,
    to: Option<&'a Path>,
    size: u64,
}

impl<'a> Call<'a> {
    pub(super) fn new(kind: OperationKind, path: &'a Path) -> Self {
        Self { kind, path, to: None, size: 0 }
    }

    pub(super) fn to(self, to: &'a Path) -> Self {
        Self { to: Some(to), ..self }
    }

    pub(super) fn size(self, size: u64) -> Self {
        Self { size, ..self }
    }

    fn numbered(self, index: u64) -> Operation {
        let Self { kind, path, to, size } = self;
        Operation { index, kind, path: path.to_path_buf(), to: to.map(Path::to_path_buf), size }
    }
}
