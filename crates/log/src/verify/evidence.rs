//! Cheap evidence: does one flipped bit explain what is wrong? Then a disk can explain it.
//!
//! It tries; it judges nothing.

use std::ops::Range;

use indelible_format::chain::{LINK_SUFFIX_SIZE, Link};
use indelible_format::record::Record;
use sha2::{Digest, Sha256};

/// Bytes of a line above which its bits are not tried.
pub(crate) const MENDED_SIZE_MAX: usize = 4 * 1024;

/// What one flipped bit makes of bytes that are no record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mended {
    /// The record that they were, without its line feed.
    pub(crate) line: Vec<u8>,
    /// Which byte differs, from the beginning of the line.
    pub(crate) at: usize,
}

/// The record that begins with the bytes `window`, if flipping one bit of them, or of the line feed that ends the
/// line, gives one. `line_size` is where the first line feed stands; `window` goes on behind it for one line more.
pub(crate) fn one_flipped_bit(window: &[u8], line_size: usize) -> Option<Mended> {
    let line = window.get(..line_size)?;
    if line.len() > MENDED_SIZE_MAX {
        return None;
    }
    in_entry(line)
        .or_else(|| in_link(line))
        .or_else(|| split(window, line_size))
        .or_else(|| merged(line))
}

/// The first byte within `range` of which one flipped bit makes `good` hold.
pub(super) fn flips(
    bytes: &[u8],
    range: Range<usize>,
    mut good: impl FnMut(&[u8]) -> bool,
) -> Option<usize> {
    let mut changed = bytes.to_vec();
    for at in range {
        for bit in 0..8 {
            flip(&mut changed, at, bit);
            if good(&changed) {
                return Some(at);
            }
            flip(&mut changed, at, bit);
        }
    }
    None
}

fn flip(bytes: &mut [u8], at: usize, bit: u32) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1_u8 << bit;
    }
}

fn is_record(line: &[u8]) -> bool {
    Record::parse(line).is_ok()
}

/// A bit of the entry: only the hash has to be computed, and not of what stands before the byte again.
fn in_entry(line: &[u8]) -> Option<Mended> {
    let tied = Link::split(line).ok()?;
    let mut before = Sha256::new();
    before.update(tied.prev_hash.to_hex());
    for (at, byte) in tied.entry_head.iter().enumerate() {
        let rest = tied.entry_head.get(at + 1..)?;
        for bit in 0..8 {
            let flipped = byte ^ (1 << bit);
            let mut hasher = before.clone();
            hasher.update([flipped]);
            hasher.update(rest);
            hasher.update(b"}");
            if hasher.finalize().as_slice() == tied.hash.as_bytes() {
                let mut line = line.to_vec();
                flip(&mut line, at, bit);
                return is_record(&line).then_some(Mended { line, at });
            }
        }
        before.update([*byte]);
    }
    None
}

/// A bit of the link suffix.
fn in_link(line: &[u8]) -> Option<Mended> {
    let from = line.len().checked_sub(LINK_SUFFIX_SIZE)?;
    let mut mended = None;
    let at = flips(line, from..line.len(), |line| {
        let good = Link::split(line).is_ok_and(|link| link.computed_hash() == link.hash)
            && is_record(line);
        if good {
            mended = Some(line.to_vec());
        }
        good
    })?;
    mended.map(|line| Mended { line, at })
}

/// A byte of a record that became a line feed.
fn split(window: &[u8], line_size: usize) -> Option<Mended> {
    let rest = window.get(line_size + 1..)?;
    let size = memchr::memchr(b'\n', rest)? + line_size + 1;
    let mut line = window.get(..size).filter(|line| line.len() <= MENDED_SIZE_MAX)?.to_vec();
    for bit in 0..8 {
        flip(&mut line, line_size, bit);
        if is_record(&line) {
            return Some(Mended { line, at: line_size });
        }
        flip(&mut line, line_size, bit);
    }
    None
}

