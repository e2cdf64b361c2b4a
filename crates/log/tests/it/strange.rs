//! Things that are no files where a verifier looks for files, and more notes than anybody needs: it says so, and goes on.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use indelible::{AuditLog, Event, Options, Problem, Report, Verdict, Verifier};

/// A log of several segments, closed.
fn filled(at: &Path) -> PathBuf {
    let folder = at.join("audit");
    let options = Options::default().with_entry_size_max(8 << 10).with_max_file_size(80 << 10);
    let log = AuditLog::create(&folder, options).unwrap();
    for number in 0..40 {
        let large = serde_json::json!({"x": "y".repeat(7_000)});
        log.append(Event::new("a", "b", format!("r{number}")).metadata(large)).unwrap();
    }
    log.close().unwrap();
    folder
}

fn verify(folder: &Path) -> Report {
    Verifier::new(folder).unwrap().verify().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "somebody else renames")]
fn move_aside(path: &Path) -> PathBuf {
    let aside = path.with_extension("aside");
    std::fs::rename(path, &aside).unwrap();
    aside
}

#[test]
fn a_link_or_a_folder_in_a_files_place_is_found_and_the_rest_is_looked_at() {
    for name in ["audit.log.2", "audit.log", "checkpoint", "checkpoints.jsonl"] {
        for as_folder in [false, true] {
            let temporary = tempfile::tempdir().unwrap();
            let folder = filled(temporary.path());
            let path = folder.join(name);
            let aside = move_aside(&path);
            if as_folder {
                std::fs::create_dir(&path).unwrap();
            } else {
                symlink(&aside, &path).unwrap();
            }
            let report = verify(&folder);
            assert_eq!(report.verdict(), Verdict::Broken, "{name}: {report}");
            let is_it = |finding: &&indelible::Finding| {
                finding.problem == Problem::NotAFile && finding.file.as_deref() == Some(name)
            };
            assert!(report.findings.iter().any(|finding| is_it(&finding)), "{name}: {report}");
            assert!(report.records > 20, "{name}: {report}");
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "somebody else writes")]
fn where_there_is_no_record_the_path_is_doubted_only_where_no_file_of_a_log_is() {
    let temporary = tempfile::tempdir().unwrap();
    let whole = filled(temporary.path());
    let copied = |to: &Path, name: &str| {
        assert!(std::fs::copy(whole.join(name), to.join(name)).unwrap() > 0);
    };
    let doubted = |put: &dyn Fn(&Path)| {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("audit");
        std::fs::create_dir(&folder).unwrap();
        put(&folder);
        let report = verify(&folder);
        let none = report.findings.iter().find(|f| f.problem == Problem::NoRecord).unwrap();
        none.evidence.iter().any(|sentence| sentence.contains("is the path right"))
    };
    assert!(doubted(&|_| {}));
    assert!(doubted(&|to| std::fs::write(to.join("notes.txt"), "x").unwrap()));
    assert!(!doubted(&|to| std::fs::write(to.join("audit.log"), "").unwrap()));
    assert!(!doubted(&|to| std::fs::write(to.join("audit.log"), "x\n").unwrap()));
    assert!(!doubted(&|to| std::fs::create_dir(to.join("audit.log")).unwrap()));
    assert!(!doubted(&|to| copied(to, "checkpoint")));
    assert!(!doubted(&|to| copied(to, "checkpoints.jsonl")));
}

#[test]
fn a_link_in_a_rows_place_is_damage_to_the_rows() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = filled(temporary.path());
    let path = folder.join("tree/0");
    symlink(move_aside(&path), &path).unwrap();
    let report = verify(&folder);
    assert_eq!(report.findings[0].problem, Problem::RowsMissing, "{report}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "somebody else writes")]
fn many_lines_that_are_no_notes_are_found_and_take_no_memory_each() {
    for line in ["{\"note\":\"x\"}\n", "\n", "junk\n"] {
        let temporary = tempfile::tempdir().unwrap();
        let folder = filled(temporary.path());
        let path = folder.join("checkpoints.jsonl");
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str(&line.repeat(5_000));
        std::fs::write(&path, text).unwrap();
        let report = verify(&folder);
        assert_eq!(report.verdict(), Verdict::Broken, "{line:?}");
        assert_eq!(report.findings[0].problem, Problem::CheckpointMalformed, "{line:?}");
    }
}
