//! `indelible query`: which records, in which form, and what it says where it can't.

use std::path::Path;

use serde_json::Value;

use crate::support::*;

fn query(log: &Log, args: &[&str]) -> std::process::Output {
    log.run(&[&["query", "audit"], args].concat())
}

#[track_caller]
fn lines_of(log: &Log, args: &[&str]) -> Vec<String> {
    let output = query(log, args);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{args:?}");
    text(&output.stdout).lines().map(str::to_owned).collect()
}

/// The lines of a log that `holds` is true of, with what they say.
fn expected(log: &Log, holds: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut lines = log.lines();
    lines.retain(|line| holds(&serde_json::from_str(line).expect("JSON")));
    lines
}

fn log_of_real_events() -> Option<Log> {
    let shared = shared()?;
    let log = Log::new();
    let events = real_events(&shared).join("\n") + "\n";
    assert_eq!(log.append(events, &["--max-file-size", "256KiB"]).status.code(), Some(0));
    Some(log)
}

#[test]
fn real_events_are_found_by_what_they_say_byte_for_byte() {
    let Some(log) = log_of_real_events() else { return };
    let starts = |value: &Value, start: &str| value.as_str().is_some_and(|v| v.starts_with(start));
    let failed = expected(&log, |v| v["outcome"] == "failure" && starts(&v["actor"], "arn:"));
    assert!(failed.len() > 10);
    assert_eq!(lines_of(&log, &["--outcome", "failure", "--actor", "arn:*"]), failed);
    let user = expected(&log, |v| v["session"]["user"] == "mia_li_3668");
    assert!(user.len() > 10);
    assert_eq!(lines_of(&log, &["--session", "user=mia_li_3668"]), user);
    let turn =
        expected(&log, |v| v["session"]["turn"] == 3 && starts(&v["action"], "tool.call:get_"));
    assert!(turn.len() > 10);
    let args = ["--session", "turn=3", "--action", "tool.call:get_*"];
    assert_eq!(lines_of(&log, &args), turn);
    let reversed = lines_of(&log, &[&args[..], &["--reverse", "--limit", "7"]].concat());
    assert_eq!(reversed, turn.iter().rev().take(7).cloned().collect::<Vec<_>>());
    assert_eq!(lines_of(&log, &[&args[..], &["--count"]].concat()), [turn.len().to_string()]);
    let agents = expected(&log, |v| starts(&v["session"]["user_agent"], "[Boto3/1.26.165 Python"));
    assert!(agents.len() > 10);
    assert_eq!(lines_of(&log, &["--session", "user_agent=[Boto3/1.26.165 Python*"]), agents);
    let one = expected(&log, |v| v["seq"] == 1500);
    let id: Value = serde_json::from_str(&one[0]).expect("JSON");
    let id = id["event_id"].as_str().expect("a string");
    assert_eq!(lines_of(&log, &["--event-id", id]), one);
    assert_eq!(lines_of(&log, &[]), log.lines());
    log.assert_sound();
}

#[test]
fn ranges_of_seq_and_of_time_are_kept_to() {
    let log = Log::new();
    log.append(events(0, 9), &[]);
    let lines = log.lines();
    assert_eq!(lines_of(&log, &["--seq", "3..5"]), lines[3..=5]);
    assert_eq!(
        lines_of(&log, &["--seq", "8..", "--reverse"]),
        [lines[9].clone(), lines[8].clone()]
    );
    assert_eq!(lines_of(&log, &["--seq", "..1"]), lines[..2]);
    assert_eq!(lines_of(&log, &["--seq", "4"]), lines[4..5]);
    assert_eq!(lines_of(&log, &["--since", "1h"]), lines);
    assert_eq!(lines_of(&log, &["--until", "1h"]), [""; 0]);
    let time = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        value["timestamp"].as_str().expect("a string").to_owned()
    };
    let (since, until) = (time(&lines[2]), time(&lines[7]));
    let inside: Vec<String> =
        lines.iter().filter(|line| (&since..&until).contains(&&time(line))).cloned().collect();
    assert_eq!(lines_of(&log, &["--since", &since, "--until", &until]), inside);
    assert_eq!(lines_of(&log, &["--since", "1d", "--count"]), ["10"]);
}

#[test]
fn nothing_found_is_no_error_and_no_output() {
    let log = Log::new();
    assert_eq!(lines_of(&log, &["--actor", "nobody"]), [""; 0]);
    assert_eq!(lines_of(&log, &["--actor", "nobody", "--count"]), ["0"]);
    let table = query(&log, &["--actor", "nobody", "--output", "table"]);
    assert_eq!((table.status.code(), text(&table.stdout).as_str()), (Some(0), ""));
    assert_eq!(text(&table.stderr), "indelible: nothing matches\n");
}

