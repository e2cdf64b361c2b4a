//! How the service is set up: [`Config`], whole and checked for itself, wherever its values came from.
//!
//! `table` has every key there is; `load` puts a configuration together from the file (`file`), the environment
//! (`environment`) and flags; `check` holds the values against each other; `show` writes them out.
//!
//! It opens nothing but the configuration file; whether a folder or a certificate is there is found out when the service
//! starts.

mod check;
mod draft;
mod environment;
mod fault;
mod file;
mod limits;
mod load;
mod show;
pub(crate) mod suggest;
mod table;
pub mod units;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use indelible::format::identity::Origin;
use indelible::{Glob, Idempotency};

pub use self::fault::{ConfigError, Fault, Problem, Source};
pub use self::limits::{Limits, Timeouts};
#[cfg(fuzzing)]
pub(crate) use self::load::load_text;
pub use self::load::{Loaded, Override, load};
pub use self::table::reference;
pub use crate::auth::role::Role;

/// Everything that can be set.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The logs, at least one, each with a name of its own.
    pub logs: Vec<LogConfig>,
    /// Which of them an empty `log` means.
    pub default_log: String,
    /// Where the service is reached.
    pub listen: Listen,
    /// Where `/metrics`, `/healthz` and `/readyz` are; nowhere if `None`.
    pub admin: Option<SocketAddr>,
    /// TLS on the TCP listeners.
    pub tls: Option<Tls>,
    /// The file of token digests.
    pub tokens: Option<PathBuf>,
    /// Who may do what.
    pub principals: Vec<PrincipalConfig>,
    /// Limits on what callers send.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// What is written to stderr.
    pub telemetry: Telemetry,
    /// Whether each log records that the service starts and stops. No file can turn it off: that is for programs that have
    /// the service within them and record both by themselves.
    pub record_lifecycle: bool,
}

/// One log of the service.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the file")]
pub struct LogConfig {
    /// Its name in requests: 1 to 64 of a-z, 0-9, `-`, `_`.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it is made where there is none. Off, a missing folder is an error: an unmounted volume must not start a
    /// new trail.
    pub create: bool,
    /// Its origin where it is made.
    pub origin: Option<Origin>,
    /// Where its key is, if not beside the folder.
    pub key_file: Option<PathBuf>,
    /// As [`indelible::Options`] has it.
    pub max_file_size: u64,
    /// As [`indelible::Options`] has it.
    pub max_files: Option<u32>,
    /// As [`indelible::Options`] has it.
    pub checkpoint_interval: Duration,
    /// As [`indelible::Options`] has it.
    pub salt: bool,
    /// As [`indelible::Options`] has it.
    pub entry_size_max: usize,
    /// As [`indelible::Options`] has it.
    pub queue_size_max: usize,
    /// As [`indelible::Options`] has it.
    pub idempotency: Idempotency,
    /// Take a network file system.
    pub allow_network_file_system: bool,
    /// Open a log whose last timestamp is over an hour ahead of the clock.
    pub accept_last_timestamp: bool,
    /// Bytes of free space below which appends are refused.
    pub min_free_space: u64,
    /// Whether `/checkpoint` and `/tile/…` are served to everybody.
    pub public_tree: bool,
}

impl LogConfig {
    /// Where its private key is: `key_file`, or beside the folder.
    pub fn key_path(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| {
            let mut beside = self.folder.components().collect::<PathBuf>().into_os_string();
            beside.push(".key");
            PathBuf::from(beside)
        })
    }

    /// A log with the defaults.
    pub fn new(name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            folder: folder.into(),
            create: false,
            origin: None,
            key_file: None,
            max_file_size: 64 << 20,
            max_files: None,
            checkpoint_interval: Duration::from_secs(1),
            salt: true,
            entry_size_max: 64 << 10,
            queue_size_max: 16 << 20,
            idempotency: Idempotency::default(),
            allow_network_file_system: false,
            accept_last_timestamp: false,
            min_free_space: 256 << 20,
            public_tree: false,
        }
    }
}

/// Where the service is reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listen {
    /// TCP addresses.
    pub tcp: Vec<SocketAddr>,
    /// A Unix socket.
    pub unix: Option<UnixListen>,
    /// Names by which the service is called, besides loopback: what a `Host` may say where callers are anonymous.
    pub hosts: Vec<String>,
    /// Take anonymous callers beyond loopback.
    pub allow_anonymous: bool,
}

/// A Unix socket to listen on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnixListen {
    /// Its path.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
}

