//! Reads `indelible.toml`.
//!
//! It knows the shape of the file: tables of keys, `[log.NAME]`, `[[principal]]`; what each key takes is `table`'s.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::draft::PrincipalDraft;
use crate::config::fault::{ConfigError, Problem, Source};
use crate::config::load::{Loading, is_log_name, put};
use crate::config::suggest::closest;
use crate::config::table::PRINCIPAL;
use crate::config::value::type_name;

/// Most bytes of the file.
const FILE_SIZE_MAX: u64 = 1 << 20;

/// Takes in every key of the file at `path`.
pub(super) fn read(path: &Path, loading: &mut Loading) -> Result<(), ConfigError> {
    take(path, &text(path)?, loading)
}

/// Takes in every key of `text`, as the file at `path` has it.
pub(super) fn take(path: &Path, text: &str, loading: &mut Loading) -> Result<(), ConfigError> {
    let place = Place { path: Arc::from(path), text };
    let absolute = std::path::absolute(path)
        .map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
    loading.base = absolute.parent().map(Path::to_path_buf);
    match DeTable::parse(text) {
        Ok(table) => Reading { place, loading }.top(table.get_ref()),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let message = error.message().to_owned();
            loading.fault(&place.source(at), "", Problem::Syntax { message });
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_path_buf(), source };
    let file = File::open(path).map_err(failed)?;
    let mut text = String::new();
    let size = file.take(FILE_SIZE_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if u64::try_from(size).is_ok_and(|size| size > FILE_SIZE_MAX) {
        return Err(ConfigError::TooLarge { path: path.to_path_buf(), limit: FILE_SIZE_MAX });
    }
    Ok(text)
}

/// A file, for telling where something stands in it.
struct Place<'t> {
    path: Arc<Path>,
    text: &'t str,
}

impl Place<'_> {
    fn source(&self, offset: usize) -> Source {
        let before = self.text.get(..offset).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        Source::File { path: Arc::clone(&self.path), line }
    }
}

struct Reading<'t, 'l> {
    place: Place<'t>,
    loading: &'l mut Loading,
}

impl Reading<'_, '_> {
    fn source<T>(&self, at: &Spanned<T>) -> Source {
        self.place.source(at.span().start)
    }

    fn top(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let path = name.get_ref().as_ref();
            match (path, value.get_ref()) {
                ("log", DeValue::Table(logs)) => self.logs(logs),
                ("principal", DeValue::Array(principals)) => {
                    principals.iter().for_each(|principal| self.principal(principal));
                }
                ("log", _) => {
                    self.wrong(value, path, "a table for each log, such as [log.default]");
                }
                ("principal", _) => self.wrong(value, path, "written as [[principal]]"),
                (_, DeValue::Table(keys)) => self.keys(path, keys),
                _ => self.key(path, name, value),
            }
        }
    }

    fn logs(&mut self, logs: &DeTable<'_>) {
        for (name, value) in logs {
            let path = format!("log.{}", name.get_ref());
            let Some(keys) = value.get_ref().as_table() else {
                self.wrong(value, &path, "a table, such as [log.default]");
                continue;
            };
            if is_log_name(name.get_ref()) {
                self.loading.draft.log(name.get_ref());
                self.keys(&path, keys);
            } else {
                let source = self.source(name);
                self.loading.fault(&source, &path, Problem::LogName);
            }
        }
    }

    fn keys(&mut self, table: &str, keys: &DeTable<'_>) {
        for (name, value) in keys {
            self.key(&format!("{table}.{}", name.get_ref()), name, value);
        }
    }

    fn key<N>(&mut self, path: &str, name: &Spanned<N>, value: &Spanned<DeValue<'_>>) {
        let source = self.source(name);
        self.loading.set(&source, path, is_none(value), |kind| kind.of_toml(value.get_ref()));
    }

    fn principal(&mut self, principal: &Spanned<DeValue<'_>>) {
        let Some(keys) = principal.get_ref().as_table() else {
            return self.wrong(principal, "principal", "written as [[principal]]");
        };
        let mut draft = PrincipalDraft::default();
        for (name, value) in keys {
            let source = self.source(name);
            let path = format!("principal.{}", name.get_ref());
            let known = PRINCIPAL.iter().find(|key| key.name == name.get_ref());
            let done = match known {
                Some(key) => {
                    put(key, &mut draft, false, None, |kind| kind.of_toml(value.get_ref()))
                }
                None => Err(Problem::UnknownKey {
                    suggestion: closest(name.get_ref(), PRINCIPAL.iter().map(|key| key.name)),
                }),
            };
            if let Err(problem) = done {
                self.loading.fault(&source, &path, problem);
            }
        }
        let source = self.source(principal);
        self.loading.principals.push((draft, source));
    }

    fn wrong(&mut self, value: &Spanned<DeValue<'_>>, path: &str, expected: &'static str) {
        let source = self.source(value);
        let found = type_name(value.get_ref());
        self.loading.fault(&source, path, Problem::WrongType { expected, found });
    }
}

fn is_none(value: &Spanned<DeValue<'_>>) -> bool {
    value.get_ref().as_str() == Some("none")
}