#[test]
fn a_value_that_is_none_is_named_with_what_the_flag_takes() {
    let log = Log::new();
    for (args, words) in [
        (
            ["--actor", "a\\"],
            &["'a\\'", "--actor <PATTERN>", "a backslash takes the character after it"][..],
        ),
        (["--action", ""], &["--action <PATTERN>", "no record has an empty value there"]),
        (
            ["--outcome", "succeeded"],
            &["'succeeded'", "--outcome", "success, failure, denied or unknown"],
        ),
        (["--session", "user"], &["'user'", "--session <PATH=PATTERN>", "write PATH=PATTERN"]),
        (["--session", "a..b=1"], &["--session", "a name of the path is empty"]),
        (["--seq", "9..3"], &["'9..3'", "--seq <A..B>", "ends before it begins"]),
        (["--seq", "x"], &["'x'", "--seq <A..B>", "both ends are included"]),
        (["--since", "soon"], &["'soon'", "--since <TIME>", "how long ago (30m, 2h, 3d, 1w 2d)"]),
        (["--until", "2026-13-01"], &["--until <TIME>", "a day in UTC (2026-11-24)"]),
        (["--limit", "x"], &["'x'", "--limit <N>", "`x` is not a number of records"]),
        (["--limit", "-1"], &["'-1'", "--limit <N>", "`-1` is not a number of records"]),
        (["--limit", "0"], &["'0'", "--limit <N>", "a limit of 0 shows nothing"]),
        (["--seq", "-1"], &["'-1'", "--seq <A..B>", "both ends are included"]),
        (["--since", "-2h"], &["'-2h'", "--since <TIME>", "how long ago (30m, 2h, 3d, 1w 2d)"]),
    ] {
        let output = query(&log, &args);
        assert_eq!(
            (output.status.code(), text(&output.stdout).as_str()),
            (Some(2), ""),
            "{args:?}"
        );
        let said = text(&output.stderr);
        for word in words {
            assert!(said.contains(word), "{args:?}: {word} is not in {said}");
        }
    }
    let empty = query(&log, &["--since", "1h", "--until", "2h"]);
    assert_eq!(empty.status.code(), Some(2));
    let said = text(&empty.stderr);
    assert!(
        said.starts_with(
            "indelible: nothing is at or after --since 1h and before --until 2h: these are 20"
        ),
        "{said}"
    );
    let absent = log.run(&["query", "nowhere"]);
    assert_eq!(absent.status.code(), Some(1));
}

#[test]
fn a_damaged_line_is_told_of_and_the_rest_is_printed() {
    let log = Log::new();
    log.append(events(0, 9), &[]);
    let lines = log.lines();
    let place: usize = lines[..4].iter().map(|line| line.len() + 1).sum();
    let damaged =
        lines.join("\n").replace("\"resource\":\"file:3\"", "\"resource\":\"file:X\"") + "\n";
    write(&log.folder().join("audit.log"), damaged.as_bytes());
    let output = query(&log, &["--actor", "user:mia"]);
    assert_eq!(output.status.code(), Some(1));
    let intact = [&lines[1..4], &lines[5..]].concat().join("\n") + "\n";
    assert_eq!(text(&output.stdout), intact);
    let said = text(&output.stderr);
    let start =
        format!("indelible: warning: audit.log at byte {place}: this line is no record: byte ");
    assert!(said.starts_with(&start), "{said}");
    assert!(said.ends_with("indelible: 1 place could not be read as they should; what could be is printed\nhint: `indelible verify audit` says what is wrong\n"), "{said}");
    let counted = query(&log, &["--actor", "user:mia", "--count"]);
    assert_eq!((counted.status.code(), text(&counted.stdout).as_str()), (Some(1), "8\n"));
    // Its bytes can't match, so nothing is said of it.
    assert_eq!(lines_of(&log, &["--resource", "file:7"]), lines[8..9]);
}

#[test]
fn a_table_into_a_pipe_has_no_colours_and_is_as_wide_as_columns_says() {
    let log = Log::new();
    let event = format!(
        r#"{{"actor":"a","action":"b","resource":"{}","outcome":"denied"}}"#,
        "long ".repeat(200)
    );
    log.append(event, &[]);
    for width in ["40", "80", "150"] {
        let mut command = log.command();
        command.env("COLUMNS", width).env_remove("CLICOLOR_FORCE");
        let output =
            command.args(["query", "audit", "--output", "table"]).output().expect("it runs");
        let table = text(&output.stdout);
        let width: usize = width.parse().expect("a number");
        assert!(table.starts_with("seq  time"), "{table}");
        assert!(table.contains('…') && table.contains("denied"), "{table}");
        assert!(table.chars().all(|c| c == '\n' || !c.is_control()), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= width), "{table}");
    }
}

#[test]
fn reading_on_past_the_checkpoint_takes_a_flag() {
    let log = Log::new();
    log.append(events(0, 3), &[]);
    let active = log.folder().join("audit.log");
    let cut = |path: &Path| std::fs::read(path).expect("a file");
    let checkpoint = cut(&log.folder().join("checkpoint"));
    log.append(events(3, 2), &[]);
    write(&log.folder().join("checkpoint"), &checkpoint);
    assert_eq!(lines_of(&log, &["--count"]), ["4"]);
    assert_eq!(lines_of(&log, &["--count", "--unsynced"]), ["6"]);
    assert_eq!(lines_of(&log, &["--unsynced", "--reverse", "--limit", "1"]), log.lines()[5..]);
    assert!(active.exists());
}

#[test]
fn records_that_were_pruned_are_told_of_where_they_are_asked_for() {
    let log = Log::new();
    let limits = ["--max-file-size", "192KiB", "--max-files", "1"];
    assert_eq!(log.append(large_events(12), &limits).status.code(), Some(0));
    let first: Value = serde_json::from_str(&log.lines()[0]).expect("JSON");
    let first = first["seq"].as_u64().expect("a seq");
    assert!(first > 1, "nothing was pruned");
    let told = format!("indelible: records before {first} were pruned\n");
    for range in ["0..0", "..1", "0.."] {
        let output = query(&log, &["--seq", range]);
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(0), told.clone()),
            "{range}"
        );
    }
    let output = query(&log, &["--seq", &format!("{first}..")]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}
