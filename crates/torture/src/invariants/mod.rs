//! What must hold of a log, whatever broke the disk or the process under it: [`check`], and in two steps [`recover`] and
//! [`Recovered::hold`], for who meets the same bytes more than once.
//!
//! - A state that a crash alone can leave is never refused, and the verifier calls it sound or torn, as the bytes say.
//! - What was acknowledged is there exactly once, at its receipt's place, with its hash, unless it was pruned; nothing is
//!   there that nobody sent, or that the log said it did not write.
//! - What is pruned was to be pruned: a record in the log reaches it, the segments that stay are as many as are to be kept,
//!   and the first of them follows the record that is named as the last to go. This is read from the lines, here.
//! - The chain verifies from genesis or prune point; order is `seq`, without a gap.
//! - Nothing is cut but what is torn, nothing without quarantine and a record of repair; nothing that no signature covered is
//!   kept without a record of adoption.
//! - Recovering twice equals recovering once, and the log goes on: an event more, closed, sound, and in its place.
//! - Nothing is acknowledged after a halt: [`halt_holds`].

mod folder;
mod sent;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use indelible::format::own::OwnRecord;
use indelible::storage::Storage;
use indelible::storage::simulated::Errno;
use indelible::{
    AppendError, AuditLog, CheckpointError, Event, OpenError, Options, Receipt, Repair, Report,
    Verdict, Verifier,
};

use self::folder::{Line, Records, Segments, Snapshot, What};
pub(crate) use self::sent::Sent;

/// What the event that shows that a log goes on names as its resource.
const GOES_ON: &str = "invariants:goes-on";

/// Where something broke a log, and how it is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left<'a> {
    pub(crate) storage: &'a Arc<dyn Storage>,
    pub(crate) folder: &'a Path,
    pub(crate) options: &'a Options,
    /// Whether something besides a crash damaged it that an explicit repair mends: that comes first, then.
    pub(crate) needs_repair: bool,
}

/// Opens the log, looks at it before and after, and holds it against what was sent: every invariant that does not hold,
/// as text. The log is closed again, and holds one event more.
pub(crate) fn check(left: Left<'_>, sent: &Sent) -> Vec<String> {
    recover(left).hold(sent)
}

/// Whether the log's bytes, as readers see them, hold every event that was acknowledged, but for those before the first
/// record: read-only, without the verifier, and passing over what is no record.
pub(crate) fn is_held(
    storage: &Arc<dyn Storage>,
    folder: &Path,
    sent: &Sent,
) -> Result<bool, String> {
    let snapshot = Snapshot::of(storage.as_ref(), folder)?;
    Ok(sent.is_held(&Segments::of(&snapshot).whole_records()))
}

/// What opening made of a log that was left so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovered {
    violations: Vec<String>,
    /// What the log holds; `None` where there was no log, or it was not opened.
    records: Option<Records>,
    /// Whether there was no log, and it was made anew.
    was_absent: bool,
}

/// Opens the log, looks at it before and after, and checks all that the bytes alone can tell.
pub(crate) fn recover(left: Left<'_>) -> Recovered {
    let mut recovered = Recovered::default();
    if let Err(what) = recovered.look(left) {
        recovered.violations.push(what);
    }
    recovered
}

impl Recovered {
    /// Every invariant that does not hold, also of what was sent.
    pub(crate) fn hold(&self, sent: &Sent) -> Vec<String> {
        let mut violations = self.violations.clone();
        if self.was_absent && sent.is_created() {
            violations.push("the log was created, and is not there".to_owned());
        }
        match &self.records {
            Some(records) => sent.hold(records, &mut violations),
            None if self.violations.is_empty() && sent.is_acknowledged() => {
                violations.push("there is no log, and it has acknowledged".to_owned());
            }
            None => {}
        }
        violations
    }

    fn look(&mut self, left: Left<'_>) -> Result<(), String> {
        let Left { storage, folder, .. } = left;
        if storage
            .stat(folder)
            .is_err_and(|e| e.raw_os_error() == Some(Errno::NOENT.raw_os_error()))
        {
            self.was_absent = true;
            let log = AuditLog::create_on(Arc::clone(storage), folder, left.options.clone())
                .map_err(|e| format!("no log was left, and none is made anew: {e}"))?;
            log.close().map_err(|e| format!("made anew, and not closed: {e}"))?;
            drop(log);
            return self.look_after(left).map(drop);
        }
        let before = Snapshot::of_medium(storage.as_ref(), folder)?;
        if left.needs_repair {
            repair(left)?;
        } else {
            self.judge_verdict(left, &before)?;
        }
        let log = open(left).map_err(|e| format!("not opened: {e}"))?;
        let records = log.records();
        log.close().map_err(|e| format!("opened, and not closed: {e}"))?;
        drop(log);
        let after = self.look_after(left)?;
        self.violations.extend(folder::lost(&before, &after));
        self.go_on(left, &after, records)
    }

