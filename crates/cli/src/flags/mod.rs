//! The flags that several commands share: where a log is, and how it is opened; in `serving` how the service is configured,
//! in `remote` how one that runs is reached.
//!
//! They turn into options of the library, and act on nothing.

pub(crate) mod remote;
pub(crate) mod serving;

use std::path::PathBuf;

use clap::Args;
use indelible::{LastTimestamp, NetworkFileSystem, Options};

use crate::value;

/// Where the key is, and which file systems will do.
#[derive(Clone, Debug, Args)]
pub(crate) struct Placing {
    /// The log's private key, if it is not beside the folder as `DIR.key`
    #[arg(long, env = "INDELIBLE_KEY_FILE", value_name = "PATH", help_heading = "The log")]
    pub(crate) key_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) medium: Medium,
}

/// Which file systems will do.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Medium {
    /// Take a folder on a network file system
    ///
    /// You vouch that its syncs are true and its locks exclusive; if they are not, acknowledged events can be lost and two
    /// processes can write the same log.
    #[arg(
        long,
        env = "INDELIBLE_ALLOW_NETWORK_FILE_SYSTEM",
        value_parser = value::switch,
        help_heading = "The log"
    )]
    pub(crate) allow_network_file_system: bool,
}

impl Placing {
    /// The options that say so.
    pub(crate) fn options(&self) -> Options {
        let options = self.medium.options();
        match &self.key_file {
            Some(path) => options.with_key_file(path.clone()),
            None => options,
        }
    }
}

impl Medium {
    /// The options that say so.
    pub(crate) fn options(self) -> Options {
        let options = Options::default();
        if self.allow_network_file_system {
            return options.with_network_file_system(NetworkFileSystem::Allow);
        }
        options
    }
}

/// How a log that exists is opened for appending.
#[derive(Clone, Debug, Args)]
pub(crate) struct Opening {
    #[command(flatten)]
    pub(crate) placing: Placing,

    /// Open a log whose last timestamp is over an hour ahead of the clock
    ///
    /// Its time then stands still until the clock has caught up. Set the clock right instead, if it is the clock that is
    /// wrong.
    #[arg(
        long,
        env = "INDELIBLE_ACCEPT_LAST_TIMESTAMP",
        value_parser = value::switch,
        help_heading = "The log"
    )]
    pub(crate) accept_last_timestamp: bool,
}

impl Opening {
    /// The options that say so.
    pub(crate) fn options(&self) -> Options {
        let options = self.placing.options();
        if self.accept_last_timestamp {
            return options.with_last_timestamp(LastTimestamp::AcceptAhead);
        }
        options
    }
}
