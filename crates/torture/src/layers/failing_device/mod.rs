//! Breaks the device under the file system: writes and flushes that fail, once or from then on, also so that the cache is
//! gone and the next flush succeeds; and a device that lies: it says that it did what it did not.
//!
//! What must hold after an honest fault (`EIO` or `ENOSPC`, whatever the failed write left on the medium):
//! - whoever was not acknowledged was told so; a log that halted acknowledges nothing more, also when a later sync
//!   succeeds (the worker tries);
//! - after the power is cut, the mount (after `e2fsck` or `xfs_repair`, where the file system needs it) and the recovery:
//!   everything that was acknowledged is there, the log is sound, and so on (`block::check`).
//!
//! Where the cache goes with a flush that fails, that holds of the medium at that moment; `dropped` says why, and what holds of
//! it in the end.
//!
//! A device that lies takes away what was acknowledged, and no program can prevent that. What must hold then is that it is
//! *found*, by whoever kept something outside of that device. If a record that was acknowledged is not at its place:
//! - held against the receipts, the log is never called sound or torn; neither as the device left it, nor after it was
//!   opened and appended to, where it can be;
//! - held against a kept checkpoint alone that covers more records than there are, it is not, either.
//!
//! Where the lie took parts of the file system, so that it does not mount or can't be read, that is not the log's to find;
//! such cases are counted.
//!
//! The first cases are staged: on ext4, somebody else's sync is told that the journal is gone, and the log's comes next. Ext4
//! says success to a plain one there; the log may not acknowledge what it says that of. With `data=journal` ext4 tells the
//! next sync as well: these are counted apart.
//!
//! In the next, on XFS, the cache goes with a flush that fails, and strace looks whether the storage under the log says what
//! the kernel said. Nothing else shows there that it does not: on ext4 the log asks after the journal as well.
//!
//! Every other case is a fault, drawn from the seed; which write is the `n`th one depends on the machine, too. One that
//! comes too late to strike is judged as the others are, and does not count.

mod dropped;

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use indelible::{AuditLog, Event, Verdict};
use rustix::io::Errno;

use self::dropped::{Moment, failed_syncs};
use super::block::{
    Appender, Blow, Company, Device, Fault, FileSystem, Image, LOG, LoopDevice, Mount, Served,
    Strike, Told, check, held_against, is_held, kept, one_of, options,
};
use crate::cases;
use crate::layer::{Layer, Outcome};
use crate::need::Need;
use crate::plan::Plan;

/// Events that each thread appends, if the device lets it.
const APPENDS: u64 = 60;
/// Around how many writes and flushes that makes.
const REQUESTS: u64 = 120;

/// The first cases, on ext4: the journal fails for somebody else.
const STAGED: u64 = 24;
/// The next, up to this one, on XFS: the cache goes with a flush that fails. The others are drawn.
const DROPPED: u64 = STAGED + 12;

pub(crate) const LAYER: Layer = Layer {
    name: "failing-device",
    about: "Fails or fakes writes and flushes of the device under ext4 and XFS; nothing acknowledged is lost to an honest \
            fault, and what a lying device loses is found.",
    cases: "faults",
    short: 200,
    long: 10_000,
    needs: &[
        Need::Root,
        Need::LoopDevices,
        Need::Fuse,
        Need::Program("losetup"),
        Need::Program("mkfs.ext4"),
        Need::Program("mkfs.xfs"),
        Need::Program("e2fsck"),
        Need::Program("xfs_repair"),
        Need::Program("strace"),
    ],
    run,
};

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let bases: [OnceLock<Vec<u8>>; FileSystem::ALL.len()] = Default::default();
    let struck = AtomicU64::new(0);
    // A fault that comes too late is none.
    let outcome = cases::run(&plan.with_cases(2 * plan.cases), |case, outcome| {
        if plan.only.is_some() || struck.load(Ordering::Relaxed) < plan.cases {
            let has_struck = try_case(plan, &bases, case, outcome)?;
            struck.fetch_add(u64::from(has_struck), Ordering::Relaxed);
        }
        Ok(())
    })?;
    cases::counted(plan, outcome, struck.into_inner())
}

