//! Records, rows and signed roots that agree or differ, and which of them is said to be wrong.

use std::ops::RangeInclusive;
use std::sync::Arc;

use indelible_format::time::Timestamp;

use super::*;
use crate::storage::local::LocalStorage;
use crate::storage::{Privacy, Storage};

fn record_hash(seq: u64) -> Hash {
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&seq.to_be_bytes());
    Hash::from_bytes(hash)
}

/// Hashes of so many records, those in `changed` other ones than [`record_hash`] gives.
fn records(count: u64, changed: &[u64]) -> Vec<Hash> {
    let hash = |seq| if changed.contains(&seq) { Hash::ZERO } else { record_hash(seq) };
    (0..count).map(hash).collect()
}

/// Every row for so many records that nobody changed.
fn rows(count: u64) -> Vec<Vec<Hash>> {
    let mut row: Vec<Hash> = (0..count).map(|seq| leaf_hash(&record_hash(seq))).collect();
    let mut rows = Vec::new();
    while !row.is_empty() {
        let above = row.chunks_exact(256).map(|tile| tile::fold(tile).unwrap()).collect();
        rows.push(std::mem::replace(&mut row, above));
    }
    rows
}

/// Root over the first `count` records that nobody changed.
fn root(count: u64) -> Hash {
    let mut tree = Frontier::new();
    for seq in 0..count {
        tree.push(leaf_hash(&record_hash(seq)));
    }
    tree.root()
}

/// What was signed before anybody changed anything.
fn signed(sizes: impl IntoIterator<Item = u64>) -> SignedRoots {
    SignedRoots::of(sizes.into_iter().map(|size| (size, root(size))))
}

fn place(seq: u64) -> Place {
    Place { file: Arc::from("audit.log"), offset: seq * 100, seq }
}

/// Gives `with` the tree over `rows` as they lie in a folder.
fn with_tree<T>(
    rows: &[Vec<Hash>],
    roots: &SignedRoots,
    with: impl FnOnce(&mut Tree<'_>, &mut Findings) -> T,
) -> (T, Vec<Finding>) {
    let temporary = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new().unwrap();
    let layout = Layout::of(&temporary.path().join("audit")).unwrap();
    storage.create_folder(layout.folder()).unwrap();
    storage.create_folder(&layout.tree()).unwrap();
    for (number, row) in (0..).zip(rows) {
        let bytes: Vec<u8> = row.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let file = storage.create_new(&layout.row(number), Privacy::Group).unwrap();
        assert_eq!(file.append(&bytes).unwrap(), bytes.len());
    }
    let mut out = Findings::default();
    let mut tree = Tree::open(&storage, &layout, roots).unwrap();
    let told = with(&mut tree, &mut out);
    (told, out.finish().0)
}

/// What a tree says in the end.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    root: Option<Hash>,
    confirmed: Vec<Range<u64>>,
    problems: Vec<Problem>,
}

/// Pushes the records but those in `missing`, and finishes.
fn look_past(
    records: &[Hash],
    missing: &[u64],
    rows: &[Vec<Hash>],
    roots: &SignedRoots,
) -> (Told, Vec<Finding>) {
    let ((root, confirmed), findings) = with_tree(rows, roots, |tree, out| {
        for (seq, hash) in (0..).zip(records).filter(|(seq, _)| !missing.contains(seq)) {
            tree.push(seq, hash, &place(seq), out);
        }
        tree.finish(out);
        (tree.root(), tree.confirmed().to_vec())
    });
    let problems = findings.iter().map(|finding| finding.problem).collect();
    (Told { root, confirmed, problems }, findings)
}

fn look(records: &[Hash], rows: &[Vec<Hash>], roots: &SignedRoots) -> (Told, Vec<Finding>) {
    look_past(records, &[], rows, roots)
}

fn has(finding: &Finding, words: &str) -> bool {
    finding.evidence.iter().any(|sentence| sentence.contains(words))
}

#[test]
fn all_three_rows_of_a_large_log_are_compared() {
    let count = 65_536 + 300;
    let mut rows = rows(count);
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [65_836, 257, 1]);
    let (records, roots) = (records(count, &[]), signed([count]));
    let (told, found) = look(&records, &rows, &roots);
    assert_eq!((told.root, found), (Some(root(count)), vec![]));
    rows[2][0] = Hash::ZERO;
    let (told, found) = look(&records, &rows, &roots);
    assert_eq!(told.problems, [Problem::RowsDiffer]);
    assert_eq!((found[0].file.as_deref(), found[0].offset), (Some("tree/2"), Some(0)));
}

