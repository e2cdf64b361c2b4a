//! `indelible verify` with what was kept outside: flags, exit codes, sentences, and what people mix up.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::*;

/// A log with what somebody kept of it: a checkpoint and receipts early and late, and a copy from in between.
struct Kept {
    log: Log,
}

impl Kept {
    fn new() -> Self {
        let log = Log::new();
        for (name, from) in [("early", 0), ("late", 5)] {
            let receipts = log.append(events(from, 5), &["--receipts"]).stdout;
            write(&log.place.path().join(format!("{name}.jsonl")), &receipts);
            let checkpoint = log.run(&["checkpoint", "audit"]).stdout;
            write(&log.place.path().join(format!("{name}.txt")), &checkpoint);
            if name == "early" {
                copy(&log.folder(), &log.place.path().join("rolled-back"));
            }
        }
        write(&log.place.path().join("key.txt"), log.key.as_bytes());
        Self { log }
    }

    /// Exit code, stdout and stderr.
    fn verify(&self, folder: &str, args: &[&str]) -> (i32, String, String) {
        let output = self.log.run(&[&["verify", folder], args].concat());
        (output.status.code().expect("a code"), text(&output.stdout), text(&output.stderr))
    }

    /// Fails with 1, nothing on stdout, and this on stderr.
    #[track_caller]
    fn assert_could_not(&self, args: &[&str], told: &str) {
        assert_eq!(self.verify("audit", args), (1, String::new(), told.to_owned()));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn each_anchor_says_what_it_leaves_open() {
    let kept = Kept::new();
    let (code, told, _) = kept.verify("audit", &[]);
    let start = "sound, but not anchored: every check passed; not ruled out, since nothing from\n";
    assert!(code == 0 && told.starts_with(start), "{told}");
    assert!(told.contains("held against   nothing but itself: its own key is no anchor\n"));
    let (code, told, _) = kept.verify("audit", &["--key", &kept.log.key]);
    let start = "sound: every check passed\nnot ruled out, since a key can't tell the newest state";
    assert!(code == 0 && told.starts_with(start), "{told}");
    for flag in [["--checkpoint", "early.txt"], ["--receipts", "early.jsonl"]] {
        let (code, told, _) = kept.verify("audit", &flag);
        let start = "sound: every check passed\nnot ruled out: that records after the first 6 were";
        assert!(code == 0 && told.starts_with(start), "{told}");
    }
    let all = ["--checkpoint", "early.txt", "--checkpoint", "late.txt", "--receipts", "late.jsonl"];
    let (code, told, _) = kept.verify("audit", &all);
    let start = "sound: every check passed\nnot ruled out: that more records followed these 11 and";
    assert!(code == 0 && told.starts_with(start), "{told}");
}

#[test]
fn a_log_that_was_rolled_back_is_sound_until_it_is_held_against_something() {
    let kept = Kept::new();
    assert_eq!(kept.verify("rolled-back", &[]).0, 0);
    assert_eq!(kept.verify("rolled-back", &["--key", &kept.log.key]).0, 0);
    let (code, told, _) = kept.verify("rolled-back", &["--checkpoint", "late.txt"]);
    assert!(code == 3 && told.contains("(kept-checkpoint-beyond)"), "{told}");
    assert!(told.contains("expected       11 records\nfound          6 records\n"), "{told}");
    assert!(told.contains("\nwhat to do     copy the folder as it is"), "{told}");
    let (code, told, _) = kept.verify("rolled-back", &["--receipts", "late.jsonl", "--json"]);
    let report: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((code, &report["verdict"]), (3, &Value::from("broken")));
    let first = &report["findings"][0];
    assert_eq!((&first["problem"], &first["seq"]), (&"receipt-record-missing".into(), &6.into()));
    assert_eq!(report["anchors"]["receipts"], 5);
}

#[test]
fn a_log_rewritten_under_another_key_is_not_sound_with_any_anchor() {
    let kept = Kept::new();
    let remade = Log::new();
    copy(&remade.folder(), &kept.log.place.path().join("remade"));
    assert_eq!(kept.verify("remade", &[]).0, 0);
    let (code, told, _) = kept.verify("remade", &["--checkpoint", "late.txt"]);
    assert!(code == 3 && told.contains("(kept-checkpoint-beyond)"), "{told}");
    assert!(told.contains("the kept note is by key id "), "{told}");
    assert!(told.contains("against what else was kept"), "{told}");
    let (code, told, _) = kept.verify("remade", &["--key", &kept.log.key]);
    assert!(code == 3 && told.contains("(key-of-another-log)"), "{told}");
    assert!(told.contains("missing: the log that was asked for is not here."), "{told}");
    assert!(
        told.contains("look whether folder, key, checkpoints and receipts are of the"),
        "{told}"
    );
    let (code, told, _) = kept.verify("remade", &["--receipts", "late.jsonl"]);
    assert!(code == 3 && told.contains("(receipt-of-another-log)"), "{told}");
}

#[test]
fn a_folder_without_any_file_of_a_log_is_asked_whether_it_is_the_right_one() {
    let kept = Kept::new();
    fs::create_dir(kept.log.place.path().join("empty")).expect("a folder");
    let (code, told, _) = kept.verify("empty", &[]);
    assert_eq!(code, 3);
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let asked = "there is no file of a log here: is the path right, is its volume mounted?";
    assert!(told.contains(asked), "{told}");
    assert!(told.contains("what to do look whether the path is right"), "{told}");
}

#[test]
fn stdin_holds_receipts_or_checkpoints_and_can_be_read_once() {
    let kept = Kept::new();
    let place = kept.log.place.path();
    let many = ["early.txt", "late.txt"].map(|name| fs::read(place.join(name)).expect("kept"));
    for (flag, bytes) in [
        ("--checkpoint", many.concat()),
        ("--receipts", fs::read(place.join("late.jsonl")).expect("kept")),
    ] {
        let mut command = kept.log.command();
        let output = command.args(["verify", "audit", flag, "-"]).write_stdin(bytes).output();
        let output = output.expect("it runs");
        let told = text(&output.stdout);
        assert!(output.status.success() && told.contains("followed these 11"), "{told}");
    }
    assert_eq!(
        kept.verify("audit", &["--checkpoint", "-", "--receipts", "-"]),
        (
            2,
            String::new(),
            "indelible: `-` stands for stdin, which can be read only once\n".to_owned()
        )
    );
}

#[test]
fn require_anchor_takes_nothing_unanchored_for_sound() {
    let kept = Kept::new();
    let (code, told, why) = kept.verify("audit", &["--require-anchor"]);
    assert!(
        code == 3 && told.starts_with("sound, but not anchored: every check passed; "),
        "{told}"
    );
    assert_eq!(
        why,
        "indelible: nothing from outside was held against the log, which --require-anchor does not take for sound\n"
    );
    let with_origin = ["--require-anchor", "--origin", ORIGIN];
    assert_eq!(kept.verify("audit", &with_origin).0, 3, "an origin is no anchor");
    for flag in
        [["--key", &kept.log.key], ["--checkpoint", "early.txt"], ["--receipts", "early.jsonl"]]
    {
        let args = ["--require-anchor", flag[0], flag[1]];
        let (code, told, why) = kept.verify("audit", &args);
        assert_eq!((code, why.as_str()), (0, ""), "{told}");
    }
    // Of the same name, by another key: not compared.
    let other = Log::new();
    let note = other.run(&["checkpoint", "audit"]).stdout;
    write(&kept.log.place.path().join("other.txt"), &note);
    let args = ["--key", &kept.log.key, "--checkpoint", "other.txt"];
    let (code, told, _) = kept.verify("audit", &args);
    assert!(code == 0 && told.contains("\nkey-unknown    a checkpoint that was kept"), "{told}");
    let (code, _, why) = kept.verify("audit", &[&args[..], &["--require-anchor"]].concat());
    assert_eq!(code, 3);
    assert!(
        why.starts_with("indelible: there are checkpoints by keys that are not known"),
        "{why}"
    );
}

#[test]
fn another_origin_is_not_sound() {
    let kept = Kept::new();
    let given = ["--origin", "example.org/audit", "--key", &kept.log.key];
    let (code, told, _) = kept.verify("audit", &given);
    assert!(code == 3 && told.contains("(origin-differs)"), "{told}");
    let given = ["--origin", ORIGIN, "--key", &kept.log.key];
    assert_eq!(kept.verify("audit", &given).0, 0);
}

#[test]
fn what_people_mix_up_is_said_with_what_to_do_instead() {
    let kept = Kept::new();
    kept.assert_could_not(
        &["--checkpoint", "audit.key"],
        "indelible: audit.key holds a private key, and no checkpoint\n\
         hint: a checkpoint is what `indelible checkpoint DIR` prints; verifying needs no private key: \
         keep that file where it is, and to yourself\n",
    );
    kept.assert_could_not(
        &["--checkpoint", "key.txt"],
        "indelible: key.txt holds a verifier key, and no checkpoint\n\
         hint: give the key itself with --key \"$(cat key.txt)\"\n",
    );
    kept.assert_could_not(
        &["--checkpoint", "late.jsonl"],
        "indelible: late.jsonl holds JSON, and no checkpoint\n\
         hint: receipts are given with --receipts\n",
    );
    kept.assert_could_not(
        &["--receipts", "late.txt"],
        "indelible: late.txt holds a checkpoint, and no receipts\n\
         hint: checkpoints are given with --checkpoint\n",
    );
    kept.assert_could_not(
        &["--checkpoint", "none.txt"],
        "indelible: could not read none.txt: No such file or directory (os error 2)\n",
    );
    kept.assert_could_not(
        &["--receipts", "audit"],
        "indelible: could not read audit: is a directory\n",
    );
}

#[test]
fn receipts_and_checkpoints_of_the_wrong_form_are_named_with_their_line() {
    let kept = Kept::new();
    let place = kept.log.place.path();
    let receipts = fs::read_to_string(place.join("late.jsonl")).expect("kept");
    let hint = "hint: receipts are the lines that `indelible append --receipts` prints\n";
    for (name, bytes, told) in [
        ("empty", String::new(), "bad holds no receipt"),
        ("no JSON", format!("{receipts}\nhello\n"), "bad line 7: not a receipt: no JSON object"),
        ("an event", EVENT.to_owned(), "bad line 1: not a receipt: there is no log_id\n"),
        (
            "a wrong member",
            receipts.replacen("\"seq\":7", "\"seq\":\"7\"", 1),
            "bad line 2: not a receipt: seq is not a whole number of at most 18 digits\n",
        ),
    ] {
        write(&place.join("bad"), bytes.as_bytes());
        let (code, out, err) = kept.verify("audit", &["--receipts", "bad"]);
        assert_eq!((code, out.as_str()), (1, ""), "{name}");
        assert!(err.starts_with(&format!("indelible: {told}")), "{name}: {err}");
        assert!(err.ends_with(hint), "{name}: {err}");
    }
    let note = fs::read_to_string(place.join("late.txt")).expect("kept");
    let hint = "hint: a checkpoint is what `indelible checkpoint audit` prints\n";
    for (name, bytes, told) in [
        ("empty", String::new(), "bad: there is no checkpoint in it\n"),
        (
            "cut",
            note.get(..note.len() - 3).expect("ASCII at the end").to_owned(),
            "bad line 1: not a checkpoint: signature line 0: no canonical base64",
        ),
        ("text", "hello\n".to_owned(), "bad line 1: not a checkpoint: note has no blank line"),
    ] {
        write(&place.join("bad"), bytes.as_bytes());
        let (code, out, err) = kept.verify("audit", &["--checkpoint", "bad"]);
        assert_eq!((code, out.as_str()), (1, ""), "{name}");
        assert!(err.starts_with(&format!("indelible: {told}")), "{name}: {err}");
        assert!(err.ends_with(hint), "{name}: {err}");
    }
}
