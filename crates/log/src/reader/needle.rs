//! Bytes that a line must hold if a filter is to match it: [`Needle`].
//!
//! Invariant: a line without its needle can't match. Top-level strings are spelt in one way only (`docs/spec/record.md`),
//! so what a pattern says literally stands in the line literally. What stands in `session` keeps the client's spelling:
//! there only characters that have no short escape are looked for, and a line that has any `\u` may match all the same.

use indelible_format::event::write_string;
use memchr::memmem::Finder;

use super::glob::{Glob, Literal};

/// How an escape of any character begins.
const ESCAPE: &[u8] = b"\\u";

/// What must stand in a line.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    finder: Finder<'static>,
    /// Bytes of it that come from the pattern, not from the frame around it.
    literal_size: usize,
    /// Where the client may have spelt it with escapes.
    escape: Option<Finder<'static>>,
}

impl Needle {
    fn new(bytes: &[u8], literal_size: usize) -> Self {
        Self { finder: Finder::new(bytes).into_owned(), literal_size, escape: None }
    }

    fn escapable(bytes: &[u8], literal_size: usize) -> Self {
        let escape = Some(Finder::new(ESCAPE).into_owned());
        Self { escape, ..Self::new(bytes, literal_size) }
    }

    /// For a pattern of the top-level string `name`.
    pub(super) fn of_field(name: &str, glob: &Glob) -> Self {
        let frame = format!("\"{name}\":\"");
        let longest = glob.literals().max_by_key(|literal| literal.text.len());
        let Some(Literal { text, is_first, is_last }) = longest else {
            return Self::new(frame.as_bytes(), 0);
        };
        let mut spelt = Vec::new();
        write_string(&mut spelt, text);
        let spelt = spelt.strip_prefix(b"\"").unwrap_or(&spelt);
        let spelt = if is_last { spelt } else { spelt.strip_suffix(b"\"").unwrap_or(spelt) };
        let mut bytes = if is_first { frame.into_bytes() } else { Vec::new() };
        bytes.extend_from_slice(spelt);
        Self::new(&bytes, spelt.len())
    }

    /// For a pattern of the member of `session` whose own name is `name`.
    pub(super) fn of_session(name: &str, glob: &Glob) -> Vec<Self> {
        let mut needles = Vec::new();
        if name.bytes().all(has_no_short_escape) {
            needles.push(Self::escapable(format!("\"{name}\":").as_bytes(), name.len()));
        }
        let runs = glob.literals().flat_map(|literal| {
            literal.text.split(|c: char| u8::try_from(c).is_ok_and(|b| !has_no_short_escape(b)))
        });
        if let Some(run) = runs.max_by_key(|run| run.len()).filter(|run| !run.is_empty()) {
            needles.push(Self::escapable(run.as_bytes(), run.len()));
        }
        needles
    }

    /// Says how much it is likely to tell lines apart.
    pub(super) fn rank(&self) -> usize {
        // Two searches are slower than one, and short literals stand everywhere.
        if self.escape.is_some() { self.literal_size } else { self.literal_size * 4 }
    }

    /// Says whether `line` may match.
    pub(super) fn may_be_in(&self, line: &[u8]) -> bool {
        self.finder.find(line).is_some()
            || self.escape.as_ref().is_some_and(|escape| escape.find(line).is_some())
    }

    /// Hands each line of `lines`, which end in a line feed, to `each` if it may match; with its offset there.
    pub(super) fn candidates(&self, lines: &[u8], mut each: impl FnMut(usize, &[u8])) {
        let mut hits = [Some(&self.finder), self.escape.as_ref()].map(Hits::new);
        let mut from = 0;
        loop {
            let next = hits.iter_mut().filter_map(|hits| hits.next_from(lines, from)).min();
            let Some(hit) = next else { return };
            let (before, after) = lines.split_at_checked(hit).unwrap_or((lines, &[]));
            let start = memchr::memrchr(b'\n', before).map_or(0, |feed| feed + 1);
            let end = memchr::memchr(b'\n', after).map_or(lines.len(), |feed| hit + feed);
            each(start, lines.get(start..end).unwrap_or_default());
            from = end + 1;
        }
    }
}

/// Where one finder hits, as far as it has looked.
struct Hits<'f> {
    finder: Option<&'f Finder<'static>>,
    next: Option<usize>,
}

impl<'f> Hits<'f> {
    fn new(finder: Option<&'f Finder<'static>>) -> Self {
        Self { finder, next: None }
    }

    /// The first hit at or after `from`; looks again only where the last one lies before.
    fn next_from(&mut self, lines: &[u8], from: usize) -> Option<usize> {
        let finder = self.finder?;
        if self.next.is_none_or(|next| next < from) {
            let found = finder.find(lines.get(from..).unwrap_or_default());
            self.next = found.map(|at| from + at);
            if found.is_none() {
                self.finder = None;
            }
        }
        self.next
    }
}

/// Whether a character within a JSON string can be written only as itself or as `\u` and digits.
fn has_no_short_escape(byte: u8) -> bool {
    !matches!(byte, b'"' | b'\\' | b'/' | 0..0x20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(needle: &Needle, lines: &[u8]) -> Vec<(usize, Vec<u8>)> {
        let mut found = Vec::new();
        needle.candidates(lines, |at, line| found.push((at, line.to_vec())));
        found
    }

    #[test]
    fn a_needle_is_spelt_as_the_log_spells_it() {
        let needle = |text: &str| {
            let needle = Needle::of_field("actor", &text.parse().unwrap());
            String::from_utf8(needle.finder.needle().to_vec()).unwrap()
        };
        assert_eq!(needle("user:mia"), r#""actor":"user:mia""#);
        assert_eq!(needle("user:*"), r#""actor":"user:"#);
        assert_eq!(needle("*:mia"), r#":mia""#);
        assert_eq!(needle("a*mallory?"), "mallory");
        assert_eq!(needle("*"), r#""actor":""#);
        assert_eq!(needle("?\"\n\u{1}/\\\\é*"), r#"\"\n\u0001/\\é"#);
    }

    #[test]
    fn each_line_that_may_match_comes_once() {
        let needle = Needle::of_field("actor", &"*x".parse().unwrap());
        assert_eq!(
            candidates(&needle, b"x\"x\"\nno\nx\"\n"),
            [(0, b"x\"x\"".to_vec()), (8, b"x\"".to_vec())]
        );
        assert_eq!(candidates(&needle, b""), []);
        assert_eq!(candidates(&needle, b"\nx\"\n"), [(1, b"x\"".to_vec())]);
    }

    #[test]
    fn what_a_client_may_have_escaped_is_never_passed_over() {
        for needle in Needle::of_session("id", &"s/1*long".parse().unwrap()) {
            let lines = b"{\"id\":\"s\\/1 long\"}\n{\"n\":1}\n{\"\\u0069d\":\"\\u0073\"}\n\\u\n";
            let found: Vec<_> = candidates(&needle, lines).into_iter().map(|(at, _)| at).collect();
            assert_eq!(found, [0, 27, 48]);
        }
        assert_eq!(Needle::of_session("a/b", &"/".parse().unwrap()).len(), 0);
    }
}