#[test]
fn signed_roots_confirm_what_lies_beside_the_records_that_were_changed() {
    let (sizes, rows) = ([3, 6, 7], rows(7));
    let roots = signed(sizes);
    for bits in 0_u32..1 << 7 {
        let changed: Vec<u64> = (0..7).filter(|seq| bits >> seq & 1 == 1).collect();
        let (told, _) = look(&records(7, &changed), &rows, &roots);
        // Between two signed sizes nothing says where a change ends but the last leaf that differs.
        let mut confirmed: Vec<u64> = Vec::new();
        for part in [0..3, 3..6, 6..7] {
            let here = || changed.iter().filter(|seq| part.contains(*seq));
            let between: Option<RangeInclusive<u64>> =
                here().min().zip(here().max()).map(|(first, last)| *first..=*last);
            let holds = |seq: &u64| between.as_ref().is_none_or(|range| !range.contains(seq));
            confirmed.extend(part.clone().filter(holds));
        }
        let parts = confirmed.chunk_by(|seq, next| seq + 1 == *next);
        let parts: Vec<_> = parts.map(|part| part[0]..part[part.len() - 1] + 1).collect();
        assert_eq!(told.confirmed, parts, "{changed:?}");
        // One finding says from where on; what follows from it is not told again.
        let problems = if changed.is_empty() { vec![] } else { vec![Problem::RootMismatch] };
        assert!(told.problems.starts_with(&problems), "{changed:?}: {told:?}");
        assert_eq!(told.root, Some(root(7)), "the rows give what was signed");
    }
}

#[test]
fn a_record_that_was_changed_is_not_told_again_as_a_hash_of_the_row_above() {
    for changed in [10, 300, 512, 600, 699] {
        let (told, found) =
            look(&records(1_000, &[changed]), &rows(1_000), &signed([700, 800, 1_000]));
        assert_eq!(told.problems, [Problem::RootMismatch], "{changed}: {found:?}");
        assert_eq!((found[0].seq, told.root), (Some(changed), Some(root(1_000))));
    }
}

#[test]
fn the_rows_above_are_compared_also_after_a_record_that_was_changed() {
    for above in [2, 3] {
        let mut rows = rows(1_100);
        rows[1][above] = Hash::ZERO;
        let (told, found) = look(&records(1_100, &[600]), &rows, &signed([700, 1_100]));
        assert_eq!(told.problems, [Problem::RootMismatch, Problem::RowsDiffer], "{above}");
        let offset = u64::try_from(above * 32).unwrap();
        assert_eq!((found[1].file.as_deref(), found[1].offset), (Some("tree/1"), Some(offset)));
    }
}

#[test]
fn where_neither_records_nor_rows_give_what_was_signed_there_is_no_root() {
    let mut rows = rows(10);
    rows[0][4] = Hash::ZERO;
    for signed in [signed([6]), signed([6, 10])] {
        let (told, _) = look(&records(10, &[2]), &rows, &signed);
        let problems = vec![Problem::RootMismatch];
        assert_eq!(told, Told { root: None, confirmed: vec![], problems });
    }
}

#[test]
fn a_leaf_that_is_not_to_be_had_is_taken_from_the_rows_where_a_signed_root_covers_it() {
    let (records, rows) = (records(8, &[]), rows(8));
    for missing in 0..7 {
        let (told, found) = look_past(&records, &[missing], &rows, &signed([5]));
        assert_eq!(told.root, (missing < 5).then(|| root(8)), "{missing}: {found:?}");
    }
}

#[test]
fn a_row_that_differs_is_told_also_where_a_later_leaf_is_not_to_be_had() {
    for (changed, row, offset) in [(1, 0, 32), (299, 0, 299 * 32), (0, 1, 0)] {
        let mut rows = rows(600);
        rows[row][changed] = Hash::ZERO;
        // The row ends with the leaves of these.
        rows[0].truncate(400);
        let (told, found) = look_past(&records(600, &[]), &[500], &rows, &signed([600]));
        let problems = [Problem::RowsMissing, Problem::RowsDiffer];
        assert_eq!((told.root, &told.problems[..]), (None, &problems[..]), "{found:?}");
        let file = format!("tree/{row}");
        let place = (found[1].file.as_deref(), found[1].offset);
        assert_eq!(place, (Some(&*file), Some(offset)), "{found:?}");
        let open = has(&found[1], "no signed checkpoint over these records is left to say which");
        assert!(open, "{found:?}");
    }
}

