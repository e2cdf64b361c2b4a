//! `indelible completions` and `indelible man`.

use std::process::Command;

use crate::support::*;

#[test]
fn every_shell_gets_completions_that_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = indelible().args(["completions", shell]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = text(&output.stdout);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
    let output = indelible().args(["completions", "tcl"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let script = indelible().args(["completions", "bash"]).output().expect("it runs").stdout;
    let mut bash = Command::new("bash");
    let checked = bash.args(["-n", "-c", &text(&script)]).status();
    assert!(checked.expect("bash").success());
}

#[test]
fn one_page_a_command_is_written_and_over_those_of_an_older_version() {
    let place = tempfile::tempdir().expect("a folder");
    let run =
        |args: &[&str]| indelible().current_dir(place.path()).args(args).output().expect("it runs");
    let output = run(&["man", "."]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for command in COMMANDS {
        let page = place.path().join(format!("indelible-{command}.1"));
        let page = std::fs::read_to_string(page).expect("a page");
        assert!(page.contains(".TH indelible-") && page.contains("SYNOPSIS"), "{command}: {page}");
    }
    assert!(place.path().join("indelible.1").is_file());
    assert!(place.path().join("indelible-token-new.1").is_file());
    let old = place.path().join("indelible-show.1");
    let page = std::fs::read(&old).expect("a page");
    write(&old, b"of an older version");
    let again = run(&["man", "."]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    assert_eq!(std::fs::read(&old).expect("a page"), page);
    let left = std::fs::read_dir(place.path()).expect("a folder");
    assert_eq!(
        left.filter(|e| e.as_ref().expect("a file").path().extension() != Some("1".as_ref()))
            .count(),
        0
    );
    std::fs::remove_file(&old).and_then(|()| std::fs::create_dir(&old)).expect("made");
    let again = run(&["man", "."]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("nothing is written over it"), "{}", text(&again.stderr));
    assert!(text(&run(&["man"]).stdout).contains(".TH indelible 1"));
}
