//! What is done to a log before and while its disk fails: stages, each from an opening to a close, a kill or a power cut.
//!
//! One workload is fixed, and has all that a log does in its life; others are made from the seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use indelible::format::time::Timestamp;
use indelible::{Clock, ClockReading, Event, Idempotency, Options, Salting};

pub(super) const PARENT: &str = "/logs";
pub(super) const FOLDER: &str = "/logs/audit";

/// The least that options allow, so that a file is soon full.
const ENTRY_SIZE_MAX: usize = 8 << 10;
const FILE_SIZE_MAX: u64 = 80 << 10;
/// Nanoseconds between two looks at the clock.
const TICK_NS: i64 = 1_000_000;
/// 2026-01-02T03:04:05Z.
const BEGIN_NS: i64 = 1_767_323_045_000_000_000;
/// Nanoseconds from one stage to the next: under an hour, since a clock that jumps further is not believed.
const STAGE_NS: i64 = 60_000_000_000;

/// What is done from one opening to the end of the process.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) beginning: Beginning,
    pub(super) steps: Vec<Step>,
    pub(super) ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    Create,
    Open,
    /// A row and the tail are damaged; an explicit repair comes before the opening.
    Repair,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Append { size: usize },
    Group { count: usize, size: usize },
    Checkpoint,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Close,
    /// The process dies, the machine goes on.
    Kill,
    /// The power fails while the last group is not synced, and tears it.
    Torn,
    /// The power fails anywhere.
    CutPower {
        seed: u64,
    },
}

/// A whole life of a log.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) max_files: Option<u32>,
    pub(super) scripts: Vec<Script>,
}

impl Workload {
    /// Three rotations (in the midst of a group, where there is no prune record and where there is one), two prunes, checkpoints, a recovery from a torn group, an
    /// adoption after a kill, and an explicit repair of a row and a tail.
    pub(super) fn fixed() -> Self {
        use Step::{Append, Checkpoint, Group};
        let full = Group { count: 5, size: 7_300 };
        let script =
            |beginning, steps: &[Step], ending| Script { beginning, steps: steps.to_vec(), ending };
        let scripts = vec![
            script(
                Beginning::Create,
                &[
                    Append { size: 0 },
                    Group { count: 3, size: 100 },
                    Checkpoint,
                    Append { size: 300 },
                ],
                Ending::Close,
            ),
            script(
                Beginning::Open,
                &[full, full, Group { count: 3, size: 1_900 }, Group { count: 3, size: 700 }],
                Ending::Torn,
            ),
            script(
                Beginning::Open,
                &[full, Append { size: 40 }, Group { count: 6, size: 7_300 }, Append { size: 0 }],
                Ending::Kill,
            ),
            // Over 256 records: the tree gets a second row.
            script(Beginning::Open, &[full, full, Group { count: 210, size: 0 }], Ending::Close),
            script(Beginning::Repair, &[Append { size: 0 }, Checkpoint], Ending::Close),
        ];
        Self { max_files: Some(1), scripts }
    }

    /// Anything.
    pub(super) fn random(rng: &mut Rng) -> Self {
        let mut scripts: Vec<Script> = Vec::new();
        for _ in 0..rng.usize(2..6) {
            let steps = (0..rng.usize(1..8)).map(|_| Step::random(rng)).collect();
            let beginning = match scripts.last().map(|before| before.ending) {
                None => Beginning::Create,
                // Then the last leaf is one that was signed, so that it can be damaged.
                Some(Ending::Close) if rng.bool() => Beginning::Repair,
                Some(_) => Beginning::Open,
            };
            let ending = match (rng.u8(..4), beginning) {
                (0, _) => Ending::Close,
                // No power is cut before the repair was made.
                (1, _) | (_, Beginning::Repair) => Ending::Kill,
                _ => Ending::CutPower { seed: rng.u64(..) },
            };
            scripts.push(Script { beginning, steps, ending });
        }
        let max_files = rng.bool().then(|| rng.u32(1..3));
        Self { max_files, scripts }
    }

    /// Options of the stage with this number; the openings that follow after everything have one of their own.
    pub(super) fn options(&self, stage: usize) -> Options {
        let never = Idempotency { period: Duration::ZERO, records: 0, memory_size_max: 1 << 20 };
        let options = Options::default()
            .with_entry_size_max(ENTRY_SIZE_MAX)
            .with_max_file_size(FILE_SIZE_MAX)
            // Nothing of its own accord, so that operations come in one order.
            .with_checkpoint_interval(Duration::from_hours(1))
            .with_idempotency(never)
            .with_salt(Salting::Off)
            .with_clock(Arc::new(Ticking::from_stage(stage)));
        self.max_files.map_or(options.clone(), |count| options.with_max_files(count))
    }
}

impl Step {
    fn random(rng: &mut Rng) -> Self {
        match rng.u8(..10) {
            0..4 => Self::Append { size: rng.usize(..1_000) },
            4 => Self::Append { size: rng.usize(..7_500) },
            5..8 => Self::Group { count: rng.usize(1..12), size: rng.usize(..7_500) },
            8 => Self::Group { count: rng.usize(1..40), size: rng.usize(..200) },
            _ => Self::Checkpoint,
        }
    }
}

/// The event with this number.
pub(super) fn event(number: usize, size: usize) -> (String, Event) {
    let resource = format!("r{number}");
    let event = Event::new("a", "b", &resource);
    if size == 0 {
        return (resource, event);
    }
    (resource, event.metadata(serde_json::json!({ "x": "y".repeat(size) })))
}

/// A clock that goes on by the same at each look, so that the same bytes are written each time.
#[derive(Debug)]
struct Ticking {
    now_ns: AtomicI64,
}

impl Ticking {
    fn from_stage(stage: usize) -> Self {
        let stage = i64::try_from(stage).unwrap_or(0);
        Self { now_ns: AtomicI64::new(BEGIN_NS + stage * STAGE_NS) }
    }
}

impl Clock for Ticking {
    fn now(&self) -> ClockReading {
        let now = i128::from(self.now_ns.fetch_add(TICK_NS, Ordering::Relaxed));
        ClockReading {
            wall: Timestamp::from_unix_ns(now).unwrap_or(Timestamp::MIN),
            counted_ns: now,
        }
    }
}
