//! What a finding means, and what to do about it: for [`text`](super::text).
//!
//! Invariant: it names no flag that was given.

use super::anchors::Anchoring;
use super::finding::{Finding, FindingClass, Problem};
use super::report::Report;

impl Report {
    /// What to do about a finding, where there is something to do.
    pub(super) fn next_step(&self, finding: &Finding) -> Option<String> {
        match finding.class {
            FindingClass::TornTail => Some(
                "nothing: the next opening for appending cuts it off into quarantine/, and says so in the log."
                    .to_owned(),
            ),
            FindingClass::Damage => Some(
                "stop appending; copy the folder as it is (cp -a), quarantine/ too; check the disk; then restore from a \
                 copy that verifies."
                    .to_owned(),
            ),
            FindingClass::Missing if finding.problem == Problem::NoRecord && self.segments == 0 => {
                Some("look whether the path is right and its volume mounted, before anything writes there.".to_owned())
            }
            FindingClass::Missing if is_mixed_up(finding) => Some(
                "look whether folder, key, checkpoints and receipts are of the same log. If they are, another log was put \
                 there: copy the folder as it is (cp -a), as evidence, before anything else touches it, and ask who could \
                 write there."
                    .to_owned(),
            ),
            FindingClass::Missing | FindingClass::Tampering => Some(format!(
                "copy the folder as it is (cp -a), as evidence, before anything else touches it; then hold {}.",
                self.what_else_to_hold()
            )),
            FindingClass::Adopted
            | FindingClass::Pruned
            | FindingClass::Redacted
            | FindingClass::KeyUnknown
            | FindingClass::NotAnchored
            | FindingClass::FormNotChecked => None,
        }
    }

    /// What to hold against what: names no flag that was given.
    fn what_else_to_hold(&self) -> String {
        let told = |problem| self.findings.iter().any(|finding| finding.problem == problem);
        let Anchoring { keys, checkpoints, checkpoints_unknown, receipts, .. } = self.anchors;
        let with_checkpoint = checkpoints > 0
            || checkpoints_unknown > 0
            || told(Problem::KeptForged)
            || told(Problem::KeptOfAnotherLog);
        let with_receipts = receipts > 0 || told(Problem::ReceiptOfAnotherLog);
        let flags =
            [(keys > 0, "--key"), (with_checkpoint, "--checkpoint"), (with_receipts, "--receipts")];
        let left: Vec<_> =
            flags.iter().filter(|(given, _)| !given).map(|(_, flag)| *flag).collect();
        match left.len() {
            0 => "every other copy of it against the same".to_owned(),
            3 => format!(
                "it, and every other copy of it, against what was kept elsewhere: {}",
                left.join(", ")
            ),
            _ => format!(
                "every other copy of it against the same, and all of them against what else was kept elsewhere: {}",
                left.join(", ")
            ),
        }
    }
}

/// Whether a finding says that this is another log than the one that was asked for.
fn is_mixed_up(finding: &Finding) -> bool {
    matches!(
        finding.problem,
        Problem::KeyOfAnotherLog
            | Problem::OriginDiffers
            | Problem::ReceiptOfAnotherLog
            | Problem::KeptOfAnotherLog
    )
}