/// Tries a fault; whether it struck.
fn try_case(
    plan: &Plan,
    bases: &[OnceLock<Vec<u8>>],
    case: u64,
    outcome: &mut Outcome,
) -> anyhow::Result<bool> {
    let mut random = plan.random(case);
    // ext4's turns are the even ones, and XFS's the odd ones.
    let (turn, fault) = match case {
        ..STAGED => (case * 2, JOURNAL_FAILS),
        STAGED..DROPPED => (case * 2 + 1, drops_cache(&mut random)),
        DROPPED.. => (case, draw(&mut random)),
    };
    let file_system = FileSystem::of_turn(turn);
    let base = bases.get(usize::try_from(turn)? % bases.len()).context("no such turn")?;
    if base.get().is_none() {
        let made = file_system.make()?.content()?;
        base.get_or_init(|| made);
    }
    let base = base.get().context("not made")?;
    let broken = break_under(plan, file_system, base, fault, &mut random)?;
    let (name, has_struck) = (file_system.title(), broken.struck);
    if has_struck {
        outcome.count(format!("{name}: {}", called(fault)), 1);
    } else {
        outcome.count("faults that came too late to strike, which don't count", 1);
    }
    count_staged(file_system, &broken.told, outcome);
    let ended = broken.told.refused.clone().or_else(|| broken.told.halted.clone());
    let ended = ended.unwrap_or_else(|| "noticed nothing".to_owned());
    let content = broken.content.clone();
    if let Err(error) = judge(plan, file_system, broken, fault, outcome, &mut random) {
        let kept = kept(plan, Some(&content))?;
        outcome.violation(case, format!("{name}, {fault:?} (log: {ended}): {error:#}{kept}"));
    }
    Ok(has_struck)
}

/// What is staged: somebody else is told of it, and the log's sync comes next (`block::stage`).
const JOURNAL_FAILS: Fault = Fault {
    strike: Strike::Fail(Errno::IO.raw_os_error()),
    blow: Blow::Journal,
    at: 0,
    count: u64::MAX,
};

/// The cache goes with a flush that fails: behind those that make the log, and before its end.
fn drops_cache(random: &mut fastrand::Rng) -> Fault {
    let strike = Strike::FailAndForget(Errno::IO.raw_os_error());
    let at = random.u64(REQUESTS / 8..REQUESTS / 2);
    Fault { strike, blow: Blow::Flush, at, ..draw(random) }
}

fn draw(random: &mut fastrand::Rng) -> Fault {
    let error = one_of(random, &[Errno::IO, Errno::NOSPC]).raw_os_error();
    let (blow, strike) = match random.u8(..8) {
        0 | 1 => (Blow::Write, Strike::Fail(error)),
        2 => (Blow::Flush, Strike::Fail(Errno::IO.raw_os_error())),
        3 | 4 => (Blow::Flush, Strike::FailAndForget(Errno::IO.raw_os_error())),
        5 => (Blow::Write, Strike::Lie),
        6 => (Blow::Write, Strike::LieUntilCut),
        _ => (Blow::Flush, Strike::LieUntilCut),
    };
    let count = one_of(random, &[1, 1, 1, 2, 10, u64::MAX]);
    Fault { strike, blow, at: random.u64(..REQUESTS), count }
}

/// Counts what came of somebody else's sync, where one was staged.
fn count_staged(file_system: FileSystem, told: &Told, outcome: &mut Outcome) {
    let Some(what) = &told.staged else { return };
    let name = file_system.title();
    let what = if told.met() { "the next sync said success" } else { what };
    let is_expected = file_system == FileSystem::Ext4Journalled && !told.met();
    let expected = if is_expected { ", as it does with data=journal" } else { "" };
    outcome.count(format!("staged on {name}: {what}{expected}"), 1);
}

