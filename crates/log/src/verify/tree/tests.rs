use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::storage::local::LocalStorage;
use crate::storage::{Privacy, Storage};

const SIZE: u64 = 65_536 + 300;

fn record_hash(seq: u64) -> Hash {
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&seq.to_be_bytes());
    Hash::from_bytes(hash)
}

/// Every row for `SIZE` records, and their root.
fn rows() -> (Vec<Vec<Hash>>, Hash) {
    let mut row: Vec<Hash> = (0..SIZE).map(|seq| leaf_hash(&record_hash(seq))).collect();
    let mut tree = Frontier::new();
    for leaf in &row {
        tree.push(*leaf);
    }
    let mut rows = Vec::new();
    while !row.is_empty() {
        let above = row.chunks_exact(256).map(|tile| tile::fold(tile).unwrap()).collect();
        rows.push(std::mem::replace(&mut row, above));
    }
    (rows, tree.root())
}

fn findings(folder: &Path, rows: &[Vec<Hash>], root: Hash) -> Vec<Finding> {
    let storage = LocalStorage::new().unwrap();
    let layout = Layout::of(folder).unwrap();
    storage.create_folder(layout.folder()).unwrap();
    storage.create_folder(&layout.tree()).unwrap();
    for (number, row) in (0..).zip(rows) {
        let bytes: Vec<u8> = row.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let file = storage.create_new(&layout.row(number), Privacy::Group).unwrap();
        assert_eq!(file.append(&bytes).unwrap(), bytes.len());
    }
    let roots = SignedRoots::of(SIZE, root);
    let mut tree = Tree::open(&storage, &layout, &roots).unwrap();
    let mut out = Findings::default();
    for seq in 0..SIZE {
        let place = Place { file: Arc::from("audit.log"), offset: seq, seq };
        tree.push(seq, &record_hash(seq), &place, &mut out);
    }
    tree.finish(&mut out);
    assert_eq!(tree.root(), Some(root));
    out.finish().0
}

#[test]
fn all_three_rows_of_a_large_log_are_compared() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut rows, root) = rows();
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [65_836, 257, 1]);
    assert_eq!(findings(&temporary.path().join("intact"), &rows, root), []);
    rows[2][0] = Hash::ZERO;
    let found = findings(&temporary.path().join("changed"), &rows, root);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].problem, Problem::RowsDiffer);
    assert_eq!((found[0].file.as_deref(), found[0].offset), (Some("tree/2"), Some(0)));
}
