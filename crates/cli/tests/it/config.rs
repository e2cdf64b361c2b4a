//! `indelible config`: what is wrong with a configuration, and what it is.

use crate::support::*;

#[test]
fn check_says_all_that_is_wrong_each_with_its_line() {
    let place = tempfile::tempdir().expect("a folder");
    let run =
        |args: &[&str]| indelible().current_dir(place.path()).args(args).output().expect("it runs");
    assert_eq!(
        text(&run(&["config", "check"]).stderr),
        "indelible: nothing is wrong, and there is no configuration file\n"
    );
    let file = place.path().join("other.toml");
    write(&file, b"[limits]\nread_max = 1\ntails_max = \"x\"\n");
    let told = "indelible: other.toml:2: limits.read_max: there is no such key; is limits.reads_max meant?\n\
                indelible: other.toml:3: limits.tails_max: it must be a whole number, and is a text\n";
    assert_fails(&run(&["config", "check", "--config", "other.toml"]), 1, told);
    assert_fails(&run(&["serve", "--config", "other.toml"]), 1, told);
    write(&file, b"[limits]\nreads_max = 1\n");
    assert_fails(
        &run(&["config", "check", "--config", "other.toml"]),
        0,
        "indelible: other.toml: nothing is wrong\n",
    );
    let output = run(&["config", "check", "--config", "none.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).starts_with("indelible: could not read the configuration none.toml: ")
    );
    assert_eq!(run(&["config", "check", "--set", "x"]).status.code(), Some(2));
}

#[test]
fn show_names_each_value_and_where_it_came_from() {
    let place = tempfile::tempdir().expect("a folder");
    write(&place.path().join("indelible.toml"), b"[limits]\nreads_max = 1\n");
    let show = |variable: (&str, &str)| {
        let mut command = indelible();
        command.current_dir(place.path()).env(variable.0, variable.1);
        command.args(["config", "show", "--set", "timeouts.idle=7s"]).output().expect("it runs")
    };
    let output = show(("INDELIBLE__LIMITS__TAILS_MAX", "2"));
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let shown = text(&output.stdout);
    for (key, source) in [
        ("limits.reads_max = 1 ", "# indelible.toml:2"),
        ("limits.tails_max = 2 ", "# environment INDELIBLE__LIMITS__TAILS_MAX"),
        ("timeouts.idle = \"7s\" ", "# flag --set"),
        ("telemetry.level = \"info\" ", "# default"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(key)).expect(key);
        assert!(line.ends_with(source), "{line}");
    }
    let wrong = show(("INDELIBLE__LIMITS__TAILS", "2"));
    assert_eq!(wrong.status.code(), Some(1));
    // The command's own variables are none of the configuration's.
    assert_eq!(show(("INDELIBLE_MAX_FILES", "2")).status.code(), Some(0));
}

#[test]
fn check_tells_all_in_the_order_of_the_file_and_in_the_words_of_the_file() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("x.toml");
    let toml = "[telemetry]\nlevel = \"loud\"\n[[principal]]\nname = \"agent\"\nappend = [\"default\"]\n\
                [limits]\nrequest_size_max = 4000000000000\nheader_size_max = \"4KiB\"\n[auth]\ntokens = 3\n";
    write(&file, toml.as_bytes());
    let output = indelible()
        .current_dir(place.path())
        .args(["config", "check", "--config", "x.toml"])
        .args(["--set", "limits.reads_max=0"])
        .output()
        .expect("it runs");
    let told = text(&output.stderr);
    let lines: Vec<&str> = told.lines().collect();
    for (line, begins) in lines.iter().zip([
        "indelible: x.toml:2: telemetry.level: `loud` is none of",
        "indelible: x.toml:3: principal \"agent\": a principal's name begins with",
        "indelible: x.toml:7: limits.request_size_max: `4000000000000` is outside",
        "indelible: x.toml:8: limits.header_size_max: `4KiB` is outside its limits: it must be from 8KiB",
        "indelible: x.toml:10: auth.tokens: it must be a path",
        "indelible: flag --set: limits.reads_max: `0` is outside",
    ]) {
        assert!(line.starts_with(begins), "{begins}\n{told}");
    }
    assert_eq!((output.status.code(), lines.len()), (Some(1), 6), "{told}");
}
