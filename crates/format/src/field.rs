//! The fields of an entry: their names, their order, their limits.
//!
//! Invariant: the order of the variants is the order of the fields in a line.
//!
//! Spec: `docs/spec/`, "A record is one line".

use std::fmt;

/// A field of an entry.
///
/// [`Display`](fmt::Display) and [`as_str`](Self::as_str) give its name as lines spell it; the order is that of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Field {
    /// Position in the log, set by the log.
    Seq,
    /// When the record was sequenced, set by the log.
    Timestamp,
    /// The client's idempotency key.
    EventId,
    /// When the client says that it happened.
    EventTime,
    /// Who did it.
    Actor,
    /// What was done.
    Action,
    /// To what it was done.
    Resource,
    /// How it ended.
    Outcome,
    /// `event_id` of the event that caused this one.
    ParentId,
    /// Session context.
    Session,
    /// Anything else.
    Metadata,
    /// The authenticated principal, set by the service.
    RecordedBy,
    /// Random bits that keep content from being guessed, set by the log.
    Salt,
}

impl Field {
    /// Spells the name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seq => "seq",
            Self::Timestamp => "timestamp",
            Self::EventId => "event_id",
            Self::EventTime => "event_time",
            Self::Actor => "actor",
            Self::Action => "action",
            Self::Resource => "resource",
            Self::Outcome => "outcome",
            Self::ParentId => "parent_id",
            Self::Session => "session",
            Self::Metadata => "metadata",
            Self::RecordedBy => "recorded_by",
            Self::Salt => "salt",
        }
    }

    /// Finds the field of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "seq" => Self::Seq,
            "timestamp" => Self::Timestamp,
            "event_id" => Self::EventId,
            "event_time" => Self::EventTime,
            "actor" => Self::Actor,
            "action" => Self::Action,
            "resource" => Self::Resource,
            "outcome" => Self::Outcome,
            "parent_id" => Self::ParentId,
            "session" => Self::Session,
            "metadata" => Self::Metadata,
            "recorded_by" => Self::RecordedBy,
            "salt" => Self::Salt,
            _ => return None,
        })
    }

    /// Says how many bytes of decoded UTF-8 the field may have, where it is a string with a limit of its own.
    pub const fn size_max(self) -> Option<usize> {
        match self {
            Self::EventId | Self::ParentId | Self::RecordedBy => Some(256),
            Self::Actor | Self::Action | Self::Resource => Some(1024),
            Self::Seq
            | Self::Timestamp
            | Self::EventTime
            | Self::Outcome
            | Self::Session
            | Self::Metadata
            | Self::Salt => None,
        }
    }

    /// Says whether clients may set the field.
    pub const fn is_clients(self) -> bool {
        !matches!(self, Self::Seq | Self::Timestamp | Self::RecordedBy | Self::Salt)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_fields() {
        let names = "seq timestamp event_id event_time actor action resource outcome parent_id session metadata \
                     recorded_by salt";
        let fields: Vec<Field> = names.split(' ').filter_map(Field::from_name).collect();
        assert_eq!(fields.len(), 13);
        assert!(fields.is_sorted());
        let spelt: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
        assert_eq!(spelt.join(" "), names);
        assert_eq!(Field::from_name("_hash"), None);
        assert_eq!(Field::from_name("Actor"), None);
    }
}