#[test]
fn a_row_above_that_differs_before_leaves_of_pruned_records_are_lost_is_told_too() {
    let mut rows = rows(700);
    rows[0].truncate(300);
    rows[1][0] = Hash::ZERO;
    let ((), found) = with_tree(&rows, &signed([700]), |tree, out| {
        tree.begin(600, &record_hash(599), &place(600), out);
        tree.finish(out);
    });
    let problems: Vec<_> = found.iter().map(|finding| finding.problem).collect();
    assert_eq!(problems, [Problem::LeavesLost, Problem::RowsDiffer], "{found:?}");
    let place = (found[1].file.as_deref(), found[1].offset);
    assert_eq!(place, (Some("tree/1"), Some(0)), "{found:?}");
}

#[test]
fn a_row_above_that_differs_does_not_hide_which_record_was_changed_nor_is_it_hidden() {
    let mut rows = rows(700);
    rows[1][0] = Hash::ZERO;
    let (told, found) = look(&records(700, &[600]), &rows, &signed([700]));
    assert_eq!(told.problems, [Problem::RootMismatch, Problem::RowsDiffer], "{found:?}");
    assert_eq!((found[0].seq, found[0].offset), (Some(600), Some(60_000)), "{found:?}");
    let place = (found[1].file.as_deref(), found[1].offset);
    assert_eq!(place, (Some("tree/1"), Some(0)), "{found:?}");
    assert!(has(&found[1], "tree/0 gives the root that was signed"), "{found:?}");
    // A leaf of tree/0 differs too: nothing gives what was signed.
    rows[0][650] = Hash::ZERO;
    let (told, found) = look(&records(700, &[600]), &rows, &signed([700]));
    assert_eq!(told.problems, [Problem::RootMismatch, Problem::RowsDiffer], "{found:?}");
    assert!(has(&found[1], "no signed checkpoint over these records is left"), "{found:?}");
}

#[test]
fn a_leaf_and_a_hash_of_the_row_above_that_differ_are_told_each_at_its_place() {
    let mut rows = rows(600);
    (rows[1][0], rows[0][300], rows[0][301]) = (Hash::ZERO, Hash::ZERO, Hash::ZERO);
    let (told, found) = look(&records(600, &[]), &rows, &signed([600]));
    assert_eq!(told.problems, [Problem::RowsDiffer; 2], "{found:?}");
    let place = |at: usize| (found[at].file.as_deref(), found[at].offset, found[at].seq);
    assert_eq!(place(0), (Some("tree/0"), Some(300 * 32), Some(300)));
    assert_eq!(place(1), (Some("tree/1"), Some(0), None));
    assert!(has(&found[0], "2 hashes differ up to here") && found[1].evidence.len() == 1);
}

#[test]
fn the_last_leaf_of_a_whole_tile_that_differs_is_told_at_its_place() {
    for count in [256, 512] {
        for signed in [signed([count]), signed([count, count + 1]), signed([1, count])] {
            let mut rows = rows(count + 1);
            let last = usize::try_from(count).unwrap() - 1;
            rows[0][last] = Hash::ZERO;
            let (told, found) = look(&records(count + 1, &[]), &rows, &signed);
            assert_eq!(told.problems, [Problem::RowsDiffer], "{found:?}");
            let place = (found[0].file.as_deref(), found[0].offset, found[0].seq);
            assert_eq!(place, (Some("tree/0"), Some((count - 1) * 32), Some(count - 1)));
        }
    }
}

#[test]
fn hashes_of_a_row_that_differ_are_counted_where_they_are_several() {
    for changed in 1..4 {
        let mut rows = rows(10);
        rows[0][3..3 + changed].fill(Hash::ZERO);
        let (told, found) = look(&records(10, &[]), &rows, &signed([10]));
        assert_eq!(told.problems, [Problem::RowsDiffer]);
        assert_eq!((found[0].seq, found[0].offset), (Some(3), Some(96)));
        let several = has(&found[0], &format!("{changed} hashes differ up to here"));
        assert_eq!((several, found[0].evidence.len() > 1), (changed > 1, changed > 1));
    }
}

#[test]
fn a_changed_leaf_of_a_pruned_record_is_told_once_although_the_row_above_shows_it_too() {
    let mut rows = rows(310);
    rows[0][10] = Hash::ZERO;
    let roots = signed([300, 310]);
    let (root, found) = with_tree(&rows, &roots, |tree, out| {
        tree.begin(300, &record_hash(299), &place(300), out);
        for seq in 300..310 {
            tree.push(seq, &record_hash(seq), &place(seq), out);
        }
        tree.finish(out);
        tree.root()
    });
    assert_eq!((found.len(), root), (1, None), "{found:?}");
    assert_eq!(found[0].problem, Problem::RowsDiffer);
    assert!(has(&found[0], "a leaf of the pruned records 0 to 299"), "{found:?}");
}

