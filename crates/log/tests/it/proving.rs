//! Tiles, entry bundles and proofs by numbers, against the tree as its definition says.

use indelible::format::chain::{Hash, Link};
use indelible::format::proof::{Growth, Inclusion, check_consistency, check_inclusion};
use indelible::format::tile::Tile;
use indelible::format::tree::{empty_root, leaf_hash, node_hash};
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, Event, Options, ProveError, Prover};

use crate::checker::assert_log_is_sound;
use crate::scene::{FOLDER, disk, event, in_folder, options, storage};

fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn wide(count: usize) -> u64 {
    count.try_into().unwrap()
}

fn create(disk: &SimulatedDisk, options: Options) -> AuditLog {
    AuditLog::create_on(storage(disk), FOLDER, options).unwrap()
}

fn append(log: &AuditLog, count: usize) {
    let events: Vec<Event> =
        (0..count).map(|number| Event::new("a", "b", format!("r{number}"))).collect();
    log.submit_all(&events).unwrap().last().unwrap().wait().unwrap();
}

/// The `_hash` of every record, oldest first.
fn hashes(log: &AuditLog) -> Vec<Hash> {
    let records = log.reader().lines_from(0).unwrap();
    records.map(|record| Link::split(&record.unwrap().line).unwrap().hash).collect()
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

#[test]
fn tiles_of_every_width_are_those_of_the_tree_and_none_beyond_the_checkpoint() {
    let disk = disk();
    let log = create(&disk, options().with_max_file_size(1 << 20));
    append(&log, 769);
    log.checkpoint().unwrap();
    let covered = hashes(&log);
    assert_eq!(covered.len(), 770);
    // Rows and lines that no checkpoint covers.
    append(&log, 40);
    let mut row: Vec<Hash> = covered.iter().map(leaf_hash).collect();
    let outside = Prover::open_on(storage(&disk), FOLDER).unwrap();
    for prover in [log.prover(), outside] {
        for level in 0..3_u8 {
            for index in 0..5 {
                for width in [1, 2, 3, 255, 256] {
                    let tile = Tile::of_tree(level, index, u64::MAX).unwrap();
                    let partial = format!("{}.p/{width}", tile.path());
                    let tile = if width < 256 { Tile::parse(&partial).unwrap() } else { tile };
                    let first = usize::try_from(index).unwrap() * 256;
                    let expected = row.get(first..first + width).map(bytes);
                    assert_eq!(prover.tile(tile).unwrap(), expected, "{}", tile.path());
                    if level == 0 {
                        let entry = |hash: &Hash| [&[0, 32], &hash.as_bytes()[..]].concat();
                        let entries = covered.get(first..first + width);
                        let entries =
                            entries.map(|entries| entries.iter().flat_map(entry).collect());
                        assert_eq!(prover.entries(tile).unwrap(), entries, "{}", tile.path());
                    } else {
                        assert_eq!(prover.entries(tile).unwrap(), None);
                    }
                }
            }
            row = row.chunks_exact(256).map(naive_root).collect();
        }
        row = covered.iter().map(leaf_hash).collect();
    }
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn proofs_of_every_record_in_and_between_trees_of_every_size_hold() {
    const SIZE: usize = 21;
    let disk = disk();
    let log = create(&disk, options());
    append(&log, SIZE - 1);
    log.checkpoint().unwrap();
    let leaves: Vec<Hash> = hashes(&log).iter().map(leaf_hash).collect();
    append(&log, 3);
    let prover = log.prover();
    for to in 0..=SIZE {
        let root = naive_root(&leaves[..to]);
        for from in 0..=to {
            let proof = prover.consistency(wide(from), Some(wide(to))).unwrap();
            let older = naive_root(&leaves[..from]);
            assert_eq!((proof.from_root, proof.to_root), (older, root));
            assert_eq!((proof.from, proof.to), (wide(from), wide(to)));
            let growth = Growth { from: wide(from), to: wide(to) };
            check_consistency(&proof.hashes, growth, &older, &root).unwrap();
            assert_eq!(proof.checkpoint.checkpoint.size, wide(SIZE));
        }
        for (seq, leaf) in (0..).zip(&leaves[..to]) {
            let proof = prover.inclusion(seq, Some(wide(to))).unwrap();
            assert_eq!((proof.leaf, proof.root, proof.size), (*leaf, root, wide(to)));
            let what = Inclusion { index: seq, size: wide(to) };
            check_inclusion(&proof.hashes, what, leaf, &root).unwrap();
        }
    }
    let latest = prover.checkpoint().unwrap();
    let proof = prover.inclusion(3, None).unwrap();
    assert_eq!((proof.size, proof.root), (wide(SIZE), latest.checkpoint.root));
    assert_eq!(proof.checkpoint, latest);
    let proof = prover.consistency(3, None).unwrap();
    assert_eq!((proof.to, proof.to_root), (wide(SIZE), latest.checkpoint.root));
}

#[test]
fn what_was_asked_for_wrongly_is_told_with_its_limit() {
    let disk = disk();
    let log = create(&disk, options());
    append(&log, 9);
    log.checkpoint().unwrap();
    append(&log, 5);
    let prover = log.prover();
    let says = |error: Result<String, ProveError>| error.unwrap_err().to_string();
    let inclusion = |seq, size| prover.inclusion(seq, size).map(|proof| format!("{proof:?}"));
    let growth = |from, to| prover.consistency(from, to).map(|proof| format!("{proof:?}"));
    let not_covered = "no checkpoint covers record 10 yet: the latest covers 10 records";
    assert_eq!(says(inclusion(10, None)), not_covered);
    assert_eq!(says(inclusion(10, Some(5))), not_covered);
    let beyond = "no checkpoint covers 11 records yet: the latest covers 10";
    assert_eq!(says(inclusion(3, Some(11))), beyond);
    assert_eq!(says(growth(3, Some(11))), beyond);
    assert_eq!(says(growth(11, Some(11))), beyond);
    assert_eq!(says(inclusion(5, Some(5))), "record 5 is not among the first 5 records");
    assert_eq!(says(inclusion(0, Some(0))), "record 0 is not among the first 0 records");
    assert_eq!(says(growth(6, Some(5))), "a log does not grow from 6 records to 5");
    assert_eq!(says(growth(11, None)), "a log does not grow from 11 records to 10");
    for error in [inclusion(5, Some(5)), growth(6, Some(5)), growth(1, Some(11))] {
        assert!(!error.unwrap_err().speaks_against_the_log());
    }
}

#[test]
fn pruned_records_have_tiles_and_proofs_but_no_entries() {
    let disk = disk();
    let log = create(&disk, options().with_max_files(1));
    for number in 0..600 {
        log.submit(event(number)).map(drop).unwrap();
    }
    log.checkpoint().unwrap();
    log.close().unwrap();
    let reader = indelible::Reader::open_on(storage(&disk), FOLDER).unwrap();
    let first = reader.first_seq().unwrap();
    let prover = Prover::open_on(storage(&disk), FOLDER).unwrap();
    let size = prover.checkpoint().unwrap().checkpoint.size;
    assert!(first > 256 && !first.is_multiple_of(256) && size > 512, "{first} of {size}");
    let tile = |index| Tile::of_tree(0, index, size).unwrap();
    for index in 0..3 {
        assert!(prover.tile(tile(index)).unwrap().is_some());
    }
    let kept = |index: u64| prover.entries(tile(index)).unwrap().is_some();
    assert_eq!([kept(0), kept(1), kept(2)], [false, false, first <= 512], "{first} of {size}");
    let proof = prover.inclusion(1, None).unwrap();
    let what = Inclusion { index: 1, size };
    check_inclusion(&proof.hashes, what, &proof.leaf, &proof.root).unwrap();
}

#[test]
fn proving_from_outside_leaves_the_syncing_of_segments_to_the_log() {
    let disk = disk();
    let log = create(&disk, options().with_max_files(1));
    for number in 0..300 {
        log.submit(event(number)).map(drop).unwrap();
    }
    log.append(event(300)).unwrap();
    log.checkpoint().unwrap();
    let before = disk.operation_count();
    let prover = Prover::open_on(storage(&disk), FOLDER).unwrap();
    let size = prover.checkpoint().unwrap().checkpoint.size;
    assert!(prover.entries(Tile::of_tree(0, 1, size).unwrap()).unwrap().is_some());
    prover.inclusion(size - 1, None).unwrap();
    let asked = disk.operations().into_iter().filter(|op| op.index >= before);
    let asked: Vec<_> = asked.filter(|op| op.path.ends_with("audit.log")).collect();
    assert!(!asked.is_empty() && !asked.iter().any(|op| op.kind.changes_disk()), "{asked:?}");
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn a_changed_line_is_no_entry_and_a_changed_row_proves_nothing() {
    let disk = disk();
    let log = create(&disk, options());
    append(&log, 19);
    log.close().unwrap();
    let prover = Prover::open_on(storage(&disk), FOLDER).unwrap();
    let tile = Tile::of_tree(0, 0, 20).unwrap();
    let whole = prover.entries(tile).unwrap().unwrap();
    assert_eq!(whole.len(), 20 * 34);

    let path = in_folder("audit.log");
    let lines = disk.read_file(&path).unwrap();
    // The last digit of the last record's hash.
    let digit = lines.len() - 4;
    let other = if lines[digit] == b'0' { b'1' } else { b'0' };
    let mut changed = lines.clone();
    changed[digit] = other;
    disk.write_file(&path, changed).unwrap();
    let error = prover.entries(tile).unwrap_err();
    assert!(matches!(error, ProveError::RecordChanged { seq: 19, .. }), "{error}");
    assert!(error.speaks_against_the_log());
    disk.write_file(&path, lines).unwrap();
    assert_eq!(prover.entries(tile).unwrap(), Some(whole));

    let row = in_folder("tree/0");
    disk.flip_byte(&row, 32 * 4, 1).unwrap();
    for error in [
        prover.inclusion(7, None).map(drop),
        prover.inclusion(7, Some(9)).map(drop),
        prover.consistency(3, Some(9)).map(drop),
    ] {
        assert!(matches!(error, Err(ProveError::Rows(_))), "{error:?}");
    }
    let rows = disk.read_file(&row).unwrap();
    disk.write_file(&row, &rows[..32 * 12]).unwrap();
    for error in [
        prover.tile(tile).map(drop),
        prover.entries(tile).map(drop),
        prover.inclusion(15, None).map(drop),
        prover.consistency(3, Some(18)).map(drop),
    ] {
        assert!(matches!(error, Err(ProveError::RowsShort { size: 20 })), "{error:?}");
    }
}
