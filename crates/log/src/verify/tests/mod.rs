//! The scan ahead of the walk changes no word of a report: tiny chunks and several threads against the walk alone.

mod agreement;
#[cfg(feature = "simulated-disk")]
mod failing;
mod runs;
mod stretches;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use indelible_format::chain::{Hash, Link, seal};
use indelible_format::record::Depth;

use super::scan::Pace;
use super::{Progress, Report, Verdict, Verifier};
use crate::{AuditLog, Event, Options};

/// A file of a log, by its name in the folder.
type File = (String, Vec<u8>);

/// A log's files in memory, to be written into a folder of its own for each test.
#[derive(Clone, Debug)]
struct Files(Vec<File>);

/// Opened and closed twice, of five segments and some 1,250 records, so that most tiles and two signed sizes lie within
/// segments.
fn healthy() -> Files {
    static MADE: OnceLock<Files> = OnceLock::new();
    MADE.get_or_init(|| made(&small(), &[700, 550])).clone()
}

fn small() -> Options {
    Options::default().with_entry_size_max(8 << 10).with_max_file_size(80 << 10)
}

/// A log that was opened once for each of `counts`, and got so many events each time.
fn made(options: &Options, counts: &[usize]) -> Files {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("audit");
    drop(AuditLog::create(&folder, options.clone()).unwrap());
    for (round, count) in counts.iter().enumerate() {
        let log = AuditLog::open(&folder, options.clone()).unwrap();
        for number in 0..*count {
            let resource = format!("file:{round}:{}", "x".repeat(number * 7 % 200));
            log.submit(Event::new("agent:7", "read", resource)).map(drop).unwrap();
        }
        log.close().unwrap();
    }
    let mut files = Vec::new();
    for (prefix, folder) in [("", folder.clone()), ("tree/", folder.join("tree"))] {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
                files.push((name, std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    Files(files)
}

impl Files {
    fn bytes(&mut self, name: &str) -> &mut Vec<u8> {
        let found = self.0.iter_mut().find(|(other, _)| other == name);
        &mut found.unwrap_or_else(|| panic!("there is no {name}")).1
    }

    fn lines(&mut self, name: &str) -> Vec<Vec<u8>> {
        self.bytes(name).split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    /// Changes the lines of a file.
    fn change(mut self, name: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Self {
        let mut lines = self.lines(name);
        change(&mut lines);
        *self.bytes(name) = lines.concat();
        self
    }

    #[expect(clippy::disallowed_methods, reason = "a test that plays the one who tampers")]
    fn write(&self, at: &Path) -> PathBuf {
        let folder = at.join("audit");
        std::fs::create_dir_all(folder.join("tree")).unwrap();
        for (name, bytes) in &self.0 {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        folder
    }
}

/// `line` with `change` made to its entry, and hashed again behind `prev_hash`; with its hash.
fn sealed(line: &[u8], prev_hash: &Hash, change: impl FnOnce(&mut Vec<u8>)) -> (Vec<u8>, Hash) {
    let mut entry = Link::split(line.trim_ascii_end()).unwrap().entry_head.to_vec();
    change(&mut entry);
    let hash = seal(&mut entry, 0, prev_hash);
    entry.push(b'\n');
    (entry, hash)
}

fn verifier(folder: &Path, depth: Depth, pace: Pace) -> Verifier {
    let mut verifier = Verifier::new(folder).unwrap();
    verifier.depth = depth;
    verifier.pace = pace;
    verifier
}

/// The report on a log, which is the same however it was scanned.
#[track_caller]
fn report(files: &Files, depth: Depth, chunk_sizes: &[u64]) -> Report {
    let temporary = tempfile::tempdir().unwrap();
    let folder = files.write(temporary.path());
    let alone = Pace { chunk_size: None, threads: None };
    let expected = verifier(&folder, depth, alone).verify().unwrap();
    for (chunk_size, threads) in chunk_sizes.iter().zip([1, 3, 2].into_iter().cycle()) {
        let pace = Pace { chunk_size: Some(*chunk_size), threads: Some(threads) };
        let found = verifier(&folder, depth, pace).verify().unwrap();
        assert_eq!(found, expected, "chunks of {chunk_size} bytes, {threads} threads");
    }
    expected
}

#[test]
fn a_verification_that_is_stopped_says_so_and_is_not_sound() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = healthy().write(temporary.path());
    let progress = Arc::new(Progress::default());
    let verifier = Verifier::new(&folder).unwrap().with_progress(Arc::clone(&progress));
    let report = verifier.verify().unwrap();
    assert_eq!((report.complete, report.verdict()), (true, Verdict::Sound));
    assert!(progress.total() > 300_000 && progress.done() == progress.total());
    progress.stop();
    let report = verifier.verify().unwrap();
    assert_eq!((report.complete, report.verdict()), (false, Verdict::Unfinished), "{report}");
    assert!(report.records < 100, "{report}");
    assert!(report.to_string().starts_with("unfinished: "), "{report}");
}