#[test]
fn a_row_above_is_told_of_pruned_records_of_which_nothing_was_said_yet() {
    let mut rows = rows(700);
    rows[0][10] = Hash::ZERO;
    let look = |rows: &[Vec<Hash>]| {
        let begin = |tree: &mut Tree<'_>, out: &mut Findings| {
            tree.begin(600, &record_hash(599), &place(600), out);
            tree.finish(out);
        };
        with_tree(rows, &signed([100, 700]), begin).1
    };
    let found = look(&rows);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(has(&found[0], "a leaf of the pruned records 0 to 99"), "{found:?}");
    rows[0][400] = Hash::ZERO;
    let found = look(&rows);
    assert_eq!(found.len(), 2, "{found:?}");
    let place = (found[1].file.as_deref(), found[1].offset);
    assert_eq!(place, (Some("tree/1"), Some(32)), "{found:?}");
}

#[test]
fn what_agrees_says_how_far_a_log_was_made_anew_after_a_checkpoint_was_kept() {
    let (rewritten, resigned) = (
        "chain and rows agree with each other: everything after the change was hashed again",
        "chain, rows and the log's own checkpoints agree with each other",
    );
    let kept = Arc::from("kept");
    let case = |noted: &[u64], kept_sizes: &[u64], rows: &[Vec<Hash>], before: Option<Finding>| {
        let mut roots = signed(noted.iter().copied());
        for size in kept_sizes {
            roots.keep(*size, root(*size), &kept, None).unwrap();
        }
        roots.keep(10, Hash::ZERO, &kept, None).unwrap();
        let ((), found) = with_tree(rows, &roots, |tree, out| {
            if let Some(fault) = before {
                out.add(fault);
            }
            for seq in 0..12 {
                tree.push(seq, &record_hash(seq), &place(seq), out);
            }
        });
        let finding = found.iter().find(|f| f.problem == Problem::KeptRootMismatch).unwrap();
        assert_eq!(finding.seq, Some(9), "{found:?}");
        (has(finding, rewritten), has(finding, resigned))
    };
    let rows = rows(12);
    assert_eq!(case(&[], &[], &rows, None), (true, false));
    assert_eq!(case(&[5], &[], &rows, None), (false, true));
    // It is the log's own, too, but says nothing of what came after it was kept.
    assert_eq!(case(&[5], &[5], &rows, None), (true, false));
    assert_eq!(case(&[4, 7], &[4], &rows, None), (false, true));
    // They do not agree.
    let mut differ = rows.clone();
    differ[0][7] = Hash::ZERO;
    assert_eq!(case(&[5], &[], &differ, None), (false, false));
    let fault = Finding::new(Problem::ChainBroken);
    assert_eq!(case(&[5], &[], &rows, Some(fault)), (false, false));
}

/// Of the records from `first_seq` on.
fn run(first_seq: u64, count: u64) -> Run {
    let leaf = |seq| Piece::Leaf(leaf_hash(&record_hash(seq)));
    Run {
        segment: 0,
        start: 0,
        end: 0,
        first_seq,
        count,
        prev_hash: Hash::ZERO,
        hash: Hash::ZERO,
        first_timestamp: Timestamp::MIN,
        last_timestamp: Timestamp::MIN,
        pieces: (first_seq..first_seq + count).map(leaf).collect(),
    }
}

/// Whether `run` fits the tree over the records but those in `missing`.
fn fits(count: u64, missing: &[u64], rows: &[Vec<Hash>], roots: &SignedRoots, run: &Run) -> bool {
    let look = |tree: &mut Tree<'_>, out: &mut Findings| {
        for seq in (0..count).filter(|seq| !missing.contains(seq)) {
            tree.push(seq, &record_hash(seq), &place(seq), out);
        }
        tree.fits(run)
    };
    with_tree(rows, roots, look).0
}

#[test]
fn a_run_fits_where_it_follows_and_everything_agrees() {
    let (whole, roots) = (rows(300), signed([5, 300]));
    assert!(fits(3, &[], &whole, &roots, &run(3, 4)));
    for other in [2, 4] {
        assert!(!fits(3, &[], &whole, &roots, &run(other, 4)), "{other}");
    }
    let wrong = SignedRoots::of([(5, Hash::ZERO), (300, root(300))]);
    for (count, fit) in [(1, true), (2, false), (3, false)] {
        assert_eq!(fits(3, &[], &whole, &wrong, &run(3, count)), fit, "{count}");
    }
    for (row, hash) in [(0, 200), (1, 0)] {
        let mut differ = whole.clone();
        differ[row][hash] = Hash::ZERO;
        assert!(!fits(256, &[], &differ, &roots, &run(256, 10)), "row {row}");
    }
    // The tree stands where the run begins, but only since a leaf is not to be had.
    assert!(!fits(4, &[2], &[], &signed([9]), &run(2, 2)));
}
