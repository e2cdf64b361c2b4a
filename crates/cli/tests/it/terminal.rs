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