fn called(fault: Fault) -> String {
    let what = match fault.blow {
        Blow::Write => "write",
        Blow::Journal => "each write to the journal",
        Blow::Flush => "flush",
    };
    match fault.strike {
        Strike::Fail(error) if error == Errno::NOSPC.raw_os_error() => {
            format!("{what} fails with ENOSPC")
        }
        Strike::Fail(_) => format!("{what} fails with EIO"),
        Strike::FailAndForget(_) => format!("{what} fails with EIO, and the cache is gone"),
        Strike::Lie => format!("{what} dropped"),
        Strike::LieUntilCut => format!("{what} dropped, and shown until the cut"),
    }
}

/// What came of a fault.
struct Broken {
    /// What is on the medium after the power was cut.
    content: Vec<u8>,
    told: Told,
    /// Whether the fault struck.
    struck: bool,
    /// When the cache was dropped, where it was.
    dropped: Option<Moment>,
    /// The log's syncs of which the kernel says that they failed, where it was asked.
    failed_syncs: Vec<String>,
}

/// Appends while the device breaks, and cuts the power.
fn break_under(
    plan: &Plan,
    file_system: FileSystem,
    base: &[u8],
    fault: Fault,
    random: &mut fastrand::Rng,
) -> anyhow::Result<Broken> {
    let (serving, mounting, watching) = (plan.folder()?, plan.folder()?, plan.folder()?);
    let served = Served::start(Device::new(base.to_vec(), random.u64(..)), serving.path())?;
    let device = LoopDevice::attach(&served.disk())?;
    let mount = Mount::new(device.path(), file_system, mounting.path())?;
    match fault.blow {
        Blow::Journal => served.device().break_when_told(fault),
        Blow::Write | Blow::Flush => served.device().break_at(fault),
    }
    let folder = mount.path().join(LOG);
    // A flush that failed is told to whoever asked for it. Where the cache is gone with it, and that was somebody else, the
    // log has no way of knowing: so then nobody else asks.
    let trace = watching.path().join("trace");
    let company = match (fault.blow, fault.strike) {
        (Blow::Journal, _) => Company::Staged,
        (_, Strike::FailAndForget(_)) => Company::Strace(&trace),
        (_, Strike::Fail(_) | Strike::Lie | Strike::LieUntilCut) => Company::Drawn,
    };
    Appender::start(&folder, Some(&served.ear()), random.u64(..), APPENDS, company)?.end()?;
    let failed_syncs = match company {
        Company::Strace(trace) => failed_syncs(trace)?,
        Company::Drawn | Company::Staged => Vec::new(),
    };
    let said = served.device().said().to_vec();
    let mut told = Told::default();
    for line in &said {
        told.hear(line);
    }
    // Now, or after everything else has come to the device that still can.
    if random.bool() {
        drop(mount);
    }
    let mut device = served.device();
    Ok(Broken {
        content: device.after_cut(random),
        told,
        struck: device.struck() > 0,
        dropped: device.take_dropped().map(|dropped| Moment::of(dropped, &said)),
        failed_syncs,
    })
}

