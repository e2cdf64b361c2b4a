//! What is wrong with a log, or worth knowing, and where: the words that opening and verifying share.
//!
//! A finding states evidence, never intent: bytes cannot prove why they are as they are.

use std::fmt;

/// One thing that was found, with its place and the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which kind of cause can explain it.
    pub class: FindingClass,
    /// What it is.
    pub problem: Problem,
    /// File in the log's folder.
    pub file: Option<String>,
    /// Byte position in that file.
    pub offset: Option<u64>,
    /// Sequence number of the record concerned.
    pub seq: Option<u64>,
    /// What should be there.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
    /// More to judge it by, a sentence each.
    pub evidence: Vec<String>,
}

impl Finding {
    /// A finding of `problem`, in the class that it has without further evidence.
    pub fn new(problem: Problem) -> Self {
        Self {
            class: problem.class(),
            problem,
            file: None,
            offset: None,
            seq: None,
            expected: None,
            found: None,
            evidence: Vec::new(),
        }
    }

    /// Says which file, and where in it.
    #[must_use]
    pub fn at(mut self, file: impl Into<String>, offset: u64) -> Self {
        self.file = Some(file.into());
        self.offset = Some(offset);
        self
    }

    /// Says which file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Says which record.
    #[must_use]
    pub fn record(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }

    /// Says what should be there.
    #[must_use]
    pub fn expected(mut self, what: impl fmt::Display) -> Self {
        self.expected = Some(what.to_string());
        self
    }

    /// Says what is there.
    #[must_use]
    pub fn found(mut self, what: impl fmt::Display) -> Self {
        self.found = Some(what.to_string());
        self
    }

    /// Adds a sentence to judge it by.
    #[must_use]
    pub fn evidence(mut self, sentence: impl Into<String>) -> Self {
        self.evidence.push(sentence.into());
        self
    }

    /// Puts it into another class than the problem's own, on evidence.
    #[must_use]
    pub fn class(mut self, class: FindingClass) -> Self {
        self.class = class;
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.offset) {
            (Some(file), Some(offset)) => write!(f, "{file} at byte {offset}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, _) => {}
        }
        if let Some(seq) = self.seq {
            write!(f, "record {seq}: ")?;
        }
        write!(f, "{}", self.problem)?;
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, " (expected {expected}, found {found})")?,
            (Some(expected), None) => write!(f, " (expected {expected})")?,
            (None, Some(found)) => write!(f, " (found {found})")?,
            (None, None) => {}
        }
        for sentence in &self.evidence {
            write!(f, "; {sentence}")?;
        }
        Ok(())
    }
}

/// What explains that something from outside is of another log.
pub(super) const MIXED_UP: &str = "either the wrong one was given or looked at, or another log was put in the place of the \
                                   one meant";

/// What can explain a finding; kept apart always, since the value of a verifier is in these distinctions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingClass {
    /// A crash explains it; the next open repairs it.
    TornTail,
    /// A disk can explain it: unreadable sectors, runs of NULs, rows that differ, one flipped bit.
    Damage,
    /// Cut off, rolled back, a file gone: a writer, a device that dropped acknowledged flushes, or a careless copy of a
    /// running log explains it.
    Missing,
    /// Edited, re-hashed, reordered, inserted, forked, an unsigned prune or redaction: only a writer explains it.
    Tampering,
    /// Valid records that lay beyond every signature for a while.
    Adopted,
    /// Removed by retention, announced and signed.
    Pruned,
    /// Redacted by policy, announced and signed.
    Redacted,
    /// A note by a key that is not known.
    KeyUnknown,
    /// Nothing from outside to hold the log against.
    NotAnchored,
    /// A newer version of the format, the form of which this program can't check.
    FormNotChecked,
}

