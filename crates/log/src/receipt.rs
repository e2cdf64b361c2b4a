//! What an append returns once it is durable.

use std::fmt;

use indelible_format::chain::Hash;
use indelible_format::identity::LogId;
use indelible_format::time::Timestamp;

/// Says that an event is recorded, where, and under which hash.
///
/// It is not signed: it convicts because its holder kept it. Kept receipts are what `verify --receipts` holds a log
/// against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Which log.
    pub log_id: LogId,
    /// Which record: its sequence number, and leaf index in the tree.
    pub seq: u64,
    /// When it was sequenced.
    pub timestamp: Timestamp,
    /// The record's `_hash`.
    pub hash: Hash,
    /// Whether this is the receipt of an earlier append with the same `event_id` and content.
    pub duplicate: bool,
}

impl Receipt {
    /// A receipt of a new record, for who takes one off a wire or out of a store.
    pub fn new(log_id: LogId, seq: u64, timestamp: Timestamp, hash: Hash) -> Self {
        Self { log_id, seq, timestamp, hash, duplicate: false }
    }
}

/// One JSON line, without its line feed:
/// `{"log_id":"…","seq":…,"timestamp":"…","hash":"…"}`, with `"duplicate":true` at the end where it is one.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{\"log_id\":\"{}\",\"seq\":{},\"timestamp\":\"{}\",\"hash\":\"{}\"{}}}",
            self.log_id,
            self.seq,
            self.timestamp,
            self.hash,
            if self.duplicate { ",\"duplicate\":true" } else { "" }
        )
    }
}
