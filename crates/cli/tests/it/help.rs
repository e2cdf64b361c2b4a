//! Help teaches: every command shows an example of itself, and every flag of the issue is there.

use crate::support::*;

/// The service and what belongs to it; the commands that prove, repair and copy, and those about the command itself; and
/// words that each explains.
const BESIDE: [(&str, &[&str]); 9] = [
    (
        "serve",
        &[
            "--config",
            "INDELIBLE_CONFIG",
            "--set",
            "--listen",
            "--folder",
            "--create",
            "--tokens",
            "--allow-anonymous-from-anywhere",
            "SIGTERM",
            "SIGHUP",
            "Exit status: 0 stopped in order; 1 ",
        ],
    ),
    ("config", &["check", "show"]),
    ("token", &["new", "list", "revoke"]),
    (
        "prove",
        &["--from", "--record", "--output", "--key", "--wait", "--key-file", "Exit status: 0 "],
    ),
    ("verify-proof", &["--key", "--checkpoint", "--json", "Exit status: 0 proven; 3 "]),
    ("repair", &["--yes", "--key-file", "Exit status: 0 nothing to repair"]),
    ("backup", &["DEST", "DIR"]),
    ("completions", &["bash", "zsh", "fish", "Exit status: 0 printed; 1 "]),
    ("man", &["FOLDER"]),
];

const VERIFY_FLAGS: [&str; 8] = [
    "--key",
    "--checkpoint",
    "--receipts",
    "--origin",
    "--require-anchor",
    "--strict",
    "--json",
    "Exit status: 0 sound; 3 ",
];
const QUERY_FLAGS: [&str; 16] = [
    "--actor",
    "--action",
    "--resource",
    "--outcome",
    "--event-id",
    "--recorded-by",
    "--session",
    "--since",
    "--until",
    "--seq",
    "--reverse",
    "--limit",
    "--count",
    "--output",
    "--unsynced",
    "Exit status: 0 done, also where nothing matches",
];

#[test]
fn every_command_explains_itself_with_an_example() {
    let commands = [
        (
            "init",
            &[
                "--origin",
                "--continues",
                "--reason",
                "--key-file",
                "--allow-network-file-system",
                "| tee audit.vkey",
                "--key \"$(cat audit.vkey)\"",
                "Exit status: 0 made; 1 ",
            ][..],
        ),
        (
            "append",
            &[
                "--actor",
                "--action",
                "--resource",
                "--outcome",
                "--event-id",
                "--event-time",
                "--parent-id",
                "--session",
                "--metadata",
                "--file",
                "--receipts",
                "--threads",
                "--create",
                "--max-file-size",
                "INDELIBLE_MAX_FILE_SIZE",
                "--max-files",
                "INDELIBLE_MAX_FILES",
                "--checkpoint-interval",
                "INDELIBLE_CHECKPOINT_INTERVAL",
                "--key-file",
                "INDELIBLE_KEY_FILE",
                "--accept-last-timestamp",
                "at least 192KiB",
                "Exit status: 0 all is recorded; 1 ",
            ],
        ),
        ("show", &["--unsynced"]),
        ("tail", &["-n", "-f", "--unsynced", "Exit status: 0 done, also by Ctrl-C; 1 "]),
        ("query", &QUERY_FLAGS),
        ("verify", &VERIFY_FLAGS),
        ("checkpoint", &["--key-file", "> kept.txt", "Exit status: 0 printed; 1 "]),
    ];
    for (command, words) in commands.into_iter().chain(BESIDE) {
        let output = indelible().args([command, "--help"]).output().expect("it runs");
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
        let help = text(&output.stdout);
        assert!(help.contains("\nExamples:\n  indelible "), "{command}: {help}");
        assert!(help.contains(&format!("\n  indelible {command} ")), "{command}: {help}");
        for word in words {
            assert!(help.contains(word), "{command} does not explain {word}");
        }
        assert!(!help.contains('\u{1b}'), "{command}: colours into a pipe");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{command}: a line over 100 characters"
        );
    }
}

#[test]
fn commands_of_a_command_explain_themselves_too() {
    for (command, words) in [
        (["config", "check"], &["--config", "--set", "Exit status: 0 nothing is wrong; 1 "][..]),
        (["config", "show"], &["--config", "Exit status: 0 printed; 1 "]),
        (
            ["token", "new"],
            &[
                "--name",
                "--role",
                "--log",
                "--expires",
                "--actor",
                "--tokens",
                "never",
                "Exit status: 0 made; 1 ",
            ],
        ),
        (["token", "list"], &["--tokens", "Exit status: 0 printed; 1 "]),
        (["token", "revoke"], &["--tokens", "Exit status: 0 revoked; 1 "]),
    ] {
        let output = indelible().args(command).arg("--help").output().expect("it runs");
        let help = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0));
        assert!(help.contains(&format!("\n  indelible {} ", command.join(" "))), "{help}");
        for word in words {
            assert!(help.contains(word), "{command:?} does not explain {word}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
}

#[test]
fn examples_fit_a_terminal_of_80_columns() {
    for command in
        [&[][..], &["init"], &["append"], &["tail"], &["query"], &["checkpoint"], &["completions"]]
    {
        let output = indelible().args(command).arg("--help").output().expect("it runs");
        let help = text(&output.stdout);
        let (_, after) = help.split_once("\nExample").expect("examples");
        assert!(
            after.lines().all(|line| line.chars().count() <= 78),
            "{command:?}: a line over 78 characters: {after}"
        );
    }
}

#[test]
fn the_program_explains_its_commands_and_exit_codes() {
    let help = text(&indelible().arg("--help").output().expect("it runs").stdout);
    for word in COMMANDS.into_iter().chain([
        "Exit status: 0 fine; 1 ",
        "prove and\nverify-proof that something is not as it was signed",
        "repair: there is something that --yes repairs",
        "Example",
    ]) {
        assert!(help.contains(word), "{word}");
    }
    let version = text(&indelible().arg("--version").output().expect("it runs").stdout);
    assert_eq!(version, format!("indelible {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn without_a_command_it_explains_itself_and_calls_that_wrong_usage() {
    let output = indelible().output().expect("it runs");
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
    assert!(text(&output.stderr).contains("Commands:"));
}
