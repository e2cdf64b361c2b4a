//! Breaks the device under the file system: writes and flushes that fail, once or from then on, also so that the cache is
//! gone and the next flush succeeds; and a device that lies: it says that it did what it did not.
//!
//! What must hold after an honest fault (`EIO` or `ENOSPC`, whatever the failed write left on the medium):
//! - whoever was not acknowledged was told so; a log that halted acknowledges nothing more, also when a later sync
//!   succeeds (the worker tries);
//! - after the power is cut, the mount (after `e2fsck` or `xfs_repair`, where the file system needs it) and the recovery:
//!   everything that was acknowledged is there, the log is sound, and so on (`block::check`).
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
//! says success to a plain one there; the log may not acknowledge what it says that of.
//!
//! Every other case is a fault, drawn from the seed; which write is the `n`th one depends on the machine, too.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context as _;
use indelible::{AuditLog, Event, Verdict};
use rustix::io::Errno;

use super::block::{
    Appender, Blow, Device, Fault, FileSystem, Image, LOG, LoopDevice, Mount, Served, Strike, Told,
    check, held_against, is_held, kept, one_of, options,
};
use crate::cases;
use crate::layer::{Layer, Outcome};
use crate::need::Need;
use crate::plan::Plan;

/// Events that each thread appends, if the device lets it.
const APPENDS: u64 = 60;
/// Around how many writes and flushes that makes.
const REQUESTS: u64 = 120;

/// The first cases, on ext4: the journal fails for somebody else. The others are drawn.
const STAGED: u64 = 24;

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
    ],
    run,
};

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let bases: [OnceLock<Vec<u8>>; FileSystem::ALL.len()] = Default::default();
    cases::run(plan, |case, outcome| {
        let mut random = plan.random(case);
        // ext4's turns are the even ones.
        let turn = if case < STAGED { case * 2 } else { case };
        let file_system = FileSystem::of_turn(turn);
        let base = bases.get(usize::try_from(turn)? % bases.len()).context("no such turn")?;
        if base.get().is_none() {
            let made = file_system.make()?.content()?;
            base.get_or_init(|| made);
        }
        let base = base.get().context("not made")?;
        let fault = if case < STAGED { JOURNAL_FAILS } else { draw(&mut random) };
        let (content, told, struck) = break_under(plan, file_system, base, fault, &mut random)?;
        let name = file_system.title();
        outcome.count(format!("{name}: {}", called(fault)), 1);
        if let Some(what) = &told.staged {
            let what = if told.met() { "failed, and the next said success" } else { what };
            outcome.count(format!("somebody else's sync was staged: {what}"), 1);
        }
        if !struck {
            outcome.count("faults that came too late to strike", 1);
        }
        let ended = told.refused.clone().or_else(|| told.halted.clone());
        let ended = ended.unwrap_or_else(|| "noticed nothing".to_owned());
        let judged = judge(plan, file_system, &content, told, fault, outcome, &mut random);
        if let Err(error) = judged {
            let kept = kept(plan, Some(&content))?;
            outcome.violation(case, format!("{name}, {fault:?} (log: {ended}): {error:#}{kept}"));
        }
        Ok(())
    })
}

/// What is staged: somebody else is told of it, and the log's sync comes next (`block::stage`).
const JOURNAL_FAILS: Fault = Fault {
    strike: Strike::Fail(Errno::IO.raw_os_error()),
    blow: Blow::Journal,
    at: 0,
    count: u64::MAX,
};

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

