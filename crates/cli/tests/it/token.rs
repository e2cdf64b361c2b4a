//! `indelible token`: the token goes to stdout, once, and its digest into the file.

use std::fs;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::*;

fn run(place: &TempDir, args: &[&str]) -> Output {
    let mut command = indelible();
    command.current_dir(place.path()).arg("token").args(args);
    command.args(["--tokens", "tokens.jsonl"]).output().expect("it runs")
}

fn entries(place: &TempDir) -> Vec<Value> {
    json_lines(&fs::read(place.path().join("tokens.jsonl")).expect("a file"))
}

#[test]
fn a_token_is_printed_once_and_kept_as_its_digest_alone() {
    let place = tempfile::tempdir().expect("a folder");
    let new = [
        "new",
        "--name",
        "agent-7",
        "--role",
        "append,read",
        "--log",
        "default",
        "--expires",
        "90d",
    ];
    let output = run(&place, &[&new[..], &["--actor", "agent:7*"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let token = text(&output.stdout);
    let token = token.strip_suffix('\n').expect("one line");
    assert!(token.len() == 53 && token.starts_with("indelible_"), "{token}");
    assert!(!text(&output.stderr).contains(token));
    let entry = &entries(&place)[0];
    assert_eq!(
        (&entry["name"], &entry["append"][0], &entry["read"][0]),
        (&"agent-7".into(), &"default".into(), &"default".into())
    );
    assert_eq!(entry["actors"][0], "agent:7*");
    assert!(entry["expires"].as_str() > entry["created"].as_str());
    let file = fs::read_to_string(place.path().join("tokens.jsonl")).expect("a file");
    assert!(
        !file.contains(token)
            && !file.contains(token.strip_prefix("indelible_").expect("so it begins"))
    );
    let listed = text(&run(&place, &["list"]).stdout);
    let digest = entry["sha256"].as_str().expect("a digest");
    assert!(listed.contains("agent-7  append:default,read:default  agent:7*"), "{listed}");
    assert!(!listed.contains(digest) && !listed.contains(token), "{listed}");
    assert_fails(
        &run(&place, &new),
        1,
        "indelible: there is a token \"agent-7\" already\n\
         hint: give it another name, so that records tell the two apart, or take the old one back: `indelible token revoke \
         agent-7`\n",
    );
}

#[test]
fn a_revoked_token_is_gone_and_what_there_is_not_can_not_be_revoked() {
    let place = tempfile::tempdir().expect("a folder");
    for name in ["a", "b"] {
        let output = run(
            &place,
            &["new", "--name", name, "--role", "read", "--log", "*", "--expires", "never"],
        );
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    assert_fails(&run(&place, &["revoke", "a"]), 0, "indelible: revoked the token \"a\"\n");
    let left = entries(&place);
    assert_eq!((left.len(), &left[0]["name"], &left[0]["read"][0]), (1, &"b".into(), &"*".into()));
    assert_fails(
        &run(&place, &["revoke", "a"]),
        1,
        "indelible: tokens.jsonl has no token \"a\"\nhint: `indelible token list` names those that there are\n",
    );
}

#[test]
fn what_makes_no_sense_is_refused_before_a_token_is_made() {
    let place = tempfile::tempdir().expect("a folder");
    for (args, code, told) in [
        (
            &["--name", "a b", "--role", "read", "--expires", "1d"][..],
            1,
            "a token's name is 1 to 64 of",
        ),
        (
            &["--name", "a", "--role", "write", "--expires", "1d"],
            2,
            "a role is append, read or admin",
        ),
        (
            &["--name", "a", "--role", "read", "--expires", "yesterday"],
            2,
            "is no time in the future",
        ),
        (&["--name", "a", "--role", "read"], 2, "--expires"),
        (
            &["--name", "a", "--role", "read", "--expires", "1d", "--log", "defalt"],
            1,
            "\"defalt\" is none of the logs (default)",
        ),
    ] {
        let output = run(&place, &[&["new"], args].concat());
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), ""));
        assert!(text(&output.stderr).contains(told), "{told}: {}", text(&output.stderr));
    }
    assert!(!place.path().join("tokens.jsonl").exists());
    let output = indelible().current_dir(place.path()).args(["token", "list"]).output();
    let told = text(&output.expect("it runs").stderr);
    assert!(
        told.starts_with(
            "indelible: no file for tokens is named: neither --tokens nor auth.tokens in the configuration says which\nhint: set auth.tokens"
        ),
        "{told}"
    );
    let listed = run(&place, &["list"]);
    assert_eq!(listed.status.code(), Some(1));
    assert!(
        text(&listed.stderr)
            .contains("there is no token file at tokens.jsonl\nhint: `indelible token new")
    );
}

#[test]
fn a_list_is_no_wider_than_the_terminal_and_says_all_the_same() {
    let place = tempfile::tempdir().expect("a folder");
    let made = run(
        &place,
        &[
            "new",
            "--name",
            "payments-agent",
            "--role",
            "append,read",
            "--actor",
            "agent:payments-*",
            "--expires",
            "90d",
        ],
    );
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let mut command = indelible();
    command.current_dir(place.path()).args(["token", "list", "--tokens", "tokens.jsonl"]);
    let wide = text(&command.output().expect("it runs").stdout);
    assert!(wide.contains("append:default,read:default"), "{wide}");
    let narrow = text(&command.env("COLUMNS", "80").output().expect("it runs").stdout);
    for line in narrow.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let first = narrow.lines().nth(2).expect("a token");
    assert!(first.starts_with("payments-agent  append:default  agent:payments-*  20"), "{narrow}");
    assert!(narrow.contains("\n                read:default "), "{narrow}");
}
