//! Puts a configuration together: defaults, then the file, then the environment, then flags, each over the ones before.
//!
//! Invariants:
//! - nothing that was given is passed over: a key or a variable that there is not is a fault;
//! - all faults are told together, each with where it stands.
//!
//! It reads the configuration file and nothing else: not the environment, which its caller hands over.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::draft::{Draft, PrincipalDraft, default_folder};
use crate::config::fault::{ConfigError, Fault, Problem, Source};
use crate::config::suggest::closest_key;
use crate::config::table::{self, Key, LOG, SERVICE};
use crate::config::value::{Kind, Value};
use crate::config::{Config, check, environment, file};

/// A key that a flag set.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Override {
    /// The flag, as it is typed.
    pub flag: String,
    /// The key's path; `log.*.KEY` is that of the default log.
    pub key: String,
    /// The value, as text.
    pub value: String,
}

impl Override {
    /// The flag `flag`, which sets `key` to `value`.
    pub fn new(flag: &str, key: &str, value: impl Into<String>) -> Self {
        Self { flag: flag.to_owned(), key: key.to_owned(), value: value.into() }
    }
}

/// A configuration, and where each of its values came from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The configuration, checked.
    pub config: Config,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    pub(super) sources: Sources,
}

/// Where values came from, by the path of the key; a key that nobody set has none.
pub(super) type Sources = BTreeMap<String, Source>;

/// Puts a configuration together from a file, if there is one, the process's environment, and flags.
///
/// # Errors
/// [`ConfigError`]: the file can't be read, or something in it, in the environment or in the flags is wrong, or they do
/// not go together.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
    flags: &[Override],
) -> Result<Loaded, ConfigError> {
    let mut loading = Loading::default();
    if let Some(path) = file {
        file::read(path, &mut loading)?;
    }
    environment::read(environment, &mut loading);
    for flag in flags {
        let source = Source::Flag { flag: flag.flag.clone() };
        let key = loading.of_default_log(&flag.key);
        loading.set_text(&source, &key, &flag.value);
    }
    loading.finish(file)
}

/// Puts a configuration together from the text of a file at `path` that need not be there.
///
/// # Errors
/// As [`load`].
#[cfg(fuzzing)]
pub(crate) fn load_text(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
    let mut loading = Loading::default();
    file::take(path, text, &mut loading)?;
    loading.finish(Some(path))
}

/// A configuration on its way.
#[derive(Debug)]
pub(super) struct Loading {
    pub(super) draft: Draft,
    pub(super) principals: Vec<(PrincipalDraft, Source)>,
    pub(super) sources: Sources,
    pub(super) faults: Vec<Fault>,
    /// What relative paths in the file are relative to.
    pub(super) base: Option<PathBuf>,
}

impl Default for Loading {
    fn default() -> Self {
        Self {
            draft: Draft::with_defaults(),
            principals: Vec::new(),
            sources: Sources::new(),
            faults: Vec::new(),
            base: None,
        }
    }
}

impl Loading {
    /// Takes note of something wrong.
    pub(super) fn fault(&mut self, source: &Source, key: &str, problem: Problem) {
        self.faults.push(Fault { source: source.clone(), key: key.to_owned(), problem });
    }

    /// The path of a key that may be one of the default log, `log.*.KEY`.
    fn of_default_log(&self, key: &str) -> String {
        let Some(name) = key.strip_prefix("log.*.") else { return key.to_owned() };
        let only = match self.draft.service.logs.as_slice() {
            [only] => only.name.as_str(),
            _ => "default",
        };
        table::log_key(self.draft.default_log.as_deref().unwrap_or(only), name)
    }

    /// Sets a key by its path to what a text says.
    pub(super) fn set_text(&mut self, source: &Source, path: &str, text: &str) {
        self.set(source, path, text == "none", |kind| kind.of_text(text));
    }

