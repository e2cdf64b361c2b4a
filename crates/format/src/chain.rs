//! The hash chain: what ties each record to the one before it.
//!
//! Owns [`Hash`](struct@Hash), the link suffix at the end of every line, and the one way in which a line's hash is computed:
//! `_hash` = SHA-256(`_prev_hash` as its 64 ASCII bytes ‖ `entry_json`), where `entry_json` is the line with the link
//! suffix replaced by `}`.
//!
//! Invariants:
//! - the link suffix is always the last [`LINK_SUFFIX_SIZE`] bytes of a line (without its LF);
//! - what is hashed is a slice of the stored bytes: nothing is serialised again to verify it;
//! - hexadecimal digits are lower-case, and nothing else is read.
//!
//! It does not look into the entry (see [`record`](crate::record)), and does not know which record comes before which.
//! Spec: `docs/spec/`, "A record is one line".

use std::fmt;
use std::str::FromStr;

use crate::decode_error::DecodeError;
use crate::{hex, sha256};

/// Size in bytes of `,"_prev_hash":"<64 hex>","_hash":"<64 hex>"}`.
pub const LINK_SUFFIX_SIZE: usize =
    BEFORE_PREV.len() + HEX_SIZE + BEFORE_HASH.len() + HEX_SIZE + AFTER_HASH.len();

const HEX_SIZE: usize = 64;
const BEFORE_PREV: &str = r#","_prev_hash":""#;
const BEFORE_HASH: &str = r#"","_hash":""#;
const AFTER_HASH: &str = r#""}"#;

/// A SHA-256 hash: of a record, of a leaf, of a node.
///
/// Text form, in [`Display`](fmt::Display), [`Debug`] and [`FromStr`]: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The `_prev_hash` of record 0.
    pub const ZERO: Self = Self([0; 32]);

    /// Wraps 32 raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Lends the 32 raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Spells the hash as 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> [u8; 64] {
        let mut digits = [0; HEX_SIZE];
        hex::encode(&self.0, &mut digits);
        digits
    }

    /// Reads exactly 64 lower-case hexadecimal digits.
    pub fn parse_hex(digits: &[u8]) -> Option<Self> {
        hex::decode(digits).map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hexadecimal digits")]
#[non_exhaustive]
pub struct ParseHashError;

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        Self::parse_hex(text.as_bytes()).ok_or(ParseHashError)
    }
}

/// Ends a record: appends the link suffix (without LF) to `buf`, and returns the record's hash.
///
/// `buf[start..]` holds `entry_json` without its closing `}`; `prev` is the hash of the record before.
///
/// # Panics
///
/// Where `start` is beyond the end of `buf`.
pub fn seal(buf: &mut Vec<u8>, start: usize, prev: &Hash) -> Hash {
    let prev = prev.to_hex();
    let hash = link_hash(&prev, buf.split_at(start).1);
    buf.reserve(LINK_SUFFIX_SIZE);
    buf.extend_from_slice(BEFORE_PREV.as_bytes());
    buf.extend_from_slice(&prev);
    buf.extend_from_slice(BEFORE_HASH.as_bytes());
    buf.extend_from_slice(&hash.to_hex());
    buf.extend_from_slice(AFTER_HASH.as_bytes());
    hash
}

/// The one place that says what a record's hash covers: the digits of `_prev_hash` are just the first block.
fn link_hash(prev_hex: &[u8; 64], entry_head: &[u8]) -> Hash {
    Hash(sha256::of(message(prev_hex, entry_head)))
}

fn message<'m>(prev_hex: &'m [u8; 64], entry_head: &'m [u8]) -> sha256::Message<'m> {
    sha256::Message { first: prev_hex, rest: entry_head, last: b'}' }
}

/// A line taken apart into its entry and its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link<'a> {
    /// `entry_json` without its closing `}`.
    pub entry_head: &'a [u8],
    /// Hash of the record before, as the line states it.
    pub prev_hash: Hash,
    /// Hash of this record, as the line states it; [`Link::computed_hash`] says what it should be.
    pub hash: Hash,
}

impl<'a> Link<'a> {
    /// Takes `line`, without its LF, apart. Says nothing about whether the hash is right.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooShort`], [`DecodeError::Link`] or [`DecodeError::LinkHash`] where the last
    /// [`LINK_SUFFIX_SIZE`] bytes are not a link suffix, or nothing stands before them.
    pub fn split(line: &'a [u8]) -> Result<Self, DecodeError> {
        let too_short = DecodeError::TooShort { size: line.len() };
        let Some((entry_head, suffix)) = line.split_last_chunk::<LINK_SUFFIX_SIZE>() else {
            return Err(too_short);
        };
        if entry_head.is_empty() {
            return Err(too_short);
        }
        let mut rest = Cursor { offset: entry_head.len(), bytes: suffix };
        rest.literal(BEFORE_PREV)?;
        let prev_hash = rest.hash("_prev_hash")?;
        rest.literal(BEFORE_HASH)?;
        let hash = rest.hash("_hash")?;
        rest.literal(AFTER_HASH)?;
        Ok(Self { entry_head, prev_hash, hash })
    }

