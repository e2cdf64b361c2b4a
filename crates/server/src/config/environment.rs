//! The environment as configuration: `INDELIBLE__LIMITS__REQUEST_SIZE_MAX` is `limits.request_size_max`.
//!
//! Two underscores stand for a dot, so that none of these names is one of the command's own (`INDELIBLE_KEY_FILE`); one that
//! has two of them later on, and not after the first word, was meant to be one of these, and is a fault. A `-`
//! in a log's name is written `_`, since shells know no other.

use std::ffi::OsString;

use crate::config::fault::{Problem, Source};
use crate::config::load::Loading;
use crate::config::suggest::closest;
use crate::config::table;

const PREFIX: &str = "INDELIBLE__";

/// The variable that sets the key at `path`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").replace('-', "_").to_ascii_uppercase())
}

/// Takes in every variable that is about the configuration; an empty one is as good as none.
pub(super) fn read(environment: impl Iterator<Item = (OsString, OsString)>, loading: &mut Loading) {
    let mut found: Vec<_> = environment
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, value)| is_meant(name) && !value.is_empty())
        .collect();
    found.sort_unstable();
    for (variable, value) in found {
        let source = Source::Environment { variable: variable.clone() };
        match (path(&variable, loading), value.into_string()) {
            (Ok(path), Ok(value)) => loading.set_text(&source, &path, &value),
            (Err(problem), _) => loading.fault(&source, "", problem),
            (_, Err(_)) => loading.fault(&source, "", Problem::NotUtf8),
        }
    }
}

/// Whether a variable is about the configuration, or was meant to be.
fn is_meant(name: &str) -> bool {
    let of_ours = name.strip_prefix("INDELIBLE_");
    of_ours.is_some_and(|rest| rest.starts_with('_') || rest.contains("__"))
}

/// The key that a variable sets.
fn path(name: &str, loading: &Loading) -> Result<String, Problem> {
    let short = name.strip_prefix(PREFIX).unwrap_or_default().to_ascii_lowercase();
    if short == "principal" || short.starts_with("principal_") {
        return Err(Problem::PrincipalOutsideFile);
    }
    let logs = loading.draft.service.logs.iter().map(|log| log.name.as_str());
    let log = short.strip_prefix("log__").and_then(|rest| rest.rsplit_once("__"));
    if let Some((log, key)) = log
        && table::LOG.iter().any(|known| known.name == key)
    {
        let mut alike = logs.filter(|name| name.replace('-', "_") == log);
        let name = alike.next().unwrap_or(log);
        if alike.next().is_some() {
            return Err(Problem::AmbiguousLog);
        }
        return Ok(table::log_key(name, key));
    }
    let known: Vec<(String, String)> = table::paths(logs.chain(log.map(|(name, _)| name)))
        .into_iter()
        .map(|path| (variable(&path), path))
        .collect();
    match known.iter().find(|(variable, _)| variable == name) {
        Some((_, path)) => Ok(path.clone()),
        None => Err(Problem::UnknownVariable {
            suggestion: closest(name, known.iter().map(|(variable, _)| variable.as_str())),
        }),
    }
}
