//! What a verification says to a person, who may be reading it at three in the morning: the verdict, the first fault with
//! its place, what it means, what to do next, and what was not ruled out.
//!
//! Invariants:
//! - no line is longer than the columns there are, but for a word that is longer itself: what is to be copied is never
//!   broken;
//! - no character that could steer a terminal is let through.

use std::fmt;

use indelible_format::identity::Origin;

use super::advice::meaning;
use super::anchors::Anchoring;
use super::count::records;
use super::finding::{Finding, FindingClass};
use super::report::{Report, Verdict};
use super::stretches::{Stretch, Voucher};
use crate::segment::to_u64;

/// Findings that are shown; the rest is counted.
const SHOWN_MAX: usize = 12;
/// Columns of `Display`.
const COLUMNS: usize = 80;
/// Columns below which nothing is laid out, and above which lines are hard to read.
const COLUMNS_BOUNDS: std::ops::RangeInclusive<usize> = 40..=120;
/// Columns of a label before what it stands for.
const LABEL: usize = 15;

/// [`Report::text`] in 80 columns.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(COLUMNS))
    }
}

impl Report {
    /// Spells the report for a person, in lines of `columns` characters (at least 40, at most 120).
    pub fn text(&self, columns: usize) -> String {
        let columns = columns.clamp(*COLUMNS_BOUNDS.start(), *COLUMNS_BOUNDS.end());
        let mut page = Page { columns, text: String::new() };
        let verdict = self.verdict();
        match verdict {
            // Whoever reads one sentence reads both.
            Verdict::Sound | Verdict::Torn if !self.anchored => {
                page.paragraph(&format!("{}; {}", self.headline(), self.not_ruled_out()));
            }
            Verdict::Broken => {
                page.paragraph(&self.headline());
                if !self.complete {
                    page.paragraph("it was stopped before everything was looked at");
                }
            }
            Verdict::Sound | Verdict::Torn | Verdict::Unfinished => {
                page.paragraph(&self.headline());
                page.paragraph(&self.not_ruled_out());
            }
        }
        page.blank();
        self.write_findings(&mut page);
        self.write_stretches(&mut page);
        self.write_facts(&mut page);
        page.text
    }

    fn headline(&self) -> String {
        let faults = self.findings.iter().filter(|finding| finding.class.is_fault()).count();
        match (self.verdict(), faults) {
            (Verdict::Sound, _) if !self.anchored => {
                "sound, but not anchored: every check passed".to_owned()
            }
            (Verdict::Sound, _) => match self.anchors.checkpoints_unknown {
                0 => "sound: every check passed".to_owned(),
                1 => "sound: every check passed, but a kept checkpoint was not compared, since no known key signed it"
                    .to_owned(),
                unknown => format!(
                    "sound: every check passed, but {unknown} kept checkpoints were not compared, since no known key \
                     signed them"
                ),
            },
            (Verdict::Torn, _) => format!(
                "torn{}: every check passed, up to a tail as a crash leaves it",
                if self.anchored { "" } else { ", and not anchored" }
            ),
            (Verdict::Unfinished, _) => {
                "unfinished: stopped before everything was looked at; nothing wrong was found until then".to_owned()
            }
            (Verdict::Broken, 1) => "BROKEN: one thing is wrong with this log".to_owned(),
            (Verdict::Broken, _) => format!(
                "BROKEN: {faults} things are wrong with this log; look at the first, others may follow from it"
            ),
        }
    }

    fn write_findings(&self, page: &mut Page) {
        let mut explained: Vec<&str> = Vec::new();
        let told = self.findings.iter().filter(|f| f.class != FindingClass::NotAnchored);
        for (index, finding) in told.clone().take(SHOWN_MAX).enumerate() {
            if index == 0 {
                page.finding(finding);
            } else {
                if index == 1 {
                    page.blank();
                }
                page.labelled(if index == 1 { "then" } else { "" }, &in_short(finding));
            }
            let meaning = meaning(finding);
            if !explained.contains(&meaning) {
                explained.push(meaning);
            }
        }
        let more = told.clone().skip(SHOWN_MAX).count();
        let more = to_u64(more).saturating_add(self.suppressed);
        if more > 0 {
            page.labelled("", &format!("and {more} more; --json has all that were kept"));
        }
        if explained.is_empty() {
            return;
        }
        page.blank();
        for (index, meaning) in explained.iter().enumerate() {
            page.labelled(if index == 0 { "what it means" } else { "" }, meaning);
        }
        if let Some(next) = told.clone().next().and_then(|worst| self.next_step(worst)) {
            page.labelled("what to do", &next);
        }
        page.blank();
    }

