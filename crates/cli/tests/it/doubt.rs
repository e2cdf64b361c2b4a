//! What people are advised to do when a stream of events stops half-way: a line is to be mended only where it is at fault.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::*;

/// A process that appends what it is sent.
struct Appending {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Appending {
    fn to(log: &Log, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_indelible"))
            .current_dir(log.place.path())
            .args(["append", "audit", "--file", "-", "--receipts"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let input = child.stdin.take().expect("stdin");
        let output = BufReader::new(child.stdout.take().expect("stdout"));
        Self { child, input, output }
    }

    /// Sends a line, and waits for its receipt.
    fn send(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("sent");
        let mut receipt = String::new();
        self.output.read_line(&mut receipt).expect("readable");
        assert!(receipt.starts_with("{\"log_id\":"), "{receipt}");
    }

    /// Sends a last line; what it says at its end, and its exit code.
    fn end_with(mut self, line: &str) -> (String, Option<i32>) {
        writeln!(self.input, "{line}").expect("sent");
        drop(self.input);
        let mut told = String::new();
        self.child.stderr.take().expect("stderr").read_to_string(&mut told).expect("readable");
        (told, self.child.wait().expect("it ends").code())
    }
}

#[test]
fn an_event_that_may_be_recorded_is_sent_again_by_its_id_and_looked_for_without() {
    for (event, hint) in [
        (
            EVENT,
            "don't send them again before you have looked, since without an event_id they would be recorded twice: \
             `indelible checkpoint audit` opens the log and settles it, `indelible tail audit -n 10` then shows what it \
             has",
        ),
        (
            r#"{"event_id":"e","actor":"a","action":"b","resource":"c"}"#,
            "append the same events again, with the same event_id: what is recorded is not recorded twice; send line 2 \
             again with all that follows",
        ),
    ] {
        let log = Log::new();
        let mut appending = Appending::to(&log, &[]);
        appending.send(EVENT);
        let path = log.folder().join("audit.log");
        let kept = fs::read(&path).expect("a segment");
        fs::remove_file(&path).expect("removed");
        let (told, code) = appending.end_with(event);
        assert_eq!(code, Some(1));
        assert_eq!(
            told,
            format!(
                "indelible: stdin line 2: indeterminate, perhaps written: {}: somebody moved or replaced the file while \
                 the log was open\n\
                 indelible: line 1 is recorded as seq 1; line 2 may or may not be recorded; nothing from line 3 on was \
                 appended\n\
                 hint: {hint}\n",
                path.display()
            )
        );
        write(&path, &kept);
        log.append(EVENT, &[]);
        log.assert_sound();
    }
}

#[test]
fn a_line_that_met_a_halted_log_is_not_at_fault() {
    let log = Log::new();
    let mut appending = Appending::to(&log, &["--checkpoint-interval", "1ms"]);
    appending.send(EVENT);
    let checkpoint = log.folder().join("checkpoint");
    wait_until(|| {
        fs::read_to_string(&checkpoint).is_ok_and(|note| note.lines().nth(1) == Some("2"))
    });
    // A checkpoint can't take the place of a folder: the log halts.
    let note = fs::read(&checkpoint).expect("a note");
    fs::remove_file(&checkpoint).expect("removed");
    fs::create_dir(&checkpoint).expect("made");
    appending.send(EVENT);
    let process = appending.child.id();
    wait_until(|| !has_thread(process, "indelible-check"));
    let (told, code) = appending.end_with(EVENT);
    assert_eq!(code, Some(1));
    assert_eq!(
        told,
        format!(
            "indelible: stdin line 3: not written, the log has halted: could not rename {}: Is a directory (os error 21); \
             the log must be opened again\n\
             indelible: lines 1 to 2 are recorded as seq 1 to 2; nothing from line 3 on was appended\n\
             hint: line 3 is not at fault: put right what is named above, and send line 3 again with all that follows\n",
            checkpoint.display()
        )
    );
    fs::remove_dir(&checkpoint).expect("removed");
    write(&checkpoint, &note);
    log.append(EVENT, &[]);
    log.assert_sound();
}

/// Whether a process has a thread whose name begins so; one that makes checkpoints ends when the log halts.
fn has_thread(process: u32, name: &str) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("a process");
    threads.filter_map(Result::ok).any(|thread| {
        fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))
    })
}

fn wait_until(true_now: impl Fn() -> bool) {
    let begun = Instant::now();
    while !true_now() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not come");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_not_one_object_a_line_is_told_so() {
    let log = Log::new();
    assert_fails(
        &log.append(format!("\u{feff}{EVENT}\n"), &[]),
        1,
        "indelible: stdin line 1: it begins with a byte order mark (EF BB BF), which no JSON has: save it as UTF-8 without \
         one\n\
         indelible: nothing from line 1 on was appended\n\
         hint: mend line 1, and send it again with all that follows\n",
    );
    let pretty = EVENT.replace(',', ",\n ");
    assert_fails(
        &log.append(format!("{EVENT}\n{pretty}\n"), &[]),
        1,
        "indelible: stdin line 2: not one JSON object: byte 20: the text ends within a value\n\
         indelible: line 1 is recorded as seq 1; nothing from line 2 on was appended\n\
         hint: an event is one JSON object on one line, as `jq -c .` writes it, or `jq -c '.[]'` from an array; mend line \
         2, and send it again with all that follows\n",
    );
}
