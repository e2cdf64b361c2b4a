//! Writes records of the log's own.

use super::{
    Adopt, BEFORE_SIGNED, ClockBehind, ClockJump, Continues, Create, NewFormat, Prune, Recover,
    Redact, ServiceRecord, action, text_to_sign,
};
use crate::event::{OWN_ACTOR, write_string};
use crate::identity::{LogId, Origin};
use crate::note::SignatureLine;
use crate::record::write_number;

/// What the log asks to be written of itself: an [`OwnRecord`](super::OwnRecord) that is not signed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Announcement {
    /// The log begins.
    Create(Create),
    /// Open found records that no signature covered.
    Adopt(Adopt),
    /// Open repaired what a crash left.
    Recover(Recover),
    /// Retention removed records.
    Prune(Prune),
    /// The content of a record was removed.
    Redact(Redact),
    /// From here on a newer version of the format.
    Format(NewFormat),
    /// The clock stood behind the last timestamp.
    ClockBehind(ClockBehind),
    /// The clock jumped ahead, or such a jump is over.
    ClockJump(ClockJump),
    /// What the service has the log say.
    Service(ServiceRecord),
}

impl Announcement {
    /// Lends the action.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Create(_) => action::CREATE,
            Self::Adopt(_) => action::ADOPT,
            Self::Recover(_) => action::RECOVER,
            Self::Prune(_) => action::PRUNE,
            Self::Redact(_) => action::REDACT,
            Self::Format(_) => action::FORMAT,
            Self::ClockBehind(_) => action::CLOCK_BEHIND,
            Self::ClockJump(_) => action::CLOCK_JUMP,
            Self::Service(what) => what.action(),
        }
    }

    /// Says whether the record carries `signed`.
    pub const fn is_signed(&self) -> bool {
        matches!(self, Self::Prune(_) | Self::Redact(_) | Self::Format(_))
    }
}

/// In which log a record of its own is written.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what a log is called, and nothing else")]
pub struct OwnContext<'a> {
    /// The log's identity, which `signed` covers.
    pub log_id: LogId,
    /// The log's name, which is the `resource` of all its own records.
    pub origin: &'a Origin,
}

/// Appends the fields of a record of the log's own, without the closing `}`.
///
/// `buf[start..]` is what [`write_head`](crate::record::write_head) wrote. `sign` is called once where the action has
/// `signed`. The caller then appends a salt, perhaps, and the link suffix.
pub fn write_own(
    buf: &mut Vec<u8>,
    start: usize,
    what: &Announcement,
    context: &OwnContext<'_>,
    sign: &mut dyn FnMut(&[u8]) -> SignatureLine,
) {
    for (name, value) in [("actor", OWN_ACTOR), ("action", what.action())] {
        write_string(buf, name);
        buf.push(b':');
        write_string(buf, value);
        buf.push(b',');
    }
    buf.extend_from_slice(b"\"resource\":");
    write_string(buf, context.origin.as_str());
    buf.extend_from_slice(b",\"metadata\":");
    write_members(&mut Members::open(buf), what);
    if what.is_signed() {
        let covered = buf.get(start..).unwrap_or_default();
        let signed = sign(&text_to_sign(covered, &context.log_id));
        buf.extend_from_slice(BEFORE_SIGNED);
        write_string(buf, &signed.to_string());
    }
    buf.push(b'}');
}

