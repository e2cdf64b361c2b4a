//! A number as clients spell it: [`number`].

/// Reads a sequence number or a count in its one spelling: digits alone, without a zero before them, so that two texts
/// never stand for the same record.
pub(crate) fn number(text: &str) -> Option<u64> {
    let is_canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for (text, read) in [("0", 0), ("7", 7), ("10", 10), ("18446744073709551615", u64::MAX)] {
            assert_eq!(number(text), Some(read));
        }
        for text in
            ["", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "1e3", "١", "18446744073709551616"]
        {
            assert_eq!(number(text), None, "{text:?}");
        }
    }
}