    /// What still agrees with itself, where that is not all.
    fn write_stretches(&self, page: &mut Page) {
        if self.stretches.len() < 2 {
            return;
        }
        for (index, stretch) in self.stretches.iter().take(SHOWN_MAX).enumerate() {
            let Stretch { first_seq, last_seq, file, offset, vouched_by } = stretch;
            let vouched_by = match vouched_by {
                Voucher::Chain => "by their chain alone",
                Voucher::PartlySigned => "in part as signed",
                Voucher::Signed => "as signed",
            };
            page.labelled(
                if index == 0 { "still agree" } else { "" },
                &format!(
                    "records {first_seq} to {last_seq}, from {file} at byte {offset}: {vouched_by}"
                ),
            );
        }
        let more = to_u64(self.stretches.len().saturating_sub(SHOWN_MAX));
        let more = more.saturating_add(self.stretches_left_out);
        if more > 0 {
            page.labelled("", &format!("and {more} more"));
        }
        page.blank();
    }

    fn write_facts(&self, page: &mut Page) {
        let origin = self.origin.as_ref().map(Origin::as_str);
        page.optional("origin", origin);
        page.optional("log id", self.log_id.map(|id| id.to_string()).as_deref());
        let range = match (self.first_seq, self.next_seq) {
            (Some(first), Some(next)) => format!(", from {first} to {}", next.saturating_sub(1)),
            _ => String::new(),
        };
        page.labelled(
            "records",
            &format!("{} intact{range}, files: {}", self.records, self.segments),
        );
        page.optional("last hash", self.head.map(|head| head.to_string()).as_deref());
        page.optional("tree root", self.root_base64().as_deref());
        let known = self.checkpoints.saturating_sub(self.checkpoints_unknown);
        let checkpoints = match self.checkpoint_size {
            Some(size) => format!("{known} by a known key, the last over {}", records(size)),
            None => format!("none by a known key, of {}", self.checkpoints),
        };
        page.labelled("checkpoints", &checkpoints);
        page.labelled("held against", &held_against(&self.anchors));
        if self.verdict() == Verdict::Broken {
            let sentence = self.not_ruled_out();
            page.labelled(
                "not ruled out",
                sentence.strip_prefix("not ruled out: ").unwrap_or(&sentence),
            );
        }
    }
}

/// A finding after the first in one sentence; of faults, `--json` has the rest.
fn in_short(finding: &Finding) -> String {
    if !finding.class.is_fault() {
        return format!("{}: {finding}", finding.class);
    }
    let mut short = Finding::new(finding.problem);
    short.file.clone_from(&finding.file);
    short.offset = finding.offset;
    short.seq = finding.seq;
    format!("{}: {short}", finding.class)
}

/// What was given from outside.
fn held_against(anchors: &Anchoring) -> String {
    let mut parts = Vec::new();
    match anchors.keys {
        0 => {}
        1 => parts.push("the key that was given".to_owned()),
        keys => parts.push(format!("the {keys} keys that were given")),
    }
    match anchors.checkpoints {
        0 => {}
        1 => parts.push("a kept checkpoint".to_owned()),
        several => parts.push(format!("{several} kept checkpoints")),
    }
    match anchors.receipts {
        0 => {}
        1 => parts.push("a receipt".to_owned()),
        several => parts.push(format!("{several} receipts")),
    }
    if anchors.receipts_pruned > 0 {
        parts.push(format!(
            "of pruned records {}, so that of these only hashes were compared",
            anchors.receipts_pruned
        ));
    }
    let unknown = match anchors.checkpoints_unknown {
        0 => String::new(),
        1 => "; not against a kept checkpoint by an unknown key".to_owned(),
        unknown => format!("; not against {unknown} kept checkpoints by unknown keys"),
    };
    if parts.is_empty() {
        return format!("nothing but itself: its own key is no anchor{unknown}");
    }
    if anchors.keys == 0 {
        parts.push("and its own key, which is no anchor".to_owned());
    }
    format!("{}{unknown}", parts.join(", "))
}

