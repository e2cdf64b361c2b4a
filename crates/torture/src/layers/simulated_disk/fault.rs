//! How an operation of a stage fails.

use indelible::storage::simulated::{Errno, FaultPlan, Operation, OperationKind};

/// With what an operation fails.
const ERRNOS: [(Errno, &str); 6] = [
    (Errno::IO, "EIO"),
    (Errno::NOSPC, "ENOSPC"),
    (Errno::DQUOT, "EDQUOT"),
    (Errno::INTR, "EINTR"),
    (Errno::ROFS, "EROFS"),
    (Errno::MFILE, "EMFILE"),
];

/// One way in which an operation fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    how: How,
    lasts: bool,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Error(Errno, &'static str),
    /// `EIO`, although it was done.
    Done,
    Short(usize),
    /// A failed sync whose pages are then clean: all that was written since the last is lost, and still shown.
    Dropped,
    /// As [`How::Dropped`], of some sectors.
    DroppedSome(u64),
}

impl Fault {
    /// Every way in which this operation is made to fail.
    pub(super) fn of(operation: &Operation) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |how, lasts| all.push(Self { how, lasts });
        for (errno, name) in ERRNOS {
            add(How::Error(errno, name), false);
            add(How::Error(errno, name), true);
        }
        if operation.kind.changes_disk() {
            add(How::Done, false);
        }
        let size = usize::try_from(operation.size).unwrap_or(usize::MAX);
        if operation.kind == OperationKind::Append {
            for short in [0, 1, size / 2, size.saturating_sub(1)] {
                add(How::Short(short), false);
            }
            add(How::Short(size / 2), true);
        }
        if matches!(operation.kind, OperationKind::ReadAt | OperationKind::ReadMediumAt) {
            add(How::Short(1), false);
        }
        if operation.kind == OperationKind::SyncData {
            add(How::Dropped, false);
            add(How::Dropped, true);
            add(How::DroppedSome(operation.index), false);
            add(How::DroppedSome(operation.index + 1_000_000), false);
        }
        all
    }

    pub(super) fn plan(self, operation: &Operation) -> FaultPlan {
        let plan = FaultPlan::at(operation.index);
        let plan = if self.lasts { self.lasting(plan).from_then_on() } else { plan };
        match self.how {
            How::Error(errno, _) => plan.with(errno),
            How::Done => plan.after_effect(),
            How::Short(size) => plan.short(size),
            How::Dropped => plan.dropping_dirty_data(),
            How::DroppedSome(seed) => plan.dropping_some_dirty_data(seed),
        }
    }

    /// From then on, what such a disk refuses: a full one is still read, and no limit on open files keeps from writing.
    fn lasting(self, plan: FaultPlan) -> FaultPlan {
        let How::Error(errno, _) = self.how else {
            let appends = matches!(self.how, How::Short(_));
            return plan.of_kind(if appends {
                OperationKind::Append
            } else {
                OperationKind::SyncData
            });
        };
        plan.matching(move |operation| match errno {
            Errno::NOSPC | Errno::DQUOT => grows(operation.kind),
            Errno::ROFS => operation.kind.changes_disk(),
            Errno::MFILE => opens(operation.kind),
            _ => true,
        })
    }

    /// What it is counted as.
    pub(super) fn name(self) -> String {
        let how = match self.how {
            How::Error(_, name) => name,
            How::Done => "EIO, and done all the same",
            How::Short(_) => "short",
            How::Dropped => "sync that drops all",
            How::DroppedSome(_) => "sync that drops some",
        };
        format!("{how} {}", if self.lasts { "from then on" } else { "once" })
    }
}

fn grows(kind: OperationKind) -> bool {
    use OperationKind::{Allocate, Append, CreateFolder, CreateNew, Lock, Rename, Replace};
    matches!(kind, Allocate | Append | CreateFolder | CreateNew | Lock | Rename | Replace)
}

fn opens(kind: OperationKind) -> bool {
    use OperationKind::{CreateNew, List, Lock, Open, SyncFolder};
    matches!(kind, CreateNew | List | Lock | Open | SyncFolder)
}
