//! Arbitrary text as `indelible.toml`, and the file that is shipped with a part replaced: what is wrong is told in a text
//! that stays short, and what is taken is shown as a file that gives the same configuration.
#![no_main]

use indelible_server::fuzzing::configuration;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const SHIPPED: &str = include_str!("../../packaging/indelible.toml");
/// Every key, as `config show` prints it.
const WHOLE: &str = include_str!("../seeds/configuration/whole.toml");

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Raw(&'a str),
    Edited {
        whole: bool,
        at: u16,
        removed: u8,
        text: &'a str,
    },
    /// The value of the line, and what stands behind it.
    Value {
        line: u8,
        text: &'a str,
    },
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::Raw(text) => check(text),
        Input::Edited { whole, at, removed, text } => {
            let mut edited = if whole { WHOLE } else { SHIPPED }.to_owned();
            let at = edited.floor_char_boundary(usize::from(at) % (edited.len() + 1));
            let end = edited.floor_char_boundary(edited.len().min(at + usize::from(removed)));
            edited.replace_range(at..end, text);
            check(&edited);
        }
        Input::Value { line, text } => {
            let mut lines: Vec<&str> = WHOLE.lines().collect();
            let at = usize::from(line) % lines.len();
            let key = lines[at].split(" = ").next().unwrap_or_default();
            let edited = format!("{key} = {text}");
            lines[at] = &edited;
            check(&lines.join("\n"));
        }
    }
});

fn check(text: &str) {
    match configuration(text) {
        Ok(loaded) => {
            let shown = loaded.show();
            let again = configuration(&shown);
            let again =
                again.unwrap_or_else(|error| panic!("{error}\nfor what is shown:\n{shown}"));
            assert_eq!(again.config.digest(), loaded.config.digest(), "shown as:\n{shown}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
