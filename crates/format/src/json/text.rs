//! Strings: where they end, and what they say.

use std::borrow::Cow;

use super::JsonFault;

/// A string as it stands between its quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    /// The bytes between the quotes.
    pub(crate) raw: &'a str,
    /// Says whether `raw` has an escape.
    pub(crate) escaped: bool,
}

impl<'a> Text<'a> {
    /// What the string says, unescaped.
    pub(crate) fn decode(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// Size of what the string says, in bytes of UTF-8.
    pub(crate) fn decoded_size(self) -> usize {
        if self.escaped { unescape(self.raw).len() } else { self.raw.len() }
    }
}

/// How many bytes pass before a quote, a backslash, a control character, or the end.
pub(crate) fn plain_size(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut size = 0;
    for word in words {
        let stops = stops(u64::from_be_bytes(*word));
        if stops != 0 {
            return size + usize::try_from(stops.leading_zeros() / 8).unwrap_or_default();
        }
        size += 8;
    }
    let is_plain = |b: &&u8| !matches!(**b, b'"' | b'\\' | 0..0x20);
    size + rest.iter().take_while(is_plain).count()
}

/// Sets the high bit of each byte of `word` that a plain run stops at.
fn stops(word: u64) -> u64 {
    zero_bytes(word ^ 0x2222_2222_2222_2222)
        | zero_bytes(word ^ 0x5c5c_5c5c_5c5c_5c5c)
        | zero_bytes(word & 0xe0e0_e0e0_e0e0_e0e0)
}

/// Sets the high bit of each byte that is zero; no carry passes from byte to byte, so each bit is exact.
fn zero_bytes(word: u64) -> u64 {
    const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    !(((word & LOW_BITS) + LOW_BITS) | word | LOW_BITS)
}

/// Size of the escape that `bytes` begins with; of both halves, where it is a surrogate pair.
pub(super) fn escape_size(bytes: &[u8]) -> Result<usize, JsonFault> {
    match bytes.get(1) {
        None => Err(JsonFault::End),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => match code_unit(bytes).ok_or(JsonFault::Escape)? {
            0xd800..=0xdbff => match bytes.get(6..).and_then(code_unit) {
                Some(0xdc00..=0xdfff) => Ok(12),
                _ => Err(JsonFault::Surrogate),
            },
            0xdc00..=0xdfff => Err(JsonFault::Surrogate),
            _ => Ok(6),
        },
        Some(_) => Err(JsonFault::Escape),
    }
}

/// The number that `\uXXXX` at the beginning of `bytes` names.
fn code_unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// Replaces the escapes of a string that the scanner has passed.
fn unescape(raw: &str) -> String {
    let mut decoded = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, _)) = rest.split_once('\\') {
        decoded.push_str(plain);
        let escape = rest.get(plain.len()..).unwrap_or_default();
        let (one, size) = unescape_one(escape.as_bytes());
        decoded.push(one);
        rest = escape.get(size..).unwrap_or_default();
    }
    decoded.push_str(rest);
    decoded
}

/// The character that the escape at the beginning of `bytes` stands for, and the escape's size.
fn unescape_one(bytes: &[u8]) -> (char, usize) {
    let one = match bytes.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unescape_unicode(bytes),
        Some(other) => char::from(*other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (one, 2)
}

fn unescape_unicode(bytes: &[u8]) -> (char, usize) {
    let unit = code_unit(bytes).unwrap_or_default();
    if let Some(one) = char::from_u32(unit) {
        return (one, 6);
    }
    let low = bytes.get(6..).and_then(code_unit).unwrap_or_default();
    let point = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
    (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
}
