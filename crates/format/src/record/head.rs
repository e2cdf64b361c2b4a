//! The beginning of a line: `{"seq":N,"timestamp":"…",`.

use crate::decode_error::DecodeError;
use crate::time::{TIMESTAMP_SIZE, Timestamp};

/// The largest `seq` that a line may have: 18 digits.
pub const SEQ_MAX: u64 = 999_999_999_999_999_999;

const SEQ_DIGITS_MAX: usize = 18;
const BEFORE_SEQ: &str = "{\"seq\":";
const BEFORE_TIMESTAMP: &str = ",\"timestamp\":\"";

/// The first two fields of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// Position in the log.
    pub seq: u64,
    /// When the record was sequenced.
    pub timestamp: Timestamp,
    /// Bytes up to the first one of the next field: up to and with the `,`, or up to the `}`, that follows.
    pub size: usize,
}

/// Begins a record: appends `{"seq":N,"timestamp":"…",`.
pub fn write_head(buf: &mut Vec<u8>, seq: u64, timestamp: Timestamp) {
    debug_assert!(seq <= SEQ_MAX, "a seq has at most {SEQ_DIGITS_MAX} digits");
    buf.extend_from_slice(BEFORE_SEQ.as_bytes());
    write_number(buf, seq);
    buf.extend_from_slice(BEFORE_TIMESTAMP.as_bytes());
    timestamp.write(buf);
    buf.extend_from_slice(b"\",");
}

/// Appends the digits of `number`.
pub(crate) fn write_number(buf: &mut Vec<u8>, number: u64) {
    let start = buf.len();
    let mut rest = number;
    loop {
        buf.push(b'0' + u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if let Some(digits) = buf.get_mut(start..) {
        digits.reverse();
    }
}

/// Reads only the first two fields of `line`, or of what there is of it.
///
/// # Errors
///
/// [`DecodeError::Head`] where they are not spelt as records spell them.
pub fn parse_head(line: &[u8]) -> Result<Head, DecodeError> {
    let mut cursor = Cursor { offset: 0, rest: line };
    cursor.literal(BEFORE_SEQ, "`{\"seq\":`")?;
    let seq = cursor.seq()?;
    cursor.literal(BEFORE_TIMESTAMP, "`,\"timestamp\":\"`")?;
    let timestamp = cursor.timestamp()?;
    cursor.literal("\"", "the end of timestamp")?;
    let size = match cursor.rest.first() {
        Some(b',') => cursor.offset + 1,
        Some(b'}') => cursor.offset,
        _ => return Err(cursor.unexpected("`,` or `}`")),
    };
    Ok(Head { seq, timestamp, size })
}

/// The first two fields of an entry, the timestamp as it is spelt: 30 bytes of any kind.
pub(super) struct HeadText<'a> {
    pub(super) seq: u64,
    pub(super) timestamp: &'a [u8; TIMESTAMP_SIZE],
}

/// Takes the first two fields off an entry that has more.
pub(super) fn split_head(entry_head: &[u8]) -> Option<(HeadText<'_>, &[u8])> {
    let rest = entry_head.strip_prefix(BEFORE_SEQ.as_bytes())?;
    let mut cursor = Cursor { offset: 0, rest };
    let seq = cursor.seq().ok()?;
    let rest = cursor.rest.strip_prefix(BEFORE_TIMESTAMP.as_bytes())?;
    let (timestamp, rest) = rest.split_first_chunk()?;
    Some((HeadText { seq, timestamp }, rest.strip_prefix(b"\",")?))
}

struct Cursor<'a> {
    offset: usize,
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn unexpected(&self, expected: &'static str) -> DecodeError {
        DecodeError::Head { offset: self.offset, expected }
    }

    fn literal(&mut self, literal: &str, expected: &'static str) -> Result<(), DecodeError> {
        match self.rest.strip_prefix(literal.as_bytes()) {
            Some(rest) => {
                self.rest = rest;
                self.offset += literal.len();
                Ok(())
            }
            None => Err(self.unexpected(expected)),
        }
    }

    fn seq(&mut self) -> Result<u64, DecodeError> {
        let is_digit = |b: &&u8| b.is_ascii_digit();
        let count = self.rest.iter().take(SEQ_DIGITS_MAX + 1).take_while(is_digit).count();
        match self.rest.split_at_checked(count) {
            Some((digits @ (b"0" | [b'1'..=b'9', ..]), rest)) if count <= SEQ_DIGITS_MAX => {
                self.rest = rest;
                self.offset += count;
                Ok(digits.iter().fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0')))
            }
            _ => Err(self.unexpected("seq, 1 to 18 digits without a leading zero")),
        }
    }

    fn timestamp(&mut self) -> Result<Timestamp, DecodeError> {
        let expected = "timestamp, such as 2026-01-02T03:04:05.000000000Z";
        let Some((text, rest)) = self.rest.split_first_chunk::<TIMESTAMP_SIZE>() else {
            return Err(self.unexpected(expected));
        };
        let timestamp = Timestamp::parse(text).ok_or_else(|| self.unexpected(expected))?;
        self.rest = rest;
        self.offset += TIMESTAMP_SIZE;
        Ok(timestamp)
    }
}
