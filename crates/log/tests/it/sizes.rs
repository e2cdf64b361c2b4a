//! Kept checkpoints of every kind of size: the verifier takes whole tiles at once where nobody signed a size within.

use std::path::Path;

use indelible::format::chain::{Hash, Link, seal};
use indelible::format::checkpoint::Checkpoint;
use indelible::format::note::SignerKey;
use indelible::format::tree::{Frontier, leaf_hash};
use indelible::{
    AuditLog, Event, FindingClass, KeptCheckpoint, Options, Problem, Report, Verdict, Verifier,
};

use crate::anchors::copy;
use crate::checker::write;
use crate::reference::disk;

const ORIGIN: &str = "example.com/audit";

/// A log of a few tiles in one file, still open: no checkpoint covers it yet, and no row.
fn filled(folder: &Path) -> AuditLog {
    let options = Options::default().with_origin(ORIGIN.parse().unwrap());
    let log = AuditLog::create(folder, options).unwrap();
    let events: Vec<Event> =
        (0..1_100).map(|number| Event::new("a", "b", format!("file:{number}"))).collect();
    for pending in log.submit_all(&events).unwrap() {
        pending.wait().unwrap();
    }
    log
}

/// Such a log, closed, its key, and the roots of its first sizes.
fn logged(folder: &Path) -> (SignerKey, Vec<Hash>) {
    filled(folder).close().unwrap();
    let lines = std::fs::read(folder.join("audit.log")).unwrap();
    let mut tree = Frontier::new();
    let mut roots = vec![tree.root()];
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        tree.push(leaf_hash(&Link::split(line).unwrap().hash));
        roots.push(tree.root());
    }
    let key = std::fs::read_to_string(folder.with_extension("key")).unwrap();
    (key.trim_end().parse().unwrap(), roots)
}

fn held_against(folder: &Path, key: &SignerKey, size: usize, root: Hash) -> Report {
    let size = u64::try_from(size).unwrap();
    let checkpoint = Checkpoint { origin: ORIGIN.parse().unwrap(), size, root };
    let note = checkpoint.sign(key).to_string();
    let kept = KeptCheckpoint::read_all("kept.txt", note.as_bytes()).unwrap().remove(0);
    Verifier::on(disk(), folder).with_checkpoint(kept).verify().unwrap()
}

#[test]
fn a_kept_checkpoint_of_any_size_is_held_against_the_tree_of_that_size() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let (key, roots) = logged(&folder);
    let near = [1, 2, 255, 256, 257, 258, 300, 511, 512, 513, 767, 768, 769, 1_000, 1_023, 1_024];
    for size in near.into_iter().chain([roots.len() - 2, roots.len() - 1]) {
        let report = held_against(&folder, &key, size, roots[size]);
        assert_eq!(report.verdict(), Verdict::Sound, "{size}: {report}");
        assert_eq!(report.anchors.covered, Some(u64::try_from(size).unwrap()), "{size}: {report}");
        // The root of the size before.
        let report = held_against(&folder, &key, size, roots[size - 1]);
        assert_eq!(report.verdict(), Verdict::Broken, "{size}: {report}");
        assert_eq!(report.findings[0].class, FindingClass::Tampering, "{size}: {report}");
    }
}

/// What becomes of an entry's head and of the hash of the record before.
type Change<'c> = &'c dyn Fn(String, &Hash) -> (String, Hash);

/// Writes the log's lines again from the one of `seq` on, changed by `change` there, and chained and hashed rightly behind.
fn rewritten(folder: &Path, seq: usize, change: Change<'_>) {
    let path = folder.join("audit.log");
    let lines = std::fs::read(&path).unwrap();
    let (mut written, mut last) = (Vec::new(), Hash::ZERO);
    for (at, line) in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate()
    {
        let head = std::str::from_utf8(Link::split(line).unwrap().entry_head).unwrap().to_owned();
        let (head, prev) = if at == seq { change(head, &last) } else { (head, last) };
        let mut sealed = head.into_bytes();
        last = seal(&mut sealed, 0, &prev);
        written.extend(sealed);
        written.push(b'\n');
    }
    write(&path, &written);
}

#[test]
fn a_line_amid_many_that_does_not_follow_is_told_with_the_seq_that_it_says() {
    let earlier = |head: String| head.replacen("\"timestamp\":\"2", "\"timestamp\":\"1", 1);
    let skipping = |head: String| head.replacen("\"seq\":300,", "\"seq\":302,", 1);
    let changes: [(Problem, usize, u64, Change<'_>); 4] = [
        (Problem::ChainBroken, 300, 300, &|head, _| (head, Hash::ZERO)),
        (Problem::ChainBroken, 1_099, 1_099, &|head, _| (head, Hash::ZERO)),
        (Problem::TimeDecreases, 300, 300, &|head, last| (earlier(head), *last)),
        (Problem::SeqOutOfOrder, 300, 302, &|head, last| (skipping(head), *last)),
    ];
    let both = |change| [(true, change), (false, change)];
    for (covered, (problem, seq, told, change)) in changes.into_iter().flat_map(both) {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("audit");
        if covered {
            drop(logged(&folder));
        } else {
            let original = place.path().join("original");
            let log = filled(&original);
            copy(&original, &folder);
            log.close().unwrap();
        }
        rewritten(&folder, seq, change);
        let report = Verifier::on(disk(), &folder).verify().unwrap();
        assert_eq!(report.verdict(), Verdict::Broken, "{report}");
        let first = &report.findings[0];
        assert_eq!((first.problem, first.seq), (problem, Some(told)), "{report}");
    }
}