impl UnixListen {
    /// A socket at `path` with those permission bits.
    pub fn new(path: impl Into<PathBuf>, mode: u32) -> Self {
        Self { path: path.into(), mode }
    }
}

/// TLS on the TCP listeners.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tls {
    /// PEM file of the certificate chain.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
    /// PEM file of the authorities that sign clients' certificates; mutual TLS where it is set.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    /// With that certificate and key, and no client certificates.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), client_ca: None }
    }
}

/// Who may do what.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PrincipalConfig {
    /// The name that authentication gives: `token:` and a token's name, `cert:` and a certificate's URI or DNS name,
    /// `uid:` and a user's number.
    pub name: String,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// Which actors it may claim; any, where empty.
    pub actors: Vec<Glob>,
}

impl PrincipalConfig {
    /// One that may claim any actor.
    pub fn new(name: impl Into<String>, grants: Vec<Grant>) -> Self {
        Self { name: name.into(), grants, actors: Vec::new() }
    }
}

/// One role on one log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The log; all of them where `None`.
    pub log: Option<String>,
}

impl Grant {
    /// A role on one log, or on all.
    pub fn new(role: Role, log: Option<String>) -> Self {
        Self { role, log }
    }
}

/// What is written to stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Telemetry {
    /// The least level that is written.
    pub level: tracing::Level,
    /// In which form.
    pub format: LogFormat,
}

/// In which form the service tells what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What works as it is, and deserves a thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// Everybody is taken.
    #[error("everybody who reaches {address} may append and read (listen.allow_anonymous)")]
    AnonymousFromAnywhere {
        /// The address.
        address: SocketAddr,
    },
    /// Not every event that a log takes can be sent.
    #[error(
        "limits.request_size_max ({limit} bytes) is below the largest entry_size_max of the logs ({largest} bytes): no \
         request can carry the largest event"
    )]
    RequestBelowEntry {
        /// Bytes of a request.
        limit: usize,
        /// Bytes of an entry.
        largest: usize,
    },
    /// Who listens on the way has the tokens.
    #[error(
        "tokens travel to {address} in the clear, unless something in front of it has TLS: set tls.certificate and tls.key"
    )]
    TokensInClear {
        /// The address.
        address: SocketAddr,
    },
}

impl Config {
    /// Checks every value, and all of them together.
    ///
    /// # Errors
    /// [`ConfigError::Faults`], with everything that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let faults = check::faults(self).into_iter();
        let faults: Vec<Fault> =
            faults.map(|(key, problem)| Fault { source: Source::Default, key, problem }).collect();
        if faults.is_empty() { Ok(()) } else { Err(ConfigError::Faults(faults)) }
    }

    /// What works as it is, and deserves a thought.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let limit = self.limits.request_size_max;
        let largest = self.logs.iter().map(|log| log.entry_size_max).max().unwrap_or_default();
        if limit < largest {
            warnings.push(Warning::RequestBelowEntry { limit, largest });
        }
        let open = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
        let Some(&address) = self.listen.tcp.iter().find(open) else { return warnings };
        if self.listen.allow_anonymous {
            warnings.push(Warning::AnonymousFromAnywhere { address });
        }
        if self.tokens.is_some() && self.tls.is_none() {
            warnings.push(Warning::TokensInClear { address });
        }
        warnings
    }

    /// Whether callers are authenticated: where nothing is set up for it, they are anonymous.
    pub fn authenticates(&self) -> bool {
        self.tokens.is_some() || self.client_ca().is_some() || !self.principals.is_empty()
    }

    /// The authorities that sign clients' certificates, where there are any.
    pub(crate) fn client_ca(&self) -> Option<&PathBuf> {
        self.tls.as_ref()?.client_ca.as_ref()
    }
}

impl Default for Config {
    /// What `serve` does without any configuration: `./audit`, made if there is none, on loopback.
    fn default() -> Self {
        let mut log = LogConfig::new("default", "audit");
        log.create = true;
        Self {
            logs: vec![log],
            default_log: "default".to_owned(),
            listen: Listen {
                tcp: vec![SocketAddr::from(([127, 0, 0, 1], 8600))],
                unix: None,
                hosts: Vec::new(),
                allow_anonymous: false,
            },
            admin: Some(SocketAddr::from(([127, 0, 0, 1], 8601))),
            tls: None,
            tokens: None,
            principals: Vec::new(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            telemetry: Telemetry { level: tracing::Level::INFO, format: LogFormat::Text },
            record_lifecycle: true,
        }
    }
}