    /// Sets a key by its path to what `read` makes of its kind.
    pub(super) fn set(
        &mut self,
        source: &Source,
        path: &str,
        is_none: bool,
        read: impl FnOnce(Kind) -> Result<Value, Problem>,
    ) {
        let base = matches!(source, Source::File { .. }).then(|| self.base.clone()).flatten();
        let done = if let Some((name, key)) = log_part(path) {
            match LOG.iter().find(|known| known.name == key) {
                _ if !is_log_name(name) => Err(Problem::LogName),
                Some(known) => put(known, self.draft.log(name), is_none, base.as_deref(), read),
                None => Err(self.unknown(path)),
            }
        } else {
            match SERVICE.iter().find(|known| known.name == path) {
                Some(known) => put(known, &mut self.draft, is_none, base.as_deref(), read),
                None => Err(self.unknown(path)),
            }
        };
        match done {
            Ok(()) => {
                self.sources.insert(path.to_owned(), source.clone());
            }
            Err(problem) => self.fault(source, path, problem),
        }
    }

    /// That there is no such key.
    pub(super) fn unknown(&self, path: &str) -> Problem {
        let named = log_part(path).map(|(name, _)| name);
        let logs = self.draft.service.logs.iter().map(|log| log.name.as_str());
        let known = table::paths(logs.chain(named));
        Problem::UnknownKey { suggestion: closest_key(path, &known) }
    }

    fn finish(mut self, file: Option<&Path>) -> Result<Loaded, ConfigError> {
        if self.draft.service.logs.is_empty() {
            let name = self.draft.default_log.clone().unwrap_or_else(|| "default".to_owned());
            self.draft.log(&name);
        }
        self.place_folders();
        for (principal, source) in std::mem::take(&mut self.principals) {
            // Where nothing else is wrong, all that is wrong with principals is found below.
            if !self.faults.is_empty()
                && let Some(problem) = check::principal_name(&principal.name)
            {
                self.fault(&source, &principal_key(&principal.name), problem);
            }
            self.sources.insert(principal_key(&principal.name), source);
            self.draft.service.principals.push(principal.finish());
        }
        let tls_key = if self.draft.certificate.is_some() { "tls.certificate" } else { "tls.key" };
        if self.draft.certificate.is_some() != self.draft.key.is_some() {
            self.fault(&self.source(tls_key), tls_key, Problem::TlsIncomplete);
        } else if self.draft.client_ca.is_some() && self.draft.certificate.is_none() {
            self.fault(&self.source("tls.client_ca"), "tls.client_ca", Problem::ClientCaWithoutTls);
        }
        let config = self.draft.finish();
        let sources = self.sources;
        let mut faults = self.faults;
        // What does not go together is not told where one of the parts was not read at all.
        if faults.is_empty() {
            let source = |key: &str| sources.get(key).cloned().unwrap_or(Source::Default);
            let found = check::faults(&config).into_iter();
            faults.extend(found.map(|(key, problem)| Fault { source: source(&key), key, problem }));
        }
        if faults.is_empty() {
            return Ok(Loaded { config, file: file.map(Path::to_path_buf), sources });
        }
        faults.sort_by_key(|fault| fault.source.place());
        Err(ConfigError::Faults(faults))
    }

    fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    /// Puts folders of which nobody said where they are beside the file. Where there is no file either, they are made:
    /// who names no place has no volume that could be missing.
    fn place_folders(&mut self) {
        for log in &mut self.draft.service.logs {
            let is_set = |name| self.sources.contains_key(&table::log_key(&log.name, name));
            match &self.base {
                _ if is_set("folder") => {}
                Some(base) => log.folder = base.join(default_folder(&log.name)),
                None => log.create |= !is_set("create"),
            }
        }
    }
}

/// The key under which the source of a principal is kept.
pub(super) fn principal_key(name: &str) -> String {
    format!("principal {name:?}")
}

/// The log and the key of `log.NAME.KEY`.
fn log_part(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("log.")?.rsplit_once('.')
}

/// Whether a log can have that name.
pub(super) fn is_log_name(name: &str) -> bool {
    let taken = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(taken)
}

/// Sets one key of a table.
pub(super) fn put<T>(
    key: &Key<T>,
    table: &mut T,
    is_none: bool,
    base: Option<&Path>,
    read: impl FnOnce(Kind) -> Result<Value, Problem>,
) -> Result<(), Problem> {
    let value = if is_none && key.optional { Value::Unset } else { read(key.kind)? };
    let value = match (key.kind, value, base) {
        (Kind::Path, Value::Text(path), Some(base)) => {
            Value::Text(base.join(path).to_string_lossy().into_owned())
        }
        (_, value, _) => value,
    };
    (key.field)(table).set(&value)
}