    /// The verifier calls it torn where the bytes say so, and else sound.
    fn judge_verdict(&mut self, left: Left<'_>, before: &Snapshot) -> Result<(), String> {
        let report = verify(left)?;
        let expected = if before.cached().is_torn() { Verdict::Torn } else { Verdict::Sound };
        if report.verdict() != expected {
            self.violations.push(format!(
                "left so by a crash, it is {expected}, and the verifier says {}: {}",
                report.verdict(),
                findings(&report)
            ));
        }
        Ok(())
    }

    /// It is sound now, and its records follow each other.
    fn look_after(&mut self, left: Left<'_>) -> Result<Snapshot, String> {
        let report = verify(left)?;
        if report.verdict() != Verdict::Sound {
            self.violations.push(format!("opened, and not sound: {}", findings(&report)));
        }
        let after = Snapshot::of_medium(left.storage.as_ref(), left.folder)?;
        let records = Segments::of(&after).records()?;
        self.violations.extend(folder::out_of_order(&records.lines));
        self.violations.extend(folder::untold(&after, &records.lines));
        self.records = Some(records);
        Ok(after)
    }

    /// Opening again changes nothing, and the log takes events.
    fn go_on(&mut self, left: Left<'_>, once: &Snapshot, records: u64) -> Result<(), String> {
        let log = open(left).map_err(|e| format!("not opened again: {e}"))?;
        if !log.recovery().is_clean() {
            self.violations.push(format!("opened again, it mended again: {:?}", log.recovery()));
        }
        let twice = Snapshot::of(left.storage.as_ref(), left.folder)?;
        self.violations.extend(
            once.differences(&twice)
                .map(|name| format!("recovering twice is not recovering once: {name} is another")),
        );
        let receipt = log
            .append(Event::new("invariants", "go-on", GOES_ON))
            .map_err(|e| format!("opened again, and takes no event: {e}"))?;
        if receipt.seq < records {
            self.violations.push(format!("record {} was there already", receipt.seq));
        }
        log.close().map_err(|e| format!("opened again, and not closed: {e}"))?;
        drop(log);
        self.judge_growth(left, once, receipt)
    }

    /// It is sound still, holds what it held, and the new event once, where its receipt says.
    fn judge_growth(
        &mut self,
        left: Left<'_>,
        once: &Snapshot,
        receipt: Receipt,
    ) -> Result<(), String> {
        let report = verify(left)?;
        if report.verdict() != Verdict::Sound {
            self.violations.push(format!("gone on, and not sound: {}", findings(&report)));
        }
        let grown = Snapshot::of_medium(left.storage.as_ref(), left.folder)?;
        self.violations.extend(folder::lost(once, &grown));
        let records = Segments::of(&grown).records()?;
        self.violations.extend(folder::out_of_order(&records.lines));
        let is_there = |line: &&Line| {
            let is_event = matches!(&line.what, What::Event { resource } if resource == GOES_ON);
            is_event && line.hash == receipt.hash
        };
        let there: Vec<u64> = records.lines.iter().filter(is_there).map(|line| line.seq).collect();
        if there != [receipt.seq] {
            let seq = receipt.seq;
            self.violations.push(format!("gone on with record {seq}, and it is at {there:?}"));
        }
        Ok(())
    }
}

/// Whether a log that has halted stays so: no append, no checkpoint succeeds, and none is told to be perhaps written. Tries
/// nothing where it has not halted.
pub(crate) fn halt_holds(log: &AuditLog, resource: &str) -> Vec<String> {
    let mut violations = Vec::new();
    if log.halted().is_none() {
        return violations;
    }
    let before = log.records();
    match log.append(Event::new("invariants", "halted", resource)) {
        Err(AppendError::Halted(_)) => {}
        other => violations.push(format!("the log has halted, and an append gets {other:?}")),
    }
    match log.checkpoint() {
        Err(CheckpointError::Halted(_)) => {}
        other => violations.push(format!("the log has halted, and a checkpoint gets {other:?}")),
    }
    if log.records() != before {
        violations.push("the log has halted, and its durable records grew".to_owned());
    }
    violations
}

fn open(left: Left<'_>) -> Result<AuditLog, OpenError> {
    AuditLog::open_on(Arc::clone(left.storage), left.folder, left.options.clone())
}

fn repair(left: Left<'_>) -> Result<(), String> {
    let Left { storage, folder, options, .. } = left;
    let repair = Repair::look_on(Arc::clone(storage), folder, options.clone());
    let repair = repair.map_err(|e| format!("not looked at for repair: {e}"))?;
    if let Some(left) = repair.plan().left.first() {
        return Err(format!("not repaired: {left}"));
    }
    repair.run().map(drop).map_err(|e| format!("repair failed: {e}"))
}

fn verify(left: Left<'_>) -> Result<Report, String> {
    let verifier = Verifier::on(Arc::clone(left.storage), left.folder).strict();
    verifier.verify().map_err(|e| format!("the verifier could not look: {e}"))
}

fn findings(report: &Report) -> String {
    let texts: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

/// The repair that a record of the log's own tells of.
fn told_by(line: &Line) -> Option<&indelible::format::own::Recover> {
    let What::Own(own) = &line.what else { return None };
    if let OwnRecord::Recover(told) = own.as_ref() { Some(told) } else { None }
}
