//! What the scan finds in chunks, against a naive look at the lines; and how far it goes ahead of the walk.

use std::path::Path;
use std::time::Duration;

use indelible_format::chain::{Hash, seal};
use indelible_format::record::write_head;
use indelible_format::tile;
use indelible_format::time::Timestamp;
use indelible_format::tree::leaf_hash;
use tempfile::TempDir;

use super::super::notes::SignedRoots;
use super::*;
use crate::layout::Layout;
use crate::storage::local::LocalStorage;
use crate::storage::{Privacy, Storage};

const FIELDS: &str = r#""actor":"a","action":"b","resource":"c""#;

/// Lines that follow each other, in a folder of their own, and their leaves in `tree/0`.
struct Made {
    _temporary: TempDir,
    storage: LocalStorage,
    layout: Layout,
    /// Where each line begins, and where the last one ends.
    starts: Vec<u64>,
    leaves: Vec<Hash>,
}

impl Made {
    /// Events that have these fields.
    fn of<'f>(fields: impl IntoIterator<Item = &'f str>) -> Self {
        let (mut hash, mut bytes) = (Hash::ZERO, Vec::new());
        let (mut starts, mut leaves) = (vec![0], Vec::new());
        for (seq, fields) in (0..).zip(fields) {
            let start = bytes.len();
            write_head(&mut bytes, seq, Timestamp::MIN);
            bytes.extend_from_slice(fields.as_bytes());
            hash = seal(&mut bytes, start, &hash);
            bytes.push(b'\n');
            starts.push(to_u64(bytes.len()));
            leaves.push(leaf_hash(&hash));
        }
        let temporary = tempfile::tempdir().unwrap();
        let storage = LocalStorage::new().unwrap();
        let layout = Layout::of(&temporary.path().join("audit")).unwrap();
        storage.create_folder(layout.folder()).unwrap();
        storage.create_folder(&layout.tree()).unwrap();
        let write = |path: &Path, bytes: &[u8]| {
            let file = storage.create_new(path, Privacy::Group).unwrap();
            assert_eq!(file.append(bytes).unwrap(), bytes.len());
        };
        write(&layout.segment(0), &bytes);
        let row: Vec<u8> = leaves.iter().flat_map(|leaf| *leaf.as_bytes()).collect();
        write(&layout.row(0), &row);
        Self { _temporary: temporary, storage, layout, starts, leaves }
    }

    fn size(&self) -> u64 {
        *self.starts.last().unwrap()
    }

    fn open(&self, path: &Path) -> Box<dyn StorageFile> {
        self.storage.open(path, Access::Read).unwrap()
    }

    /// What is found in a chunk of the lines, where these sizes are signed.
    fn runs(&self, from: u64, to: u64, signed: &[u64], leaves: bool) -> Vec<Run> {
        let (file, row) = (self.open(&self.layout.segment(0)), self.open(&self.layout.row(0)));
        let roots = SignedRoots::of(signed.iter().map(|size| (*size, Hash::ZERO)));
        let chunk = Chunk {
            file: file.as_ref(),
            segment: 0,
            from,
            to,
            size: self.size(),
            depth: Depth::Link,
            roots: &roots,
            leaves: leaves.then_some(row.as_ref()),
        };
        chunk.runs(&mut Buffers::default())
    }
}

#[test]
fn each_line_is_found_in_the_chunk_in_which_it_begins_and_in_no_other() {
    let made = Made::of([FIELDS; 7]);
    let ends = || made.starts.iter().flat_map(|at| [at.saturating_sub(1), *at, at + 1]);
    let ends = || ends().filter(|at| *at <= made.size());
    for (from, to) in ends().flat_map(|from| ends().map(move |to| (from, to))) {
        if from >= to {
            continue;
        }
        let begin = made.starts.iter().take(7).filter(|at| (from..to).contains(at));
        let begin: Vec<u64> = begin.copied().collect();
        // No row is needed where nothing is signed.
        let runs = made.runs(from, to, &[], false);
        let found: Vec<_> = runs.iter().map(|run| (run.start, run.count)).collect();
        let expected = begin.first().map(|first| (*first, to_u64(begin.len())));
        assert_eq!(found, Vec::from_iter(expected), "{from} to {to}");
    }
}

