//! Proofs straight from RFC 6962, sections 2.1.1 and 2.1.2, against the real ones; known answers; mutations.

use proptest::prelude::*;

use super::*;
use crate::tree::tests::{ct_leaves, leaves, naive_root, read, wide};

type Made<T = Vec<Hash>> = Result<T, ProofError>;

fn made_inclusion(leaves: &[Hash], index: u64) -> Made {
    let what = Inclusion { index, size: wide(leaves.len()) };
    inclusion(what, |id| Ok(read(leaves, id)))
}

fn made_consistency(leaves: &[Hash], from: u64) -> Made {
    let growth = Growth { from, to: wide(leaves.len()) };
    consistency(growth, |id| Ok(read(leaves, id)))
}

/// PATH(m, D[n]) of RFC 6962.
fn naive_inclusion(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut path, last) = if m < k {
        (naive_inclusion(m, left), naive_root(right))
    } else {
        (naive_inclusion(m - k, right), naive_root(left))
    };
    path.push(last);
    path
}

/// SUBPROOF(m, D[n], b) of RFC 6962.
fn naive_consistency(m: usize, leaves: &[Hash], complete: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if complete { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut proof, last) = if m <= k {
        (naive_consistency(m, left, complete), naive_root(right))
    } else {
        (naive_consistency(m - k, right, false), naive_root(left))
    };
    proof.push(last);
    proof
}

/// Every way to spoil a proof in one place: a flipped bit, a hash removed, doubled, swapped with the next, added.
fn mutations(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = vec![[proof, &[Hash::ZERO]].concat(), [&[Hash::ZERO], proof].concat()];
    for at in 0..proof.len() {
        let mut flipped = proof.to_vec();
        let mut bytes = *flipped[at].as_bytes();
        bytes[at % 32] ^= 1 << (at % 8);
        flipped[at] = Hash::from_bytes(bytes);
        let mut removed = proof.to_vec();
        removed.remove(at);
        let mut doubled = proof.to_vec();
        doubled.insert(at, proof[at]);
        all.extend([flipped, removed, doubled]);
        if at + 1 < proof.len() {
            let mut swapped = proof.to_vec();
            swapped.swap(at, at + 1);
            all.push(swapped);
        }
    }
    all
}

#[test]
fn inclusion_holds_for_every_record_of_every_tree_up_to_70_and_mutations_do_not() {
    let leaves = leaves(70);
    for size in 1..=70 {
        let tree = &leaves[..size];
        let root = naive_root(tree);
        for index in 0..size {
            let proof = made_inclusion(tree, wide(index)).unwrap();
            assert_eq!(proof, naive_inclusion(index, tree));
            let what = |index| Inclusion { index: wide(index), size: wide(size) };
            let check =
                |proof: &[Hash], index, leaf, root| check_inclusion(proof, what(index), leaf, root);
            assert_eq!(check(&proof, index, &tree[index], &root), Ok(()), "{index} of {size}");
            for wrong in mutations(&proof) {
                assert!(check(&wrong, index, &tree[index], &root).is_err(), "{index} of {size}");
            }
            for other in (0..=size).filter(|other| *other != index) {
                assert!(check(&proof, other, &tree[index], &root).is_err(), "{index} as {other}");
            }
            let older = naive_root(&leaves[..size - 1]);
            assert!(check(&proof, index, &tree[index], &older).is_err());
            assert!(check(&proof, index, &Hash::ZERO, &root).is_err());
        }
    }
}

#[test]
fn consistency_holds_between_all_trees_up_to_70_and_mutations_do_not() {
    let leaves = leaves(70);
    let mut forked = leaves.clone();
    forked[0] = Hash::ZERO;
    for to in 0..=70 {
        let new_root = naive_root(&leaves[..to]);
        for from in 0..=to {
            let old_root = naive_root(&leaves[..from]);
            let proof = made_consistency(&leaves[..to], wide(from)).unwrap();
            if from > 0 {
                assert_eq!(proof, naive_consistency(from, &leaves[..to], true));
            }
            let growth = Growth { from: wide(from), to: wide(to) };
            let check = |proof: &[Hash], old, new| check_consistency(proof, growth, old, new);
            assert_eq!(check(&proof, &old_root, &new_root), Ok(()), "{from} to {to}");
            for wrong in mutations(&proof) {
                assert!(check(&wrong, &old_root, &new_root).is_err(), "{from} to {to}");
            }
            let other = naive_root(&forked[..from.max(1)]);
            assert!(check(&proof, &other, &new_root).is_err(), "{from} to {to}");
            if from > 0 {
                let fork = naive_root(&forked[..to]);
                assert!(check(&proof, &old_root, &fork).is_err(), "{from} to {to}");
                let proof = made_consistency(&forked[..to], wide(from)).unwrap();
                assert!(check(&proof, &old_root, &fork).is_err(), "{from} to {to}");
            }
        }
    }
}

