//! What a verification says, for a program: [`Report`]'s fields, and [`Report::to_json`].
//!
//! Invariant: the verdict follows from the findings alone.
//!
//! How a person reads it is in [`text`](super::text).

use std::fmt;

use indelible_format::chain::Hash;
use indelible_format::checkpoint::spell_root;
use indelible_format::identity::{LogId, Origin};
use serde::Serialize;

use super::anchors::Anchoring;
use super::count::first_records;
use super::finding::{Finding, FindingClass};
use super::stretches::Stretch;

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
    /// Whether anything from outside the log was held against it: a key, a kept checkpoint, a receipt.
    pub anchored: bool,
    /// What that was.
    pub anchors: Anchoring,
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

    /// Says in one sentence what the verification could not rule out, which depends on what was given from outside: a
    /// key alone leaves other things open than a kept checkpoint or a receipt.
    pub fn not_ruled_out(&self) -> String {
        if self.verdict() == Verdict::Broken {
            return "not ruled out: anything, until what was found is explained".to_owned();
        }
        if !self.complete {
            return "not ruled out: anything about what was not looked at".to_owned();
        }
        let next = self.next_seq.unwrap_or(0);
        let has_key = self.anchors.keys > 0;
        let signed = self.checkpoint_size.unwrap_or(0).min(next);
        let covered = self.anchors.covered.filter(|covered| *covered > 0);
        let mut sentence = match covered {
            None if !has_key => "not ruled out, since nothing from outside the log was held against it: that its end \
                                 was cut off, that it was rolled back to an older copy, or that all of it was \
                                 rewritten under a key of somebody's own"
                .to_owned(),
            None => format!(
                "not ruled out, since a key can't tell the newest state from an older one: that the end was cut off or \
                 all rolled back to an older signed state, or that somebody who has the private key rewrote it; nobody \
                 else rewrote {}, which that key signed",
                first_records(signed)
            ),
            Some(covered) if covered >= next => format!(
                "not ruled out: that more records followed {} and were cut off or rolled back; {} when what was held \
                 against the log was made",
                if next == 1 { "this one".to_owned() } else { format!("these {next}") },
                self.fixed(covered)
            ),
            Some(covered) => format!(
                "not ruled out: that records after {} were cut off, rolled back or, by {}, rewritten; {} when what was \
                 held against the log was made",
                if covered == 1 { "the first".to_owned() } else { format!("the first {covered}") },
                if has_key && covered < signed {
                    "somebody who has the private key"
                } else {
                    "anybody who can write the files"
                },
                self.fixed(covered)
            ),
        };
        let known = covered.unwrap_or(0).max(signed);
        if known < next && (has_key || covered.is_some()) {
            let (which, what) = match next - known {
                1 => (format!("record {known} is"), "it"),
                _ => (format!("records {known} to {} are", next - 1), "them"),
            };
            sentence = format!(
                "{sentence}; {which} under no signature: anybody who can write the files may have added {what}"
            );
        }
        if self.rests_on_its_own_key() {
            sentence.push_str(
                "; nor that what was removed or blanked was so by somebody else, since the records that announce it are \
                 signed by a key that only the log names",
            );
        }
        sentence
    }

    /// Whether records were pruned or redacted, and no key from outside says who announced that: a key that only the log
    /// itself names may be anybody's.
    pub fn rests_on_its_own_key(&self) -> bool {
        let excused = |finding: &Finding| {
            matches!(finding.class, FindingClass::Pruned | FindingClass::Redacted)
        };
        self.anchors.keys == 0 && self.findings.iter().any(excused)
    }

    /// Says of the records that what was kept outside fixes that they are as they were.
    fn fixed(&self, covered: u64) -> String {
        let last = covered.saturating_sub(1);
        match self.anchors.covered_from {
            0 if covered == 1 => "the first is as it was".to_owned(),
            0 => format!("the first {covered} are as they were"),
            from if from == last => format!("record {from} is as it was"),
            from => format!("records {from} to {last} are as they were"),
        }
    }

    /// Spells the report as one JSON object on one line, without LF.
    ///
    /// Members, always all of them, in this order: `schema` (1; grows when a member changes its meaning or goes, not
    /// when one is added), `verdict` (`sound`, `torn`, `broken`, `unfinished`), `anchored`, `anchors` (`keys`, `checkpoints`,
    /// `checkpoints_unknown`, `receipts`, `receipts_pruned`, `covered`, `covered_from`), `not_ruled_out` (a sentence),
    /// `log_id`, `origin`, `segments`, `first_seq`, `records`, `next_seq`, `head` (hexadecimal), `root` (base64, as in a
    /// checkpoint), `checkpoint_size`, `checkpoints`, `checkpoints_unknown`, `findings`, `suppressed`, `complete`,
    /// `stretches`, `stretches_left_out`. A stretch has `first_seq`, `last_seq`, `file`, `offset` and `vouched_by`
    /// (`chain`, `partly-signed`, `signed`). What is not known is null. A finding has `class`, `problem`, `file`,
    /// `offset`, `seq`, `expected`, `found`, `evidence` (an array of sentences) and `text` (all of it, for a person; its
    /// wording may change).
    /// `docs/operate/verify-report.md` says what each means.
    pub fn to_json(&self) -> String {
        let json = Json {
            schema: 1,
            verdict: self.verdict().as_str(),
            anchored: self.anchored,
            anchors: JsonAnchors::of(&self.anchors),
            not_ruled_out: self.not_ruled_out(),
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
    pub(super) fn root_base64(&self) -> Option<String> {
        self.root.map(|root| spell_root(&root))
    }
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    verdict: &'static str,
    anchored: bool,
    anchors: JsonAnchors,
    not_ruled_out: String,
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
struct JsonAnchors {
    keys: u64,
    checkpoints: u64,
    checkpoints_unknown: u64,
    receipts: u64,
    receipts_pruned: u64,
    covered: Option<u64>,
    covered_from: u64,
}

impl JsonAnchors {
    fn of(anchors: &Anchoring) -> Self {
        let Anchoring { keys, checkpoints, checkpoints_unknown, .. } = *anchors;
        let Anchoring { receipts, receipts_pruned, covered, covered_from, .. } = *anchors;
        Self {
            keys,
            checkpoints,
            checkpoints_unknown,
            receipts,
            receipts_pruned,
            covered,
            covered_from,
        }
    }
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::verify::finding::Problem;
    use crate::verify::stretches::Voucher;

    pub(in super::super) fn report(findings: Vec<Finding>) -> Report {
        Report {
            findings,
            suppressed: 0,
            log_id: Some(LogId::from_bytes([1; 16])),
            origin: "example.com/audit".parse().ok(),
            anchored: false,
            anchors: Anchoring::default(),
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
                r#"{"schema":1,"verdict":"broken","anchored":false,"anchors":{"keys":0,"checkpoints":0,"#,
                r#""checkpoints_unknown":0,"receipts":0,"receipts_pruned":0,"covered":null,"covered_from":0},"#,
                r#""not_ruled_out":"not ruled out: anything, until what was found is explained","#,
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
    fn what_is_not_ruled_out_depends_on_what_was_given() {
        let sentence = |keys, covered| {
            let anchors = Anchoring { keys, covered, ..Anchoring::default() };
            Report { anchors, ..report(vec![]) }.not_ruled_out()
        };
        let alone = sentence(0, None);
        for word in ["cut off", "rolled back", "rewritten", "nothing from outside"] {
            assert!(alone.contains(word), "{alone}");
        }
        assert!(!alone.contains("nobody else"), "{alone}");
        let key = sentence(1, None);
        assert!(key.contains("that the end was cut off or all rolled back to an older"), "{key}");
        assert!(key.contains("nobody else rewrote the first 3 records"), "{key}");
        let first = sentence(0, Some(2));
        assert!(first.contains("after the first 2 were cut off, rolled back or, by anybody"));
        assert!(sentence(1, Some(2)).contains("by somebody who has the private key, rewritten"));
        let all = sentence(0, Some(3));
        assert!(all.contains("that more records followed these 3"), "{all}");
        assert!(all.contains("the first 3 are as they were"), "{all}");
        // What covers no record leaves open what nothing does.
        assert_eq!((sentence(0, Some(0)), sentence(1, Some(0))), (alone, key));
        let first = sentence(0, Some(1));
        assert!(first.contains("that records after the first were cut off"), "{first}");
        assert!(first.contains("the first is as it was"), "{first}");
        assert!(!all.contains("no signature"), "{all}");
    }

    #[test]
    fn what_no_signature_covers_and_who_announced_a_removal_is_not_ruled_out() {
        let of = |keys, covered, signed, findings| {
            let anchors = Anchoring { keys, covered, ..Anchoring::default() };
            Report { anchors, checkpoint_size: Some(signed), ..report(findings) }.not_ruled_out()
        };
        let tail = of(1, Some(1), 1, vec![]);
        assert!(tail.contains("by anybody who can write the files, rewritten"), "{tail}");
        assert!(tail.contains("records 1 to 2 are under no signature"), "{tail}");
        assert!(of(1, None, 2, vec![]).contains("record 2 is under no signature"));
        let anchors = Anchoring { keys: 1, ..Anchoring::default() };
        for (next, signed, told) in [
            (5, 4, Some("record 4 is under")),
            (5, 3, Some("records 3 to 4 are under")),
            (5, 0, Some("records 0 to 4 are under")),
            (1, 0, Some("record 0 is under")),
            (5, 5, None),
        ] {
            let (next_seq, checkpoint_size) = (Some(next), Some(signed));
            let of = Report { anchors, next_seq, checkpoint_size, ..report(vec![]) };
            let said = of.not_ruled_out();
            assert_eq!(said.contains("no signature"), told.is_some(), "{said}");
            assert!(told.is_none_or(|told| said.contains(told)), "{said}");
        }
        let pruned = || vec![Finding::new(Problem::Pruned)];
        assert!(of(0, Some(3), 3, pruned()).contains("a key that only the log names"));
        assert!(!of(1, Some(3), 3, pruned()).contains("a key that only the log names"));
        let anchors = Anchoring { covered: Some(3), covered_from: 2, ..Anchoring::default() };
        let from = Report { anchors, ..report(vec![]) }.not_ruled_out();
        assert!(from.contains("record 2 is as it was"), "{from}");
        let anchors = Anchoring { covered: Some(3), covered_from: 1, ..Anchoring::default() };
        let from = Report { anchors, ..report(vec![]) }.not_ruled_out();
        assert!(from.contains("records 1 to 2 are as they were"), "{from}");
    }

    #[test]
    fn verdicts_and_vouchers_are_spelt_as_in_json() {
        let stretch = |vouched_by| Stretch {
            first_seq: 0,
            last_seq: 2,
            file: "audit.log".to_owned(),
            offset: 0,
            vouched_by,
        };
        for (verdict, spelt) in [
            (Verdict::Sound, "sound"),
            (Verdict::Torn, "torn"),
            (Verdict::Broken, "broken"),
            (Verdict::Unfinished, "unfinished"),
        ] {
            assert_eq!(verdict.to_string(), spelt);
        }
        for vouched_by in [Voucher::Chain, Voucher::PartlySigned, Voucher::Signed] {
            let of = Report { stretches: vec![stretch(vouched_by)], ..report(vec![]) };
            let json: serde_json::Value = serde_json::from_str(&of.to_json()).unwrap();
            assert_eq!(json["stretches"][0]["vouched_by"], vouched_by.as_str());
        }
        let stopped = Report { complete: false, ..report(vec![]) };
        let json: serde_json::Value = serde_json::from_str(&stopped.to_json()).unwrap();
        assert_eq!(json["verdict"], "unfinished");
    }

    #[test]
    fn every_member_class_and_problem_is_documented() {
        let page = include_str!("../../../../docs/operate/verify-report.md");
        let documented = |name: &str| page.contains(&format!("`{name}`"));
        let json: serde_json::Value =
            serde_json::from_str(&report(vec![Finding::new(Problem::CutOff)]).to_json()).unwrap();
        let members = json.as_object().unwrap().keys();
        let members = members.chain(json["anchors"].as_object().unwrap().keys());
        for member in members.chain(json["findings"][0].as_object().unwrap().keys()) {
            assert!(documented(member), "{member}");
        }
        for problem in Problem::ALL {
            let class = problem.class();
            let line = format!("| `{}` | `{class}` | {problem} |", problem.code());
            assert!(page.lines().any(|there| there == line), "no line in the page: {line}");
        }
        let (_, problems) = page.split_once("\n## Problems\n").unwrap();
        let (problems, _) = problems.split_once("\n## ").unwrap_or((problems, ""));
        let lines = problems.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(lines, Problem::ALL.len(), "problems that there are no more");
    }
}
