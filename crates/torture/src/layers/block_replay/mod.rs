//! Replays what a file system wrote to its device: a recorded workload, and the device as a power cut would have left it at
//! every point of the recording.
//!
//! A process appends with rotations, prunes and checkpoints to a log on ext4 or XFS, on a loop device, over a file that we
//! serve ourselves and whose writes and flushes we record, with the acknowledgements between them, in one order. A device
//! may lose what no flush made durable, and lose it in any order. So of one recording there is an image
//! - after each write and each flush, with all that was written by then (what a device without a cache would hold);
//! - at the end of each flush epoch, right before its flush, without any of its writes, and with some of them: each whole,
//!   torn at the border of a sector, or not at all.
//!
//! Everything that was said before the next request counts. The file system replays its journal, the log recovers, and
//! everything that was acknowledged by then is there (`block::check`).
//!
//! Two things are a little milder than the worst device: a write that is under way while the flush comes counts as flushed
//! if it was answered before; and of writes to the same sectors the later is never lost for the earlier to come again.
//!
//! A case is an image; a recording that was begun is replayed whole. What is recorded depends on the machine, too:
//! replaying a case makes a recording and an image in the same way, though not the same one.

#![expect(clippy::indexing_slicing, reason = "a point lies within its recording")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::block::{
    Appender, Company, Device, FileSystem, Happening, Image, LOG, LoopDevice, Mount, Served, Told,
    check, keep_some, kept, lay,
};
use crate::cases::{self, COULD_NOT};
use crate::layer::{Layer, Outcome};
use crate::need::Need;
use crate::plan::Plan;

/// Images of one recording have numbers from its own times this.
const STRIDE: u64 = 100_000;
/// Events that each thread of the workload appends.
const APPENDS: u64 = 16;
/// Images of each flush epoch with some of its writes; one where it has one write.
const SUBSETS: usize = 2;
/// Images of the short form.
const SHORT: u64 = 1_000;
/// On what one recording after the other is made.
const TURNS: [FileSystem; 4] =
    [FileSystem::Ext4, FileSystem::Xfs, FileSystem::Ext4AtOnce, FileSystem::Ext4Journalled];

pub(crate) const LAYER: Layer = Layer {
    name: "block-replay",
    about: "Records what ext4 and XFS write to a device and rebuilds it as a power cut leaves it at every point, and \
            with some of the writes of each flush epoch, torn; everything acknowledged by then is there.",
    cases: "images",
    short: SHORT,
    long: 50_000,
    needs: &[
        Need::Root,
        Need::LoopDevices,
        Need::Fuse,
        Need::Program("losetup"),
        Need::Program("mkfs.ext4"),
        Need::Program("mkfs.xfs"),
        Need::Program("e2fsck"),
        Need::Program("xfs_repair"),
    ],
    run,
};

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let only = plan.only.map(|case| case % STRIDE);
    let made = AtomicU64::new(0);
    // Each recording has one image at least, so that there are no more recordings than images.
    let recordings = plan.replaying(plan.only.map(|case| case / STRIDE));
    let first = |number| number * STRIDE;
    let outcome = cases::run_groups(&recordings, first, |number, outcome| {
        let turn = usize::try_from(number)?;
        // Large recordings make the images up before each file system had its turn.
        let had_turns = turn >= TURNS.len() || plan.cases < SHORT;
        if had_turns && made.load(Ordering::Relaxed) >= plan.cases {
            return Ok(());
        }
        let file_system = TURNS[turn % TURNS.len()];
        let recording = record(plan, number, file_system)?;
        outcome.count(format!("recordings on {}", file_system.title()), 1);
        outcome.count("recorded writes and flushes", u64::try_from(recording.requests())?);
        let replay = Replay { plan, recording: &recording, number, only, made: &made };
        replay.run(outcome)
    })?;
    cases::counted(plan, outcome, made.into_inner())
}

/// What came to a device, and what it held before.
struct Recording {
    file_system: FileSystem,
    base: Vec<u8>,
    history: Vec<Happening>,
}

fn record(plan: &Plan, number: u64, file_system: FileSystem) -> anyhow::Result<Recording> {
    let mut random = plan.random(number * STRIDE);
    let base = file_system.make()?.content()?;
    let (serving, mounting) = (plan.folder()?, plan.folder()?);
    let served =
        Served::start(Device::new(base.clone(), random.u64(..)).recording(), serving.path())?;
    let device = LoopDevice::attach(&served.disk())?;
    let mount = Mount::new(device.path(), file_system, mounting.path())?;
    let (folder, ear) = (mount.path().join(LOG), served.ear());
    // A log is made; then, in half of the recordings, opened and closed again, in between or in the middle of it.
    for _ in 0..random.u8(1..=2) {
        Appender::start(&folder, Some(&ear), random.u64(..), APPENDS, Company::Drawn)?.end()?;
    }
    mount.unmount()?;
    let history = served.device().take_history();
    let mut told = Told::default();
    said(&history).for_each(|line| told.hear(line));
    anyhow::ensure!(
        told.closed && told.lies.is_empty() && told.receipt_count > 0,
        "the workload itself failed: {told:?}"
    );
    Ok(Recording { file_system, base, history })
}

fn said(history: &[Happening]) -> impl Iterator<Item = &str> {
    history.iter().filter_map(|happening| match happening {
        Happening::Said(line) => Some(line.as_str()),
        Happening::Write { .. } | Happening::Flush => None,
    })
}

