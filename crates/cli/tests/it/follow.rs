//! `indelible tail -f`: what comes is printed once, over rotation, until Ctrl-C.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use crate::support::*;

fn follow(log: &Log, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_indelible"))
        .current_dir(log.place.path())
        .args(["tail", "audit", "-f"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs")
}

fn interrupt(child: &Child) {
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.is_ok_and(|status| status.success()));
}

#[test]
fn records_come_once_over_rotation_until_ctrl_c() {
    let log = Log::new();
    log.append(events(0, 5), &[]);
    let mut child = follow(&log, &["-n", "2"]);
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut next = || {
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    assert_eq!([next(), next()], log.lines()[4..]);
    assert_eq!(log.append(large_events(8), &["--max-file-size", "192KiB"]).status.code(), Some(0));
    let lines = log.lines();
    assert!(log.folder().join("audit.log.2").exists());
    for line in &lines[6..] {
        assert_eq!(next(), *line);
    }
    interrupt(&child);
    let (mut rest, mut said) = (String::new(), String::new());
    output.read_to_string(&mut rest).expect("the rest");
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("the rest");
    let status = child.wait().expect("it ended");
    assert_eq!((status.code(), rest.as_str(), said.as_str()), (Some(0), "", ""));
}
