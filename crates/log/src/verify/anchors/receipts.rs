//! Receipts that somebody kept: JSON Lines, as `append --receipts` prints them.
//!
//! Invariants:
//! - a receipt takes 64 bytes in memory, since there may be a million of them;
//! - a line is taken as a receipt only whole; the first that is none ends the reading.
//!
//! It opens no files, and holds nothing against a log: that is [`held`](super::held).

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read as _};
use std::sync::Arc;

use indelible_format::chain::Hash;
use indelible_format::identity::LogId;
use indelible_format::record::SEQ_MAX;
use indelible_format::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::count;

/// Bytes of a line above which it is no receipt: several times what one has.
const LINE_SIZE_MAX: u64 = 4 * 1024;

/// What is kept of one receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) seq: u64,
    pub(super) hash: Hash,
    pub(super) timestamp: Timestamp,
    line: u32,
    /// Position in [`Receipts::names`].
    text: u16,
    /// Position in [`Receipts::logs`].
    pub(super) log: u16,
}

const _: () = assert!(size_of::<Kept>() <= 64, "a million receipts are 64 MB");

/// Receipts to hold a log against.
#[derive(Clone, Debug, Default)]
pub struct Receipts {
    names: Vec<Arc<str>>,
    logs: Vec<LogId>,
    by_log: BTreeMap<LogId, u16>,
    kept: Arc<Vec<Kept>>,
}

/// Says why receipts could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Reading failed.
    #[error("{name} line {line}: could not read it: {source}")]
    Io {
        /// What the text is called.
        name: Arc<str>,
        /// The line, from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// A line is no receipt.
    #[error("{name} line {line}: not a receipt: {fault}")]
    Malformed {
        /// What the text is called.
        name: Arc<str>,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        fault: ReceiptFault,
    },
}

/// What is wrong with a line that should be a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptFault {
    /// No receipt is that long.
    #[error("it is longer than {LINE_SIZE_MAX} bytes")]
    TooLong,
    /// It is not one JSON object with each member once.
    #[error("no JSON object with each member once, at byte {column}")]
    NotAnObject {
        /// Byte in the line, from 1.
        column: usize,
    },
    /// A member is absent.
    #[error("there is no {field}")]
    Absent {
        /// Its name.
        field: &'static str,
    },
    /// A member is not of its form.
    #[error("{field} is not {expected}")]
    Field {
        /// Its name.
        field: &'static str,
        /// Its form.
        expected: &'static str,
    },
    /// More logs, or texts, than are told apart.
    #[error("receipts of more than 65,536 logs")]
    TooManyLogs,
}

/// The members, as they stand.
#[derive(Deserialize)]
struct Members<'l> {
    #[serde(borrow)]
    log_id: Option<&'l RawValue>,
    #[serde(borrow)]
    seq: Option<&'l RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'l RawValue>,
    #[serde(borrow)]
    hash: Option<&'l RawValue>,
}

