//! How the service is configured, for the commands that start it, check it or keep its tokens.

use std::path::{Path, PathBuf};

use clap::Args;
use indelible_server::config::{self, ConfigError, Loaded, Override};

use crate::value;

/// The configuration file that is read where none is named, if it is there.
const CONFIG_FILE: &str = "indelible.toml";

/// How the service is configured.
#[derive(Clone, Debug, Args)]
pub(crate) struct Configuration {
    /// The configuration file; without it `indelible.toml` of this folder, if there is one
    #[arg(long, env = "INDELIBLE_CONFIG", value_name = "FILE", help_heading = "Configuration")]
    pub(crate) config: Option<PathBuf>,

    /// Set a key of the configuration, over the file and the environment, such as `limits.events_per_second=100`
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::assignment, help_heading = "Configuration")]
    pub(crate) set: Vec<(String, String)>,
}

impl Configuration {
    /// The whole configuration; `flags` are those of one command, each over a key.
    pub(crate) fn load(&self, flags: Vec<Override>) -> Result<Loaded, ConfigError> {
        let here = Path::new(CONFIG_FILE);
        let file = self.config.as_deref().or_else(|| here.exists().then_some(here));
        let set = self.set.iter().map(|(key, value)| Override::new("--set", key, value.as_str()));
        let flags: Vec<Override> = set.chain(flags).collect();
        config::load(file, std::env::vars_os(), &flags)
    }
}

/// What `serve` takes, and what `config` checks and shows of it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serving {
    #[command(flatten)]
    pub(crate) configuration: Configuration,

    /// Listen here, for gRPC and HTTP; more than once for more addresses
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Configuration")]
    pub(crate) listen: Vec<String>,

    /// The folder of the default log
    #[arg(long, value_name = "DIR", help_heading = "Configuration")]
    pub(crate) folder: Option<String>,

    /// Make the default log where there is none
    #[arg(long, help_heading = "Configuration")]
    pub(crate) create: bool,

    /// The file of token digests, which `indelible token` keeps
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    pub(crate) tokens: Option<String>,

    /// Take everybody who reaches the service, from wherever, without authentication
    #[arg(long, help_heading = "Configuration")]
    pub(crate) allow_anonymous_from_anywhere: bool,
}

impl Serving {
    /// The whole configuration.
    pub(crate) fn load(&self) -> Result<Loaded, ConfigError> {
        let mut flags = Vec::new();
        let mut set = |flag, key, value| flags.push(Override::new(flag, key, value));
        if !self.listen.is_empty() {
            set("--listen", "listen.tcp", self.listen.join(","));
        }
        if let Some(folder) = &self.folder {
            set("--folder", "log.*.folder", folder.clone());
        }
        if self.create {
            set("--create", "log.*.create", "true".to_owned());
        }
        if let Some(tokens) = &self.tokens {
            set("--tokens", "auth.tokens", tokens.clone());
        }
        if self.allow_anonymous_from_anywhere {
            let flag = "--allow-anonymous-from-anywhere";
            set(flag, "listen.allow_anonymous", "true".to_owned());
        }
        self.configuration.load(flags)
    }
}
