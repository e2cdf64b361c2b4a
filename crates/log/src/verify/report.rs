//! What a verification says: for a program ([`Report`]'s fields, [`Report::to_json`]) and for a person (`Display`).
//!
//! Invariant: the verdict follows from the findings alone.

use std::fmt;

use indelible_format::chain::Hash;
use indelible_format::checkpoint::Checkpoint;
use indelible_format::identity::{LogId, Origin};
use serde::Serialize;

use super::finding::{Finding, FindingClass};
use super::stretches::{Stretch, Voucher};
use crate::segment::to_u64;

/// Findings that `Display` shows; the rest is counted.
const SHOWN_MAX: usize = 12;

/// Says what was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What was found: faults first, then a torn tail, then what is only worth knowing; within each, in the order of
    /// the log. The first fault is the one to look at: later ones may follow from it.
    pub findings: Vec<Finding>,
    /// How many findings were left out, since there were many of their problem.
    pub suppressed: u64,
    /// The log's id, where it says it.
    pub log_id: Option<LogId>,
    /// The log's origin, where it says it.
    pub origin: Option<Origin>,
    /// Whether keys from outside the log were given to hold it against.
    pub anchored: bool,
    /// Files with records.
    pub segments: u64,
    /// Seq of the first record in the folder; `None` where none can be read.
    pub first_seq: Option<u64>,
    /// Intact records in the folder.
    pub records: u64,
    /// Seq that the next record will have: how many records the log has had.
    pub next_seq: Option<u64>,
    /// `_hash` of the last record.
    pub head: Option<Hash>,
    /// Root of the tree over all records, pruned ones too; `None` where a leaf is not to be had.
    pub root: Option<Hash>,
    /// Size of the largest checkpoint that a known key signed: records that lie below it are covered.
    pub checkpoint_size: Option<u64>,
    /// Notes in `checkpoints.jsonl` and `checkpoint`.
    pub checkpoints: u64,
    /// Those of them that no known key signed.
    pub checkpoints_unknown: u64,
    /// Whether everything was looked at: not where it was [stopped](super::Progress::stop).
    pub complete: bool,
    /// Parts of the log that agree with themselves, in its order: one where nothing is broken.
    pub stretches: Vec<Stretch>,
    /// How many stretches were left out, since there were many.
    pub stretches_left_out: u64,
}

/// Says in one word whether a log is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing is wrong.
    Sound,
    /// Nothing is wrong but a torn tail, which the next open for appending repairs.
    Torn,
    /// Damage, something missing, or tampering.
    Broken,
    /// Nothing wrong was found, but it was stopped before it had looked at everything.
    Unfinished,
}

