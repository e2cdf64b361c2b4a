//! A configuration that is being put together: where each key's value goes, before all of them are there.
//!
//! Invariant: a [`Draft`] with nothing set ends as what `serve` does without any configuration.

use std::path::PathBuf;

use indelible::Glob;

use crate::auth::role::Role;
use crate::config::value::Mode;
use crate::config::{Config, Grant, LogConfig, PrincipalConfig, Tls, UnixListen};

/// What has been set so far.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) service: Config,
    pub(super) default_log: Option<String>,
    pub(super) unix: Option<PathBuf>,
    pub(super) unix_mode: Mode,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) client_ca: Option<PathBuf>,
}

/// A `[[principal]]` as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct PrincipalDraft {
    pub(super) name: String,
    pub(super) append: Vec<String>,
    pub(super) read: Vec<String>,
    pub(super) admin: Vec<String>,
    pub(super) actors: Vec<Glob>,
}

impl Draft {
    /// Everything at its default, and no log yet.
    pub(super) fn with_defaults() -> Self {
        let mut service = Config::default();
        service.logs.clear();
        Self::of(service)
    }

    /// What a finished configuration was made of.
    pub(super) fn of(service: Config) -> Self {
        let (tls, unix) = (service.tls.clone(), service.listen.unix.clone());
        Self {
            default_log: (!service.logs.is_empty()).then(|| service.default_log.clone()),
            unix: unix.as_ref().map(|unix| unix.path.clone()),
            unix_mode: Mode(unix.map_or(0o660, |unix| unix.mode)),
            certificate: tls.as_ref().map(|tls| tls.certificate.clone()),
            key: tls.as_ref().map(|tls| tls.key.clone()),
            client_ca: tls.and_then(|tls| tls.client_ca),
            service,
        }
    }

    /// The log of that name, made with its defaults where it is new.
    pub(super) fn log(&mut self, name: &str) -> &mut LogConfig {
        let logs = &mut self.service.logs;
        let at = logs.iter().position(|log| log.name == name).unwrap_or_else(|| {
            logs.push(LogConfig::new(name, default_folder(name)));
            logs.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found or pushed right above")]
        &mut logs[at]
    }

    /// The whole configuration; not checked.
    pub(super) fn finish(self) -> Config {
        let mut config = self.service;
        config.listen.unix = self.unix.map(|path| UnixListen { path, mode: self.unix_mode.0 });
        config.tls = self.certificate.zip(self.key).map(|(certificate, key)| Tls {
            certificate,
            key,
            client_ca: self.client_ca,
        });
        let only = match config.logs.as_slice() {
            [only] => Some(only.name.clone()),
            _ => None,
        };
        config.default_log = self.default_log.or(only).unwrap_or_else(|| "default".to_owned());
        config
    }
}

/// Where a log is of which nobody said so.
pub(super) fn default_folder(name: &str) -> &str {
    if name == "default" { "audit" } else { name }
}

impl PrincipalDraft {
    pub(super) fn finish(self) -> PrincipalConfig {
        let log = |name: String| (name != "*").then_some(name);
        let roles =
            [(Role::Append, self.append), (Role::Read, self.read), (Role::Admin, self.admin)];
        let grants = roles
            .into_iter()
            .flat_map(|(role, logs)| logs.into_iter().map(move |name| Grant::new(role, log(name))));
        PrincipalConfig { name: self.name, grants: grants.collect(), actors: self.actors }
    }

    /// How a finished principal is written.
    pub(super) fn of(principal: &PrincipalConfig) -> Self {
        let logs = |role: Role| {
            let granted = principal.grants.iter().filter(|grant| grant.role == role);
            granted.map(|grant| grant.log.clone().unwrap_or_else(|| "*".to_owned())).collect()
        };
        Self {
            name: principal.name.clone(),
            append: logs(Role::Append),
            read: logs(Role::Read),
            admin: logs(Role::Admin),
            actors: principal.actors.clone(),
        }
    }
}
