//! Reads records of the log's own: `metadata` member by member.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::{
    Adopt, Authentication, ClockBehind, ClockJump, Configured, Continues, Create, Listeners,
    NewFormat, OwnRecord, Prune, Recover, Redact, RefuseReason, ServiceConfigure, ServiceRecord,
    ServiceRefuse, ServiceStart, ServiceStop, Signed, StopReason, Who, action,
};
use crate::chain::Hash;
use crate::checkpoint::Checkpoint;
use crate::decode_error::DecodeError;
use crate::field::Field;
use crate::json::{Scanner, Text};
use crate::note::{Note, SignatureLine, VerifierKey};
use crate::time::Timestamp;

/// Where `metadata` of a record stands; the scanner of the record has found it to be strict JSON.
#[derive(Clone, Copy)]
pub(crate) struct Metadata<'a> {
    /// Byte offset in the line.
    pub(crate) offset: usize,
    pub(crate) text: &'a str,
}

impl OwnRecord {
    /// Reads `metadata` of a record of the log's own with that `action`; `end` is where the entry ends.
    pub(crate) fn decode(
        action: &str,
        metadata: Option<Metadata<'_>>,
        end: usize,
    ) -> Result<Self, DecodeError> {
        let missing = DecodeError::MissingField { offset: end, field: Field::Metadata };
        let members = |action| metadata.map(|text| Members::of(text, action)).ok_or(missing);
        match action {
            action::CREATE => members(action::CREATE)?.all(create).map(Self::Create),
            action::ADOPT => members(action::ADOPT)?.all(adopt).map(Self::Adopt),
            action::RECOVER => members(action::RECOVER)?.all(recover).map(Self::Recover),
            action::PRUNE => members(action::PRUNE)?.signed(prune).map(Self::Prune),
            action::REDACT => members(action::REDACT)?.signed(redact).map(Self::Redact),
            action::FORMAT => members(action::FORMAT)?.signed(format).map(Self::Format),
            action::CLOCK_BEHIND => {
                members(action::CLOCK_BEHIND)?.all(clock_behind).map(Self::ClockBehind)
            }
            action::CLOCK_JUMP => members(action::CLOCK_JUMP)?.all(clock_jump).map(Self::ClockJump),
            action::SERVICE_START => {
                members(action::SERVICE_START)?.all(service_start).map(Self::Service)
            }
            action::SERVICE_STOP => {
                members(action::SERVICE_STOP)?.all(service_stop).map(Self::Service)
            }
            action::SERVICE_CONFIGURE => {
                members(action::SERVICE_CONFIGURE)?.all(service_configure).map(Self::Service)
            }
            action::SERVICE_REFUSE => {
                members(action::SERVICE_REFUSE)?.all(service_refuse).map(Self::Service)
            }
            _ => Ok(Self::Other { action: action.to_owned() }),
        }
    }
}

fn create(members: &mut Members<'_>) -> Result<Create, DecodeError> {
    Ok(Create {
        format: members.number("format")?,
        log_id: members.parsed("log_id", LOG_ID)?,
        origin: members.parsed("origin", ORIGIN)?,
        key: members.parsed("key", KEY)?,
        continues: if members.ends() { None } else { Some(continues(members)?) },
    })
}

fn continues(members: &mut Members<'_>) -> Result<Continues, DecodeError> {
    members.enter("continues")?;
    members.is_first = true;
    let log_id = members.parsed("log_id", LOG_ID)?;
    let checkpoint = members.text_if("checkpoint", "a checkpoint with one signature", |text| {
        let note = Note::parse(text.as_bytes()).ok()?;
        Checkpoint::parse_text(&note.text).ok()?;
        (note.signatures.len() == 1).then(|| text.to_owned())
    })?;
    let reason = members.text("reason")?.into_owned();
    members.close()?;
    Ok(Continues { log_id, checkpoint, reason })
}

fn adopt(members: &mut Members<'_>) -> Result<Adopt, DecodeError> {
    Ok(Adopt { from_seq: members.number("from_seq")?, to_seq: members.number("to_seq")? })
}

fn recover(members: &mut Members<'_>) -> Result<Recover, DecodeError> {
    Ok(Recover {
        file: members.text("file")?.into_owned(),
        offset: members.number("offset")?,
        length: members.number("length")?,
        sha256: members.hash("sha256")?,
        kind: members.parsed("kind", "one of partial, nul, no_lf")?,
        quarantine: members.text("quarantine")?.into_owned(),
    })
}

