//! Makes text from records, file names and other people's programs safe to show on a terminal.
//!
//! Invariant: what comes out is valid UTF-8 that can neither move the cursor, change colours, ring, nor change the
//! order in which letters appear, and in which no character is invisible. What is escaped inside a JSON string stays
//! that JSON string.
//!
//! It does not decide what is escaped where: `render` does.

use std::fmt::{self, Write as _};

/// Shows `bytes` with every character that could act on a terminal, or that nobody would see, written as `\u….`, and every byte that is not
/// UTF-8 as `\x…`.
pub(crate) fn escape(bytes: &[u8]) -> String {
    Escaped(bytes).to_string()
}

struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if acts_on_a_terminal(character) || is_invisible(character) {
                    // As JSON writes it: two units where one is not enough.
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        write!(f, "\\u{unit:04x}")?;
                    }
                } else {
                    f.write_char(character)?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Escapes a text of several lines, line by line.
pub(crate) fn escape_lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            shown.push('\n');
        }
        shown.push_str(&escape(line.as_bytes()));
    }
    shown
}

/// C0, DEL and C1 controls, line and paragraph separators, and the characters that turn the direction of writing.
fn acts_on_a_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters of no width and no ink, by which two texts that look alike can differ: joiners and spaces without width,
/// the soft hyphen, tags, and fillers of Hangul and Mongolian.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{00ad}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}'
        | '\u{3164}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_and_bidi_character_is_escaped() {
        let listed = (0..=0x1f)
            .chain(0x7f..=0x9f)
            .chain([0x61c, 0x200e, 0x200f, 0x2028, 0x2029])
            .chain(0x202a..=0x202e)
            .chain(0x2066..=0x2069);
        for code in listed {
            let character = char::from_u32(code).expect("a character");
            let shown = escape(character.to_string().as_bytes());
            assert_eq!(shown, format!("\\u{code:04x}"));
        }
    }

    #[test]
    fn every_invisible_character_is_escaped_as_json_escapes_it() {
        let listed = [0xad, 0x115f, 0x1160, 0x180e, 0x3164, 0xfeff]
            .into_iter()
            .chain(0x200b..=0x200d)
            .chain(0x2060..=0x2064)
            .chain(0xe0000..=0xe007f);
        for code in listed {
            let text = char::from_u32(code).expect("a character").to_string();
            let shown = escape(text.as_bytes());
            assert!(shown.is_ascii(), "{code:04x}");
            let read: String = serde_json::from_str(&format!("\"{shown}\"")).expect("JSON");
            assert_eq!(read, text);
        }
        assert_eq!(escape("a\u{e0041}".as_bytes()), "a\\udb40\\udc41");
    }

    #[test]
    fn letters_of_any_script_stay_as_they_are() {
        let text = "naïve Ελληνικά עברית العربية 日本 🙂 ~ \\ \"";
        assert_eq!(escape(text.as_bytes()), text);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_shown_one_by_one() {
        assert_eq!(escape(b"a\xff\xc3(\xed\xa0\x80"), "a\\xff\\xc3(\\xed\\xa0\\x80");
    }

    #[test]
    fn an_escaped_json_line_is_still_the_same_json() {
        let line = "{\"actor\":\"a\u{202e}b\u{9b}31m\u{7f}\"}";
        let shown = escape(line.as_bytes());
        assert!(shown.is_ascii());
        let (before, after): (serde_json::Value, serde_json::Value) = (
            serde_json::from_str(line).expect("JSON"),
            serde_json::from_str(&shown).expect("JSON"),
        );
        assert_eq!(before, after);
    }

    #[test]
    fn lines_of_a_text_stay_lines() {
        assert_eq!(escape_lines("one\ntwo\x1b[2J\n"), "one\ntwo\\u001b[2J\n");
    }
}
