//! Scans JSON text strictly, over the bytes as they lie.
//!
//! Owns the rules that `serde_json` does not hold to: names that occur twice in one object (compared after unescaping),
//! unpaired surrogates, nesting deeper than [`DEPTH_MAX`], and, in stored lines, white space between tokens.
//!
//! Invariants:
//! - numbers and strings are never converted: what comes out is a slice of what went in, at most without its white
//!   space;
//! - no input makes it panic; recursion ends at [`DEPTH_MAX`]; time is that of sorting the names of one object, and
//!   memory is in proportion to the text.
//!
//! It does not know which fields a record or an event has: see [`record`](crate::record) and [`event`](crate::event).
//! Spec: `docs/spec/`, "A record is one line".

mod member;
mod names;
mod text;

use std::borrow::Cow;

pub(crate) use member::scalar_at;
use names::Names;
pub(crate) use text::{Text, plain_size};

/// How deep containers may be nested; `session` or `metadata` itself is 1.
pub(crate) const DEPTH_MAX: usize = 32;

/// What makes a text something else than strict JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFault {
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// The text ends within a value.
    #[error("the text ends within a value")]
    End,
    /// Something else stands where the grammar wants this.
    #[error("expected {wanted}")]
    Expected {
        /// What the grammar wants there.
        wanted: &'static str,
    },
    /// White space stands between two tokens of a stored line.
    #[error("white space between tokens")]
    WhiteSpace,
    /// A control character stands in a string without an escape.
    #[error("control character in a string")]
    ControlCharacter,
    /// A backslash begins no escape that JSON knows.
    #[error("unknown escape")]
    Escape,
    /// An escape names one half of a surrogate pair alone.
    #[error("unpaired surrogate")]
    Surrogate,
    /// A number is not written as RFC 8259 says.
    #[error("malformed number")]
    Number,
    /// One object has the same name twice, compared after unescaping.
    #[error("name occurs twice in one object")]
    DuplicateName,
    /// Objects and arrays are nested too deep.
    #[error("nested deeper than {DEPTH_MAX}")]
    TooDeep,
}

/// A [`JsonFault`] and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Byte offset in the scanned text.
    pub(crate) offset: usize,
    pub(crate) reason: JsonFault,
}

/// A place in a text, moving forward over whole tokens.
///
/// `SPACED` says whether white space between tokens is allowed (what clients send) or a fault (stored lines).
pub(crate) struct Scanner<'a, const SPACED: bool> {
    text: &'a str,
    at: usize,
    names: Names<'a>,
    /// The present document without its white space, up to `copied`; empty where there was none yet.
    compact: String,
    copied: usize,
}