/// What can explain a finding.
pub(super) fn meaning(finding: &Finding) -> &'static str {
    match finding.class {
        FindingClass::Missing if is_mixed_up(finding) => {
            "missing: the log that was asked for is not here. The wrong folder was looked at, or what was given is of \
             another log, or somebody put another log in this one's place."
        }
        FindingClass::TornTail => "torn-tail: a crash explains it.",
        FindingClass::Damage => "damage: a disk can explain it.",
        FindingClass::Missing => {
            "missing: something that was there is gone. A writer explains it, or a disk that lost what it had \
             acknowledged, or a copy made carelessly while the log was running."
        }
        FindingClass::Tampering => {
            "tampering: only somebody who wrote explains it; no crash and no disk does."
        }
        FindingClass::Adopted => {
            "adopted: valid records that no signature covered while the log was closed. A crash leaves such, and who \
             could write the files could have added some."
        }
        FindingClass::Pruned => "pruned: removed by retention, announced and signed.",
        FindingClass::Redacted => {
            "redacted: removed on purpose, announced and signed; chain and tree are whole."
        }
        FindingClass::KeyUnknown if finding.problem == Problem::KeptSignatureUnchecked => {
            "key-unknown: who kept the checkpoint vouches for it; with --key, the key that was kept with it, its \
             signature is checked too."
        }
        FindingClass::KeyUnknown => {
            "key-unknown: neither for nor against the log; give the key with --key if you know whose it is."
        }
        FindingClass::NotAnchored => {
            "not-anchored: nothing from outside the log was given to hold it against."
        }
        FindingClass::FormNotChecked => {
            "form-not-checked: a newer program wrote it; use one to check it in full."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    fn next_step(finding: &Finding) -> Option<String> {
        report(vec![finding.clone()]).next_step(finding)
    }

    #[test]
    fn every_problem_means_something_and_its_meaning_begins_with_its_class() {
        for problem in Problem::ALL {
            let finding = Finding::new(*problem);
            let begins = format!("{}: ", finding.class);
            let meaning = meaning(&finding);
            assert!(meaning.starts_with(&begins) && meaning.ends_with('.'), "{problem}: {meaning}");
            // Faults, and what the next opening mends, say what to do; what is only worth knowing does not.
            let to_do = finding.class.is_fault() || finding.class == FindingClass::TornTail;
            assert_eq!(next_step(&finding).is_some(), to_do, "{problem}");
        }
    }

    #[test]
    fn what_it_means_is_what_can_explain_it() {
        for (problem, said) in [
            (Problem::TailTorn, "a crash explains it"),
            (Problem::NulRun, "a disk can explain it"),
            (Problem::CutOff, "something that was there is gone"),
            (Problem::KeyOfAnotherLog, "the log that was asked for is not here"),
            (Problem::ChainBroken, "only somebody who wrote explains it"),
            (Problem::Adopted, "no signature covered while the log was closed"),
            (Problem::Pruned, "removed by retention, announced and signed"),
            (Problem::Redacted, "removed on purpose, announced and signed"),
            (Problem::KeyUnknown, "neither for nor against the log"),
            (Problem::KeptSignatureUnchecked, "who kept the checkpoint vouches for it"),
            (Problem::NotAnchored, "nothing from outside the log was given"),
            (Problem::FormNotChecked, "a newer program wrote it"),
        ] {
            let meaning = meaning(&Finding::new(problem));
            assert!(meaning.contains(said), "{problem}: {meaning}");
        }
    }

    #[test]
    fn what_to_do_keeps_the_evidence_where_somebody_may_have_written() {
        for (problem, said) in [
            (Problem::TailTorn, "nothing: the next opening for appending cuts it off"),
            (Problem::NulRun, "stop appending; copy the folder as it is (cp -a), quarantine/ too"),
            (
                Problem::OriginDiffers,
                "look whether folder, key, checkpoints and receipts are of the",
            ),
            (
                Problem::CutOff,
                "copy the folder as it is (cp -a), as evidence, before anything else",
            ),
            (
                Problem::ChainBroken,
                "copy the folder as it is (cp -a), as evidence, before anything",
            ),
            (Problem::NoRecord, "copy the folder as it is (cp -a), as evidence"),
        ] {
            let step = next_step(&Finding::new(problem)).unwrap();
            assert!(step.starts_with(said), "{problem}: {step}");
        }
        let finding = Finding::new(Problem::NoRecord);
        let empty = Report { segments: 0, ..report(vec![finding.clone()]) };
        let step = empty.next_step(&finding).unwrap();
        assert!(
            step.starts_with("look whether the path is right and its volume mounted"),
            "{step}"
        );
    }

    #[test]
    fn no_flag_is_advised_that_was_given() {
        let against = |keys, checkpoints, receipts| {
            let anchors = Anchoring { keys, checkpoints, receipts, ..Anchoring::default() };
            Report { anchors, ..report(vec![]) }.what_else_to_hold()
        };
        let kept = "it, and every other copy of it, against what was kept elsewhere: ";
        assert_eq!(against(0, 0, 0), format!("{kept}--key, --checkpoint, --receipts"));
        assert_eq!(against(1, 1, 1), "every other copy of it against the same");
        let more = "every other copy of it against the same, and all of them against what else was kept elsewhere: ";
        assert_eq!(against(1, 0, 0), format!("{more}--checkpoint, --receipts"));
        assert_eq!(against(0, 1, 1), format!("{more}--key"));
        let anchors = Anchoring { checkpoints_unknown: 1, ..Anchoring::default() };
        let unknown = Report { anchors, ..report(vec![]) };
        assert_eq!(unknown.what_else_to_hold(), format!("{more}--key, --receipts"));
        // Given, and of no use.
        for (problem, left) in [
            (Problem::KeptForged, "--key, --receipts"),
            (Problem::KeptOfAnotherLog, "--key, --receipts"),
            (Problem::ReceiptOfAnotherLog, "--key, --checkpoint"),
        ] {
            let report = report(vec![Finding::new(problem)]);
            assert_eq!(report.what_else_to_hold(), format!("{more}{left}"), "{problem}");
        }
    }
}
