//! Whoever looks at a log, or copies it, while it rotates and prunes: whichever two steps that comes between, what they get
//! is right.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indelible::format::note::VerifierKey;
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{
    AuditLog, Event, Idempotency, Options, Order, Query, ReadError, Reader, Verdict, backup_on,
};

use crate::checker::verify;
use crate::interleaved::Interleaved;

const FOLDER: &str = "/logs/audit";
const COPY: &str = "/logs/copy";
/// Of the smallest segments that there can be, so many events fill one.
const EVENTS_PER_SEGMENT: usize = 10;

fn options(max_files: Option<u32>) -> Options {
    let never = Idempotency { period: Duration::ZERO, records: 0, memory_size_max: 1 << 20 };
    let options = Options::default()
        .with_entry_size_max(8 << 10)
        .with_max_file_size(80 << 10)
        .with_checkpoint_interval(Duration::from_hours(1))
        .with_idempotency(never);
    max_files.map_or(options.clone(), |count| options.with_max_files(count))
}

fn append(log: &AuditLog, count: usize) {
    for _ in 0..count {
        let event = Event::new("a", "b", "c").metadata(serde_json::json!({"x": "y".repeat(7_500)}));
        log.append(event).unwrap();
    }
}

/// Has `look` look at a log, again and again, into which a rotation, or three, comes before its first operation, its
/// second, and so on to the last; `look` is also given the disk as it is, the log's key, and how many records there were
/// before.
fn at_every_moment(look: impl Fn(&Arc<dyn Storage>, &Arc<dyn Storage>, VerifierKey, u64, &str)) {
    for (max_files, rotations) in [(None, 1), (Some(1), 1), (Some(1), 3), (Some(2), 1)] {
        for number in 0.. {
            let disk = SimulatedDisk::new();
            disk.plant_folder(Path::new("/logs")).unwrap();
            let storage: Arc<dyn Storage> = Arc::new(disk.clone());
            let log =
                AuditLog::create_on(Arc::clone(&storage), FOLDER, options(max_files)).unwrap();
            let key = log.identity().verifier_key().clone();
            append(&log, 2 * EVENTS_PER_SEGMENT + EVENTS_PER_SEGMENT / 2);
            let before = log.records();
            let rotate = move || append(&log, rotations * EVENTS_PER_SEGMENT);
            let interleaved = Arc::new(Interleaved::before(number, Arc::clone(&storage), rotate));
            let seen: Arc<dyn Storage> = interleaved.clone();
            let when =
                format!("{max_files:?} files, {rotations} rotations before operation {number}");
            look(&seen, &storage, key, before, &when);
            if !interleaved.has_acted() {
                assert!(number > 10, "it looks at something");
                break;
            }
        }
    }
}

#[test]
fn a_backup_is_sound() {
    at_every_moment(|seen, disk, key, before, when| {
        let copied = backup_on(seen, FOLDER, COPY).unwrap();
        let report = verify(disk, Path::new(COPY), &[key]);
        assert_eq!(report.verdict(), Verdict::Sound, "{when}:\n{report}");
        assert!(copied.last_seq.is_some_and(|last| last + 1 >= before), "{when}: {copied:?}");
    });
}

#[test]
fn the_verifier_finds_nothing() {
    at_every_moment(|seen, _, key, before, when| {
        let report = verify(seen, Path::new(FOLDER), &[key]);
        assert_eq!(report.verdict(), Verdict::Sound, "{when}:\n{report}");
        assert!(report.next_seq.is_some_and(|next| next >= before), "{when}:\n{report}");
    });
}

#[test]
fn a_query_gets_every_record_once_and_is_told_which_are_gone() {
    for order in [Order::OldestFirst, Order::NewestFirst] {
        at_every_moment(|seen, _, _, before, when| {
            let reader = Reader::open_on(Arc::clone(seen), FOLDER).unwrap().unsynced();
            let query = Query::new().with_order(order);
            let mut seqs = Vec::new();
            for found in reader.query(&query).unwrap() {
                match found {
                    Ok(record) => seqs.push(record.seq),
                    Err(ReadError::Absent { from, to }) => seqs.extend(from..=to),
                    Err(e) => panic!("{when}, {order:?}: {e}"),
                }
            }
            if order == Order::NewestFirst {
                seqs.reverse();
            }
            let first = seqs.first().copied().unwrap_or_default();
            assert!(
                seqs.iter().copied().eq((first..).take(seqs.len())),
                "{when}, {order:?}: {seqs:?}"
            );
            assert!(
                seqs.last().is_some_and(|last| last + 1 >= before),
                "{when}, {order:?}: {seqs:?}"
            );
        });
    }
}