/// Whether the log was told that something is there which is not. So it is, too, where the cache went with a flush of the
/// kernel's own: ext4 flushes before it shortens its journal, and does not look at what comes of it.
fn is_lie(fault: Fault, told: &Told) -> bool {
    match fault.strike {
        Strike::Fail(_) => false,
        Strike::FailAndForget(_) => {
            !told.sync_failed && told.halted.is_none() && told.refused.is_none()
        }
        Strike::Lie | Strike::LieUntilCut => true,
    }
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

/// Appends while the device breaks, and cuts the power; gives what is on the medium then, what was told, and whether the
/// fault struck.
fn break_under(
    plan: &Plan,
    file_system: FileSystem,
    base: &[u8],
    fault: Fault,
    random: &mut fastrand::Rng,
) -> anyhow::Result<(Vec<u8>, Told, bool)> {
    let (serving, mounting) = (plan.folder()?, plan.folder()?);
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
    let start = match (fault.blow, fault.strike) {
        (Blow::Journal, _) => Appender::start_staged,
        (_, Strike::FailAndForget(_)) => Appender::start_alone,
        (_, Strike::Fail(_) | Strike::Lie | Strike::LieUntilCut) => Appender::start,
    };
    start(&folder, Some(&served.ear()), random.u64(..), APPENDS)?.end()?;
    let mut told = Told::default();
    served.device().said().iter().for_each(|line| told.hear(line));
    // Now, or after everything else has come to the device that still can.
    let content = if random.bool() {
        served.device().after_cut(random)
    } else {
        drop(mount);
        served.device().after_cut(random)
    };
    let struck = served.device().struck() > 0;
    Ok((content, told, struck))
}

/// Mounts what is left, and judges it.
fn judge(
    plan: &Plan,
    file_system: FileSystem,
    content: &[u8],
    mut told: Told,
    fault: Fault,
    outcome: &mut Outcome,
    random: &mut fastrand::Rng,
) -> anyhow::Result<()> {
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
    let image = Image::of(content)?;
    let device = LoopDevice::attach(&image.path())?;
    let mounting = plan.folder()?;
    let mount = match Mount::new(device.path(), file_system, mounting.path()) {
        Ok(mount) => mount,
        Err(_) if is_lie(fault, &told) => {
            outcome.count("a lie took the file system", 1);
            return Ok(());
        }
        // A failed write that tore the superblock, for one: what a journal does not hold, a repair mends.
        Err(_) => {
            outcome.count("an honest fault left a file system to repair", 1);
            file_system.repair(device.path())?;
            Mount::new(device.path(), file_system, mounting.path())?
        }
    };
    let may_be_broken = matches!(fault.strike, Strike::FailAndForget(_)) && !is_lie(fault, &told);
    let mount = if may_be_broken && is_broken(mount.path()) {
        outcome.count("an honest fault left a file system to repair", 1);
        mount.unmount()?;
        file_system.repair(device.path())?;
        Mount::new(device.path(), file_system, mounting.path())?
    } else {
        mount
    };
    let folder = mount.path().join(LOG);
    if is_lie(fault, &told) {
        find_lie(&folder, &told, outcome, random)?;
    } else {
        told.go_on();
        check(&folder, &mut told, random, outcome)?;
    }
    mount.unmount()
}

/// Whether the file system itself says of one of its folders that it is broken, and wants to be repaired: where a device
/// drops its cache with a flush that fails, that may have been the last of the blocks that the journal no longer holds.
fn is_broken(folder: &Path) -> bool {
    let broken = |error: &io::Error| {
        let code = error.raw_os_error();
        [Errno::BADMSG, Errno::UCLEAN].iter().any(|wanted| code == Some(wanted.raw_os_error()))
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return broken(&error),
    };
    entries.into_iter().any(|entry| match entry.and_then(|entry| Ok((entry.metadata()?, entry))) {
        Ok((stat, entry)) => stat.is_dir() && is_broken(&entry.path()),
        Err(error) => broken(&error),
    })
}

/// Where a lie took something that was acknowledged, it must be found, now and after going on.
fn find_lie(
    folder: &Path,
    told: &Told,
    outcome: &mut Outcome,
    random: &mut fastrand::Rng,
) -> anyhow::Result<()> {
    // What the file system can't list any more, neither we nor the verifier can judge.
    let lost = is_held(folder, told).map(|held| !held);
    let counted = match lost {
        Ok(true) => "a lie took records",
        Ok(false) => "a lie took no record",
        Err(_) => "a lie took a folder's names",
    };
    outcome.count(counted, 1);
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
        outcome.count("the log was not opened after a lie", 1);
        return must_be_found("after it was refused");
    };
    outcome.count("the log was opened after a lie", 1);
    // Not so many that they fill the places of what is gone.
    let appended = log.append(Event::new("user:mia", "after.the.lie", "file:/x"));
    let closed = log.close();
    if appended.is_err() || closed.is_err() {
        // A file system that something was taken from may refuse at any time.
        outcome.count("the log stopped after a lie", 1);
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
