//! Checkpoints: what a log says that it is, signed ([C2SP tlog-checkpoint](https://c2sp.org/tlog-checkpoint)).
//!
//! Owns the text of a checkpoint: origin, LF, number of records, LF, base64 of the root, LF, and nothing more: our logs
//! write no extension lines, and none are read.
//!
//! Invariant: what is parsed spells back to the same bytes (no leading zeros, canonical base64).
//!
//! It neither computes roots (see [`tree`](crate::tree)) nor keeps files. Spec: `docs/spec/`, "Tree and checkpoints".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::chain::Hash;
use crate::identity::{IdentityError, Origin};
use crate::note::{Note, NoteError, SignerKey, VerifierKey};

/// What a log was at one moment: its first `size` records, and the root of the tree over them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "three lines: more would be another format")]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: Origin,
    /// How many records the tree covers.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// A checkpoint taken from a note, its signatures checked against the keys that were given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// What the note says. To be believed only where [`Opened::good`] is not 0.
    pub checkpoint: Checkpoint,
    /// The note.
    pub note: Note,
    /// How many of the given keys signed it; 0 is *key unknown*.
    pub good: usize,
}

impl Checkpoint {
    /// Spells the checkpoint as the text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, spell_root(&self.root))
    }

    /// Reads the text of a checkpoint.
    ///
    /// # Errors
    ///
    /// [`NoteError::Checkpoint`] where `text` is not exactly origin, size and root.
    pub fn parse_text(text: &str) -> Result<Self, NoteError> {
        parse_text(text).map_err(NoteError::Checkpoint)
    }

    /// Signs the checkpoint with the log's own key, whose name is the origin.
    pub fn sign(&self, key: &SignerKey) -> Note {
        let text = self.text();
        let signatures = vec![key.sign(text.as_bytes())];
        Note { text, signatures }
    }

    /// Reads a signed checkpoint, and checks the signatures of the keys in `keys`.
    ///
    /// # Errors
    ///
    /// Where `note` is no note, its text no checkpoint, or a signature by one of `keys` does not verify. That no key
    /// of `keys` signed is no error: [`Opened::good`] is 0 then.
    pub fn open(note: &[u8], keys: &[VerifierKey]) -> Result<Opened, NoteError> {
        let note = Note::parse(note)?;
        let checkpoint = Self::parse_text(&note.text)?;
        let good = note.verify(keys)?;
        Ok(Opened { checkpoint, note, good })
    }
}

fn parse_text(text: &str) -> Result<Checkpoint, CheckpointFault> {
    let mut lines = text.strip_suffix('\n').ok_or(CheckpointFault::Lines)?.split('\n');
    let (Some(origin), Some(size), Some(root), None) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return Err(CheckpointFault::Lines);
    };
    let origin = origin.parse().map_err(CheckpointFault::Origin)?;
    let size = parse_decimal(size).ok_or(CheckpointFault::Size)?;
    let root = parse_hash(root).ok_or(CheckpointFault::Root)?;
    Ok(Checkpoint { origin, size, root })
}

/// Reads `0` or `[1-9][0-9]*`, within 64 bits.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let first = text.bytes().next()?;
    let plain = first.is_ascii_digit() && (first != b'0' || text.len() == 1);
    plain.then(|| text.parse().ok()).flatten()
}

/// Spells a root as the text of a checkpoint has it: canonical base64.
pub fn spell_root(root: &Hash) -> String {
    STANDARD.encode(root.as_bytes())
}

