//! What the values of a configuration must be together.
//!
//! It opens nothing: whether a folder or a certificate is there is found out when the service starts.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use indelible::OpenError;

use crate::auth::principal::{self, Kind};
use crate::config::fault::Problem;
use crate::config::load::{is_log_name, principal_key};
use crate::config::suggest::closest;
use crate::config::table::log_key;
use crate::config::{Config, LogConfig, PrincipalConfig};
use crate::engine;

/// What is wrong, each with the key that it is about.
type Faults = Vec<(String, Problem)>;

/// Everything that is wrong with a configuration as a whole.
pub(super) fn faults(config: &Config) -> Faults {
    let mut faults = Faults::new();
    logs(config, &mut faults);
    listeners(config, &mut faults);
    principals(config, &mut faults);
    faults
}

fn names(config: &Config) -> impl Iterator<Item = &str> + Clone {
    config.logs.iter().map(|log| log.name.as_str())
}

fn all_names(config: &Config) -> String {
    names(config).collect::<Vec<_>>().join(", ")
}

fn no_such_log(config: &Config, given: &str) -> Problem {
    Problem::NoSuchLog {
        given: given.to_owned(),
        logs: all_names(config),
        suggestion: closest(given, names(config)),
    }
}

fn logs(config: &Config, faults: &mut Faults) {
    if config.logs.is_empty() {
        faults.push(("log".to_owned(), Problem::NoLogs));
        return;
    }
    for (index, log) in config.logs.iter().enumerate() {
        let before = config.logs.get(..index).unwrap_or_default();
        one_log(log, before, faults);
    }
    if !names(config).any(|name| name == config.default_log) {
        let several = config.logs.len() > 1 && config.default_log == "default";
        let problem = if several {
            Problem::DefaultLogOpen { logs: all_names(config) }
        } else {
            no_such_log(config, &config.default_log)
        };
        faults.push(("default_log".to_owned(), problem));
    }
}

fn one_log(log: &LogConfig, before: &[LogConfig], faults: &mut Faults) {
    let key = |name: &str| log_key(&log.name, name);
    if !is_log_name(&log.name) {
        faults.push((format!("log.{}", log.name), Problem::LogName));
    }
    if before.iter().any(|other| other.name == log.name) {
        faults.push((format!("log.{}", log.name), Problem::LogTwice));
    }
    if log.folder.as_os_str().is_empty() {
        faults.push((key("folder"), Problem::Empty));
    }
    let folder = plain(&log.folder);
    for other in before {
        let theirs = plain(&other.folder);
        if folder.starts_with(&theirs) || theirs.starts_with(&folder) {
            let (folder, other) = (log.folder.clone(), other.name.clone());
            faults.push((key("folder"), Problem::SharedFolder { folder, other }));
        } else if key_of(log) == key_of(other) {
            let (path, other) = (key_of(log), other.name.clone());
            faults.push((key("key_file"), Problem::SharedKey { key: path, other }));
        }
    }
    if let Err(OpenError::InvalidOption { option, value, limit }) = engine::validate(log) {
        let name = option.split(' ').next().unwrap_or(option);
        let (given, limit) = (value.to_string(), limit.to_string());
        faults.push((key(name), Problem::OutsideLimits { given, limit }));
    }
}

/// A path without what does not change where it leads; links are not followed.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// Where a log's key is.
fn key_of(log: &LogConfig) -> PathBuf {
    plain(&log.key_path())
}

fn listeners(config: &Config, faults: &mut Faults) {
    let listen = &config.listen;
    if listen.tcp.is_empty() && listen.unix.is_none() {
        faults.push(("listen.tcp".to_owned(), Problem::NoListener));
    }
    let mut seen = BTreeSet::new();
    let free = |address: &SocketAddr| address.port() == 0;
    for address in &listen.tcp {
        if !free(address) && !seen.insert(*address) {
            faults.push(("listen.tcp".to_owned(), Problem::ListenTwice { address: *address }));
        }
    }
    if let Some(address) = config.admin
        && !free(&address)
        && seen.contains(&address)
    {
        faults.push(("admin.listen".to_owned(), Problem::ListenTwice { address }));
    }
    if listen.allow_anonymous {
        if config.authenticates() {
            let key = "listen.allow_anonymous".to_owned();
            faults.push((key, Problem::AnonymousAndAuthenticated));
        }
        return;
    }
    let over_tcp = config.tokens.is_some() || config.client_ca().is_some();
    let open = listen.tcp.iter().find(|address| !address.ip().to_canonical().is_loopback());
    if let Some(address) = open
        && !over_tcp
    {
        faults.push(("listen.tcp".to_owned(), Problem::Anonymous { address: *address }));
    }
}

fn principals(config: &Config, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for principal in &config.principals {
        let key = principal_key(&principal.name);
        if !seen.insert(principal.name.as_str()) {
            faults.push((key.clone(), Problem::PrincipalTwice));
        }
        if principal.grants.is_empty() {
            faults.push((key.clone(), Problem::PrincipalWithoutRole));
        }
        let logs = principal.grants.iter().filter_map(|grant| grant.log.as_deref());
        for log in logs.filter(|log| !names(config).any(|name| name == *log)) {
            faults.push((key.clone(), no_such_log(config, log)));
        }
        if let Some(problem) = mechanism(config, principal) {
            faults.push((key, problem));
        }
    }
}

/// Whether anything can authenticate a principal of that name.
fn mechanism(config: &Config, principal: &PrincipalConfig) -> Option<Problem> {
    if let Some(problem) = principal_name(&principal.name) {
        return Some(problem);
    }
    let needed = match Kind::of(&principal.name) {
        Some((Kind::Token, _)) if config.tokens.is_none() => "set auth.tokens",
        Some((Kind::Certificate, _)) if config.client_ca().is_none() => "set tls.client_ca",
        Some((Kind::Uid, _)) if config.listen.unix.is_none() => "set listen.unix",
        Some(_) | None => return None,
    };
    Some(Problem::PrincipalUnreachable { needed })
}

/// What is wrong with a principal's name by itself.
pub(super) fn principal_name(name: &str) -> Option<Problem> {
    if name.len() > principal::NAME_SIZE_MAX || name.chars().any(char::is_control) {
        return Some(Problem::PrincipalName);
    }
    match Kind::of(name) {
        None | Some((_, "")) => Some(Problem::PrincipalName),
        Some((Kind::Uid, uid)) => {
            let is_number = uid.parse::<u32>().is_ok_and(|number| number.to_string() == uid);
            (!is_number).then_some(Problem::PrincipalUid)
        }
        Some(_) => None,
    }
}