#[test]
fn faults_say_what_was_expected() {
    let leaves = leaves(5);
    let (root, older) = (naive_root(&leaves), naive_root(&leaves[..3]));
    assert_eq!(made_inclusion(&leaves, 5), Err(ProofError::OutOfRange { index: 5, size: 5 }));
    assert_eq!(made_inclusion(&[], 0), Err(ProofError::OutOfRange { index: 0, size: 0 }));
    assert_eq!(made_consistency(&leaves, 6), Err(ProofError::Shrunk { from: 6, to: 5 }));
    let growth = Growth { from: 3, to: 5 };
    let proof = made_consistency(&leaves, 3).unwrap();
    let expected = Hash::ZERO;
    assert_eq!(
        check_consistency(&proof[1..], growth, &older, &root),
        Err(ProofError::Length { expected: 4, found: 3 })
    );
    assert_eq!(
        check_consistency(&proof, growth, &older, &expected),
        Err(ProofError::Root { expected, found: root })
    );
    let error = check_consistency(&proof, growth, &expected, &root).unwrap_err();
    assert_eq!(error, ProofError::OlderRoot { expected, found: older });
    assert_eq!(
        error.to_string(),
        format!("proof leads to older root {older}, expected {}", "0".repeat(64))
    );
}

#[test]
fn failure_to_read_a_node_is_passed_on() {
    #[derive(Debug, PartialEq)]
    struct Unreadable(NodeId);
    impl From<ProofError> for Unreadable {
        fn from(error: ProofError) -> Self {
            panic!("{error}")
        }
    }
    let first = NodeId { level: 0, index: 1 };
    let what = Inclusion { index: 0, size: 4 };
    assert_eq!(inclusion(what, |id| Err(Unreadable(id))), Err(Unreadable(first)));
}

#[test]
fn proofs_are_those_of_certificate_transparency() {
    let leaves = ct_leaves();
    let hex = |proof: Made| proof.unwrap().iter().map(Hash::to_string).collect::<Vec<_>>();
    let first = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    let second = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    let third = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    let fourth = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
    let fifth = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    let pair = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
    let sixth = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    let zeroth = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    assert_eq!(hex(made_inclusion(&leaves, 0)), [first, second, third]);
    assert_eq!(hex(made_inclusion(&leaves, 5)), [fifth, pair, fourth]);
    assert_eq!(hex(made_inclusion(&leaves[..5], 1)), [zeroth, second, fifth]);
    assert_eq!(hex(made_consistency(&leaves, 1)), [first, second, third]);
    assert_eq!(hex(made_consistency(&leaves, 6)), [sixth, pair, fourth]);
    assert_eq!(hex(made_consistency(&leaves[..5], 2)), [second, fifth]);
}

/// A tree of equal leaves can have any size: the hash of a perfect subtree depends on its level alone.
fn uniform(size: u64) -> (Hash, impl Fn(NodeId) -> Made<Hash>) {
    let levels: Vec<Hash> =
        std::iter::successors(Some(Hash::ZERO), |node| Some(node_hash(node, node)))
            .take(64)
            .collect();
    let hash = move |id: NodeId| levels[usize::from(id.level)];
    let nodes: Vec<Hash> = subtrees(0, size).into_iter().map(&hash).collect();
    let root = fold_right(&nodes).unwrap_or_else(empty_root);
    (root, move |id: NodeId| {
        assert!(id.index < size >> id.level, "{id:?} is in a tree of {size}");
        Ok(hash(id))
    })
}

fn any_size() -> impl Strategy<Value = u64> {
    prop_oneof![
        300_u64..100_000,
        any::<u64>(),
        (8_u32..64, -2_i64..=2)
            .prop_map(|(bits, off)| { (1_u64 << bits).wrapping_add_signed(off) })
    ]
}

proptest! {
    #[test]
    fn proofs_hold_at_any_size(size in any_size(), other in any::<u64>()) {
        prop_assume!(size > 0);
        let (root, read) = uniform(size);
        let what = Inclusion { index: other % size, size };
        let proof = inclusion(what, &read).unwrap();
        prop_assert_eq!(check_inclusion(&proof, what, &Hash::ZERO, &root), Ok(()));
        for wrong in mutations(&proof).into_iter().filter(|wrong| *wrong != proof) {
            prop_assert!(check_inclusion(&wrong, what, &Hash::ZERO, &root).is_err());
        }

        let growth = Growth { from: other.checked_rem(size).unwrap_or(0) + 1, to: size };
        let (old_root, _) = uniform(growth.from);
        let proof = consistency(growth, &read).unwrap();
        prop_assert_eq!(check_consistency(&proof, growth, &old_root, &root), Ok(()));
        for wrong in mutations(&proof).into_iter().filter(|wrong| *wrong != proof) {
            prop_assert!(check_consistency(&wrong, growth, &old_root, &root).is_err());
        }
    }

    #[test]
    fn proofs_are_the_naive_ones_beyond_exhaustive_sizes(size in 71_usize..1_500, other in any::<usize>()) {
        let leaves = leaves(size);
        let (index, from) = (other % size, other % size + 1);
        prop_assert_eq!(made_inclusion(&leaves, wide(index)), Ok(naive_inclusion(index, &leaves)));
        prop_assert_eq!(made_consistency(&leaves, wide(from)), Ok(naive_consistency(from, &leaves, true)));
    }
}
