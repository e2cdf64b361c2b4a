//! Mutants of the reference's folders and of logs that the engine made: whatever is done to a log, the verifier says
//! what the independent checker says, but for what [`LENIENT`] names.
//!
//! `INDELIBLE_SEED` and `INDELIBLE_MUTANTS` ask for others than the ones of every run.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::checker::verify;
use crate::reference::{disk, reference, skipped, verdicts};
use crate::rewriting::{Author, rewrite};
use crate::tamper::made::{Made, made};

/// Runs the independent checker on many folders in one process; `None` where it can't run here.
struct Checker {
    process: Child,
    answers: BufReader<ChildStdout>,
}

const LOOP: &str = "
import sys
sys.path.insert(0, sys.argv[1])
import check_log
for line in sys.stdin:
    got = check_log.check(line.rstrip('\\n'), sys.argv[2:])
    word = 'broken' if not got['ok'] else 'torn' if 'torn' in got else 'sound'
    print(word, repr(got.get('why') or got.get('torn') or ''), flush=True)
";

impl Checker {
    fn start(reference: &Path, keys: &[&str]) -> Option<Self> {
        let probe = Command::new("python3").args(["-c", "import cryptography"]).output();
        if !probe.is_ok_and(|probe| probe.status.success()) {
            skipped("no python3 with the package cryptography");
            return None;
        }
        let mut process = Command::new("python3")
            .args(["-B", "-c", LOOP])
            .arg(reference)
            .args(keys)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Some(Self { process, answers })
    }

    /// Verdict and reason.
    fn check(&mut self, folder: &Path) -> (String, String) {
        let stdin = self.process.stdin.as_mut().unwrap();
        writeln!(stdin, "{}", folder.display()).unwrap();
        stdin.flush().unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let (verdict, why) = answer.trim_end().split_once(' ').expect("the checker answers");
        (verdict.to_owned(), why.to_owned())
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _status = self.process.wait();
    }
}

/// How many mutants, and from which seed on; the environment may ask for others.
const MUTANTS: u64 = 2_000;
const SEED: u64 = 0x1dde_11b1;

/// Whether a finding is one of these.
type Fits = fn(&str) -> bool;

/// Where the checker is known to be the lenient one, by what the verifier says of it.
const LENIENT: &[(&str, Fits)] = &[
    // C2SP's signed-note forbids them; the checker looks at the name of a key only to compare it.
    ("a control character in the name of an unknown key", |text| {
        text.starts_with("checkpoint") && text.contains("control character")
    }),
    // docs/spec/own-records.md says what each member holds; of those that it does not use itself, the checker looks at
    // the names alone.
    ("a value in the metadata of one of the log's own records", |text| {
        text.contains(": metadata of indelible.log.")
    }),
];

/// What the mutants are made of: the reference's folders, and logs that the engine made.
struct Bases {
    reference: PathBuf,
    names: Vec<String>,
    author: Author,
    made: Vec<Made>,
}

impl Bases {
    /// Puts one of them into `folder`; says which, and who can sign for it.
    fn put(&self, folder: &Path, dice: &mut Dice) -> (String, &Author) {
        if dice.below(2) == 0 {
            let name = &self.names[dice.below(self.names.len())];
            copy(&self.reference.join("folders").join(name), folder);
            return (name.clone(), &self.author);
        }
        let number = dice.below(self.made.len());
        let made = &self.made[number];
        made.folder.export(folder);
        (format!("made {number}: {}", made.steps.join(", ")), &made.author)
    }
}

#[test]
fn every_mutant_gets_the_verdict_of_the_independent_checker() {
    let Some(reference) = reference() else { return };
    let (key, folders) = verdicts(&reference);
    let asked = |name: &str, or| {
        std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(or)
    };
    let (seed, count) = (asked("INDELIBLE_SEED", SEED), asked("INDELIBLE_MUTANTS", MUTANTS));
    let made: Vec<Made> = (0..40).map(|number| made(&mut Dice::new(seed + number))).collect();
    let keys = [key, made[0].author.verifier_key()];
    let texts = keys.each_ref().map(ToString::to_string);
    let Some(mut checker) = Checker::start(&reference, &texts.each_ref().map(String::as_str))
    else {
        return;
    };
    let author = Author::of(&reference);
    let bases = Bases { reference, names: folders.into_keys().collect(), author, made };
    let mut disagreements = Vec::new();
    let mut tally = BTreeMap::<String, u64>::new();
    for seed in seed..seed + count {
        let mut dice = Dice::new(seed);
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("audit");
        let (name, author) = bases.put(&folder, &mut dice);
        let mut done = Vec::new();
        // Now and then nothing is done: healthy logs are held against the checker too.
        for _ in 0..dice.below(6).div_ceil(4) {
            done.push(match dice.below(3) {
                0 => rewrite(&folder, author, &mut dice),
                _ => mutate(&folder, &mut dice),
            });
        }
        let (verdict, why) = checker.check(&folder);
        let report = verify(&disk(), &folder, &keys);
        let mut kind = verdict.clone();
        if report.verdict().as_str() != verdict {
            let text = report.findings.first().map(ToString::to_string).unwrap_or_default();
            let lenient = LENIENT.iter().find(|(_, fits)| verdict != "broken" && fits(&text));
            kind = lenient.map_or("disagreed", |(name, _)| name).to_owned();
            if lenient.is_none() {
                disagreements.push(format!(
                    "seed {seed}: {name}, {done:?}: the checker says {verdict}: {why}; the verifier says:\n{report}"
                ));
            }
        }
        *tally.entry(kind).or_default() += 1;
    }
    println!("{count} logs: {tally:#?}");
    assert!(
        disagreements.is_empty(),
        "{} disagreements\n{}",
        disagreements.len(),
        disagreements.join("\n\n")
    );
    let tame = ["sound", "torn", "broken"].iter().any(|verdict| !tally.contains_key(*verdict));
    assert!(count < MUTANTS || !tame, "too tame: {tally:?}");
}

