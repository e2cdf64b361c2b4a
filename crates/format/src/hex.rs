//! Lower-case hexadecimal, the only kind in the format.
//!
//! Invariant: what is written is lower-case, and nothing else is read. It knows no hash, id or key.

/// Bytes that are written at once: those of a hash.
const PIECE_SIZE: usize = 32;

/// Writes `bytes` as lower-case hexadecimal digits into `digits`, which is twice as long.
pub(crate) fn encode(bytes: &[u8], digits: &mut [u8]) {
    debug_assert_eq!(bytes.len() * 2, digits.len(), "two digits a byte");
    let (pairs, _) = digits.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 0x0f)];
    }
}

/// Writes `bytes` as lower-case hexadecimal digits.
pub(crate) fn write(f: &mut std::fmt::Formatter<'_>, bytes: &[u8]) -> std::fmt::Result {
    // Hash by hash, not digit by digit: the formatter's machinery costs as much as hashing a record.
    for piece in bytes.chunks(PIECE_SIZE) {
        let mut digits = [0; 2 * PIECE_SIZE];
        let Some(digits) = digits.get_mut(..2 * piece.len()) else { return Err(std::fmt::Error) };
        encode(piece, digits);
        f.write_str(std::str::from_utf8(digits).map_err(|_impossible| std::fmt::Error)?)?;
    }
    Ok(())
}

/// Reads exactly `2 * N` lower-case hexadecimal digits.
pub(crate) fn decode<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    if pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

/// Tells whether `byte` is a lower-case hexadecimal digit.
pub(crate) const fn is_digit(byte: u8) -> bool {
    value(byte).is_some()
}

const fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) }
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_and_upper_case_is_refused() {
        for byte in 0..=u8::MAX {
            let mut digits = [0; 2];
            encode(&[byte], &mut digits);
            assert_eq!(digits, format!("{byte:02x}").as_bytes());
            assert_eq!(decode::<1>(&digits), Some([byte]));
            let upper = digits.to_ascii_uppercase();
            assert_eq!(decode::<1>(&upper).is_some(), upper == digits);
        }
    }

    #[test]
    fn wrong_lengths_and_other_characters_are_refused() {
        for digits in ["", "0", "000", "0000", "0g", " 0", "+1", "0x", "é"] {
            assert_eq!(decode::<1>(digits.as_bytes()), None, "{digits}");
        }
    }
}
