//! `indelible serve`: the audit service.

use std::path::Path;

use clap::Args;
use indelible_server::config::{Config, LogFormat};
use indelible_server::{Server, run_with};

use crate::exit::Exit;
use crate::flags::serving::Serving;
use crate::hint::{self, quote};
use crate::render;

const EXAMPLES: &str = "\
Examples:
  indelible serve                        ./audit, made if there is none, on loopback
  indelible serve --config /etc/indelible/indelible.toml
  indelible serve --folder audit --listen 127.0.0.1:9000
  indelible config show                  every key, its value, where it came from

Flags go over the environment (INDELIBLE__LIMITS__REQUEST_SIZE_MAX=8MiB), that
over the file, that over the defaults.

Exit status: 0 stopped in order; 1 could not do it; 2 wrong usage.";

/// Serve logs over gRPC and HTTP, on one port
///
/// With nothing configured it serves the log `./audit`, made if there is none, to this machine alone, and prints a command
/// that appends the first record. With a configuration file a log that is missing is an error, unless `create = true`: an
/// unmounted volume must not start a new trail.
///
/// SIGTERM and Ctrl-C end it in order, a second one at once; SIGHUP has it read tokens and certificates anew.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    #[command(flatten)]
    serving: Serving,
}

impl Serve {
    /// Serves until it is told to stop.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let config = self.serving.load()?.config;
        let is_json = config.telemetry.format == LogFormat::Json;
        for warning in config.warnings() {
            if is_json {
                render::json("WARN", &warning.to_string(), None);
            } else {
                render::warning(warning);
            }
        }
        let stopped = match run_with(config.clone(), |server| greet(&config, server)) {
            Ok(stopped) => stopped,
            Err(error) if is_json => {
                let error = anyhow::Error::from(error);
                let hint = hint::of(&error, Path::new("DIR"));
                render::json("ERROR", &render::chain(&error), hint.as_deref());
                return Ok(Exit::CouldNot);
            }
            Err(error) => return Err(error.into()),
        };
        Ok(if stopped.is_in_order() { Exit::Fine } else { Exit::CouldNot })
    }
}

/// Says where it is, the verifier keys, and how to append; nothing where stderr is for programs.
fn greet(config: &Config, server: &Server) {
    // There it is told in lines of their own, by the service.
    if config.telemetry.format == LogFormat::Json {
        return;
    }
    for (name, refusal) in server.refused_logs() {
        render::warning(format_args!(
            "the log {name} takes NO appends, reading works: {refusal}; `indelible verify {}` says more",
            quote(&refusal.folder)
        ));
    }
    let Some((base, options)) = reached_by(config, server) else { return };
    render::note(format_args!("serving gRPC and HTTP at {base}"));
    let new = server.new_logs();
    for (name, key) in server.verifier_keys() {
        let log = config.logs.iter().find(|log| log.name == name);
        if let Some(log) = log.filter(|_| new.contains(&name)) {
            render::note(format_args!("made the log {name}, in {}", quote(&log.folder)));
            super::init::explain(&log.folder, Some(&log.key_path()), &key);
            continue;
        }
        let folder = quote(log.map_or(Path::new(&name), |log| &log.folder));
        render::note(format_args!(
            "the log {name} is in {folder}; this command checks it, with its verifier key:\n\
             \n  indelible verify {folder} --key {}\n",
            quote(Path::new(&key))
        ));
    }
    if server.refused_logs().iter().any(|(name, _)| *name == config.default_log) {
        return; // it takes no appends
    }
    let token = if config.authenticates() && config.tokens.is_some() {
        " -H \"authorization: Bearer $TOKEN\""
    } else {
        ""
    };
    render::note(format_args!(
        "append a record:\n\
         \n  curl -sS {base}/v1/records{options}{token} -H 'content-type: application/json' \
         -d '{{\"actor\":\"user:mia\",\"action\":\"login\",\"resource\":\"app:console\"}}'\n"
    ));
}

/// What a URL of the service begins with, and what curl needs besides.
fn reached_by(config: &Config, server: &Server) -> Option<(String, String)> {
    let Some(address) = server.addresses().first() else {
        let unix = config.listen.unix.as_ref()?;
        let socket = format!(" --unix-socket {}", quote(&unix.path));
        return Some(("http://localhost".to_owned(), socket));
    };
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let mut address = *address;
    if address.ip().is_unspecified() {
        let here = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
        if let Ok(here) = here.parse() {
            address.set_ip(here);
        }
    }
    Some((format!("{scheme}://{address}"), String::new()))
}
