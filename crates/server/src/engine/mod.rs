//! The logs behind the service: the only module that uses the library, so that an engine beyond one machine can stand
//! here later.

mod growth;
mod log;
mod progress;
mod queued;
mod refusing;
mod space;
mod unready;
mod watchers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use indelible::storage::Storage;
use indelible::{OpenError, ProveError, ReadError};

pub(crate) use self::log::{Log, Site, validate};
pub(crate) use self::queued::Queued;
pub(crate) use self::unready::Unready;
use crate::config::Config;
use crate::error::{ApiError, Code};
use crate::metrics::Metrics;
use crate::unread::UnreadAnswers;

/// Other disks than this machine's, by the names of the logs that are on them.
pub(crate) type Storages = BTreeMap<String, Arc<dyn Storage>>;

/// All logs of the service, by name.
#[derive(Debug)]
pub(crate) struct Logs {
    by_name: BTreeMap<String, Arc<Log>>,
    default: Arc<Log>,
    unread: UnreadAnswers,
}

/// Why a log could not be opened at all: not even for reading.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It could not be opened or made.
    #[error("log {name:?}: {source}")]
    Open {
        /// Its name in the configuration.
        name: String,
        /// Why not.
        source: Box<OpenError>,
    },
    /// There is none, and it is not to be made.
    #[error(
        "log {name:?}: there is no log at {}; is its volume mounted? (a log is made only where `create = true` says so)",
        folder.display()
    )]
    Missing {
        /// Its name in the configuration.
        name: String,
        /// Where it should be.
        folder: PathBuf,
    },
    /// It can't be read.
    #[error("log {name:?}: {source}")]
    Read {
        /// Its name in the configuration.
        name: String,
        /// Why not.
        source: Box<ReadError>,
    },
    /// Nothing can be proved from it.
    #[error("log {name:?}: {source}")]
    Prove {
        /// Its name in the configuration.
        name: String,
        /// Why not.
        source: Box<ProveError>,
    },
    /// This machine's files can't be worked on.
    #[error("can't work on files: {source}")]
    Files {
        /// Why not.
        source: std::io::Error,
    },
    /// The default log is none of the logs.
    #[error("default_log is {name:?}, and no log has that name")]
    NoDefault {
        /// The name.
        name: String,
    },
}

impl Logs {
    /// Opens all logs, for a service at `url`; blocks.
    ///
    /// # Errors
    /// [`LogError`], where one of them is not there or can't be read. A log that is refused for appending is none: it
    /// is served for reading.
    pub(crate) fn open(
        config: &Config,
        metrics: &Metrics,
        mut storages: Storages,
        url: Option<&str>,
    ) -> Result<Self, LogError> {
        let unread = UnreadAnswers::new(&config.limits);
        let mut by_name = BTreeMap::new();
        for log in &config.logs {
            let storage = storages.remove(&log.name);
            let metrics = metrics.log(&log.name).cloned();
            let site =
                Site { storage, metrics, unread: unread.clone(), url: url.map(str::to_owned) };
            by_name.insert(log.name.clone(), Arc::new(Log::open(log, &config.limits, site)?));
        }
        let default = by_name
            .get(&config.default_log)
            .map(Arc::clone)
            .ok_or_else(|| LogError::NoDefault { name: config.default_log.clone() })?;
        Ok(Self { by_name, default, unread })
    }

    /// The log that a request names; an empty name is the default one.
    ///
    /// # Errors
    /// [`Code::NotFound`]; the name is not repeated.
    pub(crate) fn get(&self, name: &str) -> Result<&Arc<Log>, ApiError> {
        if name.is_empty() {
            return Ok(&self.default);
        }
        self.by_name.get(name).ok_or_else(|| {
            let mut error = ApiError::new(Code::NotFound, "log: there is no log of that name");
            error.field = Some("log".to_owned());
            error
        })
    }

    /// Counts what they all answer.
    pub(crate) fn unread(&self) -> &UnreadAnswers {
        &self.unread
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Log>> {
        self.by_name.values()
    }
}
