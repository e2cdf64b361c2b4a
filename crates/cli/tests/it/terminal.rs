//! What a real terminal gets: a pseudo-terminal made by `script` (util-linux).

use std::process::Command;

use crate::support::*;

#[test]
fn control_and_bidi_characters_of_records_never_reach_a_terminal() {
    let log = Log::new();
    let hostile =
        "{\"actor\":\"a\u{202e}b\u{9b}31m\u{7f}\u{2028}\",\"action\":\"b\",\"resource\":\"c\"}";
    assert_eq!(log.append(hostile, &[]).status.code(), Some(0));
    for command in ["show audit 1", "tail audit -n 1"] {
        let shown = Command::new("script")
            .current_dir(log.place.path())
            .args(["-qec", &format!("{} {command}", env!("CARGO_BIN_EXE_indelible")), "/dev/null"])
            .output();
        let Ok(shown) = shown else {
            return skipped("no `script` to make a terminal with");
        };
        let shown = text(&shown.stdout);
        assert!(shown.contains(r#""actor":"a\u202eb\u009b31m\u007f\u2028""#), "{shown:?}");
        assert!(shown.trim_end().chars().all(|c| !c.is_control()), "{shown:?}");
    }
}

#[test]
fn a_table_fits_the_terminal_and_carries_no_foreign_control_characters() {
    let log = Log::new();
    let hostile = format!(
        "{{\"actor\":\"a\u{202e}b\u{9b}31m\\u001b[2J\",\"action\":\"b\\n\",\"resource\":\"{}\",\"outcome\":\"denied\"}}",
        "\u{2028}long ".repeat(90)
    );
    assert_eq!(log.append(hostile, &[]).status.code(), Some(0));
    for (width, colours) in
        [(60, "TERM=xterm NO_COLOR=1"), (200, "TERM=xterm NO_COLOR=1"), (60, "TERM=xterm")]
    {
        let binary = env!("CARGO_BIN_EXE_indelible");
        let command = format!("stty cols {width}; env {colours} {binary} query audit --seq 1");
        let shown = Command::new("script")
            .current_dir(log.place.path())
            .env_remove("NO_COLOR")
            .args(["-qec", &command, "/dev/null"])
            .output();
        let Ok(shown) = shown else {
            return skipped("no `script` to make a terminal with");
        };
        let shown = text(&shown.stdout).replace("\r\n", "\n");
        assert!(shown.contains("a\\u202eb\\u009b31m\\u001b[2J"), "{shown:?}");
        assert!(shown.contains("b\\u000a") && shown.contains('…'), "{shown:?}");
        // Bold for the header, red for what was denied, and back.
        let plain = ["\u{1b}[1m", "\u{1b}[31m", "\u{1b}[0m"]
            .iter()
            .fold(shown.clone(), |shown, code| shown.replace(code, ""));
        assert_eq!(plain == shown, colours.contains("NO_COLOR"), "{shown:?}");
        assert!(plain.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        assert!(plain.lines().all(|line| line.chars().count() <= width), "{shown}");
    }
}

#[test]
fn invisible_characters_are_seen_in_a_table_and_stay_in_a_file() {
    let log = Log::new();
    let hostile = "{\"actor\":\"user:mia\u{200b}\",\"action\":\"b\u{e0041}\",\"resource\":\"c\"}";
    assert_eq!(log.append(hostile, &[]).status.code(), Some(0));
    let table = text(&log.run(&["query", "audit", "--seq", "1", "--output", "table"]).stdout);
    assert!(table.contains(r"user:mia\u200b") && table.contains(r"b\udb40\udc41"), "{table}");
    let stored = text(&log.run(&["query", "audit", "--seq", "1"]).stdout);
    assert!(stored.contains("user:mia\u{200b}\""), "{stored}");
}

#[test]
fn who_must_type_the_events_is_told_so() {
    let log = Log::new();
    let shown = Command::new("script")
        .current_dir(log.place.path())
        .args([
            "-qec",
            concat!(env!("CARGO_BIN_EXE_indelible"), " append audit --file -"),
            "/dev/null",
        ])
        .output();
    let Ok(shown) = shown else {
        return skipped("no `script` to make a terminal with");
    };
    let shown = text(&shown.stdout);
    assert!(
        shown.contains(
            "indelible: reading events from the terminal, one JSON object a line; end with Ctrl-D"
        ),
        "{shown:?}"
    );
    let piped = log.append("", &[]);
    assert!(!text(&piped.stderr).contains("terminal"), "{}", text(&piped.stderr));
}
