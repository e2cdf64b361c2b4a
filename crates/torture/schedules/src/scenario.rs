//! Who does what at once, made from a seed, and what fails meanwhile.

use fastrand::Rng;
use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};

/// Bytes of a large event: four of them fill the queue, and two of them a file that is nearly full.
const LARGE_SIZE: usize = 5 << 10;
/// How many `event_id`s the callers share: few, so that they meet.
const IDS: u32 = 3;
/// `event_id`s that the log has when a scenario begins.
pub(crate) const OLD_IDS: u32 = 3;

/// An event that somebody hands over. Those with the same `action` are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) action: String,
    pub(crate) id: Option<String>,
    pub(crate) size: usize,
}

impl Made {
    /// An event that the log has when a scenario begins.
    pub(crate) fn old(number: u32) -> Self {
        Self { action: format!("old-{number}"), id: Some(format!("old-{number}")), size: 10 }
    }
}

/// What a caller does with what it was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Waits,
    Awaits,
    Drops,
    /// Goes on, and waits at its end.
    Later,
}

/// One thing that a caller does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Append(Made),
    Submit(Made, Then),
    TrySubmit(Made, Then),
    SubmitAll(Vec<Made>),
    TrySubmitAll(Vec<Made>),
    Checkpoint,
    Close,
}

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// The sync of a group, which leaves its pages clean.
    Sync(u64),
    /// The sync of a group, which did everything.
    SyncAfterEffect(u64),
    /// The sync of something beside the records, and with it the device loses all that it had not made durable.
    CacheLost(u64),
    /// The write of a group.
    Write(u64),
    /// Part of a group was taken.
    ShortWrite(u64),
    /// The write of a group, and cutting it back.
    WriteAndCut(u64),
}

impl Fault {
    /// Has `disk` fail so.
    pub(crate) fn plant(self, disk: &SimulatedDisk) {
        let nth = |n, kind| FaultPlan::nth(n).of_kind(kind).on_path("audit.log");
        match self {
            Self::Nothing => {}
            Self::Sync(n) => disk.fail(nth(n, OperationKind::SyncData).dropping_dirty_data()),
            Self::SyncAfterEffect(n) => disk.fail(nth(n, OperationKind::SyncData).after_effect()),
            Self::CacheLost(n) => disk.fail(of_others(n).dropping_whole_cache()),
            Self::Write(n) => disk.fail(nth(n, OperationKind::Append).with(Errno::NOSPC)),
            Self::ShortWrite(n) => disk.fail(nth(n, OperationKind::Append).short(100)),
            Self::WriteAndCut(n) => {
                disk.fail(nth(n, OperationKind::Append).with(Errno::NOSPC));
                disk.fail(nth(0, OperationKind::Truncate).from_then_on());
            }
        }
    }

    /// Whether a log that it strikes halts.
    pub(crate) fn halts(self) -> bool {
        matches!(
            self,
            Self::Sync(_) | Self::SyncAfterEffect(_) | Self::CacheLost(_) | Self::WriteAndCut(_)
        )
    }
}

/// The `n`-th sync that is not one of the active segment.
fn of_others(n: u64) -> FaultPlan {
    FaultPlan::nth(n).matching(|operation| {
        let is_sync = matches!(operation.kind, OperationKind::SyncData | OperationKind::SyncFolder);
        is_sync && !operation.path.ends_with("audit.log")
    })
}

/// Who does what at once.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) callers: Vec<Vec<Act>>,
    pub(crate) fault: Fault,
    /// Whether the log begins with a file that is nearly full.
    pub(crate) nearly_full: bool,
    /// Whether it is opened again at the end, and asked for what it acknowledged.
    pub(crate) reopens: bool,
}

impl Scenario {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut made = 0;
        let mut callers: Vec<Vec<Act>> = (0..rng.u32(2..=4))
            .map(|_| (0..rng.u32(1..=3)).map(|_| act(rng, &mut made)).collect())
            .collect();
        if rng.u8(..4) == 0 {
            callers.push(vec![Act::Close]);
        }
        let n = rng.u64(..4);
        let fault = match rng.u8(..12) {
            0 | 1 => Fault::Sync(n),
            2 => Fault::SyncAfterEffect(n),
            3 => Fault::Write(n),
            4 => Fault::ShortWrite(n),
            5 => Fault::WriteAndCut(n),
            6 => {
                // Beside those who append, somebody has rows and a note synced.
                callers.push(vec![Act::Append(event(rng, &mut made)), Act::Checkpoint]);
                Fault::CacheLost(n)
            }
            _ => Fault::Nothing,
        };
        Self { callers, fault, nearly_full: rng.u8(..6) == 0, reopens: rng.u8(..4) == 0 }
    }

    /// Every event that it hands over.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Made> {
        self.callers.iter().flatten().flat_map(|act| match act {
            Act::Append(made) | Act::Submit(made, _) | Act::TrySubmit(made, _) => {
                std::slice::from_ref(made)
            }
            Act::SubmitAll(made) | Act::TrySubmitAll(made) => made.as_slice(),
            Act::Checkpoint | Act::Close => &[],
        })
    }

    /// Whether a caller closes the log while others use it.
    pub(crate) fn closes_early(&self) -> bool {
        self.callers.iter().flatten().any(|act| *act == Act::Close)
    }
}

fn act(rng: &mut Rng, made: &mut u32) -> Act {
    let then = match rng.u8(..5) {
        0 => Then::Waits,
        1 => Then::Awaits,
        2 => Then::Drops,
        _ => Then::Later,
    };
    match rng.u8(..16) {
        0..=4 => Act::Append(event(rng, made)),
        5..=8 => Act::Submit(event(rng, made), then),
        9..=11 => Act::TrySubmit(event(rng, made), then),
        12 | 13 => Act::SubmitAll((0..rng.u32(2..=5)).map(|_| event(rng, made)).collect()),
        14 => Act::TrySubmitAll((0..rng.u32(2..=5)).map(|_| event(rng, made)).collect()),
        _ if rng.u8(..4) == 0 => Act::Close,
        _ => Act::Checkpoint,
    }
}

fn event(rng: &mut Rng, made: &mut u32) -> Made {
    *made += 1;
    let size = if rng.u8(..3) == 0 { LARGE_SIZE } else { rng.usize(1..200) };
    match rng.u8(..20) {
        0..=9 => Made { action: format!("new-{made}"), id: None, size },
        // Equal ones have equal content.
        10..=16 => {
            let id = rng.u32(..IDS);
            let size = if id == 0 { LARGE_SIZE } else { 10 };
            Made { action: format!("shared-{id}"), id: Some(format!("shared-{id}")), size }
        }
        17 => {
            let id = rng.u32(..IDS);
            Made { action: format!("other-{id}"), id: Some(format!("shared-{id}")), size: 20 }
        }
        _ => Made::old(rng.u32(..OLD_IDS)),
    }
}
