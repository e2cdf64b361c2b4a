//! One stored line, strictly: [`Record`].
//!
//! Owns the form of a line: which fields stand where, how they are spelt, and that the hash in the line is that of its
//! bytes.
//!
//! Invariants:
//! - what is read is the stored bytes, never a copy that was serialised again;
//! - a line is taken or refused as a whole; no input makes it panic, and memory is in proportion to the line;
//! - records of the log's own are always checked in full, down to the members of `metadata`.
//!
//! It does not know the record before (see [`chain`](crate::chain)), nor whether a redaction or a prune was announced.
//! Spec: `docs/spec/`, "A record is one line".

mod fields;
mod head;
mod plain;

use std::borrow::Cow;
use std::fmt;

use crate::chain::{Hash, LINK_SUFFIX_SIZE, Link};
use crate::event::{OWN_ACTION_PREFIX, OWN_ACTOR};
use crate::json::Text;
use crate::own::OwnRecord;
use crate::time::Timestamp;

pub use crate::decode_error::DecodeError;
pub use fields::Fields;
pub(crate) use head::write_number;
pub use head::{Head, SEQ_MAX, parse_head, write_head};
pub use plain::Plain;

/// Largest `entry_json`, in bytes, that anything accepts; a log may be configured to less.
pub const ENTRY_SIZE_MAX: usize = 1 << 20;

/// Largest line, in bytes, without its LF: the closing `}` of the largest entry makes way for the link suffix.
pub const LINE_SIZE_MAX: usize = ENTRY_SIZE_MAX - 1 + LINK_SUFFIX_SIZE;

/// What stands after the head of a line whose content was redacted.
const REDACTED: &[u8] = b"\"redacted\":true";

/// What stands after the head of a record of the log's own.
const OWN: &[u8] = b"\"actor\":\"indelible\"";

/// Says how far a client's event is checked. Records of the log's own are checked in full, and of redacted ones all
/// that is left is, whichever is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between and nothing beyond")]
pub enum Depth {
    /// Head, link suffix and `_hash`: that the bytes are those that were chained.
    Link,
    /// Every field too, byte by byte: that whoever chained them wrote a record.
    Form,
}

/// One line that has the form of a record, and whose hash is right.
///
/// The hash of a redacted line can't be checked by itself: only its form was.
///
/// # Examples
///
/// ```
/// # use indelible_format::{chain::{seal, Hash}, record::{write_head, Content, Record}, time::Timestamp};
/// let mut line = Vec::new();
/// write_head(&mut line, 7, Timestamp::from_unix_ns(0).ok_or("time")?);
/// line.extend_from_slice(br#""actor":"a","action":"b","resource":"c""#);
/// let hash = seal(&mut line, 0, &Hash::ZERO);
///
/// let record = Record::parse(&line)?;
/// assert_eq!((record.seq(), record.hash()), (7, hash));
/// assert!(matches!(record.content(), Content::Event(fields) if fields.actor() == "a"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Record<'a> {
    line: &'a [u8],
    head: Head,
    link: Link<'a>,
    body: Body<'a>,
}

/// What follows the head.
#[derive(Clone)]
struct Body<'a> {
    content: Content<'a>,
    resource: Option<Text<'a>>,
}

impl Body<'_> {
    const REDACTED: Self = Self { content: Content::Redacted, resource: None };
    const UNCHECKED: Self = Self { content: Content::Unchecked, resource: None };
}

/// What a record is about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content<'a> {
    /// What a client sent.
    Event(Fields<'a>),
    /// What the log says of itself.
    Own(OwnRecord),
    /// Nothing any more; a later record of the log's own must say so.
    Redacted,
    /// Not looked at: see [`Depth::Link`] and [`Record::parse_newer`].
    Unchecked,
}

impl<'a> Record<'a> {
    /// Reads `line`, without its LF.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] says at which byte the line stops being a record, and why.
    pub fn parse(line: &'a [u8]) -> Result<Self, DecodeError> {
        Self::parse_to(line, Depth::Form)
    }