impl Verdict {
    /// Stable name, as in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Torn => "torn",
            Self::Broken => "broken",
            Self::Unfinished => "unfinished",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Report {
    /// Judges the findings.
    pub fn verdict(&self) -> Verdict {
        if self.findings.iter().any(|finding| finding.class.is_fault()) {
            Verdict::Broken
        } else if !self.complete {
            Verdict::Unfinished
        } else if self.findings.iter().any(|finding| finding.class == FindingClass::TornTail) {
            Verdict::Torn
        } else {
            Verdict::Sound
        }
    }

    /// Spells the report as one JSON object on one line, without LF.
    ///
    /// Members, always all of them, in this order: `schema` (1; grows when a member changes its meaning, not when one
    /// is added), `verdict` (`sound`, `torn`, `broken`, `unfinished`), `anchored`, `log_id`, `origin`, `segments`, `first_seq`,
    /// `records`, `next_seq`, `head` (hexadecimal), `root` (base64, as in a checkpoint), `checkpoint_size`,
    /// `checkpoints`, `checkpoints_unknown`, `findings`, `suppressed`, `complete`, `stretches`, `stretches_left_out`.
    /// What is not known is null. A stretch has `first_seq`, `last_seq`, `file`, `offset` and `vouched_by` (`chain`,
    /// `partly-signed`, `signed`). A finding has
    /// `class`, `problem`, `file`, `offset`, `seq`, `expected`, `found`, `evidence` (an array of sentences) and `text`
    /// (all of it, for a person; its wording may change).
    pub fn to_json(&self) -> String {
        let json = Json {
            schema: 1,
            verdict: self.verdict().as_str(),
            anchored: self.anchored,
            log_id: self.log_id.map(|id| id.to_string()),
            origin: self.origin.as_ref().map(Origin::as_str),
            segments: self.segments,
            first_seq: self.first_seq,
            records: self.records,
            next_seq: self.next_seq,
            head: self.head.map(|hash| hash.to_string()),
            root: self.root_base64(),
            checkpoint_size: self.checkpoint_size,
            checkpoints: self.checkpoints,
            checkpoints_unknown: self.checkpoints_unknown,
            findings: self.findings.iter().map(JsonFinding::of).collect(),
            suppressed: self.suppressed,
            complete: self.complete,
            stretches: &self.stretches,
            stretches_left_out: self.stretches_left_out,
        };
        // Plain strings and numbers: there is nothing that could fail.
        serde_json::to_string(&json).unwrap_or_default()
    }

    /// The root as a checkpoint spells it.
    fn root_base64(&self) -> Option<String> {
        self.root.map(|root| as_in_checkpoint(&root))
    }
}

/// A root as a checkpoint spells it, to compare with one by eye.
pub(super) fn as_in_checkpoint(root: &Hash) -> String {
    let origin = Origin::unnamed(&LogId::from_bytes([0; 16]));
    let text = Checkpoint { origin, size: 0, root: *root }.text();
    text.lines().nth(2).unwrap_or_default().to_owned()
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    verdict: &'static str,
    anchored: bool,
    log_id: Option<String>,
    origin: Option<&'a str>,
    segments: u64,
    first_seq: Option<u64>,
    records: u64,
    next_seq: Option<u64>,
    head: Option<String>,
    root: Option<String>,
    checkpoint_size: Option<u64>,
    checkpoints: u64,
    checkpoints_unknown: u64,
    findings: Vec<JsonFinding<'a>>,
    suppressed: u64,
    complete: bool,
    stretches: &'a [Stretch],
    stretches_left_out: u64,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    class: &'static str,
    problem: &'static str,
    file: Option<&'a str>,
    offset: Option<u64>,
    seq: Option<u64>,
    expected: Option<&'a str>,
    found: Option<&'a str>,
    evidence: &'a [String],
    text: String,
}

impl<'a> JsonFinding<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            class: finding.class.as_str(),
            problem: finding.problem.code(),
            file: finding.file.as_deref(),
            offset: finding.offset,
            seq: finding.seq,
            expected: finding.expected.as_deref(),
            found: finding.found.as_deref(),
            evidence: &finding.evidence,
            text: finding.to_string(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.findings.iter().filter(|finding| finding.class.is_fault()).count();
        match (self.verdict(), faults) {
            (Verdict::Sound, _) => writeln!(f, "sound: every check passed")?,
            (Verdict::Torn, _) => {
                writeln!(f, "torn: every check passed, up to a tail as a crash leaves it")?;
            }
            (Verdict::Unfinished, _) => {
                writeln!(f, "unfinished: nothing wrong was found in what was looked at")?;
            }
            (Verdict::Broken, 1) => writeln!(f, "BROKEN: one thing is wrong with this log")?,
            (Verdict::Broken, _) => writeln!(
                f,
                "BROKEN: {faults} things are wrong with this log; look at the first, others may follow from it"
            )?,
        }
        writeln!(f)?;
        self.write_findings(f)?;
        self.write_stretches(f)?;
        self.write_facts(f)
    }
}

impl Report {
    fn write_findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut explained: Vec<FindingClass> = Vec::new();
        for finding in self.findings.iter().take(SHOWN_MAX) {
            writeln!(f, "{}", clean(&format!("{}: {finding}", finding.class)))?;
            if !explained.contains(&finding.class) {
                explained.push(finding.class);
            }
        }
        let more = u64::try_from(self.findings.len().saturating_sub(SHOWN_MAX)).unwrap_or(u64::MAX);
        let more = more.saturating_add(self.suppressed);
        if more > 0 {
            writeln!(f, "and {more} more")?;
        }
        if !self.findings.is_empty() {
            writeln!(f)?;
        }
        for class in explained.into_iter().filter(|class| *class != FindingClass::NotAnchored) {
            writeln!(f, "{class}: {}", meaning(class))?;
        }
        if self.findings.iter().any(|finding| finding.class != FindingClass::NotAnchored) {
            writeln!(f)?;
        }
        Ok(())
    }

    /// What still agrees with itself, where that is not all.
    fn write_stretches(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.stretches.len() < 2 {
            return Ok(());
        }
        writeln!(f, "these stretches of records agree with themselves:")?;
        for stretch in self.stretches.iter().take(SHOWN_MAX) {
            let Stretch { first_seq, last_seq, file, offset, vouched_by } = stretch;
            let vouched_by = match vouched_by {
                Voucher::Chain => "chain alone",
                Voucher::PartlySigned => "in part as signed",
                Voucher::Signed => "as signed",
            };
            writeln!(f, "  {first_seq} to {last_seq}, from {file} at byte {offset}: {vouched_by}")?;
        }
        let more = to_u64(self.stretches.len().saturating_sub(SHOWN_MAX));
        let more = more.saturating_add(self.stretches_left_out);
        if more > 0 {
            writeln!(f, "  and {more} more")?;
        }
        writeln!(f)
    }

    fn write_facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            writeln!(f, "origin       {}", clean(origin.as_str()))?;
        }
        if let Some(log_id) = &self.log_id {
            writeln!(f, "log id       {log_id}")?;
        }
        match (self.first_seq, self.next_seq) {
            (Some(first), Some(next)) => writeln!(
                f,
                "records      {} intact, from {first} to {}, files: {}",
                self.records,
                next.saturating_sub(1),
                self.segments
            )?,
            _ => writeln!(f, "records      {} intact, files: {}", self.records, self.segments)?,
        }
        if let Some(head) = &self.head {
            writeln!(f, "last hash    {head}")?;
        }
        if let Some(root) = self.root_base64() {
            writeln!(f, "tree root    {root}")?;
        }
        let known = self.checkpoints.saturating_sub(self.checkpoints_unknown);
        match self.checkpoint_size {
            Some(size) => {
                writeln!(f, "checkpoints  {known} by a known key, the last over {size} records")?;
            }
            None => writeln!(f, "checkpoints  none by a known key, of {}", self.checkpoints)?,
        }
        if self.anchored {
            writeln!(f, "held against the keys that were given")
        } else {
            writeln!(f, "held against nothing but itself: give --key to rule out a rewritten log")
        }
    }
}