/// Reads the canonical base64 of 32 bytes.
pub(crate) fn parse_hash(text: &str) -> Option<Hash> {
    if text.len() != 44 {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    bytes.try_into().ok().map(Hash::from_bytes)
}

/// What is wrong with the text of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointFault {
    /// Not three lines.
    #[error("expected three lines: origin, size, root")]
    Lines,
    /// The first line is no origin.
    #[error("{0}")]
    Origin(IdentityError),
    /// The second line is no decimal number of 64 bits without leading zeros.
    #[error("size is not a decimal number of 64 bits without leading zeros")]
    Size,
    /// The third line is no root.
    #[error("root is not the canonical base64 of 32 bytes")]
    Root,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let root = Hash::from_bytes([0xa5; 32]);
        Checkpoint { origin: "example.com/audit".parse().unwrap(), size: 5, root }
    }

    fn key(name: &str, seed: u8) -> SignerKey {
        SignerKey::from_seed(&name.parse().unwrap(), &[seed; 32])
    }

    fn fault(text: &str) -> CheckpointFault {
        match Checkpoint::parse_text(text) {
            Err(NoteError::Checkpoint(fault)) => fault,
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    const ROOT: &str = "paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU=";

    #[test]
    fn text_is_origin_size_and_root_and_survives() {
        let text = checkpoint().text();
        assert_eq!(text, format!("example.com/audit\n5\n{ROOT}\n"));
        assert_eq!(Checkpoint::parse_text(&text), Ok(checkpoint()));
        let largest = Checkpoint { size: u64::MAX, ..checkpoint() };
        assert_eq!(Checkpoint::parse_text(&largest.text()), Ok(largest));
    }

    #[test]
    fn nothing_but_three_lines_is_read() {
        assert_eq!(fault(""), CheckpointFault::Lines);
        assert_eq!(fault("a\n5\n"), CheckpointFault::Lines);
        assert_eq!(fault(&format!("a\n5\n{ROOT}")), CheckpointFault::Lines);
        assert_eq!(fault(&format!("a\n5\n{ROOT}\n\n")), CheckpointFault::Lines);
        assert_eq!(fault(&format!("a\n5\n{ROOT}\nextension\n")), CheckpointFault::Lines);
        assert_eq!(
            fault(&format!("\n5\n{ROOT}\n")),
            CheckpointFault::Origin(IdentityError::OriginEmpty)
        );
    }

    #[test]
    fn sizes_are_plain_decimals_of_64_bits() {
        for size in
            ["", "05", "00", "+5", "-1", " 5", "5 ", "0x5", "5.0", "٥", "18446744073709551616"]
        {
            assert_eq!(fault(&format!("a\n{size}\n{ROOT}\n")), CheckpointFault::Size, "{size}");
        }
        assert!(Checkpoint::parse_text(&format!("a\n0\n{ROOT}\n")).is_ok());
    }

    #[test]
    fn roots_are_canonical_base64_of_32_bytes() {
        let other_tail = ROOT.replace("U=", "V=");
        let unpadded = ROOT.replace('=', "");
        let short = ROOT.replacen("paWl", "", 1);
        let space = ROOT.replacen('p', " ", 1);
        for root in ["", &other_tail, &unpadded, &short, &space] {
            assert_eq!(fault(&format!("a\n5\n{root}\n")), CheckpointFault::Root, "{root}");
        }
    }

    #[test]
    fn opening_counts_the_known_keys_that_signed() {
        let (own, other) = (key("example.com/audit", 1), key("example.com/audit", 2));
        let note = checkpoint().sign(&own);
        let opened = Checkpoint::open(&note.encode(), &[own.verifier_key()]).unwrap();
        assert_eq!(opened, Opened { checkpoint: checkpoint(), note: note.clone(), good: 1 });
        let unknown = Checkpoint::open(&note.encode(), &[other.verifier_key()]).unwrap();
        assert_eq!(unknown.good, 0);
    }

    #[test]
    fn every_flipped_bit_of_a_signed_checkpoint_is_rejected_or_unverified() {
        let own = key("example.com/audit", 1);
        let note = checkpoint().sign(&own).encode();
        let known = [own.verifier_key()];
        for bit in 0..note.len() * 8 {
            let mut changed = note.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let good = Checkpoint::open(&changed, &known).map_or(0, |opened| opened.good);
            assert_eq!(good, 0, "bit {bit}");
        }
    }
}
