//! What people read when a flag or a variable of the environment has no value that makes sense.

use std::fs;

use crate::support::*;

const ONE: [&str; 8] = ["append", "audit", "--actor", "a", "--action", "b", "--resource", "c"];

#[test]
fn a_private_key_is_never_shown_wherever_it_is_given() {
    let log = Log::new();
    let secret = fs::read_to_string(log.place.path().join("audit.key")).expect("a key");
    let secret = secret.trim_end();
    let bare = secret.strip_prefix("PRIVATE+KEY+").expect("so it begins");
    let hidden = bare.rsplit('+').next().expect("a last part");
    for (args, place) in [
        (&["verify", "audit", "--key", secret][..], " for '--key <KEY>'"),
        (&["verify", "audit", "--key", bare], " for '--key <KEY>'"),
        (&["verify", "audit", secret], ""),
        (&["init", "new", "--origin", secret], " for '--origin <NAME>'"),
    ] {
        let output = log.run(args);
        let told = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{told}");
        assert!(
            told.starts_with(&format!(
                "indelible: this is the private key (PRIVATE+KEY…){place}: never give it away; the verifier key is the \
                 line that init printed\n"
            )),
            "{told}"
        );
        assert!(!told.contains(hidden), "{told}");
    }
    for args in [&["verify", secret][..], &["show", secret, "0"], &[secret]] {
        let output = log.run(args);
        assert!(!text(&output.stderr).contains(hidden), "{}", text(&output.stderr));
        assert_ne!(output.status.code(), Some(0));
    }
}

#[test]
fn a_setting_outside_its_limits_is_wrong_usage_and_named_as_it_was_given() {
    let log = Log::new();
    for (flag, variable, name, given, limit) in [
        ("--max-files", "INDELIBLE_MAX_FILES", "N", "0", "at least 1"),
        ("--max-file-size", "INDELIBLE_MAX_FILE_SIZE", "SIZE", "64KiB", "at least 196608 bytes"),
        (
            "--checkpoint-interval",
            "INDELIBLE_CHECKPOINT_INTERVAL",
            "TIME",
            "2h",
            "from 1 to 3600000 ms",
        ),
    ] {
        let why = format!(
            "`{given}` is outside its limits: it must be {limit}\n\nFor more information, try '--help'.\n"
        );
        assert_fails(
            &log.run(&[&ONE[..], &[flag, given]].concat()),
            2,
            &format!("indelible: invalid value '{given}' for '{flag} <{name}>': {why}"),
        );
        let output = log.command().args(ONE).env(variable, given).output().expect("it runs");
        assert_fails(
            &output,
            2,
            &format!(
                "indelible: invalid value '{given}' for '{variable} (in the environment, for {flag} <{name}>)': {why}"
            ),
        );
    }
    let flag = "--allow-network-file-system";
    let output = log
        .command()
        .args(ONE)
        .env("INDELIBLE_ALLOW_NETWORK_FILE_SYSTEM", "maybe")
        .output()
        .expect("it runs");
    assert_fails(
        &output,
        2,
        &format!(
            "indelible: invalid value 'maybe' for 'INDELIBLE_ALLOW_NETWORK_FILE_SYSTEM (in the environment, for {flag})': \
             `maybe` is neither yes nor no: write true, yes, on or 1, or false, no, off or 0\n\n\
             For more information, try '--help'.\n"
        ),
    );
    assert_eq!(log.lines().len(), 1);
}

#[test]
fn a_flag_wins_over_its_variable_also_when_it_is_wrong() {
    let log = Log::new();
    let append = |given: &str| {
        log.command()
            .args(ONE)
            .args(["--max-files", given])
            .env("INDELIBLE_MAX_FILES", "0")
            .output()
            .expect("it runs")
    };
    assert_eq!(append("3").status.code(), Some(0));
    let told = text(&append("0").stderr);
    assert!(told.starts_with("indelible: invalid value '0' for '--max-files <N>': "), "{told}");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let log = Log::new();
    let mut command = log.command();
    for name in [
        "ORIGIN",
        "KEY_FILE",
        "MAX_FILE_SIZE",
        "MAX_FILES",
        "CHECKPOINT_INTERVAL",
        "ACCEPT_LAST_TIMESTAMP",
        "ALLOW_NETWORK_FILE_SYSTEM",
    ] {
        command.env(format!("INDELIBLE_{name}"), "");
    }
    let output = command.args(ONE).output().expect("it runs");
    assert_eq!(text(&output.stderr), "indelible: recorded 1 event as seq 1\n");
}

#[test]
fn a_log_of_another_name_is_not_appended_to() {
    let log = Log::new();
    assert_fails(
        &log.run(&[&ONE[..], &["--origin", "example.com/other"]].concat()),
        1,
        "indelible: audit: this log is called example.com/audit, not example.com/other (--origin or INDELIBLE_ORIGIN): \
         nothing was appended\n",
    );
    assert_eq!(log.lines().len(), 1);
    assert_eq!(log.run(&[&ONE[..], &["--origin", ORIGIN]].concat()).status.code(), Some(0));
}
