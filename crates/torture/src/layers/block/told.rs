//! What the appending process said, line by line: what must be kept, and how it ended.

use std::ops::RangeInclusive;

use anyhow::Context as _;
use indelible::format::note::VerifierKey;

use crate::command;
use crate::invariants::Sent;

/// Words that begin a line of the appending process; what follows is the rest of the line.
pub(super) mod word {
    /// The log's verifier key: it is open.
    pub(crate) const OPEN: &str = "open";
    /// Why it was not opened.
    pub(crate) const REFUSED: &str = "refused";
    /// The resource of an event that is sent now.
    pub(crate) const SENDING: &str = "sending";
    /// The resource of an event that was acknowledged, and its receipt.
    pub(crate) const RECEIPT: &str = "receipt";
    /// A checkpoint's note, as a JSON string.
    pub(crate) const CHECKPOINT: &str = "checkpoint";
    /// The resource of an event that the log said it did not write.
    pub(crate) const NOT_WRITTEN: &str = "not-written";
    /// The log halted.
    pub(crate) const HALTED: &str = "halted";
    /// What the log did after that and must not.
    pub(crate) const AFTER_HALT: &str = "after-halt";
    /// A sync of the log's begins; told where nobody else is to sync.
    pub(crate) const SYNCING: &str = "syncing";
    /// It succeeded.
    pub(crate) const SYNCED: &str = "synced";
    /// A sync of the log's failed; why.
    pub(crate) const SYNC_FAILED: &str = "sync-failed";
    /// The device is to break now.
    pub(crate) const BREAKS: &str = "breaks";
    /// What came of a sync by somebody else that was staged.
    pub(crate) const STAGED: &str = "staged";
    /// Theirs failed, and the next one said success.
    pub(crate) const MET: &str = "met";
    /// Closed, with a last checkpoint.
    pub(crate) const CLOSED: &str = "closed";
    /// Closed, without.
    pub(crate) const NOT_CLOSED: &str = "not-closed";
}

/// Whether a sync of the log's was under way when all lines `before` were said and none `after`, and failed; where the
/// process tells of each.
pub(crate) fn sync_fails(before: &[String], after: &[String]) -> bool {
    let of_a_sync = |line: &&String| {
        let words = [word::SYNCING, word::SYNCED, word::SYNC_FAILED];
        words.iter().any(|word| line.split(' ').next() == Some(word))
    };
    let is_under_way = before.iter().rfind(of_a_sync).is_some_and(|line| line == word::SYNCING);
    let end = after.iter().find(of_a_sync);
    is_under_way && end.is_some_and(|line| line.starts_with(word::SYNC_FAILED))
}

/// How many rotated segments the appending process keeps, by its options.
const KEPT: RangeInclusive<u32> = 1..=3;

/// What was said up to some moment.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) sent: Sent,
    /// The log's key, once it was open.
    pub(crate) key: Option<VerifierKey>,
    /// Whether this process has opened it.
    pub(crate) opened: bool,
    /// Receipts, one a line, as they were given.
    pub(crate) receipts: String,
    pub(crate) receipt_count: usize,
    /// Notes, in order.
    pub(crate) checkpoints: Vec<String>,
    pub(crate) refused: Option<String>,
    pub(crate) not_written: usize,
    pub(crate) halted: Option<String>,
    /// What must not be.
    pub(crate) lies: Vec<String>,
    pub(crate) closed: bool,
    /// Whether a sync of the log's failed.
    pub(crate) sync_failed: bool,
    /// What came of a sync by somebody else that was staged.
    pub(crate) staged: Option<String>,
}

impl Default for Told {
    fn default() -> Self {
        let mut sent = Sent::by_many();
        sent.prunes(KEPT);
        Self {
            sent,
            key: None,
            opened: false,
            receipts: String::new(),
            receipt_count: 0,
            checkpoints: Vec::new(),
            refused: None,
            not_written: 0,
            halted: None,
            lies: Vec::new(),
            closed: false,
            sync_failed: false,
            staged: None,
        }
    }
}

impl Told {
    /// Takes in what was said next.
    pub(crate) fn hear(&mut self, line: &str) {
        if let Err(error) = self.try_hear(line) {
            self.lies.push(format!("it said {line}: {error:#}"));
        }
    }

    fn try_hear(&mut self, line: &str) -> anyhow::Result<()> {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        match first {
            word::OPEN => {
                self.key = Some(rest.parse()?);
                self.opened = true;
                self.sent.created();
            }
            word::SENDING => self.sent.send(rest),
            word::RECEIPT => {
                let (resource, receipt) = rest.split_once(' ').context("no receipt")?;
                self.sent.acknowledge(resource, command::receipt(receipt)?);
                self.receipts.push_str(receipt);
                self.receipts.push('\n');
                self.receipt_count += 1;
            }
            word::CHECKPOINT => self.checkpoints.push(serde_json::from_str(rest)?),
            word::REFUSED => self.refused = Some(rest.to_owned()),
            word::NOT_WRITTEN => {
                self.sent.not_written(rest);
                self.not_written += 1;
            }
            word::HALTED => self.halted = Some(rest.to_owned()),
            word::AFTER_HALT => self.lies.push(format!("after it halted: {rest}")),
            word::SYNC_FAILED => self.sync_failed = true,
            word::STAGED => self.staged = Some(rest.to_owned()),
            word::CLOSED if self.sync_failed => anyhow::bail!("but one of its syncs had failed"),
            word::CLOSED => self.closed = true,
            word::BREAKS | word::NOT_CLOSED | word::SYNCING | word::SYNCED => {}
            _ => anyhow::bail!("what does it mean?"),
        }
        Ok(())
    }

    /// Whether a sync by somebody else was staged, failed, and was followed by one that said success.
    pub(crate) fn met(&self) -> bool {
        self.staged.as_deref() == Some(word::MET)
    }

    /// Takes in what was said when it was too late for an acknowledgement to count.
    pub(crate) fn hear_late(&mut self, line: &str) {
        let promises = [word::RECEIPT, word::CHECKPOINT, word::OPEN];
        if !promises.iter().any(|word| line.starts_with(&format!("{word} "))) {
            self.hear(line);
        }
    }

    /// Begins a next process on the same log: what was acknowledged stays, how it ended does not.
    pub(crate) fn go_on(&mut self) {
        (self.refused, self.halted, self.not_written) = (None, None, 0);
        (self.opened, self.closed, self.sync_failed) = (false, false, false);
    }
}
