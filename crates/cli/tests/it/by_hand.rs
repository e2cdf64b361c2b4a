//! The script that checks a log with `sed` and `sha256sum`, where there is nothing to check.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::support::*;

#[test]
fn without_a_log_the_script_says_so_and_ends() {
    let place = tempfile::tempdir().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify-by-hand.sh");
    let check = |args: &[&str]| {
        // Held open, as a terminal is: who reads it waits for ever.
        let (stdin, _held) = io::pipe().expect("a pipe");
        Command::new("sh")
            .current_dir(place.path())
            .arg(&script)
            .args(args)
            .stdin(stdin)
            .output()
            .expect("it runs")
    };
    assert_fails(&check(&["."]), 2, "no audit.log here\n");
    let told = check(&[]);
    assert_eq!(told.status.code(), Some(2), "{}", text(&told.stdout));
    assert!(!told.stderr.is_empty());
    fs::File::create(place.path().join("audit.log")).expect("made");
    let empty = check(&["."]);
    assert_eq!((empty.status.code(), text(&empty.stdout).as_str()), (Some(1), "no record here\n"));
}
