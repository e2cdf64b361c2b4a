//! What an observer is told is what happened, and watching changes nothing.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::{
    AppendError, AuditLog, CheckpointError, CommittedGroup, Event, Halt, HaltCause, MadeCheckpoint,
    Observer, Obstacle, PrunedSegment, RotatedSegment,
};

use crate::checker::assert_log_is_sound;
use crate::scene::Head;
use crate::scene::{
    FOLDER, active, closed, disk, event, in_folder, options, storage, write_active,
};

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Witness {
    groups: Mutex<Vec<CommittedGroup>>,
    rotated: Mutex<Vec<RotatedSegment>>,
    pruned: Mutex<Vec<PrunedSegment>>,
    checkpoints: Mutex<Vec<MadeCheckpoint>>,
    refused: Mutex<Vec<CheckpointError>>,
    halts: Mutex<Vec<Halt>>,
}

impl Observer for Witness {
    fn committed(&self, group: &CommittedGroup) {
        self.groups.lock().unwrap().push(*group);
    }

    fn rotated(&self, segment: &RotatedSegment) {
        self.rotated.lock().unwrap().push(*segment);
    }

    fn pruned(&self, segment: &PrunedSegment) {
        self.pruned.lock().unwrap().push(*segment);
    }

    fn checkpoint_made(&self, checkpoint: &MadeCheckpoint) {
        self.checkpoints.lock().unwrap().push(*checkpoint);
    }

    fn checkpoint_refused(&self, error: &CheckpointError) {
        self.refused.lock().unwrap().push(error.clone());
    }

    fn halted(&self, halt: &Halt) {
        self.halts.lock().unwrap().push(halt.clone());
    }
}

impl Witness {
    fn groups(&self) -> Vec<CommittedGroup> {
        self.groups.lock().unwrap().clone()
    }

    fn records(&self) -> u64 {
        self.groups().iter().map(|group| group.records).sum()
    }

    /// Waits until it was told of so many records: those who appended them were told before.
    fn wait_for(&self, records: u64) {
        while self.records() < records {
            std::thread::yield_now();
        }
        assert_eq!(self.records(), records);
    }

    fn size(&self) -> u64 {
        self.groups().iter().map(|group| group.size).sum()
    }
}

fn open<O: Observer + 'static>(disk: &SimulatedDisk, observer: &Arc<O>) -> AuditLog {
    let options = options().with_observer(Arc::<O>::clone(observer));
    AuditLog::open_on(storage(disk), FOLDER, options).unwrap()
}

/// Bytes of all segments, and how many there are.
fn segments(disk: &SimulatedDisk) -> (u64, u64) {
    let sizes = disk.tree().into_iter().filter_map(|(path, stat)| {
        let name = path.file_name()?.to_str()?;
        (path.parent()?.ends_with("audit") && name.starts_with("audit.log")).then_some(stat.size)
    });
    sizes.fold((0, 0), |(segments, size), more| (segments + 1, size + more))
}

fn assert_stored(disk: &SimulatedDisk, log: &AuditLog) {
    let stored = log.stored();
    assert_eq!((stored.segments, stored.size), segments(disk));
}

#[test]
fn the_groups_that_are_told_are_all_records_and_all_bytes() {
    let disk = closed();
    let (_, before) = segments(&disk);
    let witness = Arc::new(Witness::default());
    let log = open(&disk, &witness);
    assert_stored(&disk, &log);
    assert!(witness.groups().is_empty(), "opening had nothing to write");
    for number in 0..20 {
        let batch: Vec<Event> = (0..number).map(event).collect();
        for pending in log.try_submit_all(&batch).unwrap() {
            pending.wait().unwrap();
        }
    }
    log.close().unwrap();
    assert_eq!(witness.records(), log.records() - 4);
    assert_eq!(witness.size(), segments(&disk).1 - before);
    let mut durable = 4;
    for group in witness.groups() {
        assert!(group.records > 0, "{group:?}");
        durable += group.records;
        assert_eq!(group.durable, durable);
    }
    assert_stored(&disk, &log);
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn times_are_measured_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("audit");
    let witness = Arc::new(Witness::default());
    let options = options().with_observer(Arc::<Witness>::clone(&witness));
    let log = AuditLog::create(&folder, options).unwrap();
    let begun = std::time::Instant::now();
    log.append(event(1)).unwrap();
    log.checkpoint().unwrap();
    witness.wait_for(1);
    let took = begun.elapsed();
    let group = witness.groups()[0];
    assert!(!group.write.is_zero() && !group.sync.is_zero(), "{group:?}");
    assert!(group.write + group.sync <= took, "{group:?} in {took:?}");
    let checkpoint = *witness.checkpoints.lock().unwrap().last().unwrap();
    assert!(!checkpoint.took.is_zero() && checkpoint.took <= took, "{checkpoint:?}");
    assert!((begun..=begun + took).contains(&checkpoint.at), "{checkpoint:?}");
}