impl Receipts {
    /// Reads the receipts in `text`, which `name` names in findings, and returns how many there are. Empty lines are
    /// passed over. May be called again and again.
    ///
    /// # Errors
    /// [`ReceiptError`] names the first line that is no receipt, and the member that is wrong. What stood before it is
    /// kept.
    pub fn read(&mut self, name: &str, mut text: impl BufRead) -> Result<u64, ReceiptError> {
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        let mut line = Vec::new();
        let mut number: u64 = 0;
        let before = self.kept.len();
        loop {
            number += 1;
            line.clear();
            let read = text.by_ref().take(LINE_SIZE_MAX + 1).read_until(b'\n', &mut line);
            match read {
                Ok(0) => break,
                Ok(_) => {}
                Err(source) => return Err(ReceiptError::Io { name, line: number, source }),
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            if let Err(fault) = self.take(&line, number) {
                return Err(ReceiptError::Malformed { name, line: number, fault });
            }
        }
        let read = count(self.kept.len() - before);
        Arc::make_mut(&mut self.kept).sort_unstable_by_key(|kept| (kept.seq, kept.text, kept.line));
        Ok(read)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        count(self.kept.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// By rising seq.
    pub(super) fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The logs that gave them; a receipt says which by its position.
    pub(super) fn logs(&self) -> &[LogId] {
        &self.logs
    }

    /// Says where a receipt was read.
    pub(super) fn place(&self, kept: &Kept) -> String {
        let name = self.names.get(usize::from(kept.text)).map_or("", |name| name);
        format!("{name} line {}", kept.line)
    }

    fn take(&mut self, line: &[u8], number: u64) -> Result<(), ReceiptFault> {
        if count(line.len()) > LINE_SIZE_MAX {
            return Err(ReceiptFault::TooLong);
        }
        let members: Members<'_> = serde_json::from_slice(line)
            .map_err(|e| ReceiptFault::NotAnObject { column: e.column() })?;
        let log_id = text_of("log_id", LOG_ID, members.log_id, |text| text.parse().ok())?;
        let seq = number_of("seq", members.seq)?;
        let timestamp = text_of("timestamp", TIMESTAMP, members.timestamp, |text| {
            Timestamp::parse(text.as_bytes())
        })?;
        let hash = text_of("hash", HASH, members.hash, |text| text.parse().ok())?;
        let log = self.log(log_id)?;
        let text = u16::try_from(self.names.len().saturating_sub(1)).unwrap_or(u16::MAX);
        let line = u32::try_from(number).unwrap_or(u32::MAX);
        Arc::make_mut(&mut self.kept).push(Kept { seq, hash, timestamp, line, text, log });
        Ok(())
    }

    fn log(&mut self, log_id: LogId) -> Result<u16, ReceiptFault> {
        if let Some(log) = self.by_log.get(&log_id) {
            return Ok(*log);
        }
        let log = u16::try_from(self.logs.len()).map_err(|_too_many| ReceiptFault::TooManyLogs)?;
        self.logs.push(log_id);
        self.by_log.insert(log_id, log);
        Ok(log)
    }
}

const LOG_ID: &str = "a string of 32 lower-case hexadecimal digits";
const SEQ: &str = "a whole number of at most 18 digits";
const TIMESTAMP: &str = "a string such as 2026-01-02T03:04:05.000000000Z";
const HASH: &str = "a string of 64 lower-case hexadecimal digits";

fn text_of<T>(
    field: &'static str,
    expected: &'static str,
    value: Option<&RawValue>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, ReceiptFault> {
    let value = value.ok_or(ReceiptFault::Absent { field })?;
    // What is meant here needs no escapes.
    let text = value.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    text.and_then(parse).ok_or(ReceiptFault::Field { field, expected })
}

fn number_of(field: &'static str, value: Option<&RawValue>) -> Result<u64, ReceiptFault> {
    let value = value.ok_or(ReceiptFault::Absent { field })?.get();
    let number = value.parse().ok().filter(|number| *number <= SEQ_MAX);
    number.ok_or(ReceiptFault::Field { field, expected: SEQ })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = concat!(
        r#"{"log_id":"000102030405060708090a0b0c0d0e0f","seq":7,"#,
        r#""timestamp":"2026-01-02T03:04:05.000000000Z","#,
        r#""hash":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"}"#
    );

    fn read(text: &str) -> Result<Receipts, String> {
        let mut receipts = Receipts::default();
        receipts.read("kept", text.as_bytes()).map_err(|e| e.to_string())?;
        Ok(receipts)
    }

    #[test]
    fn receipts_are_read_in_any_order_and_sorted() {
        let two = GOOD.replace(":7,", ":3,").replace('}', ",\"duplicate\":true}");
        let receipts = read(&format!("{GOOD}\n\n{two}\n{GOOD}")).unwrap();
        let seqs: Vec<_> = receipts.kept().iter().map(|kept| kept.seq).collect();
        assert_eq!(seqs, [3, 7, 7]);
        assert_eq!(receipts.place(&receipts.kept()[0]), "kept line 3");
        assert_eq!(receipts.logs().len(), 1);
    }

    #[test]
    fn each_reading_says_how_many_receipts_were_in_it() {
        let mut receipts = Receipts::default();
        for (count, all) in [(2, 2), (3, 5), (0, 5)] {
            let text = format!("{GOOD}\n").repeat(count);
            let read = receipts.read("kept", text.as_bytes()).unwrap();
            assert_eq!((read, receipts.count()), (super::count(count), all));
        }
    }

    #[test]
    fn a_line_of_the_largest_size_is_read_and_one_of_a_byte_more_is_refused() {
        let size = usize::try_from(LINE_SIZE_MAX).unwrap();
        let padded = |size: usize| read(&format!("{GOOD}{}", " ".repeat(size - GOOD.len())));
        assert_eq!(padded(size).unwrap().count(), 1);
        assert!(padded(size + 1).unwrap_err().ends_with("it is longer than 4096 bytes"));
    }

    #[test]
    fn a_line_that_is_no_receipt_is_named_with_its_member() {
        for (from, to, why) in [
            (GOOD, "hello", "no JSON object with each member once, at byte 1"),
            (GOOD, "[]", "no JSON object with each member once, at byte 2"),
            ("\"seq\":7", "\"seq\":7,\"seq\":7", "no JSON object with each member once"),
            ("\"seq\":7,", "", "there is no seq"),
            ("\"log_id\"", "\"logid\"", "there is no log_id"),
            ("\"seq\":7", "\"seq\":\"7\"", "seq is not a whole number of at most 18 digits"),
            ("\"seq\":7", "\"seq\":1000000000000000000", "seq is not a whole number"),
            ("\"seq\":7", "\"seq\":7.0", "seq is not a whole number"),
            ("05.000000000Z", "05Z", "timestamp is not a string such as 2026-"),
            ("a5a5", "A5a5", "hash is not a string of 64 lower-case"),
            ("\"0001", "\"001", "log_id is not a string of 32 lower-case"),
        ] {
            let error = read(&format!("{GOOD}\n{}\n", GOOD.replacen(from, to, 1))).unwrap_err();
            assert!(error.starts_with(&format!("kept line 2: not a receipt: {why}")), "{error}");
        }
        let error = read(&"x".repeat(5_000)).unwrap_err();
        assert_eq!(error, "kept line 1: not a receipt: it is longer than 4096 bytes");
    }
}
