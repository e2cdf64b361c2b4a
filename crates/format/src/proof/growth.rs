//! Proofs of growth that stand alone: that a log went on from a checkpoint that somebody kept, and changed nothing.
//!
//! C2SP defines no file for this. The bytes are those of the request `add-checkpoint` of
//! [C2SP tlog-witness](https://c2sp.org/tlog-witness), so that what is kept as a file can also be put to a witness:
//!
//! ```text
//! old <size of the kept checkpoint>
//! <base64 of a hash>                one line a hash, none from size 0 or to the same size
//!
//! <newer checkpoint, a signed note>
//! ```
//!
//! Invariant: what is parsed encodes to the same bytes.
//!
//! The kept checkpoint is not in it: whoever checks has it, and it is what the proof is held against.
//! Spec: `docs/spec/`, "Proofs as files".

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::bundle::{BundleError, Lines, keys_of};
use super::{Growth, check_consistency};
use crate::chain::Hash;
use crate::checkpoint::{Checkpoint, Opened, parse_decimal};
use crate::note::{Note, VerifierKey};

/// Begins the first line, and nothing else begins like it.
const OLD: &str = "old ";

/// A consistency proof with the newer of its two checkpoints; nothing of it checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrowthBundle {
    /// Records that the kept checkpoint covers.
    pub from: u64,
    /// The hashes, in the order of RFC 6962.
    pub proof: Vec<Hash>,
    /// The newer checkpoint.
    pub checkpoint: Note,
}

/// Two checkpoints of one log, of which the newer goes on from the older.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grown {
    /// The checkpoint that was kept.
    pub kept: Opened,
    /// The newer one.
    pub newer: Opened,
}

impl GrowthBundle {
    /// Puts a bundle together.
    pub const fn new(from: u64, proof: Vec<Hash>, checkpoint: Note) -> Self {
        Self { from, proof, checkpoint }
    }

    /// Tells whether `bytes` begin as a proof of growth does.
    pub fn is_begun_by(bytes: &[u8]) -> bool {
        bytes.starts_with(OLD.as_bytes())
    }

    /// Reads a bundle.
    ///
    /// # Errors
    ///
    /// [`BundleError::Form`] or [`BundleError::Note`] where `bundle` is not strictly of the form that the module states.
    pub fn parse(bundle: &[u8]) -> Result<Self, BundleError> {
        let mut lines = Lines::of(bundle)?;
        let from = lines.next()?.strip_prefix(OLD).and_then(parse_decimal);
        let from = from.ok_or_else(|| lines.fault("`old` and the size of the kept checkpoint"))?;
        let proof = lines.hashes()?;
        let checkpoint = Note::parse(lines.rest.as_bytes())?;
        Ok(Self { from, proof, checkpoint })
    }

    /// Checks that one of `keys`, with the name of the origin, signed each of the two checkpoints, and that the newer one
    /// goes on from `kept`.
    ///
    /// # Errors
    ///
    /// [`BundleError`] says which of these it does not show; [`BundleError::Kept`] where `kept` itself is at fault.
    pub fn check(&self, kept: &[u8], keys: &[VerifierKey]) -> Result<Grown, BundleError> {
        let kept = open_kept(kept, keys)?;
        let newer = Checkpoint::open(&self.checkpoint.encode(), keys)?;
        let (old, new) = (&kept.checkpoint, &newer.checkpoint);
        if old.origin != new.origin {
            let (expected, found) = (old.origin.clone(), new.origin.clone());
            return Err(BundleError::OtherOrigin { expected, found });
        }
        let keys = keys_of(&self.checkpoint, keys)?;
        if self.checkpoint.verify(&keys)? == 0 {
            return Err(BundleError::Unsigned);
        }
        if old.size != self.from {
            return Err(BundleError::OtherSize { expected: old.size, found: self.from });
        }
        let growth = Growth { from: old.size, to: new.size };
        check_consistency(&self.proof, growth, &old.root, &new.root)?;
        Ok(Grown { kept, newer })
    }
}

/// Reads a checkpoint that somebody kept, and checks that one of `keys`, with the name of its origin, signed it.
///
/// # Errors
///
/// [`BundleError::Kept`] where it does not hold.
pub fn open_kept(kept: &[u8], keys: &[VerifierKey]) -> Result<Opened, BundleError> {
    let open = || {
        let note = Note::parse(kept)?;
        let opened = Checkpoint::open(kept, &keys_of(&note, keys)?)?;
        if opened.good == 0 { Err(BundleError::Unsigned) } else { Ok(opened) }
    };
    open().map_err(|fault| BundleError::Kept(Box::new(fault)))
}

