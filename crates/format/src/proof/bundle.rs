//! Proofs that stand alone: [C2SP tlog-proof](https://c2sp.org/tlog-proof), version 1.
//!
//! A [`Bundle`] holds a checkpoint, and an inclusion proof up to its root; with the log's verifier key and the record it
//! shows, without the log, that the record is in it. Usual file name extension: `.tlog-proof`.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64>                    where there is any; nothing vouches for it
//! index <seq>
//! <base64 of a hash>                one line a hash, from the leaf's sibling up
//!
//! <checkpoint, a signed note>
//! ```
//!
//! Invariant: what is parsed encodes to the same bytes.
//!
//! It does not read the record, nor tie it to its leaf: see [`leaf_hash`](crate::tree::leaf_hash).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Inclusion, ProofError, check_inclusion};
use crate::chain::Hash;
use crate::checkpoint::{Checkpoint, Opened, parse_decimal, parse_hash};
use crate::note::{Note, NoteError, VerifierKey};

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// No tree of a size of 64 bits is higher.
const HASH_COUNT_MAX: usize = 64;

/// An inclusion proof with the checkpoint that it leads to; nothing of it checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bundle {
    /// Whatever an application adds. Nothing vouches for it.
    pub extra: Option<Vec<u8>>,
    /// 0-based position of the record: its seq.
    pub index: u64,
    /// The hashes, from the leaf's sibling up.
    pub proof: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

impl Bundle {
    /// Puts a bundle together, without extra data.
    pub const fn new(index: u64, proof: Vec<Hash>, checkpoint: Note) -> Self {
        Self { extra: None, index, proof, checkpoint }
    }

    /// Reads a bundle.
    ///
    /// # Errors
    ///
    /// [`BundleError::Form`] or [`BundleError::Note`] where `bundle` is not strictly of the form that the module states.
    pub fn parse(bundle: &[u8]) -> Result<Self, BundleError> {
        let text = str::from_utf8(bundle)
            .map_err(|fault| NoteError::NotUtf8 { offset: fault.valid_up_to() })?;
        let mut lines = Lines { rest: text, number: 0 };
        if lines.next()? != HEADER {
            return Err(lines.fault("the header of a tlog-proof, version 1"));
        }
        let mut line = lines.next()?;
        let mut extra = None;
        if let Some(base64) = line.strip_prefix("extra ") {
            let decoded = STANDARD.decode(base64).ok();
            extra = Some(decoded.ok_or_else(|| lines.fault("canonical base64"))?);
            line = lines.next()?;
        }
        let index = line.strip_prefix("index ").and_then(parse_decimal);
        let index = index.ok_or_else(|| lines.fault("the index of a record"))?;
        let mut proof = Vec::new();
        loop {
            let line = lines.next()?;
            if line.is_empty() {
                break;
            }
            if proof.len() == HASH_COUNT_MAX {
                return Err(lines.fault("the blank line after at most 64 hashes"));
            }
            proof.push(parse_hash(line).ok_or_else(|| lines.fault("the base64 of a hash"))?);
        }
        let checkpoint = Note::parse(lines.rest.as_bytes())?;
        Ok(Self { extra, index, proof, checkpoint })
    }

    /// Checks that a key of `keys` signed the checkpoint, and that `leaf` is the leaf hash of record `index` in its tree.
    ///
    /// `keys` are keys of the log; that the checkpoint's origin is the log's, and what witnesses signed, is for the
    /// caller to see to.
    ///
    /// # Errors
    ///
    /// [`BundleError`] where the bundle does not show it.
    pub fn check(&self, leaf: &Hash, keys: &[VerifierKey]) -> Result<Opened, BundleError> {
        let opened = Checkpoint::open(&self.checkpoint.encode(), keys)?;
        if opened.good == 0 {
            return Err(BundleError::Unsigned);
        }
        let Checkpoint { size, root, .. } = opened.checkpoint;
        check_inclusion(&self.proof, Inclusion { index: self.index, size }, leaf, &root)?;
        Ok(opened)
    }
}

impl fmt::Display for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.proof {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// The lines before the checkpoint.
struct Lines<'a> {
    rest: &'a str,
    /// How many were taken: the 1-based number of the last.
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, BundleError> {
        let (line, rest) = self.rest.split_once('\n').ok_or(BundleError::Form {
            line: self.number + 1,
            expected: "a line that ends in a line feed",
        })?;
        self.rest = rest;
        self.number += 1;
        Ok(line)
    }

    const fn fault(&self, expected: &'static str) -> BundleError {
        BundleError::Form { line: self.number, expected }
    }
}