impl Recording {
    fn requests(&self) -> usize {
        self.history.len() - said(&self.history).count()
    }

    /// All its images, in order. One that holds what another does, with nothing said in between, is that one.
    fn images(&self) -> Vec<Cut> {
        let requests = self.history.iter().enumerate();
        let requests = requests.filter(|(_, it)| !matches!(it, Happening::Said(_)));
        let mut cuts = Vec::new();
        // Writes since the last flush, and whether anything was said since.
        let (mut writes, mut said_since) = (0, false);
        for (index, request) in requests {
            let is_flush = matches!(request, Happening::Flush);
            if is_flush && writes > 0 {
                cuts.extend(said_since.then_some(Cut { before: index, left: Left::Flushed }));
                let subsets = SUBSETS.min(writes);
                cuts.extend((0..subsets).map(|_| Cut { before: index, left: Left::Some }));
            }
            let behind = self.history[index + 1..].iter();
            let said = behind.take_while(|it| matches!(it, Happening::Said(_))).count();
            if !is_flush || said > 0 {
                cuts.push(Cut { before: index + 1 + said, left: Left::All });
            }
            if is_flush {
                (writes, said_since) = (0, false);
            } else {
                writes += 1;
                said_since |= said > 0;
            }
        }
        cuts
    }
}

/// Where the power is cut, and what it leaves.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// What does not happen any more, by its place in the history.
    before: usize,
    left: Left,
}

/// What is left of the writes that no flush made durable.
#[derive(Clone, Copy, Debug)]
enum Left {
    All,
    Flushed,
    Some,
}

impl Left {
    fn name(self) -> &'static str {
        match self {
            Self::All => "all that was written, after a request",
            Self::Flushed => "only what was flushed, at the end of an epoch",
            Self::Some => "some of the writes of an epoch",
        }
    }
}

/// The images of a recording, one after the other.
struct Replay<'a> {
    plan: &'a Plan,
    recording: &'a Recording,
    number: u64,
    only: Option<u64>,
    /// How many images were made and looked at.
    made: &'a AtomicU64,
}

impl Replay<'_> {
    fn run(&self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let recording = self.recording;
        let image = Image::of(&recording.base)?;
        let device = LoopDevice::attach(&image.path())?;
        let folder = self.plan.folder()?;
        // What is durable at `at`, and the writes since.
        let (mut at, mut durable, mut since) = (0, recording.base.clone(), Vec::new());
        let mut told = Told::default();
        for (index, cut) in (0..).zip(recording.images()) {
            for happening in &recording.history[at..cut.before] {
                match happening {
                    Happening::Write { offset, data } => since.push((*offset, &data[..])),
                    Happening::Flush => {
                        for (offset, data) in since.drain(..) {
                            lay(&mut durable, offset, data);
                        }
                    }
                    Happening::Said(line) => told.hear(line),
                }
            }
            at = cut.before;
            if self.only.is_some_and(|only| only != index) {
                continue;
            }
            let case = self.number * STRIDE + index;
            let mut random = self.plan.random(case);
            let content = left(&durable, &since, cut.left, &mut random);
            image.set(&content)?;
            self.made.fetch_add(1, Ordering::Relaxed);
            let file_system = recording.file_system.title();
            outcome.count(format!("images of {file_system}"), 1);
            outcome.count(format!("images with {}", cut.left.name()), 1);
            let what = || {
                format!(
                    "{file_system}, before {at} of {}, {}, {} writes since the last flush, {} receipts",
                    recording.history.len(),
                    cut.left.name(),
                    since.len(),
                    told.receipt_count
                )
            };
            let mount = match self.mount(device.path(), cut.left, folder.path(), outcome) {
                Ok(mount) => mount,
                Err(error) => {
                    outcome.violation(case, format!("{}: {error:#}", what()));
                    continue;
                }
            };
            // The next image must hear nothing of what this one comes to.
            let mut own = told.clone();
            own.go_on();
            let log = mount.path().join(LOG);
            let checked = cases::caught(|| check(&log, &mut own, &mut random, outcome));
            if let Err(error) = checked {
                let kept = kept(self.plan, Some(&content))?;
                outcome.violation(case, format!("{}: {error:#}{kept}", what()));
            }
            if let Err(error) = mount.unmount() {
                outcome.violation(case, format!("{COULD_NOT}after the look: {error:#}"));
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Replay<'_> {
    /// Mounts an image. Where a write was torn, a repair of the file system may have to come first: no journal holds the
    /// superblock of ext4, whose checksum lies in another sector than the rest.
    fn mount(
        &self,
        device: &Path,
        left: Left,
        target: &Path,
        outcome: &mut Outcome,
    ) -> anyhow::Result<Mount> {
        let file_system = self.recording.file_system;
        match (Mount::new(device, file_system, target), left) {
            (Err(_), Left::Some) => {
                outcome.count("images whose file system had to be repaired", 1);
                file_system.repair(device)?;
                Mount::new(device, file_system, target)
            }
            (mounted, _) => mounted,
        }
    }
}

/// What a cut leaves of `durable` and the writes `since`.
fn left(
    durable: &[u8],
    since: &[(usize, &[u8])],
    left: Left,
    random: &mut fastrand::Rng,
) -> Vec<u8> {
    let mut content = durable.to_vec();
    match left {
        Left::Flushed => {}
        Left::All => since.iter().for_each(|(offset, data)| lay(&mut content, *offset, data)),
        Left::Some => keep_some(&mut content, since, random),
    }
    content
}