fn prune(members: &mut Members<'_>) -> Result<Prune, DecodeError> {
    Ok(Prune {
        format: members.number("format")?,
        log_id: members.parsed("log_id", LOG_ID)?,
        origin: members.parsed("origin", ORIGIN)?,
        keys: members.keys("keys")?,
        first_kept_seq: members.number("first_kept_seq")?,
        last_pruned_hash: members.hash("last_pruned_hash")?,
        files: members.number("files")?,
        reason: members.text("reason")?.into_owned(),
    })
}

fn redact(members: &mut Members<'_>) -> Result<Redact, DecodeError> {
    Ok(Redact {
        seq: members.number("seq")?,
        hash: members.hash("hash")?,
        timestamp: members.timestamp("timestamp")?,
        reason: members.text("reason")?.into_owned(),
    })
}

fn format(members: &mut Members<'_>) -> Result<NewFormat, DecodeError> {
    Ok(NewFormat { format: members.number("format")? })
}

fn clock_behind(members: &mut Members<'_>) -> Result<ClockBehind, DecodeError> {
    Ok(ClockBehind { wall: members.timestamp("wall")? })
}

fn clock_jump(members: &mut Members<'_>) -> Result<ClockJump, DecodeError> {
    Ok(ClockJump {
        wall: members.timestamp("wall")?,
        counted: members.timestamp("counted")?,
        believed: members.boolean("believed")?,
    })
}

fn service_start(members: &mut Members<'_>) -> Result<ServiceRecord, DecodeError> {
    Ok(ServiceRecord::Start(ServiceStart {
        version: members.parsed("version", LABEL)?,
        pid: members.number_if("pid", "a whole number below 2^32", |pid| pid.try_into().ok())?,
        listeners: members.listeners("listeners")?,
        configuration: members.hash("configuration")?,
        authentication: members.text_if(
            "authentication",
            Authentication::EXPECTED,
            Authentication::parse,
        )?,
    }))
}

fn service_stop(members: &mut Members<'_>) -> Result<ServiceRecord, DecodeError> {
    Ok(ServiceRecord::Stop(ServiceStop {
        reason: members.text_if("reason", StopReason::EXPECTED, StopReason::parse)?,
        records: members.number("records")?,
    }))
}

fn service_configure(members: &mut Members<'_>) -> Result<ServiceRecord, DecodeError> {
    Ok(ServiceRecord::Configure(ServiceConfigure {
        what: members.text_if("what", Configured::EXPECTED, Configured::parse)?,
        before: members.hash("before")?,
        after: members.hash("after")?,
    }))
}

fn service_refuse(members: &mut Members<'_>) -> Result<ServiceRecord, DecodeError> {
    let kind = members.text("kind")?;
    Ok(ServiceRecord::Refuse(ServiceRefuse {
        who: members.text_if("who", "a principal, address or user, as kind says", |who| {
            Who::parse(&kind, who)
        })?,
        reason: members.text_if("reason", RefuseReason::EXPECTED, RefuseReason::parse)?,
        count: members.number_if("count", "a whole number from 1", NonZeroU64::new)?,
        since: members.timestamp("since")?,
        until: members.timestamp("until")?,
    }))
}

const LABEL: &str = "a text of 1 to 256 bytes without control characters";
const LISTENERS: &str = "an array of at most 8 texts of 1 to 256 bytes without control characters";
const LOG_ID: &str = "32 lower-case hexadecimal digits";
const ORIGIN: &str = "an origin";
const KEY: &str = "a verifier key";
const KEYS: &str = "an array of verifier keys";

/// The members of an object, in the order in which they must stand.
struct Members<'a> {
    scanner: Scanner<'a, false>,
    /// Offset in the line of what the scanner calls 0.
    base: usize,
    action: &'static str,
    is_first: bool,
}

impl<'a> Members<'a> {
    fn of(metadata: Metadata<'a>, action: &'static str) -> Self {
        let scanner = Scanner::over(metadata.text, 0);
        Self { scanner, base: metadata.offset, action, is_first: true }
    }

    /// Reads all members, and no more.
    fn all<T>(
        mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let what = read(&mut self)?;
        self.close()?;
        Ok(what)
    }

