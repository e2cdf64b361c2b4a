//! Cuts the power under a file system: ext4 and XFS on loop devices, shut down by their own ioctl while a process appends,
//! so that nothing that was not on the device by then ever comes there, the journal included.
//!
//! What must hold: after a remount the log recovers, everything that was acknowledged before the cut is there, and so on
//! (`block::check`). The same image goes on to the next cut, so that recovered logs are cut again; after a life of ten
//! cuts it is made anew.
//!
//! A shutdown keeps the page cache from the device, but not what was written back before, and in the order in which it was:
//! what a disk with a cache of its own does to that is for the layer `block-replay`.
//!
//! A case is a cut. It counts where something had been acknowledged, to this process or to one before it, or where the log
//! was being made. The moment is drawn from the seed, but what the processes do until then depends on the machine. To
//! replay a cut, the cuts before it in the same life are made too.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::block::{
    Appender, Company, FileSystem, LOG, LoopDevice, Mount, PowerSwitch, Told, check, kept, one_of,
};
use crate::cases;
use crate::layer::{Layer, Outcome};
use crate::need::Need;
use crate::plan::Plan;

/// Cuts of one image.
const LIFE: u64 = 10;
/// After so long a process that appends nothing any more is cut nevertheless.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const LAYER: Layer = Layer {
    name: "power-cut",
    about: "Shuts ext4 and XFS down without their journal while a process appends; after remount and recovery everything \
            acknowledged is there.",
    cases: "cuts",
    short: 400,
    long: 10_000,
    needs: &[
        Need::Root,
        Need::LoopDevices,
        Need::Program("losetup"),
        Need::Program("mkfs.ext4"),
        Need::Program("mkfs.xfs"),
        Need::Program("xfs_io"),
    ],
    run,
};

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    // Half of the cuts are of XFS.
    let xfs = Counted { wanted: plan.cases / 2, made: AtomicU64::new(0) };
    let ext4 = Counted { wanted: plan.cases - plan.cases / 2, made: AtomicU64::new(0) };
    // Each life has a cut that counts, or there are no more lives than cuts.
    let lives = plan.with_cases(2 * plan.cases).replaying(plan.only.map(|case| case / LIFE));
    // The last cut replays the whole life.
    let last = |number| plan.only.unwrap_or(number * LIFE + LIFE - 1);
    let outcome = cases::run_groups(&lives, last, |number, outcome| {
        let file_system = FileSystem::of_turn(number);
        let counted = if file_system == FileSystem::Xfs { &xfs } else { &ext4 };
        // Of one that is replayed, none is too many.
        let counted: &[&Counted] = if plan.only.is_some() { &[] } else { &[counted] };
        Life { plan, file_system, counted }.live(number * LIFE..=last(number), outcome)
    })?;
    cases::counted(plan, outcome, xfs.made.into_inner() + ext4.made.into_inner())
}

/// Cuts that count, of one kind of file system.
struct Counted {
    wanted: u64,
    made: AtomicU64,
}

/// One image, from new to its last cut.
struct Life<'a> {
    plan: &'a Plan,
    file_system: FileSystem,
    /// Where its cuts count, and how many are enough.
    counted: &'a [&'a Counted],
}