#[test]
fn rotation_and_retention_are_told_with_what_went() {
    let disk = disk();
    let witness = Arc::new(Witness::default());
    let options = options().with_max_files(2).with_observer(Arc::<Witness>::clone(&witness));
    let log = AuditLog::create_on(storage(&disk), FOLDER, options).unwrap();
    let mut left = Vec::new();
    for number in 0..500 {
        log.append(event(number)).unwrap();
        assert_stored(&disk, &log);
        let rotated = witness.rotated.lock().unwrap().len();
        if rotated > left.len() {
            left.push(disk.read_file(in_folder("audit.log.1")).unwrap());
        }
    }
    log.close().unwrap();
    let (rotated, pruned) =
        (witness.rotated.lock().unwrap().clone(), witness.pruned.lock().unwrap().clone());
    assert!(rotated.len() > 3, "{rotated:?}");
    let mut first_seq = 0;
    for (told, bytes) in rotated.iter().zip(&left) {
        let lines = bytes.split(|byte| *byte == b'\n').count() - 1;
        let [lines, size] = [lines, bytes.len()].map(|n| u64::try_from(n).unwrap());
        assert_eq!((told.first_seq, told.records, told.size), (first_seq, lines, size));
        first_seq += told.records;
    }
    let went: Vec<_> = pruned.iter().map(|told| (told.first_seq, told.size)).collect();
    let oldest = rotated.iter().map(|told| (told.first_seq, told.size));
    assert_eq!(went, oldest.take(rotated.len() - 2).collect::<Vec<_>>());
    // The genesis was written before anybody could be told.
    assert_eq!(witness.records(), log.records() - 1, "prune records are records");
    let noted = witness.checkpoints.lock().unwrap().iter().filter(|made| made.noted).count();
    assert_eq!(noted, rotated.len() + pruned.len());
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn what_opening_records_is_told_as_a_group() {
    let disk = closed();
    let mut lines = active(&disk);
    let more = Head::of(&lines).record();
    lines.extend_from_slice(&more);
    write_active(&disk, lines);
    let witness = Arc::new(Witness::default());
    let log = open(&disk, &witness);
    assert_eq!(log.recovery().adopted.map(|adopted| adopted.from_seq), Some(4));
    let groups = witness.groups();
    assert_eq!(
        groups.iter().map(|group| (group.records, group.durable)).collect::<Vec<_>>(),
        [(1, 6)]
    );
    assert_eq!(witness.checkpoints.lock().unwrap().len(), 1);
    assert_stored(&disk, &log);
}

#[test]
fn a_group_that_is_not_written_is_not_told_and_a_checkpoint_that_is_refused_is() {
    let disk = closed();
    let witness = Arc::new(Witness::default());
    let log = open(&disk, &witness);
    let append = FaultPlan::nth(0).of_kind(OperationKind::Append);
    disk.fail(append.on_path("audit.log").with(Errno::NOSPC));
    assert!(matches!(log.append(event(1)), Err(AppendError::NotWritten { .. })));
    assert!(witness.groups().is_empty());
    log.append(event(1)).unwrap();
    witness.wait_for(1);

    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::CreateNew).with(Errno::NOSPC));
    assert!(log.checkpoint().is_err());
    let refused = witness.refused.lock().unwrap().clone();
    let [CheckpointError::Refused(Obstacle::Io(failure))] = &refused[..] else {
        panic!("{refused:?}")
    };
    assert_eq!(failure.source.kind(), std::io::ErrorKind::StorageFull);
    assert!(witness.checkpoints.lock().unwrap().is_empty());
    for _ in 0..2 {
        log.checkpoint().unwrap();
        let made: Vec<_> = witness
            .checkpoints
            .lock()
            .unwrap()
            .iter()
            .map(|made| (made.size, made.noted))
            .collect();
        assert_eq!(made, [(5, false)], "one that is there already is not made again");
    }
    log.close().unwrap();
    assert!(witness.halts.lock().unwrap().is_empty());
}

