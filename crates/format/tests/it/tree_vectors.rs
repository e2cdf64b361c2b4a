//! Chain, tree, keys and checkpoint against `vectors/vectors.json`, which was made without this crate.

use indelible_format::chain::{Hash, Link};
use indelible_format::checkpoint::Checkpoint;
use indelible_format::note::{SignerKey, VerifierKey};
use indelible_format::proof::{self, Growth, Inclusion, ProofError};
use indelible_format::tree::{Frontier, NodeId, leaf_hash, node_hash};

const VECTORS: &str = include_str!("../../../../vectors/vectors.json");

#[derive(serde::Deserialize)]
struct Vectors {
    signer_key: String,
    verifier_key: String,
    records: Vec<Record>,
    checkpoint: String,
}

#[derive(serde::Deserialize)]
struct Record {
    line: String,
    hash: String,
    leaf: String,
    root_with_it: String,
}

#[test]
fn every_line_has_its_hash_and_follows_the_one_before() {
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    assert!(!vectors.records.is_empty());
    let mut prev = Hash::ZERO;
    for record in &vectors.records {
        let link = Link::split(record.line.as_bytes()).unwrap();
        assert_eq!(link.prev_hash, prev);
        assert_eq!(link.hash.to_string(), record.hash);
        assert_eq!(link.computed_hash(), link.hash);

        let mut sealed = link.entry_head.to_vec();
        assert_eq!(indelible_format::chain::seal(&mut sealed, 0, &prev), link.hash);
        assert_eq!(String::from_utf8(sealed).unwrap(), record.line);
        prev = link.hash;
    }
}

#[test]
fn every_leaf_and_root_is_that_of_the_vectors() {
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    let mut tree = Frontier::new();
    for record in &vectors.records {
        let leaf = leaf_hash(&record.hash.parse().unwrap());
        assert_eq!(leaf.to_string(), record.leaf);
        tree.push(leaf);
        assert_eq!(tree.root().to_string(), record.root_with_it);
    }
}

#[test]
fn every_record_and_size_is_proven_between_the_roots_of_the_vectors() {
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    let leaves: Vec<Hash> = vectors.records.iter().map(|r| r.leaf.parse().unwrap()).collect();
    let roots: Vec<Hash> =
        vectors.records.iter().map(|r| r.root_with_it.parse().unwrap()).collect();
    let mut levels = vec![leaves.clone()];
    while let Some(level) = levels.last().filter(|level| level.len() > 1) {
        let above = level.as_chunks().0.iter().map(|[left, right]| node_hash(left, right));
        levels.push(above.collect());
    }
    let read = |id: NodeId| {
        Ok::<_, ProofError>(levels[usize::from(id.level)][usize::try_from(id.index).unwrap()])
    };
    for (to, new_root) in (1..).zip(&roots) {
        for (index, leaf) in (0..to).zip(&leaves) {
            let what = Inclusion { index, size: to };
            let proof = proof::inclusion(what, read).unwrap();
            assert_eq!(proof::check_inclusion(&proof, what, leaf, new_root), Ok(()));
        }
        for (from, old_root) in (1..=to).zip(&roots) {
            let growth = Growth { from, to };
            let proof = proof::consistency(growth, read).unwrap();
            assert_eq!(proof::check_consistency(&proof, growth, old_root, new_root), Ok(()));
        }
    }
}

#[test]
fn keys_and_checkpoint_come_out_byte_for_byte() {
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    let signer: SignerKey = vectors.signer_key.parse().unwrap();
    let verifier: VerifierKey = vectors.verifier_key.parse().unwrap();
    assert_eq!(*signer.encode(), vectors.signer_key);
    assert_eq!(verifier.to_string(), vectors.verifier_key);
    assert_eq!(signer.verifier_key(), verifier);

    let opened = Checkpoint::open(vectors.checkpoint.as_bytes(), &[verifier]).unwrap();
    assert_eq!(opened.good, 1);
    assert_eq!(opened.checkpoint.origin.as_str(), "example.com/audit");
    assert_eq!(opened.checkpoint.size, 5);
    assert_eq!(opened.checkpoint.root.to_string(), vectors.records.last().unwrap().root_with_it);
    // Ed25519 is deterministic: the same key signs the same text in the same bytes.
    assert_eq!(opened.checkpoint.sign(&signer).to_string(), vectors.checkpoint);
}