    /// Reads `line`, without its LF, as far as `depth` says; [`Content::Unchecked`] is what of it was not looked at.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_to(line: &'a [u8], depth: Depth) -> Result<Self, DecodeError> {
        Self::parse_with(
            line,
            match depth {
                Depth::Form => body,
                Depth::Link => |entry_head, start| {
                    let own = entry_head.get(start..).is_some_and(is_own);
                    if own { body(entry_head, start) } else { Ok(Body::UNCHECKED) }
                },
            },
        )
    }

    /// Reads a line that a newer version wrote: checks head, link suffix and `_hash`, and nothing else.
    ///
    /// That is what can be said of the records after an `indelible.log.format` that names a version above 1.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_newer(line: &'a [u8]) -> Result<Self, DecodeError> {
        Self::parse_with(line, |_, _| Ok(Body::UNCHECKED))
    }

    #[expect(clippy::similar_names, reason = "a line ends in its link")]
    fn parse_with(
        line: &'a [u8],
        body: fn(&'a [u8], usize) -> Result<Body<'a>, DecodeError>,
    ) -> Result<Self, DecodeError> {
        let link = Link::split(line)?;
        let head = parse_head(line)?;
        // A line has its link at least behind its head. The `}` of an entry alone would end the object before that.
        if !line.get(..head.size).is_some_and(|head| head.ends_with(b",")) {
            return Err(DecodeError::Head { offset: head.size, expected: "`,`" });
        }
        if link.entry_head.get(head.size..) == Some(REDACTED) {
            return Ok(Self { line, head, link, body: Body::REDACTED });
        }
        let computed = link.computed_hash();
        if computed != link.hash {
            let offset = link.entry_head.len();
            return Err(DecodeError::HashMismatch { offset, stated: link.hash, computed });
        }
        let body = body(link.entry_head, head.size)?;
        Ok(Self { line, head, link, body })
    }

    /// Says the position in the log.
    pub fn seq(&self) -> u64 {
        self.head.seq
    }

    /// Says when the record was sequenced.
    pub fn timestamp(&self) -> Timestamp {
        self.head.timestamp
    }

    /// Says the hash of the record before.
    pub fn prev_hash(&self) -> Hash {
        self.link.prev_hash
    }

    /// Says the hash of this record.
    pub fn hash(&self) -> Hash {
        self.link.hash
    }

    /// Lends the whole line, without its LF.
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// Lends `entry_json` without its closing `}`.
    pub fn entry_head(&self) -> &'a [u8] {
        self.link.entry_head
    }

    /// Lends what the record is about.
    pub fn content(&self) -> &Content<'a> {
        &self.body.content
    }

    /// Lends `resource`: of a record of the log's own, the origin that it names; `None` where content was not read.
    pub fn resource(&self) -> Option<Cow<'a, str>> {
        self.body.resource.map(Text::decode)
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("seq", &self.seq())
            .field("timestamp", &self.timestamp())
            .field("hash", &self.hash())
            .field("content", &self.body.content)
            .finish_non_exhaustive()
    }
}

/// Whether the fields behind a head are those of a record of the log's own: it is known by its first bytes.
fn is_own(fields: &[u8]) -> bool {
    fields.starts_with(OWN)
}

/// Reads what follows the head, from `start` on, and tells the log's own records from clients'.
fn body(entry_head: &[u8], start: usize) -> Result<Body<'_>, DecodeError> {
    if entry_head.len() >= ENTRY_SIZE_MAX {
        return Err(DecodeError::EntryTooLarge { offset: ENTRY_SIZE_MAX });
    }
    let fields = fields::parse(entry_head, start)?;
    let resource = Some(fields.resource);
    let own = fields.actor() == OWN_ACTOR;
    if own != fields.action().starts_with(OWN_ACTION_PREFIX) {
        return Err(DecodeError::OwnName { offset: start });
    }
    if !own {
        return Ok(Body { content: Content::Event(fields), resource });
    }
    if let Some(field) = fields.not_for_own() {
        return Err(DecodeError::OwnField { offset: start, field });
    }
    let own = OwnRecord::decode(fields.action.raw, fields.metadata, entry_head.len())?;
    Ok(Body { content: Content::Own(own), resource })
}

#[cfg(test)]
mod tests;