/// Lines as wide as they may be.
struct Page {
    columns: usize,
    text: String,
}

impl Page {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        self.wrapped("", 0, text);
    }

    fn labelled(&mut self, label: &str, text: &str) {
        self.wrapped(label, LABEL, text);
    }

    fn optional(&mut self, label: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.labelled(label, text);
        }
    }

    /// The finding that is to be looked at first, member by member.
    fn finding(&mut self, finding: &Finding) {
        self.labelled(
            finding.class.as_str(),
            &format!("{} ({})", finding.problem, finding.problem.code()),
        );
        let place = match (&finding.file, finding.offset) {
            (Some(file), Some(offset)) => Some(format!("{file} at byte {offset}")),
            (Some(file), None) => Some(file.clone()),
            (None, _) => None,
        };
        let record = finding.seq.map(|seq| format!("record {seq}"));
        let place = match (place, record) {
            (Some(place), Some(record)) => Some(format!("{place}, {record}")),
            (place, record) => place.or(record),
        };
        self.optional("where", place.as_deref());
        self.optional("expected", finding.expected.as_deref());
        self.optional("found", finding.found.as_deref());
        for (index, sentence) in finding.evidence.iter().enumerate() {
            self.labelled(if index == 0 { "evidence" } else { "" }, sentence);
        }
    }

    /// A label, then words, in lines that begin under the first word.
    fn wrapped(&mut self, label: &str, indent: usize, text: &str) {
        let text = clean(text);
        self.text.push_str(label);
        let mut at = label.chars().count();
        let mut begun = false;
        for word in text.split(' ') {
            let size = word.chars().count();
            if begun && at + 1 + size > self.columns {
                self.text.push('\n');
                at = 0;
                begun = false;
            }
            if begun {
                self.text.push(' ');
                at += 1;
            } else {
                self.text.extend(std::iter::repeat_n(' ', indent.saturating_sub(at)));
                at = at.max(indent);
            }
            self.text.push_str(word);
            at += size;
            begun = true;
        }
        self.text.push('\n');
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
    use super::super::finding::Problem;
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn a_person_reads_the_verdict_first_and_no_control_character() {
        let finding = Finding::new(Problem::AnotherLogsRecord).found("\u{1b}[31m\u{202e}evil");
        let text = report(vec![finding]).to_string();
        assert!(
            text.starts_with("BROKEN: one thing is wrong with this log\n\ntampering"),
            "{text}"
        );
        assert!(text.contains(r"found          \u{1b}[31m\u{202e}evil"), "{text}");
        assert!(text.contains("\nwhat it means  tampering: only somebody who wrote"), "{text}");
        assert!(text.contains("\nwhat to do     copy the folder"), "{text}");
        assert!(text.contains("records        3 intact, from 0 to 2, files: 2\n"), "{text}");
    }

    #[test]
    fn lines_fit_narrow_and_wide_terminals() {
        let finding = Finding::new(Problem::HashMismatch)
            .at("audit.log.2", 502)
            .record(8)
            .evidence("tree/0 has the hash that the line states, so the entry was changed");
        let report = report(vec![finding, Finding::new(Problem::CutOff).at("audit.log", 7)]);
        for columns in [60, 80, 120] {
            let text = report.text(columns);
            let fits = |line: &str| line.chars().count() <= columns || !line.trim().contains(' ');
            let hash = |line: &&str| line.starts_with("last hash");
            assert!(text.lines().filter(|line| !hash(line)).all(fits), "{columns}: {text}");
        }
        assert!(report.text(80).contains("where          audit.log.2 at byte 502, record 8\n"));
    }

    #[test]
    fn a_report_of_several_findings_reads_like_this() {
        let first = Finding::new(Problem::HashMismatch)
            .at("audit.log.2", 502)
            .record(8)
            .evidence("one thing")
            .evidence("another");
        let second = Finding::new(Problem::RowsDiffer).at("tree/0", 256).evidence("left to --json");
        let third = Finding::new(Problem::Pruned).in_file("audit.log.2").found("3 records");
        let report = report(vec![
            first,
            second,
            third.evidence("told here"),
            Finding::new(Problem::NotAnchored),
        ]);
        assert_eq!(report.text(100), SEVERAL, "{report}");
    }

    const SEVERAL: &str = "\
BROKEN: 2 things are wrong with this log; look at the first, others may follow from it

tampering      the hash does not match the entry (hash-mismatch)
where          audit.log.2 at byte 502, record 8
evidence       one thing
               another

then           damage: tree/0 at byte 256: the tree rows do not match the records
               pruned: audit.log.2: records were removed by retention (found 3 records); told here

what it means  tampering: only somebody who wrote explains it; no crash and no disk does.
               damage: a disk can explain it.
               pruned: removed by retention, announced and signed.
what to do     copy the folder as it is (cp -a), as evidence, before anything else touches it; then
               hold it, and every other copy of it, against what was kept elsewhere: --key,
               --checkpoint, --receipts.

origin         example.com/audit
log id         01010101010101010101010101010101
records        3 intact, from 0 to 2, files: 2
last hash      0000000000000000000000000000000000000000000000000000000000000000
tree root      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
checkpoints    2 by a known key, the last over 3 records
held against   nothing but itself: its own key is no anchor
not ruled out  anything, until what was found is explained
";

    #[test]
    fn what_is_not_ruled_out_is_said_once() {
        for report in [report(vec![]), report(vec![Finding::new(Problem::CutOff)])] {
            let text = wide(&report);
            assert_eq!(text.matches("not ruled out").count(), 1, "{text}");
        }
    }

    #[test]
    fn lines_are_as_full_as_they_may_be_and_no_fuller() {
        for columns in 24..70 {
            let mut page = Page { columns, text: String::new() };
            let words: Vec<_> = (0..60).map(|at| "x".repeat(1 + at * 5 % 9)).collect();
            page.labelled("label", &words.join(" "));
            let lines: Vec<_> = page.text.lines().collect();
            assert!(lines.len() > 5);
            for (line, next) in lines.iter().zip(&lines[1..]) {
                let more = next.trim_start().split(' ').next().unwrap();
                assert!(line.len() <= columns && line.len() + 1 + more.len() > columns, "{line}");
            }
        }
    }

    /// The report in lines that nothing breaks, but for the longest.
    fn wide(report: &Report) -> String {
        report.text(120)
    }

    #[test]
    fn the_first_sentence_says_the_verdict_and_what_it_rests_on() {
        let anchors = |checkpoints_unknown| Anchoring {
            keys: 1,
            checkpoints_unknown,
            ..Anchoring::default()
        };
        let anchored = |findings, unknown| Report {
            anchored: true,
            anchors: anchors(unknown),
            ..report(findings)
        };
        let torn = || vec![Finding::new(Problem::TailTorn)];
        let unfinished = Report { complete: false, ..report(vec![]) };
        for (report, first) in [
            (anchored(vec![], 0), "sound: every check passed\nnot ruled out, since a key"),
            (
                anchored(vec![], 1),
                "sound: every check passed, but a kept checkpoint was not compared, since no known key signed it\n",
            ),
            (
                anchored(vec![], 2),
                "sound: every check passed, but 2 kept checkpoints were not compared, since no known key signed them\n",
            ),
            (report(vec![]), "sound, but not anchored: every check passed; not ruled out, since"),
            (
                anchored(torn(), 0),
                "torn: every check passed, up to a tail as a crash leaves it\nnot ruled out, since a key",
            ),
            (
                report(torn()),
                "torn, and not anchored: every check passed, up to a tail as a crash leaves it; not ruled out,",
            ),
            (
                unfinished.clone(),
                "unfinished: stopped before everything was looked at; nothing wrong was found until then\n\
                 not ruled out: anything about what was not looked at\n",
            ),
            (
                Report { findings: vec![Finding::new(Problem::CutOff)], ..unfinished },
                "BROKEN: one thing is wrong with this log\nit was stopped before everything was looked at\n",
            ),
            (
                report(vec![Finding::new(Problem::CutOff), Finding::new(Problem::RowsDiffer)]),
                "BROKEN: 2 things are wrong with this log; look at the first, others may follow from it\n\n",
            ),
        ] {
            let text = wide(&report);
            assert!(text.starts_with(first), "{first}\n---\n{text}");
        }
    }

    #[test]
    fn findings_beyond_a_dozen_are_counted() {
        let finding = |seq| Finding::new(Problem::HashMismatch).in_file("audit.log").record(seq);
        let many = |count| Report { suppressed: 5, ..report((0..count).map(finding).collect()) };
        let text = wide(&many(12));
        assert!(text.contains("and 5 more; --json has all that were kept\n"), "{text}");
        let text = wide(&many(15));
        assert!(text.contains("and 8 more; --json has all that were kept\n"), "{text}");
        assert!(text.contains("audit.log: record 11: the hash"), "{text}");
        assert!(!text.contains("record 12"), "{text}");
        let few = wide(&Report { suppressed: 0, ..many(12) });
        assert!(!few.contains("more; --json"), "{few}");
        assert!(few.contains("\nwhere          audit.log, record 0\n"), "{few}");
    }

    #[test]
    fn stretches_say_who_vouches_for_them_and_beyond_a_dozen_are_counted() {
        let stretch = |first_seq, vouched_by| Stretch {
            first_seq,
            last_seq: first_seq + 9,
            file: "audit.log".to_owned(),
            offset: first_seq * 100,
            vouched_by,
        };
        let vouchers = [Voucher::Chain, Voucher::PartlySigned, Voucher::Signed];
        let stretches: Vec<_> = (0..).step_by(10).zip(vouchers).collect();
        let stretches: Vec<_> = stretches.into_iter().map(|(seq, by)| stretch(seq, by)).collect();
        let text = wide(&Report { stretches: stretches.clone(), ..report(vec![]) });
        let told = "still agree    records 0 to 9, from audit.log at byte 0: by their chain alone\n\
                    \x20              records 10 to 19, from audit.log at byte 1000: in part as signed\n\
                    \x20              records 20 to 29, from audit.log at byte 2000: as signed\n\n";
        assert!(text.contains(told), "{text}");
        let many = vec![stretch(0, Voucher::Chain); 14];
        let text = wide(&Report { stretches: many, stretches_left_out: 7, ..report(vec![]) });
        assert!(text.contains("\n               and 9 more\n\n"), "{text}");
        // One that is whole needs no words.
        let one = Report { stretches: stretches[..1].to_vec(), ..report(vec![]) };
        assert!(!wide(&one).contains("still agree"));
    }

    #[test]
    fn what_it_was_held_against_is_counted() {
        let nothing = Anchoring::default();
        for (anchors, said) in [
            (nothing, "nothing but itself: its own key is no anchor"),
            (
                Anchoring { checkpoints_unknown: 1, ..nothing },
                "nothing but itself: its own key is no anchor; not against a kept checkpoint by an unknown key",
            ),
            (Anchoring { keys: 1, ..nothing }, "the key that was given"),
            (Anchoring { keys: 3, ..nothing }, "the 3 keys that were given"),
            (
                Anchoring { checkpoints: 1, ..nothing },
                "a kept checkpoint, and its own key, which is no anchor",
            ),
            (
                Anchoring { checkpoints: 2, receipts: 1, ..nothing },
                "2 kept checkpoints, a receipt, and its own key, which is no anchor",
            ),
            (
                Anchoring {
                    keys: 1,
                    receipts: 7,
                    receipts_pruned: 3,
                    checkpoints_unknown: 2,
                    ..nothing
                },
                "the key that was given, 7 receipts, of pruned records 3, so that of these only hashes were compared; \
                 not against 2 kept checkpoints by unknown keys",
            ),
        ] {
            assert_eq!(held_against(&anchors), said);
        }
    }
}
