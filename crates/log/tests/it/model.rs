//! The log against a naive model: a list of what was acknowledged.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indelible::format::record::{Content, Record};
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, Event, Idempotency, Options, Reader};
use proptest::prelude::*;

use crate::checker::assert_log_is_sound;

const FOLDER: &str = "/logs/audit";

/// What somebody does with a log.
#[derive(Clone, Debug)]
enum Step {
    Append {
        size: usize,
    },
    AppendMany {
        count: usize,
        size: usize,
    },
    Checkpoint,
    CloseAndOpen,
    /// The process is killed: what it wrote stays.
    Kill,
    /// The power fails: one of the states that the disk may be in then.
    CutPower {
        seed: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_usize..40_000).prop_map(|size| Step::Append { size }),
        3 => ((1_usize..20), (0_usize..20_000)).prop_map(|(count, size)| Step::AppendMany { count, size }),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::CloseAndOpen),
        1 => Just(Step::Kill),
        2 => any::<u64>().prop_map(|seed| Step::CutPower { seed }),
    ];
    prop::collection::vec(step, 1..25)
}

fn options(max_files: Option<u32>) -> Options {
    let never = Idempotency { period: Duration::ZERO, records: 0, memory_size_max: 1 << 20 };
    let options = Options::default()
        .with_max_file_size(192 << 10)
        .with_checkpoint_interval(Duration::from_hours(1))
        .with_idempotency(never);
    max_files.map_or(options.clone(), |count| options.with_max_files(count))
}

fn storage(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}

fn event(number: usize, size: usize) -> Event {
    Event::new("a", "b", format!("r{number}")).metadata(serde_json::json!({"x": "y".repeat(size)}))
}

/// What was acknowledged: the record's seq, and which event it is.
type Model = Vec<(u64, usize)>;

fn open(disk: &SimulatedDisk, max_files: Option<u32>) -> AuditLog {
    AuditLog::open_on(storage(disk), FOLDER, options(max_files)).expect("a crash is never refused")
}

/// Every acknowledged event that is still kept stands at its seq, and seqs have no gap.
fn assert_as_modelled(disk: &SimulatedDisk, model: &Model) {
    let reader = Reader::open_on(storage(disk), FOLDER).unwrap().unsynced();
    let first = reader.first_seq().unwrap();
    let mut found = std::collections::HashMap::new();
    for (expected, record) in (first..).zip(reader.lines_from(first).unwrap()) {
        let line = record.unwrap().line;
        let record = Record::parse(&line).unwrap();
        assert_eq!(record.seq(), expected);
        if let Content::Event(fields) = record.content() {
            found.insert(record.seq(), fields.resource().into_owned());
        }
    }
    for (seq, number) in model.iter().filter(|(seq, _)| *seq >= first) {
        assert_eq!(found.get(seq), Some(&format!("r{number}")), "record {seq}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_to_it_the_log_holds_what_it_acknowledged(
        steps in steps(),
        max_files in prop::option::of(1_u32..4),
    ) {
        let mut disk = SimulatedDisk::new();
        disk.plant_folder(Path::new("/logs")).unwrap();
        let mut log = AuditLog::create_on(storage(&disk), FOLDER, options(max_files)).unwrap();
        let mut model = Model::new();
        let mut number = 0;
        for step in steps {
            match step {
                Step::Append { size } => {
                    number += 1;
                    model.push((log.append(event(number, size)).unwrap().seq, number));
                }
                Step::AppendMany { count, size } => {
                    let events: Vec<_> = (1..=count).map(|n| event(number + n, size)).collect();
                    let pending = log.submit_all(&events).unwrap();
                    for pending in pending {
                        number += 1;
                        model.push((pending.wait().unwrap().seq, number));
                    }
                }
                Step::Checkpoint => drop(log.checkpoint().unwrap()),
                Step::CloseAndOpen => {
                    log.close().unwrap();
                    log = open(&disk, max_files);
                    prop_assert!(log.recovery().is_clean());
                }
                Step::Kill => {
                    let left = disk.fork();
                    drop(log);
                    disk = left;
                    log = open(&disk, max_files);
                }
                Step::CutPower { seed } => {
                    disk.crash();
                    drop(log);
                    let state = disk.crash_states_seeded(8, seed).last().expect("at least one state");
                    disk = disk.after_crash(&state);
                    log = open(&disk, max_files);
                }
            }
            prop_assert!(model.last().is_none_or(|(seq, _)| log.records() > *seq));
        }
        log.close().unwrap();
        assert_log_is_sound(&storage(&disk), FOLDER, &[]);
        assert_as_modelled(&disk, &model);
        let seqs: Vec<_> = model.iter().map(|(seq, _)| *seq).collect();
        prop_assert!(seqs.is_sorted_by(|a, b| a < b), "acknowledged in the order of seq");
    }
}