/// What can explain findings of a class, and what to do about it.
fn meaning(class: FindingClass) -> &'static str {
    match class {
        FindingClass::TornTail => {
            "a crash explains it; the next open for appending cuts it off into quarantine/."
        }
        FindingClass::Damage => {
            "a disk can explain it. Stop appending, copy the folder as it is, check the disk, restore from a copy."
        }
        FindingClass::Missing => {
            "something that was there is gone: a writer, a disk that lost what it had acknowledged, or a copy made \
             while the log was running. Compare with another copy, and with receipts and checkpoints kept elsewhere."
        }
        FindingClass::Tampering => {
            "only somebody who wrote to these files explains it. Keep the folder as it is, and compare it with another \
             copy, and with receipts and checkpoints kept elsewhere."
        }
        FindingClass::Adopted => {
            "valid records that no signature covered while the log was closed: a crash leaves such, and who could write \
             the files could have added some."
        }
        FindingClass::Pruned => "removed by retention, announced and signed.",
        FindingClass::Redacted => {
            "removed on purpose, announced and signed; chain and tree are whole."
        }
        FindingClass::KeyUnknown => {
            "neither for nor against the log; give the key with --key if you know whose it is."
        }
        FindingClass::NotAnchored => "nothing from outside the log was given to hold it against.",
        FindingClass::FormNotChecked => "a newer program wrote it; use one to check it in full.",
    }
}

/// `text` with every character that could steer a terminal spelt out.
fn clean(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            cleaned.extend(c.escape_unicode());
        } else {
            cleaned.push(c);
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::finding::Problem;

    fn report(findings: Vec<Finding>) -> Report {
        Report {
            findings,
            suppressed: 0,
            log_id: Some(LogId::from_bytes([1; 16])),
            origin: "example.com/audit".parse().ok(),
            anchored: false,
            segments: 2,
            first_seq: Some(0),
            records: 3,
            next_seq: Some(3),
            head: Some(Hash::ZERO),
            root: Some(Hash::ZERO),
            checkpoint_size: Some(3),
            checkpoints: 2,
            checkpoints_unknown: 0,
            complete: true,
            stretches: vec![],
            stretches_left_out: 0,
        }
    }

    #[test]
    fn faults_outweigh_a_torn_tail_and_notices_weigh_nothing() {
        let notice = Finding::new(Problem::NotAnchored);
        let torn = Finding::new(Problem::TailTorn);
        let fault = Finding::new(Problem::CutOff);
        assert_eq!(report(vec![]).verdict(), Verdict::Sound);
        assert_eq!(report(vec![notice.clone()]).verdict(), Verdict::Sound);
        assert_eq!(report(vec![torn.clone(), notice]).verdict(), Verdict::Torn);
        assert_eq!(report(vec![fault, torn]).verdict(), Verdict::Broken);
    }

    #[test]
    fn json_has_every_member_in_its_order() {
        let finding = Finding::new(Problem::HashMismatch).at("audit.log", 7).record(2).found("x");
        assert_eq!(
            report(vec![finding]).to_json(),
            concat!(
                r#"{"schema":1,"verdict":"broken","anchored":false,"#,
                r#""log_id":"01010101010101010101010101010101","origin":"example.com/audit","segments":2,"#,
                r#""first_seq":0,"records":3,"next_seq":3,"#,
                r#""head":"0000000000000000000000000000000000000000000000000000000000000000","#,
                r#""root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","checkpoint_size":3,"#,
                r#""checkpoints":2,"checkpoints_unknown":0,"findings":[{"class":"tampering","#,
                r#""problem":"hash-mismatch","file":"audit.log","offset":7,"seq":2,"expected":null,"#,
                r#""found":"x","evidence":[],"#,
                r#""text":"audit.log at byte 7: record 2: the hash does not match the entry (found x)"}],"#,
                r#""suppressed":0,"complete":true,"stretches":[],"stretches_left_out":0}"#
            )
        );
    }

    #[test]
    fn a_person_reads_the_verdict_first_and_no_control_character() {
        let finding = Finding::new(Problem::AnotherLogsRecord).found("\u{1b}[31m\u{202e}evil");
        let text = report(vec![finding]).to_string();
        assert!(text.starts_with("BROKEN: one thing is wrong with this log\n"), "{text}");
        assert!(text.contains(r"(found \u{1b}[31m\u{202e}evil)"), "{text}");
        assert!(text.contains("\ntampering: only somebody who wrote"), "{text}");
        assert!(text.contains("records      3 intact, from 0 to 2, files: 2\n"), "{text}");
    }
}
