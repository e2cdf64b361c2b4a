//! Tamper matrix: whatever is done to a log's files is found, at the first byte that is wrong, as what it is.
//!
//! What is expected is written from the format, not from what the verifier says. Everything here is looked at without
//! any key or checkpoint from outside; what a bare chain can't show is expected to be sound and not anchored.

mod bytes;
mod cuts;
mod files;
mod forged;
mod healthy;
mod lines;
pub(crate) mod made;
mod memory;
mod notes;
mod rewritten;
pub(crate) mod specimen;

use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use indelible::{Finding, FindingClass, Problem, Report, Verdict, Verifier};

use self::memory::{FOLDER, Memory};

/// Everything checked, the form of each record too; nothing from outside.
fn verify_strictly(folder: &Memory) -> Report {
    crate::checker::verify(&folder.storage(), Path::new(FOLDER), &[])
}

/// What the first finding has to be.
#[derive(Clone, Debug)]
struct Expected {
    verdict: Verdict,
    /// Empty where nothing is to be found.
    problems: Vec<Problem>,
    class: FindingClass,
    file: Option<String>,
    offset: Option<usize>,
    seq: Option<u64>,
    /// Whether no finding, the later ones too, may be of class tampering.
    never_tampering: bool,
}

impl Expected {
    /// Nothing can be found, and nothing is claimed.
    fn sound() -> Self {
        let class = FindingClass::NotAnchored;
        let (file, offset, seq) = (None, None, None);
        let (verdict, problems, never_tampering) = (Verdict::Sound, vec![], false);
        Self { verdict, problems, class, file, offset, seq, never_tampering }
    }

    fn torn(file: &str, offset: usize, seq: u64) -> Self {
        let class = FindingClass::TornTail;
        Self { verdict: Verdict::Torn, ..Self::new(class, &[Problem::TailTorn]) }
            .at(file, offset)
            .record(seq)
    }

    fn new(class: FindingClass, problems: &[Problem]) -> Self {
        let problems = problems.to_vec();
        Self { verdict: Verdict::Broken, problems, class, ..Self::sound() }
    }

    fn tampering(problem: Problem) -> Self {
        Self::new(FindingClass::Tampering, &[problem])
    }

    fn damage(problem: Problem) -> Self {
        Self::new(FindingClass::Damage, &[problem])
    }

    fn missing(problem: Problem) -> Self {
        Self::new(FindingClass::Missing, &[problem])
    }

    fn at(mut self, file: &str, offset: usize) -> Self {
        self.file = Some(file.to_owned());
        self.offset = Some(offset);
        self
    }

    fn record(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }

    fn never_tampering(self) -> Self {
        Self { never_tampering: true, ..self }
    }

    /// Nothing is wrong, but something is said about `file`.
    fn notice(class: FindingClass, file: &str, offset: usize) -> Self {
        Self { class, ..Self::sound() }.at(file, offset)
    }

    /// What `report` says otherwise.
    fn differs(&self, report: &Report) -> Option<String> {
        if report.anchored {
            return Some("it says that it is anchored".to_owned());
        }
        if report.verdict() != self.verdict {
            return Some(format!("{}, not {}", report.verdict(), self.verdict));
        }
        if self.verdict == Verdict::Sound {
            let told = |class| report.findings.iter().any(|finding| finding.class == class);
            let silent =
                [FindingClass::NotAnchored, self.class].into_iter().find(|class| !told(*class));
            return silent.map(|class| format!("nothing is said of class {class}"));
        }
        let tampering = |finding: &&Finding| finding.class == FindingClass::Tampering;
        if self.never_tampering
            && let Some(finding) = report.findings.iter().find(tampering)
        {
            return Some(format!("{} follows", told(finding)));
        }
        let first = report.findings.first()?;
        let place = (first.file.as_deref(), first.offset, first.seq);
        let offset = self.offset.map(|offset| u64::try_from(offset).unwrap());
        let expected = (self.file.as_deref(), offset, self.seq);
        let same = first.class == self.class
            && self.problems.contains(&first.problem)
            && place == expected;
        (!same).then(|| {
            let problems: Vec<&str> = self.problems.iter().map(|problem| problem.code()).collect();
            let problems = problems.join(" or ");
            format!("{}, not {} {problems} {}", told(first), self.class, place_of(expected))
        })
    }
}

