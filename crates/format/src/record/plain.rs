//! Lines of clients' events, read fast: [`Plain`].
//!
//! Invariant: what is taken here, states its right hash and names another as the one before, is a record to
//! [`Record::parse_to`](super::Record::parse_to) too. What is not taken here may still be a record: of the log's own,
//! redacted, or without any field.

use super::head::split_head;
use super::{Content, Depth, REDACTED, body, is_own};
use crate::chain::LinkDigits;
use crate::time::{TIMESTAMP_SIZE, Timestamp};

/// A line that has the form of a client's event as far as it was checked. Whether its hash is right, [`LinkDigits`] says.
///
/// For who checks many lines, one after the other: it needs no memory, and gives no reason where it takes none.
///
/// # Examples
///
/// ```
/// # use indelible_format::{chain::{seal, Hash}, record::{write_head, Depth, Plain}, time::Timestamp};
/// let mut line = Vec::new();
/// write_head(&mut line, 7, Timestamp::from_unix_ns(5).ok_or("time")?);
/// line.extend_from_slice(br#""actor":"a","action":"b","resource":"c""#);
/// let hash = seal(&mut line, 0, &Hash::ZERO);
///
/// let plain = Plain::read(&line, b"1970-01-01T00:00:00.000000004Z", Depth::Form).ok_or("none")?;
/// assert_eq!((plain.seq, plain.link.right_hash()), (7, Some(hash)));
/// assert!(Plain::read(&line, b"1970-01-01T00:00:00.000000006Z", Depth::Form).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plain<'a> {
    /// Position in the log.
    pub seq: u64,
    /// When it was sequenced, as it is spelt.
    pub timestamp: &'a [u8; TIMESTAMP_SIZE],
    /// Its link.
    pub link: LinkDigits<'a>,
}

impl<'a> Plain<'a> {
    /// Reads `line`, without its LF; `None` where it is not such a line, or its timestamp is earlier than `before`,
    /// which must be a timestamp.
    pub fn read(line: &'a [u8], before: &[u8; TIMESTAMP_SIZE], depth: Depth) -> Option<Self> {
        let digits = LinkDigits::split(line)?;
        let (head, fields) = split_head(digits.entry_head)?;
        let starts = digits.entry_head.len().checked_sub(fields.len())?;
        if fields == REDACTED
            || is_own(fields)
            || !Timestamp::is_spelt_after(head.timestamp, before)
        {
            return None;
        }
        if depth == Depth::Form {
            match body(digits.entry_head, starts).ok()?.content {
                Content::Event(_) => {}
                Content::Own(_) | Content::Redacted | Content::Unchecked => return None,
            }
        }
        Some(Self { seq: head.seq, timestamp: head.timestamp, link: digits })
    }
}