#[test]
fn a_line_much_longer_than_a_chunk_is_found_up_to_its_end() {
    let long = format!(r#"{FIELDS},"metadata":{{"x":"{}"}}"#, "y".repeat(900_000));
    let made = Made::of([FIELDS, &long, FIELDS]);
    let runs = made.runs(made.starts[1], made.starts[1] + 100, &[], false);
    let found: Vec<_> = runs.iter().map(|run| (run.start, run.end, run.count)).collect();
    assert_eq!(found, [(made.starts[1], made.starts[2], 1)]);
}

#[test]
fn a_line_that_no_signed_size_covers_is_looked_at_in_full() {
    let made = Made::of([r#""actor":5"#; 6]);
    for mark in 0..6 {
        let runs = made.runs(0, made.size(), &[mark], true);
        let found: Vec<_> = runs.iter().map(|run| (run.first_seq, run.count)).collect();
        assert_eq!(found, Vec::from_iter((mark > 0).then_some((0, mark))), "{mark}");
    }
}

#[test]
fn lines_whose_leaves_are_not_in_the_row_are_in_no_run() {
    let made = Made::of([FIELDS; 6]);
    let found = |signed, leaves| made.runs(0, made.size(), signed, leaves).len();
    assert_eq!((found(&[4], true), found(&[4], false)), (1, 0));
    for size in [4 * 32, 4 * 32 - 1, 3 * 32, 0] {
        let row = made.storage.open(&made.layout.row(0), Access::Append).unwrap();
        row.truncate(size).unwrap();
        assert_eq!(found(&[4], true), usize::from(size == 4 * 32), "{size}");
    }
}

#[test]
fn a_tile_is_folded_where_it_is_whole_and_no_signed_size_ends_within_it() {
    let made = Made::of([FIELDS; 800]);
    for signed in [&[800][..], &[100, 800], &[256, 800], &[257, 512, 799], &[1, 255, 600], &[]] {
        for first in [0, 1, 200, 256, 300] {
            let mut expected = Vec::new();
            let mut seq = first;
            while let Some(leaf) = made.leaves.get(seq) {
                let whole = made.leaves.get(seq..seq + 256).filter(|_| seq % 256 == 0);
                let inside = |size: &u64| (to_u64(seq) + 1..to_u64(seq) + 256).contains(size);
                if let Some(whole) = whole.filter(|_| !signed.iter().any(inside)) {
                    expected.push(Piece::Tile(tile::fold(whole).unwrap()));
                    seq += 256;
                } else {
                    expected.push(Piece::Leaf(*leaf));
                    seq += 1;
                }
            }
            let runs = made.runs(made.starts[first], made.size(), signed, true);
            assert_eq!((runs.len(), runs[0].count), (1, to_u64(800 - first)));
            assert_eq!(runs[0].pieces, expected, "{signed:?} from {first}");
        }
    }
}

#[test]
fn threads_scan_ahead_of_the_walk_and_no_further_than_they_may() {
    let made = Made::of([FIELDS; 100]);
    let plan = Plan::of(&made.storage, &made.layout).unwrap().unwrap();
    let roots = SignedRoots::default();
    let ground =
        Ground { storage: &made.storage, layout: &made.layout, plan: &plan, roots: &roots };
    let pace = Pace { chunk_size: Some(100), threads: Some(3) };
    let scan = Scan::new(ground, Depth::Link, pace);
    std::thread::scope(|scope| {
        let _ends_with_the_walk = scan.start(scope);
        for index in 0..5 {
            let deadline = Duration::from_mins(1);
            let fewer = |state: &mut State| to_u64(state.done.len()) < AHEAD_MAX;
            let state = scan.lock();
            let (state, waited) = scan.changed.wait_timeout_while(state, deadline, fewer).unwrap();
            assert!(!waited.timed_out(), "{index}: {} chunks are done", state.done.len());
            assert_eq!(state.taken, index + AHEAD_MAX);
            drop(state);
            drop(scan.receive(index, &mut Scanner::default()));
        }
        // What they were ahead is left behind.
    });
}