impl Life<'_> {
    fn is_enough(&self) -> bool {
        self.counted.iter().any(|counted| counted.made.load(Ordering::Relaxed) >= counted.wanted)
    }

    fn live(&self, cuts: RangeInclusive<u64>, outcome: &mut Outcome) -> anyhow::Result<()> {
        if self.is_enough() {
            return Ok(());
        }
        let (plan, file_system) = (self.plan, self.file_system);
        let image = file_system.make()?;
        let device = LoopDevice::attach(&image.path())?;
        let folder = plan.folder()?;
        let mut told = Told::default();
        for case in cuts {
            if self.is_enough() {
                break;
            }
            let mut random = plan.random(case);
            let mount = Mount::new(device.path(), file_system, folder.path())?;
            let before = told.receipt_count;
            let was_made = told.key.is_some();
            let moment = cut(mount, &mut told, &mut random)?;
            let left = plan.keep.then(|| image.content()).transpose()?;
            let mount = Mount::new(device.path(), file_system, folder.path())
                .with_context(|| format!("{} is lost", file_system.title()))?;
            let acknowledged = told.receipt_count - before;
            outcome.count("acknowledgements before a cut", u64::try_from(acknowledged)?);
            if self.counts(was_made, acknowledged, &told, outcome) {
                outcome.count(format!("cuts of {}", file_system.title()), 1);
            }
            let checked = check(&mount.path().join(LOG), &mut told, &mut random, outcome);
            if let Err(error) = checked {
                let (name, kept) = (file_system.title(), kept(plan, left.as_deref())?);
                outcome.violation(case, format!("{name}, cut {moment}: {error:#}{kept}"));
                // What comes after would tell of the same again.
                return Ok(());
            }
            mount.unmount()?;
        }
        Ok(())
    }

    /// Whether there was something to lose or to leave half done: an acknowledgement, or a log that was being made.
    fn counts(
        &self,
        was_made: bool,
        acknowledged: usize,
        told: &Told,
        outcome: &mut Outcome,
    ) -> bool {
        let what = match (acknowledged, was_made, told.opened) {
            (1.., _, _) => "cuts after an acknowledgement of the process",
            (0, false, false) => "cuts while the log was being made",
            (0, true, false) => "cuts while it was being opened",
            (0, _, true) => "cuts when it was open",
        };
        let counts = acknowledged > 0 || told.receipt_count > 0 || !told.opened;
        outcome.count(what, 1);
        if counts {
            for one in self.counted {
                one.made.fetch_add(1, Ordering::Relaxed);
            }
        } else {
            outcome.count("of these, with nothing acknowledged ever, which don't count", 1);
        }
        counts
    }
}

/// Appends on `mount` until the moment has come, cuts it, and unmounts what is left; says when that was.
fn cut(mount: Mount, told: &mut Told, random: &mut fastrand::Rng) -> anyhow::Result<String> {
    told.go_on();
    let folder = mount.path().join(LOG);
    let appender = Appender::start(&folder, None, random.u64(..), u64::MAX, Company::Drawn)?;
    let switch = PowerSwitch::ready(mount.path())?;
    let moment = Moment::draw(random);
    let goal = told.receipt_count + moment.receipts;
    let until = Instant::now() + PATIENCE;
    while (told.receipt_count < goal || (moment.opened && !told.opened)) && !ended(told) {
        let line = appender.line(until).context("the worker says nothing")?;
        told.hear(&line);
    }
    let reached = Instant::now();
    while reached.elapsed() < moment.pause {
        std::hint::spin_loop();
    }
    // Only what was seen by now counts: what comes while the power goes may be of either side.
    appender.heard().for_each(|line| told.hear(&line));
    let seen = told.receipt_count;
    if ended(told) {
        told.lies.push(format!("before the cut: {:?} {:?}", told.refused, told.halted));
    }
    switch.cut()?;
    appender.end()?.iter().for_each(|line| told.hear_late(line));
    mount.unmount()?;
    Ok(format!("{moment:?} ({seen} receipts seen)"))
}

/// When the power is cut: so much time after so many receipts.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// Whether the log must be open.
    opened: bool,
    receipts: usize,
    pause: Duration,
}

impl Moment {
    fn draw(random: &mut fastrand::Rng) -> Self {
        let receipts = [1, random.usize(..20), random.usize(..250), random.usize(..600)];
        // While it opens, as soon as it is open, soon after, or many rotations later.
        let (opened, receipts, pause) = match random.u8(..8) {
            0 | 1 => (false, 0, random.u64(..25_000)),
            2 => (true, 0, random.u64(..500)),
            _ => (true, one_of(random, &receipts), random.u64(..1_500)),
        };
        Self { opened, receipts, pause: Duration::from_micros(pause) }
    }
}

/// Whether it will say no more: not before a cut.
fn ended(told: &Told) -> bool {
    told.refused.is_some() || told.halted.is_some()
}