impl FindingClass {
    /// Stable name, as in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TornTail => "torn-tail",
            Self::Damage => "damage",
            Self::Missing => "missing",
            Self::Tampering => "tampering",
            Self::Adopted => "adopted",
            Self::Pruned => "pruned",
            Self::Redacted => "redacted",
            Self::KeyUnknown => "key-unknown",
            Self::NotAnchored => "not-anchored",
            Self::FormNotChecked => "form-not-checked",
        }
    }

    /// Whether a log with such a finding is not sound.
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Damage | Self::Missing | Self::Tampering)
    }
}

impl fmt::Display for FindingClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! problems {
    ($($variant:ident, $code:literal, $class:ident, $text:literal;)*) => {
        /// What was found, one name per check that can fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Problem {
            $(#[doc = concat!("`", $code, "`: ", $text, ".")] $variant,)*
        }

        impl Problem {
            /// Every problem there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Stable name, as in `--json`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The class it has without further evidence.
            pub const fn class(self) -> FindingClass {
                match self { $(Self::$variant => FindingClass::$class,)* }
            }
        }

        impl fmt::Display for Problem {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }
    };
}

problems! {
    NotARecord, "not-a-record", Tampering, "the line is not a record";
    HashMismatch, "hash-mismatch", Tampering, "the hash does not match the entry";
    ChainBroken, "chain-broken", Tampering, "_prev_hash is not the hash of the record before";
    SeqOutOfOrder, "seq-out-of-order", Tampering, "the sequence number does not follow";
    TimeDecreases, "time-decreases", Tampering, "the timestamp is earlier than the one before";
    NulRun, "nul-run", Damage, "a run of NUL bytes stands where a record should be";
    NotAFile, "not-a-file", Tampering, "something else than a regular file stands in its place";
    Unreadable, "unreadable", Damage, "the bytes can't be read";
    LineUnterminated, "line-unterminated", Missing, "the line has no line feed";
    TailTorn, "tail-torn", TornTail, "the tail is torn, as a crash leaves it";
    TailTooLong, "tail-too-long", Tampering, "the bytes without an intact record are more than a crash can leave";
    BelowMark, "below-mark", Missing, "the tail is torn at a record that a signed checkpoint covers";
    CutOff, "cut-off", Missing, "the log ends before a signed checkpoint does";
    FirstRecordsMissing, "first-records-missing", Missing,
        "records at the beginning are gone and no valid prune record says so";
    SegmentMissing, "segment-missing", Missing, "segments do not follow each other";
    NoRecord, "no-record", Missing, "there is no record";
    NoCheckpoint, "no-checkpoint", Missing, "no checkpoint is signed by a known key of the log";
    KeyOfAnotherLog, "key-of-another-log", Missing, "no key that was given is of this log";
    BoundaryNotNoted, "boundary-not-noted", Missing, "no noted checkpoint covers exactly the records before this segment";
    CheckpointMalformed, "checkpoint-malformed", Tampering, "the checkpoint can't be read";
    CheckpointForged, "checkpoint-forged", Tampering, "a signature by a known key does not verify";
    CheckpointOfAnotherLog, "checkpoint-of-another-log", Tampering, "the checkpoint is of another origin";
    Forked, "forked", Tampering, "two different roots are signed for one size";
    RootMismatch, "root-mismatch", Tampering, "the records do not give the root that was signed";
    RowsMissing, "rows-missing", Damage, "the tree rows end before the signed checkpoint does";
    RowsDiffer, "rows-differ", Damage, "the tree rows do not match the records";
    LeavesLost, "leaves-lost", Missing, "the leaves of pruned records are gone from the tree rows";
    GenesisInvalid, "genesis-invalid", Tampering, "record 0 is not a genesis, or a genesis stands elsewhere";
    QuarantineDiffers, "quarantine-differs", Tampering, "the quarantine file does not hold the bytes that its name promises";
    IdentityUnknown, "identity-unknown", Missing, "neither a genesis nor a prune record says whose log this is";
    AnotherLogsRecord, "another-logs-record", Tampering, "the record belongs to another log";
    SignedInvalid, "signed-invalid", Tampering, "the record needs a signature by the log's key and has no valid one";
    PruneMisplaced, "prune-misplaced", Tampering, "the prune record does not match the log";
    RedactionUnannounced, "redaction-unannounced", Tampering, "the record is redacted and no later record says so";
    Adopted, "adopted", Adopted, "these records lay beyond every signature until they were adopted";
    AdoptMisplaced, "adopt-misplaced", Tampering, "the adopt record names records that are not before it";
    OwnRecordUnknown, "own-record-unknown", FormNotChecked,
        "a record of the log's own is of an action that this program does not know";
    Pruned, "pruned", Pruned, "records were removed by retention";
    Redacted, "redacted", Redacted, "the record was redacted by policy";
    KeyUnknown, "key-unknown", KeyUnknown, "the note has no signature by a known key";
    FormNotChecked, "form-not-checked", FormNotChecked, "from here on the log uses a newer format";
    NewerFormat, "newer-format", FormNotChecked, "the log uses a newer format than this program can append to";
    KeptBeyond, "kept-checkpoint-beyond", Missing, "the log ends before a checkpoint that was kept";
    KeptRootMismatch, "kept-root-mismatch", Tampering, "the records do not give the root of a checkpoint that was kept";
    KeptForged, "kept-checkpoint-forged", Tampering, "a signature by a known key does not verify on a checkpoint that was kept";
    KeptOfAnotherLog, "kept-checkpoint-of-another-log", Missing, "a checkpoint that was kept is of another log than this one";
    KeptKeyUnknown, "kept-key-unknown", KeyUnknown,
        "a checkpoint that was kept has no signature by a known key, so it was not compared";
    KeptSignatureUnchecked, "kept-signature-unchecked", KeyUnknown,
        "a checkpoint that was kept was compared, but its signature could not be checked";
    ReceiptRecordMissing, "receipt-record-missing", Missing, "the record that a receipt was given for is not in the log";
    ReceiptHashDiffers, "receipt-hash-differs", Tampering, "the record is another one than the receipt was given for";
    ReceiptTimeDiffers, "receipt-time-differs", Tampering, "the record has another timestamp than its receipt";
    ReceiptOfAnotherLog, "receipt-of-another-log", Missing, "the log that gave the receipts is another one than this";
    OriginDiffers, "origin-differs", Missing, "the log has another origin than the one that was asked for";
    NotAnchored, "not-anchored", NotAnchored, "nothing from outside the log was given to hold it against";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_a_sentence_with_its_place() {
        let finding = Finding::new(Problem::ChainBroken)
            .at("audit.log.2", 81_920)
            .record(918)
            .expected("77c0")
            .found("3fa1")
            .evidence("one flipped bit repairs it");
        assert_eq!(
            finding.to_string(),
            "audit.log.2 at byte 81920: record 918: _prev_hash is not the hash of the record before \
             (expected 77c0, found 3fa1); one flipped bit repairs it"
        );
    }

    #[test]
    fn a_finding_says_what_it_has_of_place_and_values() {
        let finding = || Finding::new(Problem::CutOff);
        let text = "the log ends before a signed checkpoint does";
        assert_eq!(finding().to_string(), text);
        assert_eq!(finding().in_file("audit.log").to_string(), format!("audit.log: {text}"));
        assert_eq!(finding().record(7).to_string(), format!("record 7: {text}"));
        assert_eq!(finding().expected("8").to_string(), format!("{text} (expected 8)"));
        assert_eq!(finding().found("7").to_string(), format!("{text} (found 7)"));
    }

    #[test]
    fn codes_are_distinct_and_spelt_with_hyphens() {
        let mut codes: Vec<_> = Problem::ALL.iter().map(|p| p.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Problem::ALL.len());
        assert!(codes.iter().all(|c| c.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }
}