/// Numbers that only look random.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        dice.roll();
        dice
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// A number from 0 to before `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let names = ["audit.log", "checkpoint", "checkpoints.jsonl", "tree/0"];
    let older = (1..12).map(|number| format!("audit.log.{number}"));
    let all = names.into_iter().map(str::to_owned).chain(older);
    all.map(|name| folder.join(name)).filter(|path| path.is_file()).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test that plays the one who tampers")]
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

/// Changes one thing in `folder`, and says what.
fn mutate(folder: &Path, dice: &mut Dice) -> String {
    let all = files(folder);
    let path = &all[dice.below(all.len())];
    let other = &all[dice.below(all.len())];
    let name = path.strip_prefix(folder).unwrap().display().to_string();
    let mut bytes = std::fs::read(path).unwrap();
    let what = match dice.below(12) {
        0..=2 => change_byte(&mut bytes, dice),
        3..=5 => change_lines(&mut bytes, dice),
        6 | 7 => change_end(&mut bytes, dice),
        8 => lose_sectors(&mut bytes, dice),
        9 => {
            std::fs::remove_file(path).unwrap();
            return format!("{name} removed");
        }
        10 => {
            let theirs = std::fs::read(other).unwrap();
            write(other, &bytes);
            bytes = theirs;
            format!("exchanged with {}", other.display())
        }
        _ => {
            let theirs = std::fs::read(other).unwrap();
            let lines: Vec<&[u8]> = theirs.split_inclusive(|byte| *byte == b'\n').collect();
            if let Some(line) = lines.get(dice.below(lines.len())) {
                bytes.extend_from_slice(line);
            }
            format!("a line of {} appended", other.display())
        }
    };
    write(path, &bytes);
    format!("{name}: {what}")
}

fn change_byte(bytes: &mut [u8], dice: &mut Dice) -> String {
    let at = dice.below(bytes.len());
    let with = [1_u8 << dice.below(8), u8::try_from(dice.below(256)).unwrap(), 0x20];
    let with = with[dice.below(3)];
    let Some(byte) = bytes.get_mut(at) else { return "nothing to change".to_owned() };
    *byte ^= with;
    format!("byte {at} xor {with:#x}")
}

fn change_lines(bytes: &mut Vec<u8>, dice: &mut Dice) -> String {
    let mut lines: Vec<Vec<u8>> =
        bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return "no lines".to_owned();
    }
    let (one, two) = (dice.below(lines.len()), dice.below(lines.len()));
    let what = match dice.below(5) {
        0 => {
            lines.remove(one);
            format!("line {one} removed")
        }
        1 => {
            lines.insert(two, lines[one].clone());
            format!("line {one} again before line {two}")
        }
        2 => {
            lines.swap(one, two);
            format!("lines {one} and {two} swapped")
        }
        3 => {
            lines.truncate(one);
            format!("cut to {one} lines")
        }
        _ => {
            lines.insert(one, [&b"\n"[..], b"\0\n", b"{}\n", b"x"][dice.below(4)].to_vec());
            format!("a line that is none before line {one}")
        }
    };
    *bytes = lines.concat();
    what
}

fn change_end(bytes: &mut Vec<u8>, dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => {
            bytes.pop();
            "last byte removed".to_owned()
        }
        1 => {
            let size = dice.below(bytes.len());
            bytes.truncate(size);
            format!("cut to {size} bytes")
        }
        2 => {
            let count = 1 + dice.below(1200);
            bytes.resize(bytes.len() + count, 0);
            format!("{count} NULs appended")
        }
        _ => {
            let ends = [&b"{\"seq\":"[..], b"garbage\n", b"\n", b"\0\0x\n", b"{\"note\":\"\0\"}\n"];
            let end = ends[dice.below(ends.len())];
            bytes.extend_from_slice(end);
            format!("{:?} appended", String::from_utf8_lossy(end))
        }
    }
}

fn lose_sectors(bytes: &mut Vec<u8>, dice: &mut Dice) -> String {
    let line_ends =
        bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let mut starts: Vec<usize> = line_ends.collect();
    starts.extend((0..=bytes.len()).step_by(512));
    let start = starts[dice.below(starts.len())];
    let end = (start / 512 + 1 + dice.below(2)) * 512 + usize::from(dice.below(4) == 0);
    if end > bytes.len() && dice.below(2) == 0 {
        bytes.resize(end, 0);
    }
    let end = end.min(bytes.len());
    if let Some(lost) = bytes.get_mut(start..end) {
        lost.fill(0);
    }
    format!("NULs from {start} to {end}")
}