/// Mounts what is left, and judges it.
fn judge(
    plan: &Plan,
    file_system: FileSystem,
    broken: Broken,
    fault: Fault,
    outcome: &mut Outcome,
    random: &mut fastrand::Rng,
) -> anyhow::Result<()> {
    let Broken { content, mut told, dropped, failed_syncs, .. } = broken;
    outcome.count(
        match (&told.refused, &told.halted) {
            (Some(_), _) => "the log was refused",
            (_, Some(_)) => "the log halted",
            _ if told.not_written > 0 => "the log refused events, and went on",
            _ => "the log noticed nothing",
        },
        1,
    );
    outcome.count("acknowledgements", u64::try_from(told.receipt_count)?);
    anyhow::ensure!(told.lies.is_empty(), "{}", told.lies.join("; "));
    anyhow::ensure!(
        failed_syncs.is_empty() || told.sync_failed,
        "the kernel said that a sync failed, and the storage under the log did not: {failed_syncs:?}"
    );
    let taken_by = match fault.strike {
        Strike::Fail(_) => None,
        Strike::FailAndForget(_) => dropped.is_some().then_some("a dropped cache"),
        Strike::Lie | Strike::LieUntilCut => Some("a lie"),
    };
    if let Some(moment) = dropped {
        moment.judge(plan, file_system, outcome, random)?;
    }
    let image = Image::of(&content)?;
    let device = LoopDevice::attach(&image.path())?;
    let mounting = plan.folder()?;
    let mount = match (Mount::new(device.path(), file_system, mounting.path()), taken_by) {
        (Ok(mount), _) => mount,
        (Err(_), Some(by)) => {
            outcome.count(format!("{by} took the file system"), 1);
            return Ok(());
        }
        // A failed write that tore the superblock, for one: what a journal does not hold, a repair mends.
        (Err(_), None) => {
            outcome.count("an honest fault left a file system to repair", 1);
            file_system.repair(device.path())?;
            Mount::new(device.path(), file_system, mounting.path())?
        }
    };
    let folder = mount.path().join(LOG);
    if let Some(by) = taken_by {
        find_loss(by, &folder, &told, outcome, random)?;
    } else {
        told.go_on();
        check(&folder, &mut told, random, outcome)?;
    }
    mount.unmount()
}

/// Where something that was acknowledged was taken, it must be found, now and after going on.
fn find_loss(
    by: &str,
    folder: &Path,
    told: &Told,
    outcome: &mut Outcome,
    random: &mut fastrand::Rng,
) -> anyhow::Result<()> {
    // What the file system can't list any more, neither we nor the verifier can judge.
    let lost = is_held(folder, told).map(|held| !held);
    let counted = match lost {
        Ok(true) => "records",
        Ok(false) => "no record",
        // There may be no log.
        Err(_) if told.receipt_count == 0 => "no record",
        Err(_) => "a folder's names",
    };
    outcome.count(format!("{by} took {counted}"), 1);
    let lost = lost.unwrap_or(false);
    let must_be_found = |when: &str| {
        let only_receipts = Told { checkpoints: Vec::new(), ..told.clone() };
        let only_checkpoints = Told { receipts: String::new(), ..told.clone() };
        if lost && is_called_sound(folder, &only_receipts) {
            anyhow::bail!("acknowledged records are gone, and the receipts don't show it {when}");
        }
        if is_short_of_a_checkpoint(folder, told)? && is_called_sound(folder, &only_checkpoints) {
            anyhow::bail!(
                "the log is shorter than a kept checkpoint, which does not show it {when}"
            );
        }
        Ok(())
    };
    must_be_found("as the device left it")?;
    let Ok(log) = AuditLog::open(folder, options(random)) else {
        outcome.count(format!("the log was not opened after {by}"), 1);
        return must_be_found("after it was refused");
    };
    outcome.count(format!("the log was opened after {by}"), 1);
    // Not so many that they fill the places of what is gone.
    let appended = log.append(Event::new("user:mia", "after.the.lie", "file:/x"));
    let closed = log.close();
    if appended.is_err() || closed.is_err() {
        // A file system that something was taken from may refuse at any time.
        outcome.count(format!("the log stopped after {by}"), 1);
    }
    must_be_found("after it was opened")
}

fn is_called_sound(folder: &Path, told: &Told) -> bool {
    held_against(folder, told)
        .is_ok_and(|report| matches!(report.verdict(), Verdict::Sound | Verdict::Torn))
}

/// Whether a checkpoint that was kept covers more records than the folder has.
fn is_short_of_a_checkpoint(folder: &Path, told: &Told) -> anyhow::Result<bool> {
    let Some(newest) = told.checkpoints.last() else { return Ok(false) };
    let size: u64 = newest.lines().nth(1).unwrap_or("").parse().context("a note without size")?;
    let next = held_against(folder, told).ok().and_then(|report| report.next_seq);
    Ok(next.is_some_and(|next| next < size))
}
