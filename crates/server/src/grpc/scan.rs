//! What a message has many of, counted in its bytes: [`refuse_many`].
//!
//! Invariant: nothing is made of a message before its count is known to be within its limit. Decoded, an empty event takes
//! a hundred times the two bytes that it has on the wire.
//!
//! What is no message ends the count; that it is none is for the decoder to say.

use crate::auth::Caller;
use crate::auth::role::Role;
use crate::error::ApiError;
use crate::read::filter::SESSION_FILTERS_MAX;
use crate::service::Service;

/// Bytes in front of each message of a body: whether it is compressed, and its length.
pub(super) const PREFIX_SIZE: usize = 5;

/// `log` of every request.
const LOG: u64 = 1;
/// `AppendBatchRequest.events`.
const EVENTS: u64 = 2;
/// `QueryRequest.filter`, `TailRequest.filter`.
const FILTER: u64 = 2;
/// `Filter.session`.
const SESSION: u64 = 7;

/// A method whose message may have many of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Many {
    /// `AppendBatch`.
    Events,
    /// `Query` and `Tail`.
    Filters,
}

impl Many {
    /// The method at that path, where it is one.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/indelible.v1.AuditService/AppendBatch" => Some(Self::Events),
            "/indelible.v1.AuditService/Query" | "/indelible.v1.AuditService/Tail" => {
                Some(Self::Filters)
            }
            _ => None,
        }
    }
}

/// Refuses a body that has too many of something, and one of events whose caller may not append them.
///
/// # Errors
/// Names the limit and the count, or the role.
pub(super) fn refuse_many(
    service: &Service,
    caller: Option<&Caller>,
    many: Many,
    body: &[u8],
) -> Result<(), ApiError> {
    // The decoder looks at all messages of a body, though only the first is the request.
    let fields = || messages(body).flat_map(Fields);
    match many {
        Many::Events => {
            let name = fields().filter(|(number, _)| *number == LOG).last();
            let name = name.and_then(|(_, name)| std::str::from_utf8(name).ok());
            if let (Some(caller), Ok(log)) = (caller, service.logs.get(name.unwrap_or_default())) {
                caller.require(Role::Append, log.name())?;
            }
            let limit = service.config.limits.batch_events_max;
            let count = fields().filter(|(number, _)| *number == EVENTS).count();
            if count > limit {
                return Err(ApiError::too_many_events(count, limit));
            }
        }
        Many::Filters => {
            let filters = fields().filter(|(number, _)| *number == FILTER);
            let members = filters.flat_map(|(_, filter)| Fields(filter));
            let count = members.filter(|(number, _)| *number == SESSION).count();
            if count > SESSION_FILTERS_MAX {
                let what =
                    format_args!("{count} conditions, at most {SESSION_FILTERS_MAX} are allowed");
                return Err(ApiError::field("session", what));
            }
        }
    }
    Ok(())
}

/// The messages of a body.
fn messages(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (prefix, tail) = rest.split_first_chunk::<PREFIX_SIZE>()?;
        let [_compressed, length @ ..] = *prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        // One that is cut off is taken as far as it goes.
        let (message, tail) = tail.split_at_checked(length).unwrap_or((tail, &[]));
        rest = tail;
        Some(message)
    })
}

/// The fields of a message that have a length: number and bytes. Those within a group are taken for the message's own.
#[derive(Debug)]
struct Fields<'m>(&'m [u8]);

impl<'m> Fields<'m> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self, count: u64) -> Option<&'m [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = (u64, &'m [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = self.varint()?;
            match key & 7 {
                0 => _ = self.varint()?,
                1 => _ = self.bytes(8)?,
                2 => {
                    let length = self.varint()?;
                    return Some((key >> 3, self.bytes(length)?));
                }
                3 | 4 => {}
                5 => _ = self.bytes(4)?,
                _ => return None,
            }
        }
    }
}