/// A line feed that became another byte: the line holds two records.
fn merged(line: &[u8]) -> Option<Mended> {
    let was_line_feed = |byte: u8| (byte ^ b'\n').is_power_of_two();
    let places = line.iter().enumerate().filter(|(_, byte)| was_line_feed(**byte));
    let at = places.map(|(at, _)| at).find(|at| line.get(..*at).is_some_and(is_record))?;
    Some(Mended { line: line.get(..at)?.to_vec(), at })
}

#[cfg(test)]
mod tests {
    use indelible_format::chain::{Hash, seal};

    use super::*;

    fn record(seq: u64) -> Vec<u8> {
        let mut line = format!(
            "{{\"seq\":{seq},\"timestamp\":\"2026-01-02T03:04:05.000000000Z\",\"actor\":\"Jo\",\
             \"action\":\"b\",\"resource\":\"c\""
        )
        .into_bytes();
        seal(&mut line, 0, &Hash::ZERO);
        line
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_line_or_in_its_end_is_found() {
        let line = record(5);
        let mut bytes = [line.as_slice(), b"\n", &record(6), b"\n"].concat();
        for at in 0..=line.len() {
            // Not all bits, for each try goes over all of them.
            for bit in [1, 6] {
                flip(&mut bytes, at, bit);
                let line_size = memchr::memchr(b'\n', &bytes).unwrap();
                let mended =
                    one_flipped_bit(&bytes, line_size).unwrap_or_else(|| panic!("{at} {bit}"));
                assert_eq!((&mended.line, mended.at), (&line, at), "bit {bit}");
                flip(&mut bytes, at, bit);
            }
        }
    }

    /// A record whose line has this many bytes.
    fn record_of(size: usize) -> Vec<u8> {
        let sealed = |text: &str| {
            let mut line = format!(
                "{{\"seq\":5,\"timestamp\":\"2026-01-02T03:04:05.000000000Z\",\"actor\":\"a\",\
                 \"action\":\"b\",\"resource\":\"c\",\"metadata\":{{\"x\":\"{text}\"}}"
            )
            .into_bytes();
            seal(&mut line, 0, &Hash::ZERO);
            line
        };
        let without = sealed("").len();
        sealed(&"x".repeat(size - without))
    }

    #[test]
    fn bits_of_lines_that_are_long_are_not_tried() {
        for (size, is_tried) in [(MENDED_SIZE_MAX, true), (MENDED_SIZE_MAX + 1, false)] {
            let line = record_of(size);
            assert!(is_record(&line) && line.len() == size);
            let mut flipped = line.clone();
            flip(&mut flipped, 60, 1);
            let mended = one_flipped_bit(&flipped, size);
            assert_eq!(mended, is_tried.then_some(Mended { line, at: 60 }), "{size}");
        }
    }

    #[test]
    fn a_flipped_bit_of_a_link_is_not_found_where_no_record_stands_before_it() {
        // Without an actor it was none either.
        let entry = b"{\"seq\":5,\"timestamp\":\"2026-01-02T03:04:05.000000000Z\",\"action\":\"b\"";
        let mut no_record = entry.to_vec();
        seal(&mut no_record, 0, &Hash::ZERO);
        // Its hash is of what was there, so that nothing says which of its bits differ.
        let redacted = record(5);
        let link = redacted.get(redacted.len() - LINK_SUFFIX_SIZE..).unwrap();
        let head = b"{\"seq\":5,\"timestamp\":\"2026-01-02T03:04:05.000000000Z\",\"redacted\":true";
        let redacted = [head.as_slice(), link].concat();
        for mut line in [no_record, redacted] {
            let at = line.len() - 5;
            // No hexadecimal digit any more.
            flip(&mut line, at, 6);
            assert!(Link::split(&line).is_err());
            assert_eq!(one_flipped_bit(&line, line.len()), None, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn two_flipped_bits_are_not_explained() {
        let mut bytes = [record(5).as_slice(), b"\n"].concat();
        let line_size = bytes.len() - 1;
        flip(&mut bytes, 90, 1);
        flip(&mut bytes, 91, 1);
        assert_eq!(one_flipped_bit(&bytes, line_size), None);
    }
}