    /// Computes the hash that this line should state: that of a redacted line can't be computed any more.
    pub fn computed_hash(&self) -> Hash {
        link_hash(&self.prev_hash.to_hex(), self.entry_head)
    }
}

/// Compares in pieces for which the compiler needs no call.
fn are_same(one: &[u8; 64], other: &[u8; 64]) -> bool {
    let ((one, _), (other, _)) = (one.as_chunks::<16>(), other.as_chunks::<16>());
    one.iter()
        .zip(other)
        .all(|(one, other)| u128::from_be_bytes(*one) == u128::from_be_bytes(*other))
}

/// A line taken apart like a [`Link`], its hashes as the digits that stand there: for who checks many lines and needs no
/// reason where one is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkDigits<'a> {
    /// `entry_json` without its closing `}`.
    pub entry_head: &'a [u8],
    /// What stands as `_prev_hash`: 64 bytes of any kind.
    pub prev_hash: &'a [u8; 64],
    /// What stands as `_hash`: 64 bytes of any kind.
    pub hash: &'a [u8; 64],
}

impl<'a> LinkDigits<'a> {
    /// Takes `line`, without its LF, apart; `None` where it does not end in a link suffix, or is nothing else.
    pub fn split(line: &'a [u8]) -> Option<Self> {
        let (entry_head, suffix) = line.split_last_chunk::<LINK_SUFFIX_SIZE>()?;
        let suffix = suffix.strip_prefix(BEFORE_PREV.as_bytes())?;
        let (prev_hash, suffix) = suffix.split_first_chunk()?;
        let suffix = suffix.strip_prefix(BEFORE_HASH.as_bytes())?;
        let (hash, suffix) = suffix.split_first_chunk()?;
        let whole = suffix == AFTER_HASH.as_bytes() && !entry_head.is_empty();
        whole.then_some(Self { entry_head, prev_hash, hash })
    }

    /// Computes the hash, and returns it if it is the one that the line states.
    ///
    /// Says nothing about `prev_hash`, but that it is what the hash covers: whether it is lower-case hexadecimal shows
    /// when it is compared with the digits of the record before.
    pub fn right_hash(&self) -> Option<Hash> {
        self.if_stated(link_hash(self.prev_hash, self.entry_head))
    }

    /// Does for several lines at once what [`right_hash`](Self::right_hash) does, in less time.
    pub fn right_hashes<const N: usize>(lines: &[Self; N]) -> [Option<Hash>; N] {
        let messages = lines.map(|line| message(line.prev_hash, line.entry_head));
        let mut hashes = sha256::of_each(&messages).into_iter().map(Hash);
        lines.map(|line| hashes.next().and_then(|hash| line.if_stated(hash)))
    }

    /// Says whether the record before has the hash that is spelt `digits`.
    pub fn follows(&self, digits: &[u8; 64]) -> bool {
        are_same(self.prev_hash, digits)
    }

    fn if_stated(&self, hash: Hash) -> Option<Hash> {
        are_same(&hash.to_hex(), self.hash).then_some(hash)
    }
}

/// Walks through the link suffix; `offset` counts from the start of the line.
struct Cursor<'a> {
    offset: usize,
    bytes: &'a [u8],
}

