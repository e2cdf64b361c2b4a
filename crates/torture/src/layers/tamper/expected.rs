//! What has to be found of a mutant, and whether it was.
//!
//! What is expected is written from the format, not from what the verifier says. Where nothing from outside is given,
//! what a bare chain can't show is expected to be sound and not anchored.

use indelible::format::note::VerifierKey;
use indelible::{
    Finding, FindingClass, KeptCheckpoint, Problem, Receipt, Receipts, Report, Verdict, Verifier,
};

use super::memory::{FOLDER, Memory};
use super::specimen::{Line, Segment};

/// What the first finding has to be.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) verdict: Verdict,
    /// Empty where nothing is to be found.
    pub(crate) problems: Vec<Problem>,
    pub(crate) class: FindingClass,
    pub(crate) file: Option<String>,
    pub(crate) offset: Option<usize>,
    pub(crate) seq: Option<u64>,
    /// Whether what is left can be too little to tell `seq`.
    pub(crate) seq_may_lack: bool,
    /// Which line of the file, from 1, where the place is one.
    pub(crate) line: Option<usize>,
    /// Whether no finding, the later ones too, may be of class tampering.
    pub(crate) never_tampering: bool,
}

impl Expected {
    /// Nothing can be found, and nothing is claimed.
    pub(crate) fn sound() -> Self {
        Self {
            verdict: Verdict::Sound,
            problems: vec![],
            class: FindingClass::NotAnchored,
            file: None,
            offset: None,
            seq: None,
            seq_may_lack: false,
            line: None,
            never_tampering: false,
        }
    }

    pub(crate) fn torn(file: &str, offset: usize, seq: u64) -> Self {
        let class = FindingClass::TornTail;
        Self { verdict: Verdict::Torn, ..Self::new(class, &[Problem::TailTorn]) }
            .at(file, offset)
            .record(seq)
    }

    pub(crate) fn new(class: FindingClass, problems: &[Problem]) -> Self {
        let problems = problems.to_vec();
        Self { verdict: Verdict::Broken, problems, class, ..Self::sound() }
    }

    pub(crate) fn tampering(problem: Problem) -> Self {
        Self::new(FindingClass::Tampering, &[problem])
    }

    pub(crate) fn damage(problem: Problem) -> Self {
        Self::new(FindingClass::Damage, &[problem])
    }

    pub(crate) fn missing(problem: Problem) -> Self {
        Self::new(FindingClass::Missing, &[problem])
    }

    pub(crate) fn at(mut self, file: &str, offset: usize) -> Self {
        self.file = Some(file.to_owned());
        self.offset = Some(offset);
        self
    }

    pub(crate) fn in_file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    pub(crate) fn record(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }

    /// At a line of the specimen that stands where it stood.
    pub(crate) fn at_line(mut self, segment: &Segment, line: &Line) -> Self {
        let before = segment.lines.iter().take_while(|other| other.offset < line.offset);
        self.line = Some(before.count() + 1);
        self.at(&segment.name, line.offset).record(line.seq)
    }

    pub(crate) fn never_tampering(self) -> Self {
        Self { never_tampering: true, ..self }
    }

    /// Nothing is wrong, but something is said about `file`.
    pub(crate) fn notice(class: FindingClass, file: &str, offset: usize) -> Self {
        Self { class, ..Self::sound() }.at(file, offset)
    }

