//! A whole configuration as text: for `config show`, and for its digest.
//!
//! Invariant: what is shown is a configuration file that gives the same configuration again. It holds no secret, since
//! the configuration names files and holds nothing of theirs.

use indelible::format::chain::Hash;
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::config::draft::{Draft, PrincipalDraft};
use crate::config::fault::Source;
use crate::config::load::{Loaded, principal_key};
use crate::config::table::{Key, LOG, PRINCIPAL, SERVICE, log_key};
use crate::config::value::Value;

/// One line of a configuration that is shown.
#[derive(Debug)]
struct Line {
    /// Of which key the source is told; none for a line of a `[[principal]]` but its first.
    key: Option<String>,
    text: String,
}

impl Loaded {
    /// The whole configuration, each value with where it came from, as a file that says the same.
    pub fn show(&self) -> String {
        let lines = lines(&self.config);
        let width = lines.iter().map(|line| line.text.chars().count()).filter(|width| *width <= 60);
        let width = width.max().unwrap_or_default();
        let mut shown = String::new();
        for Line { key, text } in lines {
            let told = match key {
                Some(key) => match self.sources.get(&key) {
                    Some(source) => format!("{text:width$}  # {source}"),
                    None => format!("{text:width$}  # {}", Source::Default),
                },
                None => text,
            };
            shown.push_str(told.trim_end());
            shown.push('\n');
        }
        shown
    }
}

impl Config {
    /// The SHA-256 of the whole configuration, of every value whether it was set or not, as 64 hex digits.
    ///
    /// Where values came from and in which order is no part of it, nor what stands in the files that it names.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for line in lines(self) {
            hash.update(line.text.as_bytes());
            hash.update(b"\n");
        }
        Hash::from_bytes(hash.finalize().into()).to_string()
    }
}

fn lines(config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    // A text stands before all tables, so that its dotted keys are those of the whole.
    let mut draft = Draft::of(config.clone());
    for key in &SERVICE {
        let text = text(key, &mut draft, key.name);
        lines.push(Line { key: Some(key.name.to_owned()), text });
    }
    let mut logs = config.logs.clone();
    logs.sort_by(|a, b| a.name.cmp(&b.name));
    for log in &mut logs {
        let name = log.name.clone();
        for key in &LOG {
            let path = log_key(&name, key.name);
            let text = text(key, log, &path);
            lines.push(Line { key: Some(path), text });
        }
    }
    let mut principals = config.principals.clone();
    principals.sort_by(|a, b| a.name.cmp(&b.name));
    for principal in &principals {
        lines.push(Line { key: None, text: String::new() });
        let source = Some(principal_key(&principal.name));
        lines.push(Line { key: source, text: "[[principal]]".to_owned() });
        let mut draft = PrincipalDraft::of(principal);
        for key in &PRINCIPAL {
            let text = text(key, &mut draft, key.name);
            lines.push(Line { key: None, text });
        }
    }
    lines
}

/// A key and its value; a key that has none, as a comment where `"none"` would mean another thing.
fn text<T>(key: &Key<T>, table: &mut T, path: &str) -> String {
    let value = key.value(table);
    let comment = if value == Value::Unset && !key.optional { "# " } else { "" };
    format!("{comment}{path} = {}", key.kind.toml(&value))
}