impl Cursor<'_> {
    fn literal(&mut self, expected: &'static str) -> Result<(), DecodeError> {
        let wrong = DecodeError::Link { offset: self.offset, expected };
        self.bytes = self.bytes.strip_prefix(expected.as_bytes()).ok_or(wrong)?;
        self.offset += expected.len();
        Ok(())
    }

    fn hash(&mut self, field: &'static str) -> Result<Hash, DecodeError> {
        let (digits, rest) = self.bytes.split_at(HEX_SIZE.min(self.bytes.len()));
        let hash = Hash::parse_hex(digits).ok_or_else(|| {
            let good = digits.iter().take_while(|byte| hex::is_digit(**byte)).count();
            DecodeError::LinkHash { offset: self.offset + good, field }
        })?;
        self.bytes = rest;
        self.offset += HEX_SIZE;
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn sealed(entry_head: &str) -> (Vec<u8>, Hash) {
        let mut line = b"before".to_vec();
        line.extend_from_slice(entry_head.as_bytes());
        let hash = seal(&mut line, 6, &Hash::ZERO);
        (line.split_off(6), hash)
    }

    #[test]
    fn link_suffix_is_156_bytes() {
        assert_eq!(LINK_SUFFIX_SIZE, 156);
    }

    #[test]
    fn hash_covers_the_previous_hash_as_text_and_the_entry_with_its_brace() {
        let (line, hash) = sealed(r#"{"seq":0"#);
        let expected = Sha256::digest(format!(r#"{}{{"seq":0}}"#, "0".repeat(64)));
        assert_eq!(hash.as_bytes(), expected.as_slice());
        let text = format!(r#"{{"seq":0,"_prev_hash":"{}","_hash":"{hash}"}}"#, "0".repeat(64));
        assert_eq!(String::from_utf8(line).unwrap(), text);
    }

    #[test]
    fn sealed_line_splits_into_what_was_sealed() {
        let (line, hash) = sealed(r#"{"seq":0"#);
        let split = Link::split(&line).unwrap();
        assert_eq!(split, Link { entry_head: br#"{"seq":0"#, prev_hash: Hash::ZERO, hash });
        assert_eq!(split.computed_hash(), hash);
    }

    #[test]
    fn every_changed_bit_shows() {
        let (line, _) = sealed(r#"{"seq":0"#);
        for bit in 0..line.len() * 8 {
            let mut changed = line.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let intact = Link::split(&changed).is_ok_and(|link| link.hash == link.computed_hash());
            assert!(!intact, "bit {bit}");
        }
    }

    #[test]
    fn digits_are_those_of_the_link_and_every_changed_bit_shows() {
        let (line, hash) = sealed(r#"{"seq":0"#);
        let digits = LinkDigits::split(&line).unwrap();
        let tied = Link::split(&line).unwrap();
        assert_eq!(digits.entry_head, tied.entry_head);
        assert_eq!(*digits.prev_hash, tied.prev_hash.to_hex());
        assert_eq!(*digits.hash, hash.to_hex());
        assert_eq!(digits.right_hash(), Some(hash));
        assert!(digits.follows(&Hash::ZERO.to_hex()) && !digits.follows(&hash.to_hex()));
        for bit in 0..line.len() * 8 {
            let mut changed = line.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Some(changed) = LinkDigits::split(&changed) else { continue };
            assert_eq!(changed.right_hash(), None, "bit {bit}");
            let right = LinkDigits::right_hashes(&[digits, changed, digits]);
            assert_eq!(right, [Some(hash), None, Some(hash)], "bit {bit}");
        }
        for size in 0..=156 {
            assert_eq!(LinkDigits::split(&line[line.len() - size..]), None, "{size} bytes");
        }
    }

    #[test]
    fn fault_names_its_byte() {
        let (line, _) = sealed("{");
        let with = |at: usize, byte: u8| {
            let mut changed = line.clone();
            changed[at] = byte;
            Link::split(&changed).unwrap_err()
        };
        assert_eq!(Link::split(&line[1..]), Err(DecodeError::TooShort { size: 156 }));
        assert_eq!(Link::split(b""), Err(DecodeError::TooShort { size: 0 }));
        assert_eq!(with(3, b'-'), DecodeError::Link { offset: 1, expected: BEFORE_PREV });
        assert_eq!(with(16, b'A'), DecodeError::LinkHash { offset: 16, field: "_prev_hash" });
        assert_eq!(with(81, b'\''), DecodeError::Link { offset: 80, expected: BEFORE_HASH });
        assert_eq!(with(154, b'g'), DecodeError::LinkHash { offset: 154, field: "_hash" });
        assert_eq!(with(156, b'\r'), DecodeError::Link { offset: 155, expected: AFTER_HASH });
        assert_eq!(
            with(154, b'G').to_string(),
            "byte 154: _hash is not 64 lower-case hexadecimal digits"
        );
    }

    #[test]
    fn hash_text_is_strict_and_survives() {
        let hash = Hash::from_bytes(std::array::from_fn(|i| u8::try_from(i * 7).unwrap()));
        let mut text = hash.to_string();
        assert_eq!(text.as_bytes(), hash.to_hex());
        assert_eq!(text, format!("{hash:?}"));
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(text.to_uppercase().parse::<Hash>(), Err(ParseHashError));
        assert_eq!(format!("{text}0").parse::<Hash>(), Err(ParseHashError));
        assert_eq!(text.split_off(1).parse::<Hash>(), Err(ParseHashError));
    }
}
