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
//! The bundles that the command writes hold in their `extra` the stored line of the record that they are about, without
//! its LF: then [`Bundle::check_record`] needs nothing else.
//!
//! Invariant: what is parsed encodes to the same bytes.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Inclusion, ProofError, check_inclusion};
use crate::chain::Hash;
use crate::checkpoint::{Checkpoint, Opened, parse_decimal, parse_hash};
use crate::decode_error::DecodeError;
use crate::identity::Origin;
use crate::note::{Note, NoteError, VerifierKey};
use crate::record::{Content, Record};
use crate::tree::leaf_hash;

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
        let mut lines = Lines::of(bundle)?;
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
        let proof = lines.hashes()?;
        let checkpoint = Note::parse(lines.rest.as_bytes())?;
        Ok(Self { extra, index, proof, checkpoint })
    }

    /// Checks that the `extra` is record `index`, whole and by its own hash, that a key of `keys` with the name of the
    /// checkpoint's origin signed the checkpoint, and that the record is in its tree.
    ///
    /// # Errors
    ///
    /// [`BundleError`] says which of these it does not show.
    pub fn check_record(&self, keys: &[VerifierKey]) -> Result<(Record<'_>, Opened), BundleError> {
        let line = self.extra.as_deref().ok_or(BundleError::NoRecord)?;
        let record = Record::parse(line).map_err(BundleError::Record)?;
        if matches!(record.content(), Content::Redacted) {
            return Err(BundleError::Redacted);
        }
        if record.seq() != self.index {
            return Err(BundleError::OtherRecord { index: self.index, seq: record.seq() });
        }
        let keys = keys_of(&self.checkpoint, keys)?;
        let opened = self.check(&leaf_hash(&record.hash()), &keys)?;
        Ok((record, opened))
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

/// Those of `keys` that are named like the checkpoint's origin: only they can be keys of that log.
pub(super) fn keys_of(
    checkpoint: &Note,
    keys: &[VerifierKey],
) -> Result<Vec<VerifierKey>, BundleError> {
    let origin = Checkpoint::parse_text(&checkpoint.text)?.origin;
    let keys: Vec<_> = keys.iter().filter(|key| key.name() == origin.as_str()).cloned().collect();
    if keys.is_empty() { Err(BundleError::NoKeyOfLog { origin }) } else { Ok(keys) }
}

/// The lines before the checkpoint.
pub(super) struct Lines<'a> {
    pub(super) rest: &'a str,
    /// How many were taken: the 1-based number of the last.
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(bundle: &'a [u8]) -> Result<Self, NoteError> {
        let rest = str::from_utf8(bundle)
            .map_err(|fault| NoteError::NotUtf8 { offset: fault.valid_up_to() })?;
        Ok(Self { rest, number: 0 })
    }

    /// Takes the hashes of a proof and the blank line behind them.
    pub(super) fn hashes(&mut self) -> Result<Vec<Hash>, BundleError> {
        let mut proof = Vec::new();
        loop {
            let line = self.next()?;
            if line.is_empty() {
                return Ok(proof);
            }
            if proof.len() == HASH_COUNT_MAX {
                return Err(self.fault("the blank line after at most 64 hashes"));
            }
            proof.push(parse_hash(line).ok_or_else(|| self.fault("the base64 of a hash"))?);
        }
    }

    pub(super) fn next(&mut self) -> Result<&'a str, BundleError> {
        let (line, rest) = self.rest.split_once('\n').ok_or(BundleError::Form {
            line: self.number + 1,
            expected: "a line that ends in a line feed",
        })?;
        self.rest = rest;
        self.number += 1;
        Ok(line)
    }

    pub(super) const fn fault(&self, expected: &'static str) -> BundleError {
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
    /// No known key is named like the origin of the checkpoint.
    #[error("checkpoint is of the log {origin}, and no key of that name is known")]
    NoKeyOfLog {
        /// The log that the checkpoint says it is of.
        origin: Origin,
    },
    /// The bundle has no `extra`.
    #[error("no record in it: there is no `extra`")]
    NoRecord,
    /// What stands in `extra` is no record.
    #[error("the record in `extra`: {0}")]
    Record(DecodeError),
    /// The line in `extra` was redacted: its hash can't be checked by itself.
    #[error("the record in `extra` was redacted: what it said is not there to be checked")]
    Redacted,
    /// The record in `extra` is not the one that the proof is about.
    #[error("the record in `extra` is record {seq}, the proof is about record {index}")]
    OtherRecord {
        /// 0-based position that the proof is about.
        index: u64,
        /// As the record in `extra` says.
        seq: u64,
    },
    /// The kept checkpoint is of another log.
    #[error("the kept checkpoint is of the log {expected}, the newer one of {found}")]
    OtherOrigin {
        /// Origin of the kept checkpoint.
        expected: Origin,
        /// Origin of the newer one.
        found: Origin,
    },
    /// The proof begins at another size than that of the kept checkpoint.
    #[error("the proof begins at {found} records, the kept checkpoint covers {expected}")]
    OtherSize {
        /// Records that the kept checkpoint covers.
        expected: u64,
        /// Where the proof begins.
        found: u64,
    },
    /// What is wrong is the kept checkpoint, not the bundle.
    #[error("the kept checkpoint: {0}")]
    Kept(Box<BundleError>),
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

    /// Record 1 of 3, with its line.
    fn with_record() -> Bundle {
        let hashes = lines(3).map(|line| Record::parse(&line).unwrap().hash());
        let leaves: Vec<Hash> = hashes.map(|hash| leaf_hash(&hash)).collect();
        let what = Inclusion { index: 1, size: 3 };
        let proof = inclusion::<ProofError>(what, |id| Ok(read(&leaves, id))).unwrap();
        let origin = "example.com/audit".parse().unwrap();
        let checkpoint = Checkpoint { origin, size: 3, root: naive_root(&leaves) };
        let mut bundle = Bundle::new(1, proof, checkpoint.sign(&signer()));
        bundle.extra = lines(3).nth(1);
        bundle
    }

    fn lines(count: u64) -> impl Iterator<Item = Vec<u8>> {
        (0..count).map(|seq| {
            let mut line = Vec::new();
            let at = crate::time::Timestamp::from_unix_ns(0).unwrap();
            crate::record::write_head(&mut line, seq, at);
            line.extend_from_slice(br#""actor":"a","action":"b","resource":"c""#);
            crate::chain::seal(&mut line, 0, &Hash::ZERO);
            line
        })
    }

    #[test]
    fn record_in_extra_is_shown_with_its_checkpoint() {
        let bundle = with_record();
        let (record, opened) = bundle.check_record(&[signer().verifier_key()]).unwrap();
        assert_eq!((record.seq(), opened.checkpoint.size), (1, 3));
    }

    #[test]
    fn record_that_is_not_the_proven_one_is_refused_for_what_it_is() {
        let keys = [signer().verifier_key()];
        let refused = |extra: Option<Vec<u8>>| {
            let bundle = Bundle { extra, ..with_record() };
            bundle.check_record(&keys).map(|(record, _)| record.seq()).unwrap_err()
        };
        assert_eq!(refused(None), BundleError::NoRecord);
        assert_eq!(refused(lines(3).nth(2)), BundleError::OtherRecord { index: 1, seq: 2 });
        assert!(matches!(refused(Some(b"{}".to_vec())), BundleError::Record(_)));
        let mut other = lines(3).nth(1).unwrap();
        let at = other.windows(3).position(|w| w == b"\"a\"").unwrap() + 1;
        other[at] = b'x';
        assert!(matches!(
            refused(Some(other)),
            BundleError::Record(DecodeError::HashMismatch { .. })
        ));
        let redacted = String::from_utf8(lines(3).nth(1).unwrap()).unwrap();
        let redacted =
            redacted.replace(r#""actor":"a","action":"b","resource":"c""#, "\"redacted\":true");
        assert_eq!(refused(Some(redacted.into_bytes())), BundleError::Redacted);
        let elsewhere = SignerKey::from_seed(&"example.com/else".parse().unwrap(), &[7; 32]);
        assert!(matches!(
            with_record().check_record(&[elsewhere.verifier_key()]),
            Err(BundleError::NoKeyOfLog { .. })
        ));
    }

    #[test]
    fn every_flipped_bit_of_a_bundle_with_its_record_is_rejected() {
        let (text, keys) = (with_record().to_string().into_bytes(), [signer().verifier_key()]);
        for bit in 0..text.len() * 8 {
            let mut changed = text.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(bundle) = Bundle::parse(&changed) else { continue };
            assert_eq!(bundle.to_string().as_bytes(), changed, "bit {bit}");
            assert!(bundle.check_record(&keys).is_err(), "bit {bit}");
        }
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
