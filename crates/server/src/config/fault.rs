//! What is wrong with a configuration: [`ConfigError`], all of it at once.
//!
//! Invariants: every [`Fault`] says where the value came from, which key it is about, what was given, and what is taken;
//! no value of a key that could be a secret is among them (the configuration holds none: it names files).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::units::UnitError;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File {
        /// Its path, as given.
        path: Arc<Path>,
        /// From 1.
        line: usize,
    },
    /// The environment.
    Environment {
        /// The variable's name.
        variable: String,
    },
    /// The command line.
    Flag {
        /// The flag, as it is typed.
        flag: String,
    },
}

impl Source {
    /// Where it stands among others: those of the file first, by line.
    pub(super) const fn place(&self) -> (u8, usize) {
        match self {
            Self::File { line, .. } => (0, *line),
            Self::Environment { .. } => (1, 0),
            Self::Flag { .. } => (2, 0),
            Self::Default => (3, 0),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment {variable}"),
            Self::Flag { flag } => write!(f, "flag {flag}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Where the value came from.
    pub source: Source,
    /// Which key it is about, such as `limits.request_size_max`.
    pub key: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source != Source::Default {
            write!(f, "{}: ", self.source)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        self.problem.fmt(f)
    }
}

/// What is wrong with a value, or with values together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the text of each is its documentation")]
pub enum Problem {
    #[error("this is not TOML: {message}")]
    Syntax { message: String },
    #[error("there is no such key{}", meant(suggestion.as_deref()))]
    UnknownKey { suggestion: Option<String> },
    #[error("there is no such key{}", meant(suggestion.as_deref()))]
    UnknownVariable { suggestion: Option<String> },
    #[error("principals are set in the configuration file alone")]
    PrincipalOutsideFile,
    #[error(
        "both this variable and one with the log's other spelling are meant; `-` and `_` of a log's name are alike \
             in the environment: set it in the file, or with --set"
    )]
    AmbiguousLog,
    #[error("its value is not UTF-8")]
    NotUtf8,
    #[error("it must be {expected}, and is {found}")]
    WrongType { expected: &'static str, found: &'static str },
    #[error(transparent)]
    Unit(#[from] UnitError),
    #[error("`{given}` is not a whole number from 0 on")]
    NotANumber { given: String },
    #[error("`{given}` is neither true nor false")]
    NotASwitch { given: String },
    #[error("`{given}` is outside its limits: it must be {limit}")]
    OutsideLimits { given: String, limit: String },
    #[error("`{given}` is none of {choices}{}", meant(suggestion.as_deref()))]
    NotAChoice { given: String, choices: String, suggestion: Option<String> },
    #[error(
        "`{given}` is no address: write an IP address with a port, such as 127.0.0.1:8600 or [::1]:8600"
    )]
    NotAnAddress { given: String },
    #[error("`{given}` is no origin: 1 to 255 bytes, no white space, no `+`")]
    NotAnOrigin { given: String },
    #[error("`{given}` is no pattern: {cause}")]
    NotAPattern { given: String, cause: indelible::GlobError },
    #[error("`{given}` is no mode of a file: write three octal digits as a text, such as \"0660\"")]
    NotAMode { given: String },
    #[error("it is empty")]
    Empty,
    #[error("a log's name is 1 to 64 of a-z, 0-9, `-` and `_`")]
    LogName,
    #[error("there is no log")]
    NoLogs,
    #[error("two logs have this name")]
    LogTwice,
    #[error("`{given}` is none of the logs ({logs}){}", meant(suggestion.as_deref()))]
    NoSuchLog { given: String, logs: String, suggestion: Option<String> },
    #[error("there are several logs ({logs}): say which of them an empty `log` means")]
    DefaultLogOpen { logs: String },
    #[error("{} is the folder of the log {other} too, or lies within it", folder.display())]
    SharedFolder { folder: PathBuf, other: String },
    #[error("{} is the key of the log {other} too; each log has one of its own", key.display())]
    SharedKey { key: PathBuf, other: String },
    #[error("there is no address and no Unix socket to listen on")]
    NoListener,
    #[error("{address} is listened on twice")]
    ListenTwice { address: std::net::SocketAddr },
    #[error("TLS needs both tls.certificate and tls.key")]
    TlsIncomplete,
    #[error("it authenticates nobody without tls.certificate and tls.key")]
    ClientCaWithoutTls,
    #[error(
        "{address} can be reached from other machines, and nobody would be authenticated there: set auth.tokens, or \
             tls.client_ca, or listen on loopback or a Unix socket; listen.allow_anonymous = true takes everybody"
    )]
    Anonymous { address: std::net::SocketAddr },
    #[error(
        "everybody would be taken, and authentication is set up too, so that it would mean nothing: remove one of them"
    )]
    AnonymousAndAuthenticated,
    #[error(
        "a principal's name begins with `token:`, `cert:` or `uid:`, by what authenticates it, and has at most 256 \
             bytes and no control characters"
    )]
    PrincipalName,
    #[error("a uid is a number, such as uid:1000")]
    PrincipalUid,
    #[error("two principals have this name")]
    PrincipalTwice,
    #[error("it has no role on any log: give it `append`, `read` or `admin`")]
    PrincipalWithoutRole,
    #[error("nothing authenticates it: {needed}")]
    PrincipalUnreachable { needed: &'static str },
}

fn meant(suggestion: Option<&str>) -> String {
    suggestion.map(|key| format!("; is {key} meant?")).unwrap_or_default()
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("could not read the configuration {}: {source}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is larger than any configuration.
    #[error("the configuration {} has over {limit} bytes", path.display())]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// The most.
        limit: u64,
    },
    /// Something in it is wrong.
    #[error("{}", lines(.0))]
    Faults(Vec<Fault>),
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}