/// Says why bytes are no bundle, or why a bundle shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A line before the checkpoint is not what it must be.
    #[error("line {line}: expected {expected}")]
    Form {
        /// 1-based number of the line.
        line: usize,
        /// What must stand there.
        expected: &'static str,
    },
    /// The checkpoint is none, or a known key's signature does not verify.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// No known key signed the checkpoint.
    #[error("checkpoint is signed by no known key")]
    Unsigned,
    /// The proof does not lead to the checkpoint's root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::SignerKey;
    use crate::proof::inclusion;
    use crate::tree::tests::{leaves, naive_root, read};

    fn signer() -> SignerKey {
        SignerKey::from_seed(&"example.com/audit".parse().unwrap(), &[7; 32])
    }

    /// Record 3 of 5.
    fn bundle() -> Bundle {
        let (leaves, what) = (leaves(5), Inclusion { index: 3, size: 5 });
        let proof = inclusion::<ProofError>(what, |id| Ok(read(&leaves, id))).unwrap();
        let origin = "example.com/audit".parse().unwrap();
        let checkpoint = Checkpoint { origin, size: 5, root: naive_root(&leaves) };
        Bundle::new(3, proof, checkpoint.sign(&signer()))
    }

    fn fault(text: &str) -> BundleError {
        Bundle::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn bundle_survives_and_shows_its_record() {
        let mut bundle = bundle();
        for extra in [None, Some(Vec::new()), Some(b"from elsewhere".to_vec())] {
            bundle.extra = extra;
            let read = Bundle::parse(bundle.to_string().as_bytes()).unwrap();
            assert_eq!(read, bundle);
            let opened = read.check(&leaves(5)[3], &[signer().verifier_key()]).unwrap();
            assert_eq!(opened.checkpoint.size, 5);
        }
    }

    #[test]
    fn text_is_that_of_the_specification() {
        let text = bundle().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["c2sp.org/tlog-proof@v1", "index 3"]);
        assert_eq!(lines[2].len(), 44);
        assert_eq!(lines[5..8], ["", "example.com/audit", "5"]);
        assert_eq!(lines.len(), 11);
        let extra = Bundle { extra: Some(b"x".to_vec()), ..bundle() }.to_string();
        assert!(extra.starts_with("c2sp.org/tlog-proof@v1\nextra eA==\nindex 3\n"));
    }

    #[test]
    fn bundle_about_another_record_or_by_an_unknown_key_shows_nothing() {
        let (bundle, leaves, key) = (bundle(), leaves(5), signer().verifier_key());
        assert!(matches!(bundle.check(&leaves[2], &[key]), Err(BundleError::Proof(_))));
        assert_eq!(bundle.check(&leaves[3], &[]), Err(BundleError::Unsigned));
        let beyond = Bundle { index: 5, ..bundle };
        let error = ProofError::OutOfRange { index: 5, size: 5 };
        let known = [signer().verifier_key()];
        assert_eq!(beyond.check(&leaves[3], &known), Err(BundleError::Proof(error)));
    }

    #[test]
    fn every_flipped_bit_is_rejected() {
        let (text, leaf, keys) =
            (bundle().to_string().into_bytes(), leaves(5)[3], [signer().verifier_key()]);
        for bit in 0..text.len() * 8 {
            let mut changed = text.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let shown = Bundle::parse(&changed).is_ok_and(|b| b.check(&leaf, &keys).is_ok());
            assert!(!shown, "bit {bit}");
        }
    }

    #[test]
    fn malformed_bundles_are_refused_with_their_line() {
        let text = bundle().to_string();
        let form = |line, expected| BundleError::Form { line, expected };
        let (index, unended) = ("the index of a record", "a line that ends in a line feed");
        assert_eq!(fault(""), form(1, unended));
        assert_eq!(fault("c2sp.org/tlog-proof@v1\nindex 3\n"), form(3, unended));
        assert_eq!(
            fault(&text.replace("@v1", "@v2")),
            form(1, "the header of a tlog-proof, version 1")
        );
        assert_eq!(fault(&text.replace("index 3", "index 03")), form(2, index));
        assert_eq!(fault(&text.replace("index 3", "index  3")), form(2, index));
        assert_eq!(
            fault(&text.replace("index 3", "extra eB==\nindex 3")),
            form(2, "canonical base64")
        );
        assert_eq!(fault(&text.replace("index 3", "extra eA==\nextra eA==")), form(3, index));
        assert_eq!(
            fault(&text.replace("index 3\n", "index 3\nAAAA\n")),
            form(3, "the base64 of a hash")
        );
        let hash = format!("{}=\n", "A".repeat(43));
        let many = text.replace("index 3\n", &format!("index 3\n{}", hash.repeat(62)));
        assert_eq!(fault(&many), form(67, "the blank line after at most 64 hashes"));
        let note = fault(&text.replace("\n\nexample", "\n\n\nexample").replace("\u{2014}", "-"));
        assert!(
            matches!(note, BundleError::Note(NoteError::Signature { index: 0, .. })),
            "{note:?}"
        );
        assert_eq!(
            fault("c2sp.org\r\n").to_string(),
            "line 1: expected the header of a tlog-proof, version 1"
        );
    }
}
