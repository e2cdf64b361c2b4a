//! Following a log while it grows, rotates and prunes: nothing is missed, nothing comes twice.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{
    AuditLog, Event, Follow, Glob, Idempotency, Options, Order, Query, ReadError, Reader,
};
use proptest::prelude::*;

use crate::checker::{assert_local_log_is_sound, assert_log_is_sound};

const FOLDER: &str = "/logs/audit";

/// The smallest segments that there can be.
fn options(max_files: u32, checkpoint_interval: Duration) -> Options {
    let never = Idempotency { period: Duration::ZERO, records: 0, memory_size_max: 1 << 20 };
    Options::default()
        .with_entry_size_max(8 << 10)
        .with_max_file_size(80 << 10)
        .with_max_files(max_files)
        .with_checkpoint_interval(checkpoint_interval)
        .with_idempotency(never)
}

fn event(number: usize, size: usize) -> Event {
    let actor = if number.is_multiple_of(2) { "even" } else { "odd" };
    Event::new(actor, "b", format!("r{number}"))
        .metadata(serde_json::json!({"x": "y".repeat(size)}))
}

fn disk() -> (SimulatedDisk, Arc<dyn Storage>) {
    let disk = SimulatedDisk::new();
    disk.plant_folder(Path::new("/logs")).unwrap();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    (disk, storage)
}

/// What came of a follower so far.
#[derive(Default)]
struct Taken {
    seqs: Vec<u64>,
    /// Ranges that were told to be absent.
    absent: Vec<(u64, u64)>,
}

impl Taken {
    /// Takes all that is ready.
    fn poll(&mut self, follow: &mut Follow) {
        while let Some(item) = follow.next_ready() {
            match item {
                Ok(record) => self.seqs.push(record.seq),
                Err(ReadError::Absent { from, to }) => self.absent.push((from, to)),
                Err(e) => panic!("{e}"),
            }
        }
    }

    /// Every record from `from` to `last` came, or was told to be absent; in order, and once.
    fn assert_whole(&self, from: u64, last: u64) {
        let absent = self.absent.iter().flat_map(|(from, to)| *from..=*to);
        let mut all: Vec<u64> = self.seqs.iter().copied().chain(absent).collect();
        assert!(self.seqs.is_sorted_by(|a, b| a < b), "{:?}", self.seqs);
        all.sort_unstable();
        assert_eq!(all, (from..=last).collect::<Vec<_>>());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append { count: usize, size: usize },
    Checkpoint,
    Poll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1_usize..12, 0_usize..7_000).prop_map(|(count, size)| Step::Append { count, size }),
        2 => Just(Step::Checkpoint),
        3 => Just(Step::Poll),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Also for those that look so seldom that retention overtakes them: what they missed is told.
    #[test]
    fn followers_get_each_record_once_or_are_told_that_it_is_gone(
        steps in steps(),
        max_files in 1_u32..4,
        from in 0_u64..5,
    ) {
        let (_disk, storage) = disk();
        let hour = Duration::from_hours(1);
        let log = AuditLog::create_on(Arc::clone(&storage), FOLDER, options(max_files, hour)).unwrap();
        let outside = Reader::open_on(Arc::clone(&storage), FOLDER).unwrap();
        let readers = [log.reader(), outside.clone(), outside.unsynced()];
        let mut followers = readers.map(|reader| (reader.follow(&Query::new(), from), Taken::default()));
        let (mut number, mut covered) = (0, 0);
        for step in steps.into_iter().chain([Step::Checkpoint, Step::Poll]) {
            match step {
                Step::Append { count, size } => {
                    let events: Vec<_> = (number..number + count).map(|n| event(n, size)).collect();
                    number += count;
                    for pending in log.submit_all(&events).unwrap() {
                        pending.wait().unwrap();
                    }
                }
                Step::Checkpoint => {
                    log.checkpoint().unwrap();
                    covered = log.records();
                }
                Step::Poll => {
                    let records = log.records();
                    for (index, (follow, taken)) in followers.iter_mut().enumerate() {
                        taken.poll(follow);
                        let last = taken.seqs.last().map_or(0, |seq| seq + 1);
                        // The second goes only as far as the checkpoint, made here or at a rotation.
                        let expected = if index == 1 { covered } else { records };
                        prop_assert!(last >= expected || expected <= from);
                        if index != 1 && records > from {
                            prop_assert_eq!(last, records);
                        }
                    }
                }
            }
        }
        let records = log.records();
        for (_, taken) in followers.iter().filter(|_| records > from) {
            taken.assert_whole(from, records - 1);
        }
        log.close().unwrap();
        assert_log_is_sound(&storage, FOLDER, &[]);
    }
}

