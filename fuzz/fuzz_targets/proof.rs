//! Arbitrary bytes as proof files: what is parsed spells back to the same bytes; and a good proof with bytes changed: what
//! still holds is the same proof.
#![no_main]

use std::sync::LazyLock;

use indelible_format::chain::{Hash, seal};
use indelible_format::checkpoint::Checkpoint;
use indelible_format::note::{Note, SignerKey, VerifierKey};
use indelible_format::proof::bundle::Bundle;
use indelible_format::proof::growth::GrowthBundle;
use indelible_format::proof::{Growth, Inclusion, ProofError, consistency, inclusion};
use indelible_format::tree::{Frontier, NodeId, leaf_hash, node_hash};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const SIZE: u64 = 11;
const KEPT: u64 = 5;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Raw(&'a [u8]),
    Edited { growth: bool, at: u16, removed: u8, bytes: &'a [u8] },
}

struct Good {
    key: VerifierKey,
    kept: Vec<u8>,
    bundle: String,
    growth: String,
}

static GOOD: LazyLock<Good> = LazyLock::new(good);

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::Raw(bytes) => check(bytes),
        Input::Edited { growth, at, removed, bytes } => {
            let good = if growth { &GOOD.growth } else { &GOOD.bundle };
            let mut edited = good.clone().into_bytes();
            let at = usize::from(at) % (edited.len() + 1);
            let end = edited.len().min(at + usize::from(removed));
            edited.splice(at..end, bytes.iter().copied());
            check(&edited);
        }
    }
});

fn check(bytes: &[u8]) {
    let Good { key, kept, bundle, growth } = &*GOOD;
    let keys = std::slice::from_ref(key);
    if let Ok(parsed) = Bundle::parse(bytes) {
        assert_eq!(parsed.to_string().as_bytes(), bytes);
        if parsed.check_record(keys).is_ok() {
            // Signatures by others may stand beside the log's own; all that is proven is the same.
            let good = Bundle::parse(bundle.as_bytes()).expect("a proof");
            assert_eq!((parsed.index, &parsed.extra), (good.index, &good.extra));
            assert_eq!(
                (&parsed.proof, &parsed.checkpoint.text),
                (&good.proof, &good.checkpoint.text)
            );
        }
    }
    if let Ok(parsed) = GrowthBundle::parse(bytes) {
        assert_eq!(parsed.to_string().as_bytes(), bytes);
        if let Ok(grown) = parsed.check(kept, keys) {
            let good = GrowthBundle::parse(growth.as_bytes()).expect("a proof");
            let good = good.check(kept, keys).expect("a proof that holds");
            assert_eq!(grown.newer.checkpoint, good.newer.checkpoint);
        }
    }
}

/// A log of a few records, one of them proven, and its growth.
fn good() -> Good {
    let origin = "example.com/audit".parse().expect("an origin");
    let signer = SignerKey::from_seed(&origin, &[7; 32]);
    let (mut lines, mut prev) = (Vec::new(), Hash::ZERO);
    for seq in 0..SIZE {
        let mut line = format!(
            "{{\"seq\":{seq},\"timestamp\":\"2026-01-02T03:04:05.000000000Z\",\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\""
        )
        .into_bytes();
        prev = seal(&mut line, 0, &prev);
        lines.push((line, prev));
    }
    let leaves: Vec<Hash> = lines.iter().map(|(_, hash)| leaf_hash(hash)).collect();
    let note = |size: u64| {
        let mut tree = Frontier::new();
        leaves.iter().take(usize::try_from(size).expect("few")).for_each(|leaf| tree.push(*leaf));
        let origin = origin.clone();
        let text = Checkpoint { origin, size, root: tree.root() }.text();
        Note::sign(text, &signer).expect("a text")
    };
    let read = |id: NodeId| Ok::<_, ProofError>(node(&leaves, id));
    let index = 6;
    let path = inclusion(Inclusion { index, size: SIZE }, read).expect("a proof");
    let mut bundle = Bundle::new(index, path, note(SIZE));
    bundle.extra = Some(lines[6].0.clone());
    let path = consistency(Growth { from: KEPT, to: SIZE }, read).expect("a proof");
    let growth = GrowthBundle::new(KEPT, path, note(SIZE));
    Good {
        key: signer.verifier_key(),
        kept: note(KEPT).encode(),
        bundle: bundle.to_string(),
        growth: growth.to_string(),
    }
}

/// A node of the tree over `leaves`.
fn node(leaves: &[Hash], id: NodeId) -> Hash {
    let (level, index) = (u32::from(id.level), usize::try_from(id.index).expect("few"));
    if level == 0 {
        return leaves[index];
    }
    let below = |index: usize| {
        let index = u64::try_from(index).expect("few");
        node(leaves, NodeId { level: id.level - 1, index })
    };
    node_hash(&below(index * 2), &below(index * 2 + 1))
}