    /// What `report` on `folder` says otherwise.
    pub(crate) fn differs(
        &self,
        report: &Report,
        folder: &Memory,
        anchored: bool,
    ) -> Option<String> {
        if report.anchored != anchored {
            return Some(format!("it says that anchored is {}", report.anchored));
        }
        if report.verdict() != self.verdict {
            let first = report.findings.first().map_or_else(String::new, told);
            return Some(format!("{}, not {}: {first}", report.verdict(), self.verdict));
        }
        if self.verdict == Verdict::Sound {
            return self.notice_differs(report, folder, anchored);
        }
        let tampering = |finding: &&Finding| finding.class == FindingClass::Tampering;
        if self.never_tampering
            && let Some(finding) = report.findings.iter().find(tampering)
        {
            return Some(format!("{} follows", told(finding)));
        }
        let first = report.findings.first()?;
        let seq = if self.seq_may_lack { first.seq.or(self.seq) } else { first.seq };
        let place = (first.file.as_deref(), first.offset, seq);
        let offset = self.offset.map(|offset| u64::try_from(offset).unwrap());
        let expected = (self.file.as_deref(), offset, self.seq);
        let line = line_of(first, folder);
        let same = first.class == self.class
            && self.problems.contains(&first.problem)
            && place == expected
            && (self.line.is_none() || line == self.line);
        (!same).then(|| {
            let problems: Vec<&str> = self.problems.iter().map(|problem| problem.code()).collect();
            let problems = problems.join(" or ");
            format!(
                "{} (line {line:?}), not {} {problems} {} (line {:?})",
                told(first),
                self.class,
                place_of(expected),
                self.line
            )
        })
    }
}

impl Expected {
    /// What a report that finds nothing wrong says otherwise: that nothing holds it from outside, what is known of the log's
    /// past, and the one notice that is expected, where it is.
    fn notice_differs(&self, report: &Report, folder: &Memory, anchored: bool) -> Option<String> {
        let of_class = |class| report.findings.iter().filter(move |finding| finding.class == class);
        if !anchored && of_class(FindingClass::NotAnchored).next().is_none() {
            return Some(format!("nothing is said of class {}", FindingClass::NotAnchored));
        }
        let past = [FindingClass::NotAnchored, FindingClass::Adopted, FindingClass::Pruned];
        let strange =
            |finding: &&Finding| finding.class != self.class && !past.contains(&finding.class);
        if let Some(finding) = report.findings.iter().find(strange) {
            return Some(format!("{} is not expected", told(finding)));
        }
        if self.class == FindingClass::NotAnchored {
            return None;
        }
        let offset = self.offset.map(|offset| u64::try_from(offset).unwrap());
        let expected = (self.file.as_deref(), offset, self.seq);
        let found: Vec<&Finding> = of_class(self.class).collect();
        let same = found.iter().any(|finding| {
            (finding.file.as_deref(), finding.offset, finding.seq) == expected
                && (self.line.is_none() || line_of(finding, folder) == self.line)
        });
        (!same).then(|| {
            let found: Vec<String> = found.into_iter().map(told).collect();
            format!("{found:?}, not {} {} (line {:?})", self.class, place_of(expected), self.line)
        })
    }
}

/// The line, from 1, that a finding is about, by its offset; none where no line begins there.
fn line_of(finding: &Finding, folder: &Memory) -> Option<usize> {
    let offset = usize::try_from(finding.offset?).ok()?;
    let before = folder.find(finding.file.as_deref()?)?.get(..offset)?;
    let begins = before.last().is_none_or(|byte| *byte == b'\n');
    begins.then(|| before.split(|byte| *byte == b'\n').count())
}

fn told(finding: &Finding) -> String {
    let place = (finding.file.as_deref(), finding.offset, finding.seq);
    format!("{} {} {}", finding.class, finding.problem.code(), place_of(place))
}

fn place_of((file, offset, seq): (Option<&str>, Option<u64>, Option<u64>)) -> String {
    let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    format!("{} {} {}", file.unwrap_or("-"), number(offset), number(seq))
}

/// What was kept outside of a log, and is given to the verifier.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) key: Option<VerifierKey>,
    /// A note.
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(crate) receipts: Vec<Receipt>,
}

impl Kept {
    fn give(&self, mut verifier: Verifier) -> Verifier {
        if let Some(key) = &self.key {
            verifier = verifier.with_key(key.clone());
        }
        if let Some(note) = &self.checkpoint {
            let kept = KeptCheckpoint::read_all("kept.txt", note).unwrap();
            verifier = kept.into_iter().fold(verifier, Verifier::with_checkpoint);
        }
        if !self.receipts.is_empty() {
            let lines = self.receipts.iter().map(|receipt| format!("{receipt}\n"));
            let mut receipts = Receipts::default();
            receipts.read("kept.jsonl", lines.collect::<String>().as_bytes()).unwrap();
            verifier = verifier.with_receipts(receipts);
        }
        verifier
    }
}