/// One that looks at least once a rotation is never overtaken.
#[test]
fn who_looks_once_a_rotation_misses_nothing_with_one_old_file_kept() {
    let (_disk, storage) = disk();
    let log =
        AuditLog::create_on(Arc::clone(&storage), FOLDER, options(1, Duration::from_hours(1)))
            .unwrap();
    let mut followers = [log.reader(), Reader::open_on(Arc::clone(&storage), FOLDER).unwrap()]
        .map(|reader| (reader.follow(&Query::new(), 0), Taken::default()));
    for number in 0..300 {
        log.append(event(number, 6_000)).unwrap();
        if number % 6 == 0 {
            log.checkpoint().unwrap();
            for (follow, taken) in &mut followers {
                taken.poll(follow);
            }
        }
    }
    log.checkpoint().unwrap();
    for (follow, taken) in &mut followers {
        taken.poll(follow);
        assert_eq!(taken.absent, []);
        taken.assert_whole(0, log.records() - 1);
    }
    assert!(log.reader().first_seq().unwrap() > 200, "old files were removed");
    log.close().unwrap();
    assert_log_is_sound(&storage, FOLDER, &[]);
}

/// On real files, as fast as both can.
#[test]
fn followers_miss_nothing_while_another_thread_appends() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let log = AuditLog::create(&folder, options(2, Duration::from_millis(1))).unwrap();
    let outside = Reader::open(&folder).unwrap();
    let readers = [log.reader(), outside.clone(), outside.clone().unsynced()];
    let ended = AtomicBool::new(false);
    let ended = &ended;
    std::thread::scope(|scope| {
        let followers: Vec<_> = readers
            .into_iter()
            .map(|reader| {
                scope.spawn(move || {
                    let mut follow = reader.follow(&Query::new(), 0);
                    let mut taken = Taken::default();
                    loop {
                        // Asked before it looks, so that the last look comes after the end.
                        let is_last = ended.load(Ordering::SeqCst);
                        taken.poll(&mut follow);
                        if is_last {
                            return taken;
                        }
                        std::thread::yield_now();
                    }
                })
            })
            .collect();
        for round in 0..60 {
            let events: Vec<_> = (0..10).map(|n| event(round * 10 + n, 4_000)).collect();
            log.submit_all(&events).unwrap().last().unwrap().wait().unwrap();
        }
        let last = log.records() - 1;
        log.close().unwrap();
        ended.store(true, Ordering::SeqCst);
        for follower in followers {
            follower.join().unwrap().assert_whole(0, last);
        }
    });
    assert_local_log_is_sound(&folder);
}