    /// Reads all members, then `signed`, and no more.
    fn signed<T>(
        self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Signed<T>, DecodeError> {
        self.all(|members| {
            let what = read(members)?;
            let line = |text: &str| SignatureLine::parse(text).ok();
            Ok(Signed { what, signed: members.text_if("signed", "a signature line", line)? })
        })
    }

    fn offset(&self) -> usize {
        self.base + self.scanner.offset()
    }

    fn expected(&self, expected: &'static str) -> DecodeError {
        DecodeError::OwnMember { offset: self.offset(), action: self.action, expected }
    }

    /// Goes to the value of `member`, which must come next.
    fn enter(&mut self, member: &'static str) -> Result<(), DecodeError> {
        let expected = self.expected(member);
        let before = if self.is_first { b'{' } else { b',' };
        self.is_first = false;
        if !self.scanner.takes(before) {
            return Err(expected);
        }
        match self.scanner.string() {
            Ok(name) if name.raw == member && self.scanner.takes(b':') => Ok(()),
            _ => Err(expected),
        }
    }

    /// Says whether no member is left.
    fn ends(&self) -> bool {
        self.scanner.peek() == Some(b'}')
    }

    fn close(&mut self) -> Result<(), DecodeError> {
        let expected = self.expected("no further member");
        self.is_first = false;
        if self.scanner.takes(b'}') { Ok(()) } else { Err(expected) }
    }

    fn text(&mut self, member: &'static str) -> Result<Cow<'a, str>, DecodeError> {
        self.enter(member)?;
        self.string(member, "a string")
    }

    /// Takes a string; where there is none, the value of `member` is not `expected`.
    fn string(
        &mut self,
        member: &'static str,
        expected: &'static str,
    ) -> Result<Cow<'a, str>, DecodeError> {
        let offset = self.offset();
        let no_string = self.value_error(offset, member, expected);
        self.scanner.string().map(Text::decode).ok().ok_or(no_string)
    }

    fn text_if<T>(
        &mut self,
        member: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, DecodeError> {
        self.enter(member)?;
        let offset = self.offset();
        let text = self.string(member, expected)?;
        read(&text).ok_or_else(|| self.value_error(offset, member, expected))
    }

    fn parsed<T: FromStr>(
        &mut self,
        member: &'static str,
        expected: &'static str,
    ) -> Result<T, DecodeError> {
        self.text_if(member, expected, |text| text.parse().ok())
    }

    fn hash(&mut self, member: &'static str) -> Result<Hash, DecodeError> {
        self.parsed(member, "64 lower-case hexadecimal digits")
    }

    fn timestamp(&mut self, member: &'static str) -> Result<Timestamp, DecodeError> {
        self.text_if(member, "a timestamp", |text| Timestamp::parse(text.as_bytes()))
    }

    /// Takes an array of strings that each `T` is read from; perhaps empty.
    fn array<T: FromStr>(
        &mut self,
        member: &'static str,
        expected: &'static str,
    ) -> Result<Vec<T>, DecodeError> {
        self.enter(member)?;
        let mut before = b'[';
        let mut items = Vec::new();
        loop {
            let offset = self.offset();
            let error = self.value_error(offset, member, expected);
            if !self.scanner.takes(before) {
                return Err(error);
            }
            if before == b'[' && self.scanner.takes(b']') {
                return Ok(items);
            }
            let text = self.string(member, expected)?;
            items.push(text.parse().ok().ok_or(error)?);
            if self.scanner.takes(b']') {
                return Ok(items);
            }
            before = b',';
        }
    }

    /// Takes an array of keys, not empty.
    fn keys(&mut self, member: &'static str) -> Result<Vec<VerifierKey>, DecodeError> {
        let keys = self.array(member, KEYS)?;
        if keys.is_empty() { Err(self.value_error(self.offset(), member, KEYS)) } else { Ok(keys) }
    }

    fn listeners(&mut self, member: &'static str) -> Result<Listeners, DecodeError> {
        let places = self.array(member, LISTENERS)?;
        Listeners::new(places).ok_or_else(|| self.value_error(self.offset(), member, LISTENERS))
    }

    fn number(&mut self, member: &'static str) -> Result<u64, DecodeError> {
        self.number_if(member, "a whole number below 2^64", Some)
    }

    fn number_if<T>(
        &mut self,
        member: &'static str,
        expected: &'static str,
        read: impl FnOnce(u64) -> Option<T>,
    ) -> Result<T, DecodeError> {
        self.enter(member)?;
        let (start, offset) = (self.scanner.offset(), self.offset());
        let digits = self.scanner.number().map(|()| self.scanner.since(start));
        let number = digits.ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        number
            .and_then(|text| text.parse().ok())
            .and_then(read)
            .ok_or_else(|| self.value_error(offset, member, expected))
    }

    fn boolean(&mut self, member: &'static str) -> Result<bool, DecodeError> {
        self.enter(member)?;
        let offset = self.offset();
        if self.scanner.literal("true").is_ok() {
            return Ok(true);
        }
        match self.scanner.literal("false") {
            Ok(()) => Ok(false),
            Err(_) => Err(self.value_error(offset, member, "true or false")),
        }
    }

    fn value_error(
        &self,
        offset: usize,
        member: &'static str,
        expected: &'static str,
    ) -> DecodeError {
        DecodeError::OwnValue { offset, action: self.action, member, expected }
    }
}