impl<'a, const SPACED: bool> Scanner<'a, SPACED> {
    /// Starts at `offset` of `bytes`.
    pub(crate) fn new(bytes: &'a [u8], offset: usize) -> Result<Self, Fault> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::over(text, offset)),
            Err(e) => Err(Fault { offset: e.valid_up_to(), reason: JsonFault::Utf8 }),
        }
    }

    /// Starts at `offset` of `text`.
    pub(crate) fn over(text: &'a str, offset: usize) -> Self {
        Self { text, at: offset, names: Names::default(), compact: String::new(), copied: offset }
    }

    /// Byte offset of the next token.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// Says whether nothing is left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// What was scanned since `start`.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// A fault at the next token.
    pub(crate) fn fault(&self, reason: JsonFault) -> Fault {
        Fault { offset: self.at, reason }
    }

    /// Takes the byte `wanted` where it comes next.
    pub(crate) fn takes(&mut self, wanted: u8) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.at += 1;
        }
        there
    }

    /// Takes `wanted`, byte by byte, or fails.
    pub(crate) fn literal(&mut self, wanted: &'static str) -> Result<(), Fault> {
        if !self.rest().starts_with(wanted.as_bytes()) {
            return Err(self.unexpected(wanted));
        }
        self.at += wanted.len();
        Ok(())
    }

    /// Passes white space between two tokens, where that is allowed.
    pub(crate) fn space(&mut self) {
        if !SPACED {
            return;
        }
        let count = self.rest().iter().take_while(|b| is_space(**b)).count();
        if count > 0 {
            self.compact.push_str(self.since(self.copied));
            self.at += count;
            self.copied = self.at;
        }
    }

    /// Takes an object of depth 1, and hands it back without its white space.
    pub(crate) fn document(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        self.compact.clear();
        self.copied = start;
        if self.peek() != Some(b'{') {
            return Err(self.unexpected("an object"));
        }
        self.object(1)?;
        if self.copied == start {
            return Ok(Cow::Borrowed(self.since(start)));
        }
        let mut compact = std::mem::take(&mut self.compact);
        compact.push_str(self.since(self.copied));
        Ok(Cow::Owned(compact))
    }

    /// Takes an object, handing each name, with its offset, to `member`, which takes the value.
    ///
    /// Names are not compared: `member` knows them all, and says so of any that it does not expect.
    pub(crate) fn members<E: From<Fault>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Text<'a>, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.takes(b'{') {
            return Err(self.unexpected("an object").into());
        }
        self.space();
        if self.takes(b'}') {
            return Ok(());
        }
        loop {
            let offset = self.at;
            let name = self.string()?;
            self.colon()?;
            member(self, name, offset)?;
            self.space();
            if !self.goes_on(b'}', "`,` or `}`")? {
                return Ok(());
            }
        }
    }

    /// Takes a string.
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Fault> {
        if !self.takes(b'"') {
            return Err(self.unexpected("a string"));
        }
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_size(self.rest());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at +=
                        text::escape_size(self.rest()).map_err(|reason| self.fault(reason))?;
                }
                Some(_) => return Err(self.fault(JsonFault::ControlCharacter)),
                None => return Err(self.fault(JsonFault::End)),
            }
        }
        let raw = self.since(start);
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    /// Takes any value; a container found here is at `depth`.
    pub(crate) fn value(&mut self, depth: usize) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        self.open(depth)?;
        if self.takes(b'}') {
            return Ok(());
        }
        let mark = self.names.mark();
        loop {
            let offset = self.at;
            let name = self.string()?;
            self.names.push(name, offset);
            self.colon()?;
            self.value(depth + 1)?;
            self.space();
            if !self.goes_on(b'}', "`,` or `}`")? {
                break;
            }
        }
        match self.names.close(mark) {
            None => Ok(()),
            Some(offset) => Err(Fault { offset, reason: JsonFault::DuplicateName }),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        self.open(depth)?;
        if self.takes(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            if !self.goes_on(b']', "`,` or `]`")? {
                return Ok(());
            }
        }
    }

    /// Takes the bracket that begins a container.
    fn open(&mut self, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err(self.fault(JsonFault::TooDeep));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn colon(&mut self) -> Result<(), Fault> {
        self.space();
        if !self.takes(b':') {
            return Err(self.unexpected("`:`"));
        }
        self.space();
        Ok(())
    }

    /// Takes a comma (true: another member or element comes), or the bracket that ends the container (false).
    fn goes_on(&mut self, end: u8, wanted: &'static str) -> Result<bool, Fault> {
        if self.takes(b',') {
            self.space();
            return Ok(true);
        }
        if self.takes(end) {
            return Ok(false);
        }
        Err(self.unexpected(wanted))
    }

    /// Takes a number as RFC 8259 says: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
    pub(crate) fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let malformed = Err(Fault { offset: start, reason: JsonFault::Number });
        self.takes(b'-');
        if !self.takes(b'0') && self.digits() == 0 {
            return malformed;
        }
        if self.takes(b'.') && self.digits() == 0 {
            return malformed;
        }
        if self.takes(b'e') || self.takes(b'E') {
            if !self.takes(b'+') {
                self.takes(b'-');
            }
            if self.digits() == 0 {
                return malformed;
            }
        }
        // A digit here follows a leading zero: `00`, `-01`.
        match self.peek() {
            Some(b'0'..=b'9') => malformed,
            _ => Ok(()),
        }
    }

    /// Passes digits; says how many.
    fn digits(&mut self) -> usize {
        let count = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The next byte, not taken.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// A fault at the next token: it is not what the grammar wants.
    pub(crate) fn unexpected(&self, wanted: &'static str) -> Fault {
        self.fault(match self.peek() {
            None => JsonFault::End,
            Some(b) if !SPACED && is_space(b) => JsonFault::WhiteSpace,
            Some(_) => JsonFault::Expected { wanted },
        })
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests;
