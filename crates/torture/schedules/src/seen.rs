//! What was told to whom, and whether that holds: at the moment when it is told, on what is synced of the disk, and at the
//! end, on the whole log.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indelible::format::chain::Hash;
use indelible::format::record::{Content, Record};
use indelible::storage::simulated::{OperationKind, SimulatedDisk};
use indelible::{AppendError, Receipt};

use crate::base::FOLDER;
use crate::bench;
use crate::scenario::{Fault, Made, Scenario};

/// What became of an event, as far as its caller knows.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Told(Result<Receipt, AppendError>),
    /// It was accepted, and nobody waited.
    Dropped,
}

/// A schedule under way.
pub(crate) struct Seen {
    disk: SimulatedDisk,
    /// How many operations the disk had seen when the fault was planted.
    began: u64,
    told: Mutex<Vec<(Made, Outcome)>>,
    /// How many operations there were when the log was closed.
    closed: Mutex<Option<u64>>,
}

impl Seen {
    pub(crate) fn new(disk: SimulatedDisk) -> Self {
        let began = disk.operation_count();
        Self { disk, began, told: Mutex::default(), closed: Mutex::default() }
    }

    /// Ends the program: something is not as it must be.
    #[expect(clippy::unused_self, reason = "whoever looks has one")]
    pub(crate) fn wrong(&self, what: impl AsRef<str>) -> ! {
        bench::violation(what.as_ref())
    }

    /// Keeps what a caller was told, and looks whether an acknowledged record is on the disk by now.
    pub(crate) fn told(&self, made: &Made, outcome: Outcome) {
        bench::count(match &outcome {
            Outcome::Told(Ok(receipt)) if receipt.duplicate => "events acknowledged as duplicates",
            Outcome::Told(Ok(_)) => "events acknowledged",
            Outcome::Told(Err(AppendError::Halted(_))) => "events told of a halt",
            Outcome::Told(Err(AppendError::Indeterminate(_))) => "events told of as indeterminate",
            Outcome::Told(Err(AppendError::NotWritten { .. })) => "events not written",
            Outcome::Told(Err(_)) => "events rejected",
            Outcome::Dropped => "events that nobody waited for",
        });
        if let Outcome::Told(Ok(receipt)) = &outcome {
            let synced = self.disk.after_crash(&self.disk.only_synced());
            let hash = receipt.hash.to_hex();
            let is_there = segments(&synced)
                .iter()
                .rev()
                .any(|segment| memchr::memmem::rfind(segment, &hash).is_some());
            if !is_there {
                self.wrong(format!("{made:?}: {receipt} was acknowledged and is not synced"));
            }
        }
        self.lock().push((made.clone(), outcome));
    }