#[test]
fn a_log_that_halts_says_so_once_and_its_group_is_not_told() {
    let disk = closed();
    let witness = Arc::new(Witness::default());
    let log = open(&disk, &witness);
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncData).on_path("audit.log"));
    assert!(log.append(event(1)).unwrap_err().is_indeterminate());
    assert!(matches!(log.append(event(2)), Err(AppendError::Halted(_))));
    assert!(log.checkpoint().is_err());
    assert!(log.close().is_err());
    let halts = witness.halts.lock().unwrap();
    let [halt] = &halts[..] else { panic!("{halts:?}") };
    assert!(matches!(halt.cause(), HaltCause::Io(_)), "{halt}");
    assert!(witness.groups().is_empty());
    assert!(witness.refused.lock().unwrap().is_empty(), "a log that halts tries no more");
}

/// Panics whatever it is told.
#[derive(Debug)]
struct Panics;

impl Observer for Panics {
    fn committed(&self, _: &CommittedGroup) {
        panic!("told of a group");
    }

    fn rotated(&self, _: &RotatedSegment) {
        panic!("told of a rotation");
    }

    fn pruned(&self, _: &PrunedSegment) {
        panic!("told of a prune");
    }

    fn checkpoint_made(&self, _: &MadeCheckpoint) {
        panic!("told of a checkpoint");
    }

    fn halted(&self, _: &Halt) {
        panic!("told of a halt");
    }
}

#[test]
fn a_panic_in_an_observer_changes_nothing_of_what_is_acknowledged() {
    let disk = disk();
    let options = options().with_max_files(1).with_observer(Arc::new(Panics));
    let log = AuditLog::create_on(storage(&disk), FOLDER, options).unwrap();
    for number in 0..300 {
        assert_eq!(log.try_submit(event(number)).unwrap().wait().unwrap().seq, log.records() - 1);
    }
    let receipt = log.append(event(300)).unwrap();
    let stored = log.reader().record(receipt.seq).unwrap().unwrap();
    assert!(stored.line.windows(64).any(|hash| hash == receipt.hash.to_string().as_bytes()));
    assert!(log.halted().is_none());
    assert!(log.checkpoint().is_ok());
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncData).on_path("audit.log"));
    assert!(log.append(event(1)).unwrap_err().is_indeterminate());
    assert!(matches!(log.append(event(2)), Err(AppendError::Halted(_))));
    assert!(log.close().is_err());
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn watching_asks_nothing_more_of_the_disk() {
    let run = |watched: bool| {
        let disk = disk();
        let options = options().with_max_files(1);
        let options =
            if watched { options.with_observer(Arc::new(Witness::default())) } else { options };
        let log = AuditLog::create_on(storage(&disk), FOLDER, options).unwrap();
        for number in 0..300 {
            log.append(event(number)).unwrap();
        }
        log.checkpoint().unwrap();
        log.close().unwrap();
        disk.operations().into_iter().map(|operation| (operation.kind, operation.path)).collect()
    };
    let (watched, unwatched): (Vec<_>, Vec<_>) = (run(true), run(false));
    assert_eq!(watched, unwatched);
}

/// Asks the log about itself, and has it record what it saw.
#[derive(Debug, Default)]
struct Asks {
    log: OnceLock<Weak<AuditLog>>,
    seen: Mutex<Vec<[u64; 3]>>,
}

impl Observer for Asks {
    fn committed(&self, group: &CommittedGroup) {
        let Some(log) = self.log.get().and_then(Weak::upgrade) else { return };
        let read = log.reader().records().unwrap();
        self.seen.lock().unwrap().push([group.durable, log.records(), read]);
        assert!(log.waiting().size <= log.waiting().limit && log.stored().segments == 1);
        if group.durable < 10 {
            drop(log.try_submit(event(0)).unwrap());
        }
    }
}

#[test]
fn an_observer_may_ask_the_log_and_queue_events() {
    let disk = closed();
    let asks = Arc::new(Asks::default());
    let log = Arc::new(open(&disk, &asks));
    asks.log.set(Arc::downgrade(&log)).unwrap();
    log.append(event(1)).unwrap();
    while log.records() < 10 {
        std::thread::yield_now();
    }
    log.close().unwrap();
    let expected: Vec<[u64; 3]> = (5..=10).map(|durable| [durable; 3]).collect();
    assert_eq!(*asks.seen.lock().unwrap(), expected);
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}