impl fmt::Display for GrowthBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{OLD}{}", self.from)?;
        for hash in &self.proof {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::SignerKey;
    use crate::proof::{ProofError, consistency};
    use crate::tree::tests::{leaves, naive_root, read};

    fn signer() -> SignerKey {
        SignerKey::from_seed(&"example.com/audit".parse().unwrap(), &[7; 32])
    }

    fn checkpoint(size: usize) -> Note {
        let root = naive_root(&leaves(size));
        let origin = "example.com/audit".parse().unwrap();
        Checkpoint { origin, size: u64::try_from(size).unwrap(), root }.sign(&signer())
    }

    fn grown(from: usize, to: usize) -> GrowthBundle {
        let [old, new] = [from, to].map(|size| u64::try_from(size).unwrap());
        let leaves = leaves(to);
        let growth = Growth { from: old, to: new };
        let proof = consistency::<ProofError>(growth, |id| Ok(read(&leaves, id))).unwrap();
        GrowthBundle::new(old, proof, checkpoint(to))
    }

    #[test]
    fn growth_survives_as_text_and_is_shown_from_every_size() {
        let keys = [signer().verifier_key()];
        for to in 0..=9 {
            for from in 0..=to {
                let bundle = grown(from, to);
                let read = GrowthBundle::parse(bundle.to_string().as_bytes()).unwrap();
                assert_eq!(read, bundle);
                let grown = read.check(&checkpoint(from).encode(), &keys).unwrap();
                assert_eq!(grown.newer.checkpoint.size, u64::try_from(to).unwrap());
            }
        }
    }

    #[test]
    fn text_is_that_of_a_request_to_a_witness() {
        let text = grown(3, 5).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "old 3");
        assert!(lines[1..5].iter().all(|line| line.len() == 44), "{text}");
        assert_eq!(lines[5..8], ["", "example.com/audit", "5"]);
        assert!(GrowthBundle::is_begun_by(text.as_bytes()));
        assert!(!GrowthBundle::is_begun_by(&text.as_bytes()[1..]));
    }

    #[test]
    fn growth_from_another_checkpoint_or_by_another_key_shows_nothing() {
        let (bundle, keys) = (grown(3, 5), [signer().verifier_key()]);
        let from = |note: &Note| bundle.check(&note.encode(), &keys).unwrap_err();
        assert_eq!(from(&checkpoint(4)), BundleError::OtherSize { expected: 4, found: 3 });
        let origin = "example.com/audit".parse().unwrap();
        let forked = Checkpoint { origin, size: 3, root: Hash::ZERO }.sign(&signer());
        assert!(matches!(from(&forked), BundleError::Proof(ProofError::OlderRoot { .. })));
        let unknown = SignerKey::from_seed(&"example.com/audit".parse().unwrap(), &[8; 32]);
        let kept = checkpoint(3).encode();
        assert_eq!(
            bundle.check(&kept, &[unknown.verifier_key()]),
            Err(BundleError::Kept(Box::new(BundleError::Unsigned)))
        );
        assert!(matches!(bundle.check(b"kept\n", &keys), Err(BundleError::Kept(_))));
        let name = "example.com/else".parse().unwrap();
        let other = SignerKey::from_seed(&name, &[9; 32]);
        let elsewhere = Checkpoint { origin: name, size: 3, root: Hash::ZERO }.sign(&other);
        let both = [signer().verifier_key(), other.verifier_key()];
        assert!(matches!(
            bundle.check(&elsewhere.encode(), &both),
            Err(BundleError::OtherOrigin { .. })
        ));
    }

    #[test]
    fn every_flipped_bit_is_rejected() {
        let (kept, keys) = (checkpoint(3).encode(), [signer().verifier_key()]);
        let text = grown(3, 5).to_string().into_bytes();
        for bit in 0..text.len() * 8 {
            let mut changed = text.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(bundle) = GrowthBundle::parse(&changed) else { continue };
            assert_eq!(bundle.to_string().as_bytes(), changed, "bit {bit}");
            assert!(bundle.check(&kept, &keys).is_err(), "bit {bit}");
        }
    }
}