    /// The log is closed: nothing more may be done to the disk.
    pub(crate) fn closed(&self) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed.get_or_insert_with(|| self.disk.operation_count());
    }

    /// Looks whether a checkpoint covers nothing but what is synced.
    pub(crate) fn checkpoint(&self, note: &str) {
        bench::count("checkpoints");
        let size: Option<u64> = note.lines().nth(1).and_then(|size| size.parse().ok());
        let synced = self.disk.after_crash(&self.disk.only_synced());
        let records = last_seq(&synced).map(|seq| seq + 1);
        if size.is_none() || size > records {
            self.wrong(format!("a checkpoint covers {size:?}, and synced are {records:?} records"));
        }
    }

    /// Looks at the log when all is over.
    pub(crate) fn end(&self, scenario: &Scenario) {
        let records = self.records();
        let closed = *self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.is_some_and(|closed| closed != self.disk.operation_count()) {
            self.wrong("the disk was still used after the log was closed");
        }
        if !scenario.fault.halts() && !scenario.closes_early() && scenario.fault == Fault::Nothing {
            self.nothing_failed();
        }
        let mut by_action: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
        let told = self.lock();
        for (made, outcome) in told.iter() {
            by_action.entry(&made.action).or_default().push(outcome);
        }
        for made in scenario.events() {
            let Some(outcomes) = by_action.get(made.action.as_str()) else {
                self.wrong(format!("nobody was told of {made:?}"));
            };
            let there = records.get(made.action.as_str()).map_or(&[][..], Vec::as_slice);
            self.judge(made, outcomes, there, scenario);
        }
        if self.disk.faults_struck() > 0 && matches!(scenario.fault, Fault::Sync(_)) {
            self.nothing_written_after_failed_sync(scenario.fault);
        }
    }

    /// What was told of equal events, and the records that they became.
    fn judge(
        &self,
        made: &Made,
        outcomes: &[&Outcome],
        there: &[(u64, Hash)],
        scenario: &Scenario,
    ) {
        if there.len() > 1 {
            self.wrong(format!("{made:?} was recorded {} times: {there:?}", there.len()));
        }
        let (mut maybe, mut surely, mut first) = (made.action.starts_with("old-"), false, 0);
        for outcome in outcomes {
            match outcome {
                Outcome::Told(Ok(receipt)) => {
                    maybe = true;
                    first += u32::from(!receipt.duplicate);
                    if there != [(receipt.seq, receipt.hash)] {
                        self.wrong(format!("{made:?} is not at {receipt} but at {there:?}"));
                    }
                }
                Outcome::Dropped => {
                    maybe = true;
                    surely |= scenario.fault == Fault::Nothing && made.id.is_none();
                }
                Outcome::Told(Err(AppendError::Indeterminate(_))) => maybe = true,
                Outcome::Told(Err(_)) => {}
            }
        }
        if surely && there.is_empty() {
            self.wrong(format!("{made:?} was accepted, and is not there"));
        }
        if !maybe && !there.is_empty() {
            self.wrong(format!("{made:?} was not written, it was said, and is at {there:?}"));
        }
        if first > 1 {
            self.wrong(format!("{made:?} was acknowledged as new {first} times"));
        }
    }

    /// Where nothing fails, and nobody closes, events are refused for want of room, time or agreement only.
    fn nothing_failed(&self) {
        for (made, outcome) in self.lock().iter() {
            if let Outcome::Told(Err(error)) = outcome
                && !matches!(
                    error,
                    AppendError::QueueFull { .. }
                        | AppendError::NotReady
                        | AppendError::Conflict { .. }
                )
            {
                self.wrong(format!("{made:?}: nothing had failed, and told was: {error}"));
            }
        }
    }

    /// Where the records of each event are; the chain must hold.
    fn records(&self) -> HashMap<String, Vec<(u64, Hash)>> {
        let mut records: HashMap<String, Vec<(u64, Hash)>> = HashMap::new();
        let mut last: Option<(u64, Hash)> = None;
        let mut time = None;
        for segment in segments(&self.disk) {
            for line in segment.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let record = match Record::parse(line) {
                    Ok(record) => record,
                    // What a failed write or sync left behind the last record.
                    Err(_) if self.disk.faults_struck() > 0 => break,
                    Err(error) => self.wrong(format!("a line is no record: {error}")),
                };
                if let Some((seq, hash)) = last
                    && (record.seq() != seq + 1 || record.prev_hash() != hash)
                {
                    self.wrong(format!("record {} does not follow {seq}", record.seq()));
                }
                if time > Some(record.timestamp()) {
                    self.wrong(format!("time goes back at record {}", record.seq()));
                }
                time = Some(record.timestamp());
                last = Some((record.seq(), record.hash()));
                if let Content::Event(fields) = record.content() {
                    let at = (record.seq(), record.hash());
                    records.entry(fields.action().into_owned()).or_default().push(at);
                }
            }
        }
        records
    }

    /// After the sync that failed no byte is appended to the segment.
    fn nothing_written_after_failed_sync(&self, fault: Fault) {
        let Fault::Sync(nth) = fault else { return };
        let operations = self.disk.operations();
        let of_segment =
            operations.iter().filter(|op| op.index >= self.began && op.path.ends_with("audit.log"));
        let mut syncs = 0;
        for operation in of_segment {
            if operation.kind == OperationKind::SyncData {
                syncs += 1;
            } else if operation.kind == OperationKind::Append && syncs > nth {
                self.wrong(format!("after a failed sync came {operation:?}"));
            }
        }
    }

    /// Acknowledged events, each once.
    pub(crate) fn acknowledged(&self) -> Vec<(Made, Receipt)> {
        let told = self.lock();
        let acknowledged = told.iter().filter_map(|(made, outcome)| match outcome {
            Outcome::Told(Ok(receipt)) => Some((made.clone(), *receipt)),
            Outcome::Told(Err(_)) | Outcome::Dropped => None,
        });
        acknowledged.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Made, Outcome)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The segments on a disk, oldest first.
fn segments(disk: &SimulatedDisk) -> Vec<Vec<u8>> {
    let read = |name: &str| disk.read_file(Path::new(FOLDER).join(name));
    let rotated = (1..9).map_while(|number| read(&format!("audit.log.{number}")).ok());
    let mut segments: Vec<_> = rotated.collect();
    segments.reverse();
    segments.extend(read("audit.log"));
    segments
}

fn last_seq(disk: &SimulatedDisk) -> Option<u64> {
    segments(disk).iter().rev().find_map(|segment| {
        let lines = segment.rsplit(|byte| *byte == b'\n');
        lines.filter_map(|line| Some(Record::parse(line).ok()?.seq())).next()
    })
}