fn write_members(members: &mut Members<'_>, what: &Announcement) {
    match what {
        Announcement::Create(create) => write_create(members, create),
        Announcement::Adopt(Adopt { from_seq, to_seq }) => {
            members.number("from_seq", *from_seq);
            members.number("to_seq", *to_seq);
        }
        Announcement::Recover(recover) => {
            members.text("file", &recover.file);
            members.number("offset", recover.offset);
            members.number("length", recover.length);
            members.text("sha256", &recover.sha256.to_string());
            members.text("kind", recover.kind.as_str());
            members.text("quarantine", &recover.quarantine);
        }
        Announcement::Prune(prune) => write_prune(members, prune),
        Announcement::Redact(redact) => {
            members.number("seq", redact.seq);
            members.text("hash", &redact.hash.to_string());
            members.text("timestamp", &redact.timestamp.to_string());
            members.text("reason", &redact.reason);
        }
        Announcement::Format(NewFormat { format }) => members.number("format", *format),
        Announcement::ClockBehind(ClockBehind { wall }) => members.text("wall", &wall.to_string()),
        Announcement::ClockJump(ClockJump { wall, counted, believed }) => {
            members.text("wall", &wall.to_string());
            members.text("counted", &counted.to_string());
            members.name("believed");
            members.buf.extend_from_slice(if *believed { b"true" } else { b"false" });
        }
        Announcement::Service(what) => write_service(members, what),
    }
}

fn write_service(members: &mut Members<'_>, what: &ServiceRecord) {
    match what {
        ServiceRecord::Start(start) => {
            members.text("version", start.version.as_str());
            members.number("pid", start.pid.into());
            members.texts("listeners", start.listeners.places());
            members.text("configuration", &start.configuration.to_string());
            members.text("authentication", start.authentication.as_str());
        }
        ServiceRecord::Stop(stop) => {
            members.text("reason", stop.reason.as_str());
            members.number("records", stop.records);
        }
        ServiceRecord::Configure(configure) => {
            members.text("what", configure.what.as_str());
            members.text("before", &configure.before.to_string());
            members.text("after", &configure.after.to_string());
        }
        ServiceRecord::Refuse(refuse) => {
            members.text("kind", refuse.who.kind());
            members.text("who", &refuse.who.to_string());
            members.text("reason", refuse.reason.as_str());
            members.number("count", refuse.count.get());
            members.text("since", &refuse.since.to_string());
            members.text("until", &refuse.until.to_string());
        }
    }
}

fn write_create(members: &mut Members<'_>, create: &Create) {
    members.number("format", create.format);
    members.text("log_id", &create.log_id.to_string());
    members.text("origin", create.origin.as_str());
    members.text("key", &create.key.to_string());
    if let Some(Continues { log_id, checkpoint, reason }) = &create.continues {
        members.name("continues");
        let mut inner = Members::open(members.buf);
        inner.text("log_id", &log_id.to_string());
        inner.text("checkpoint", checkpoint);
        inner.text("reason", reason);
        members.buf.push(b'}');
    }
}

fn write_prune(members: &mut Members<'_>, prune: &Prune) {
    members.number("format", prune.format);
    members.text("log_id", &prune.log_id.to_string());
    members.text("origin", prune.origin.as_str());
    members.texts("keys", &prune.keys);
    members.number("first_kept_seq", prune.first_kept_seq);
    members.text("last_pruned_hash", &prune.last_pruned_hash.to_string());
    members.number("files", prune.files);
    members.text("reason", &prune.reason);
}

/// An object that is being written; whoever opened it closes it.
struct Members<'a> {
    buf: &'a mut Vec<u8>,
    is_first: bool,
}

impl<'a> Members<'a> {
    fn open(buf: &'a mut Vec<u8>) -> Self {
        buf.push(b'{');
        Self { buf, is_first: true }
    }

    fn name(&mut self, name: &str) {
        if !self.is_first {
            self.buf.push(b',');
        }
        self.is_first = false;
        write_string(self.buf, name);
        self.buf.push(b':');
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        write_string(self.buf, text);
    }

    fn texts(&mut self, name: &str, texts: &[impl ToString]) {
        self.name(name);
        self.buf.push(b'[');
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                self.buf.push(b',');
            }
            write_string(self.buf, &text.to_string());
        }
        self.buf.push(b']');
    }

    fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        write_number(self.buf, number);
    }
}