/// Scans of what was there when they began, in both directions, while the log goes on under them.
#[test]
fn scans_go_on_over_rotation_and_pruning() {
    let (_disk, storage) = disk();
    let hour = Duration::from_hours(1);
    let log = AuditLog::create_on(Arc::clone(&storage), FOLDER, options(3, hour)).unwrap();
    let append = |from: usize, count: usize| {
        let events: Vec<_> = (from..from + count).map(|n| event(n, 6_000)).collect();
        log.submit_all(&events).unwrap().last().unwrap().wait().unwrap();
    };
    append(0, 40);
    for reader in [log.reader(), Reader::open_on(Arc::clone(&storage), FOLDER).unwrap().unsynced()]
    {
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let (first, end) = (reader.first_seq().unwrap(), reader.records().unwrap());
            let mut scan = reader.query(&Query::new().with_order(order)).unwrap();
            let mut taken: Vec<_> = scan.by_ref().take(2).collect();
            append(100, 14);
            taken.extend(scan);
            let (mut seqs, mut absent) = (Vec::new(), 0);
            for item in taken {
                match item {
                    Ok(record) => seqs.push(record.seq),
                    Err(ReadError::Absent { from, to }) => absent += to + 1 - from,
                    Err(e) => panic!("{e}"),
                }
            }
            assert!(seqs.iter().all(|seq| (first..end).contains(seq)));
            if order == Order::OldestFirst {
                assert!(seqs.is_sorted_by(|a, b| a < b));
                assert_eq!(u64::try_from(seqs.len()).unwrap() + absent, end - first);
            } else {
                // What retention has removed by then is as if it had never been there.
                assert!(seqs.is_sorted_by(|a, b| *a == *b + 1));
                assert_eq!(seqs[0], end - 1);
                assert!(*seqs.last().unwrap() <= reader.first_seq().unwrap());
            }
        }
    }
    log.close().unwrap();
    assert_log_is_sound(&storage, FOLDER, &[]);
}

/// At every place in a file, and so also at its very end, where the next record begins a file that is gone by the next look.
#[test]
fn who_looked_at_the_end_of_a_file_is_told_of_those_that_went_meanwhile() {
    let mut gaps = 0;
    for count in 0..16 {
        let (_disk, storage) = disk();
        let hour = Duration::from_hours(1);
        let log = AuditLog::create_on(Arc::clone(&storage), FOLDER, options(1, hour)).unwrap();
        let outside = Reader::open_on(Arc::clone(&storage), FOLDER).unwrap();
        let append = |from: usize, count: usize| {
            for number in from..from + count {
                log.append(event(number, 6_900)).unwrap();
            }
            log.checkpoint().unwrap();
        };
        append(0, count);
        let readers = [log.reader(), outside.clone(), outside.unsynced()];
        let mut followers =
            readers.map(|reader| (reader.follow(&Query::new(), 0), Taken::default()));
        for (follow, taken) in &mut followers {
            taken.poll(follow);
        }
        append(count, 50);
        for (follow, taken) in &mut followers {
            taken.poll(follow);
            taken.assert_whole(0, log.records() - 1);
            gaps += taken.absent.len();
            assert!(taken.absent.len() <= 1, "{:?}", taken.absent);
        }
    }
    assert!(gaps > 0);
}

#[test]
fn a_follower_filters_and_waits_for_the_line_feed() {
    let (disk, storage) = disk();
    let hour = Duration::from_hours(1);
    let log = AuditLog::create_on(Arc::clone(&storage), FOLDER, options(1, hour)).unwrap();
    let reader = Reader::open_on(Arc::clone(&storage), FOLDER).unwrap().unsynced();
    let mut follow = reader.follow(&Query::new().with_actor(Glob::exact("odd")), 0);
    assert!(follow.next_ready().is_none());
    for number in 0..4 {
        log.append(event(number, 10)).unwrap();
    }
    log.close().unwrap();
    assert_log_is_sound(&storage, FOLDER, &[]);
    let path = Path::new(FOLDER).join("audit.log");
    let whole = disk.read_file(&path).unwrap();
    let mut seqs = Vec::new();
    for size in whole.len() - 600..=whole.len() {
        disk.write_file(&path, &whole[..size]).unwrap();
        while let Some(record) = follow.next_ready() {
            seqs.push(record.unwrap().seq);
        }
    }
    assert_eq!(seqs, [2, 4]);
}
