//! A naive tree straight from RFC 6962, section 2.1, against the real one; and its known answers.

use proptest::prelude::*;

use super::*;

/// MTH(D[n]) of RFC 6962, over leaf hashes.
pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// Leaves that differ from each other.
pub(crate) fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|n| Hash::from_bytes(Sha256::digest(n.to_be_bytes()).into())).collect()
}

/// A count as sizes are given.
pub(crate) fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap()
}

/// Reads a perfect subtree over `leaves`.
pub(crate) fn read(leaves: &[Hash], id: NodeId) -> Hash {
    let width = 1 << id.level;
    let start = usize::try_from(id.index).unwrap() * width;
    naive_root(&leaves[start..start + width])
}

/// The leaves of Certificate Transparency's known answers.
pub(crate) fn ct_leaves() -> Vec<Hash> {
    let data: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let leaf = |data: &&[u8]| {
        Hash::from_bytes(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
    };
    data.iter().map(leaf).collect()
}

fn grown(leaves: &[Hash]) -> Frontier {
    let mut tree = Frontier::new();
    for leaf in leaves {
        tree.push(*leaf);
    }
    tree
}

#[test]
fn subtrees_grow_a_tree_as_their_leaves_do() {
    let leaves = leaves(700);
    for level in 0..=8_u8 {
        let width = 1 << level;
        for start in (0..=600).filter(|start| start % 37 == 0 || start % width == 0) {
            let mut tree = grown(&leaves[..start]);
            let Some(covered) = leaves.get(start..start + width) else { continue };
            let before = tree.clone();
            let pushed = tree.push_subtree(level, naive_root(covered));
            assert_eq!(pushed.is_some(), start % width == 0, "2^{level} leaves behind {start}");
            let expected = pushed.map_or(before, |()| grown(&leaves[..start + width]));
            assert_eq!(tree, expected, "2^{level} leaves behind {start}");
        }
    }
    assert_eq!(Frontier::new().push_subtree(64, Hash::ZERO), None);
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (size, root) in roots.iter().enumerate() {
        assert_eq!(grown(&ct_leaves()[..size]).root().to_string(), *root, "{size} leaves");
    }
}

#[test]
fn leaf_covers_the_raw_bytes_of_the_record_hash() {
    let record = Hash::from_bytes([0xab; 32]);
    let expected = Sha256::digest([[0x00].as_slice(), &[0xab; 32]].concat());
    assert_eq!(leaf_hash(&record).as_bytes(), expected.as_slice());
    assert_ne!(node_hash(&record, &Hash::ZERO), node_hash(&Hash::ZERO, &record));
}

#[test]
fn frontier_agrees_with_the_naive_tree_at_every_size_up_to_300() {
    let leaves = leaves(300);
    let mut tree = Frontier::new();
    for size in 0..=300 {
        assert_eq!(tree.root(), naive_root(&leaves[..size]), "{size} leaves");
        assert_eq!(tree.size(), wide(size));
        let nodes = Frontier::nodes(tree.size());
        let nodes = nodes.into_iter().map(|id| read(&leaves, id)).collect();
        assert_eq!(Frontier::from_nodes(tree.size(), nodes).as_ref(), Some(&tree));
        if let Some(leaf) = leaves.get(size) {
            tree.push(*leaf);
        }
    }
}

#[test]
fn frontier_takes_up_only_as_many_nodes_as_its_size_has() {
    assert_eq!(Frontier::from_nodes(6, leaves(3)), None);
    assert_eq!(Frontier::from_nodes(6, leaves(1)), None);
    assert_eq!(Frontier::from_nodes(0, leaves(1)), None);
    assert_eq!(Frontier::from_nodes(0, Vec::new()), Some(Frontier::new()));
    assert!(Frontier::from_nodes(u64::MAX, leaves(64)).is_some());
}

#[test]
fn perfect_subtrees_lie_side_by_side_from_left_to_right() {
    let id = |level, index| NodeId { level, index };
    assert_eq!(Frontier::nodes(0), []);
    assert_eq!(Frontier::nodes(7), [id(2, 0), id(1, 2), id(0, 6)]);
    assert_eq!(Frontier::nodes(1 << 63), [id(63, 0)]);
    assert_eq!(Frontier::nodes(u64::MAX).len(), 64);
    assert_eq!(Frontier::nodes(u64::MAX).last(), Some(&id(0, u64::MAX - 1)));
}

proptest! {
    #[test]
    fn frontier_taken_up_anywhere_goes_on_to_the_same_root(size in 300_usize..3_000, from in 0_usize..3_000) {
        let from = from.min(size);
        let leaves = leaves(size);
        let nodes = Frontier::nodes(wide(from));
        let nodes = nodes.into_iter().map(|id| read(&leaves, id)).collect();
        let mut tree = Frontier::from_nodes(wide(from), nodes).unwrap();
        for leaf in &leaves[from..] {
            tree.push(*leaf);
        }
        prop_assert_eq!(tree.root(), naive_root(&leaves));
        prop_assert_eq!(tree, grown(&leaves));
    }
}
