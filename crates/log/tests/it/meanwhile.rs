//! Whoever looks at a log, or copies it, while it rotates and prunes: whichever two steps that comes between, what they get
//! is right.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indelible::format::note::VerifierKey;
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{
    AuditLog, Event, Idempotency, Options, Order, Query, ReadError, Reader, Report, Verdict,
    backup_on,
};

use crate::checker::verify;
use crate::interleaved::Turn;

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
            let interleaved = Arc::new(Turn::before(number, rotate).of(Arc::clone(&storage)));
            let seen: Arc<dyn Storage> = interleaved.clone();
            let when =
                format!("{max_files:?} files, {rotations} rotations before operation {number}");
            look(&seen, &storage, key, before, &when);
            if !interleaved.hand().has_acted() {
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

/// Verifies a log, with an empty file in the oldest place, amid whose looks two files exchange their names before operation
/// `number`; `None` where there are fewer operations.
fn verify_amid_exchange(names: [&'static str; 2], number: u64) -> Option<Report> {
    let disk = SimulatedDisk::new();
    disk.plant_folder(Path::new("/logs")).unwrap();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let log = AuditLog::create_on(Arc::clone(&storage), FOLDER, options(None)).unwrap();
    append(&log, 2 * EVENTS_PER_SEGMENT + EVENTS_PER_SEGMENT / 2);
    log.close().unwrap();
    disk.write_file(Path::new(FOLDER).join("audit.log.3"), "").unwrap();
    let exchange = move || {
        let [one, two] = names.map(|name| Path::new(FOLDER).join(name));
        let aside = Path::new(FOLDER).join("aside");
        for (from, to) in [(&one, &aside), (&two, &one), (&aside, &two)] {
            disk.rename(from, to).unwrap();
        }
    };
    let interleaved = Arc::new(Turn::before(number, exchange).of(storage));
    let seen: Arc<dyn Storage> = interleaved.clone();
    let report = verify(&seen, Path::new(FOLDER), &[]);
    interleaved.hand().has_acted().then_some(report)
}

#[test]
fn the_verifier_sees_each_file_once_where_two_exchange_their_names() {
    for names in [["audit.log.1", "audit.log.2"], ["audit.log.2", "audit.log.3"]] {
        for number in 0.. {
            let Some(report) = verify_amid_exchange(names, number) else {
                assert!(number > 10, "it looks at something");
                break;
            };
            let faults = report.findings.iter().filter(|finding| finding.class.is_fault());
            let faults: Vec<_> = faults.map(|fault| fault.found.as_deref()).collect();
            assert_eq!(faults, [Some("an empty file")], "{names:?}, {number}:\n{report}");
            assert_eq!((report.first_seq, report.records), (Some(0), 26), "{names:?}, {number}");
        }
    }
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