/// One way to tamper with a log.
#[derive(Debug)]
pub(crate) struct Mutant {
    pub(crate) what: String,
    pub(crate) folder: Memory,
    pub(crate) expected: Expected,
    pub(crate) kept: Kept,
    /// Whether what was kept can be held against it.
    pub(crate) anchored: bool,
    /// Whether it is found without looking at the form of every record, too.
    pub(crate) shallow: bool,
}

impl Mutant {
    pub(crate) fn new(what: impl Into<String>, folder: Memory, expected: Expected) -> Self {
        Self {
            what: what.into(),
            folder,
            expected,
            kept: Kept::default(),
            anchored: false,
            shallow: true,
        }
    }

    /// Held against what somebody kept.
    pub(crate) fn against(self, kept: Kept) -> Self {
        Self { kept, anchored: true, ..self }
    }

    /// What is found otherwise than it should be. Now and then, also whether looking less closely finds the same.
    pub(crate) fn judge(&self, also_shallow: bool) -> Option<String> {
        let verifier = || self.kept.give(Verifier::on(self.folder.storage(), FOLDER));
        let report = match verifier().strict().verify() {
            Ok(report) => report,
            Err(error) => return Some(format!("{}: it can't be looked at: {error}", self.what)),
        };
        if let Some(difference) = self.expected.differs(&report, &self.folder, self.anchored) {
            return Some(format!("{}: {difference}", self.what));
        }
        if also_shallow && self.shallow {
            let shallow = verifier().verify().unwrap();
            if shallow.findings.first() != report.findings.first() {
                return Some(format!("{}: another finding when not strict", self.what));
            }
        }
        None
    }
}

/// Everything checked, the form of each record too; nothing from outside.
#[cfg(test)]
pub(crate) fn verify_strictly(folder: &Memory) -> Report {
    Verifier::on(folder.storage(), FOLDER).strict().verify().unwrap()
}

/// Verifies `count` mutants, each made when its turn comes, and ends the test with those that are not found as expected.
#[cfg(test)]
#[track_caller]
pub(crate) fn assert_found(name: &str, count: usize, mutant: impl Fn(usize) -> Mutant + Sync) {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::SeqCst);
            if index >= count {
                return;
            }
            if let Some(difference) = mutant(index).judge(index.is_multiple_of(16)) {
                wrong.lock().unwrap().push((index, difference));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    println!("{name}: {count} mutants");
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    let told: Vec<String> = wrong.iter().take(40).map(|(_, line)| line.clone()).collect();
    assert!(
        wrong.is_empty(),
        "{name}: {} of {count} are not found as they should be:\n{}",
        wrong.len(),
        told.join("\n")
    );
    assert!(count > 0);
}

/// [`assert_found`] for mutants that are there already.
#[cfg(test)]
#[track_caller]
pub(crate) fn assert_all_found(name: &str, mutants: Vec<Mutant>) {
    use std::sync::Mutex;

    let mutants: Vec<Mutex<Option<Mutant>>> =
        mutants.into_iter().map(|mutant| Mutex::new(Some(mutant))).collect();
    assert_found(name, mutants.len(), |index| mutants[index].lock().unwrap().take().unwrap());
}

#[cfg(test)]
mod tests {
    use indelible::FindingClass::KeyUnknown;

    use super::super::kinds::notes::checkpoint_byte;
    use super::super::specimen::small;

    #[test]
    fn a_notice_elsewhere_is_not_the_one_that_is_expected() {
        let specimen = small();
        let bytes = 0..specimen.folder.get("checkpoint").len();
        let mutants = bytes.map(|at| checkpoint_byte(&specimen, at, 1));
        let mut mutant = mutants.into_iter().find(|it| it.expected.class == KeyUnknown).unwrap();
        assert_eq!(mutant.judge(false), None);
        mutant.expected.offset = Some(1);
        let told = mutant.judge(false).unwrap();
        assert!(told.contains("checkpoint 0 -\"], not"), "{told}");
    }
}