fn told(finding: &Finding) -> String {
    let place = (finding.file.as_deref(), finding.offset, finding.seq);
    format!("{} {} {}", finding.class, finding.problem.code(), place_of(place))
}

fn place_of((file, offset, seq): (Option<&str>, Option<u64>, Option<u64>)) -> String {
    let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    format!("{} {} {}", file.unwrap_or("-"), number(offset), number(seq))
}

/// One way to tamper with a log.
struct Mutant {
    what: String,
    folder: Memory,
    expected: Expected,
}

impl Mutant {
    fn new(what: impl Into<String>, folder: Memory, expected: Expected) -> Self {
        Self { what: what.into(), folder, expected }
    }
}

/// Verifies `count` mutants, each made when its turn comes, and ends the test with those that are not found as expected.
#[track_caller]
fn assert_found(name: &str, count: usize, mutant: impl Fn(usize) -> Mutant + Sync) {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::SeqCst);
            if index >= count {
                return;
            }
            let mutant = mutant(index);
            let report = verify_strictly(&mutant.folder);
            // All of this is found without looking at the form of records, too.
            if index.is_multiple_of(16) {
                let shallow = Verifier::on(mutant.folder.storage(), FOLDER).verify().unwrap();
                if shallow.findings.first() != report.findings.first() {
                    let line = format!("{}: another finding when not strict", mutant.what);
                    wrong.lock().unwrap().push((index, line));
                }
            }
            if let Some(difference) = mutant.expected.differs(&report) {
                wrong.lock().unwrap().push((index, format!("{}: {difference}", mutant.what)));
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
    let mut text = String::new();
    for (_, line) in wrong.iter().take(40) {
        writeln!(text, "{line}").unwrap();
    }
    assert!(
        wrong.is_empty(),
        "{name}: {} of {count} are not found as they should be:\n{text}",
        wrong.len()
    );
    assert!(count > 0);
}

/// [`assert_found`] for mutants that are there already.
#[track_caller]
fn assert_all_found(name: &str, mutants: Vec<Mutant>) {
    let mutants: Vec<Mutex<Option<Mutant>>> =
        mutants.into_iter().map(|mutant| Mutex::new(Some(mutant))).collect();
    assert_found(name, mutants.len(), |index| mutants[index].lock().unwrap().take().unwrap());
}

#[test]
fn the_specimens_are_sound_and_have_the_past_that_they_should() {
    for specimen in [specimen::small(), specimen::large()] {
        let report = verify_strictly(&specimen.folder);
        assert_eq!(report.verdict(), Verdict::Sound, "{}:\n{report}", specimen.name);
        let classes: Vec<FindingClass> = report.findings.iter().map(|f| f.class).collect();
        let expected = [FindingClass::NotAnchored, FindingClass::Adopted, FindingClass::Pruned];
        assert_eq!(classes, expected, "{}", specimen.name);
        assert_eq!(specimen.segments.len(), 3, "{}", specimen.name);
        assert!(specimen.segments[0].lines[0].seq > 0);
        let end = specimen.newest().lines.last().unwrap().seq + 1;
        assert!(specimen.mark + 3 <= end, "{} {end}", specimen.mark);
        assert!(specimen.newest().lines[1].seq < specimen.mark);
        assert!(specimen.folder.names().any(|name| name.starts_with("quarantine/")));
        let recovered =
            specimen.folder.names().filter(|name| name.starts_with("audit.log")).any(|name| {
                String::from_utf8_lossy(specimen.folder.get(name)).contains("indelible.log.recover")
            });
        assert!(recovered, "{}", specimen.name);
        println!(
            "{}: {} records in {} bytes, {} notes",
            specimen.name,
            report.records,
            specimen.segments.iter().map(specimen::Segment::size).sum::<usize>(),
            report.checkpoints
        );
    }
}
