//! How a log is created and opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indelible_format::identity::Origin;
use indelible_format::own::Continues;

use crate::clock::{Clock, SystemClock};
use crate::error::{OpenError, OptionLimit};
use crate::observer::Observer;
use crate::signer::Signer;

/// Most bytes that one group may have: a constant of the format, since what a crash can leave is judged by it.
pub(crate) const GROUP_SIZE_MAX: usize = 4 << 20;

/// Settings of a log; the defaults are for production.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) origin: Option<Origin>,
    pub(crate) continues: Option<Continues>,
    pub(crate) max_file_size: u64,
    pub(crate) max_files: Option<u32>,
    pub(crate) checkpoint_interval: Duration,
    pub(crate) entry_size_max: usize,
    pub(crate) queue_size_max: usize,
    pub(crate) salting: Salting,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signer: Option<Arc<dyn Signer>>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) network_file_system: NetworkFileSystem,
    pub(crate) last_timestamp: LastTimestamp,
    pub(crate) idempotency: Idempotency,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) purpose: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            origin: None,
            continues: None,
            max_file_size: 64 << 20,
            max_files: None,
            checkpoint_interval: Duration::from_secs(1),
            entry_size_max: 64 << 10,
            queue_size_max: 16 << 20,
            salting: Salting::On,
            clock: Arc::new(SystemClock),
            signer: None,
            key_file: None,
            network_file_system: NetworkFileSystem::Refuse,
            last_timestamp: LastTimestamp::Refuse,
            idempotency: Idempotency::default(),
            observer: None,
            purpose: None,
        }
    }
}

impl Options {
    /// Names the log that is created; without it, it is called `indelible.invalid/<log_id>`.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Makes the log that is created take over from one that can't go on.
    #[must_use]
    pub fn with_continues(mut self, continues: Continues) -> Self {
        self.continues = Some(continues);
        self
    }

    /// Bytes after which `audit.log` is rotated; a single record may go past it. 64 MiB unless set; at least twice the
    /// entry limit plus 64 KiB.
    #[must_use]
    pub fn with_max_file_size(mut self, bytes: u64) -> Self {
        self.max_file_size = bytes;
        self
    }

    /// How many rotated segments are kept, at least 1; all of them unless set.
    #[must_use]
    pub fn with_max_files(mut self, count: u32) -> Self {
        self.max_files = Some(count);
        self
    }

    /// How long a record may wait for a checkpoint that covers it: 1 s unless set, from 1 ms to 1 hour.
    #[must_use]
    pub fn with_checkpoint_interval(mut self, interval: Duration) -> Self {
        self.checkpoint_interval = interval;
        self
    }

    /// Most bytes of one entry: 64 KiB unless set, from 8 KiB to 1 MiB. Each is counted with a `seq` of 18 digits, the
    /// longest there is, so that what is accepted does not change as the log grows: up to 17 bytes less are taken.
    #[must_use]
    pub fn with_entry_size_max(mut self, bytes: usize) -> Self {
        self.entry_size_max = bytes;
        self
    }

    /// Most bytes that may wait to be written: 16 MiB unless set; at least twice the entry limit.
    #[must_use]
    pub fn with_queue_size_max(mut self, bytes: usize) -> Self {
        self.queue_size_max = bytes;
        self
    }

    /// Whether each record gets a random salt.
    #[must_use]
    pub fn with_salt(mut self, salting: Salting) -> Self {
        self.salting = salting;
        self
    }

    /// The clock; the machine's own unless set.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Who signs, instead of the key in the key file; no key file is made or read then.
    #[must_use]
    pub fn with_signer(mut self, signer: Arc<dyn Signer>) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Where the key file is, if not beside the folder.
    #[must_use]
    pub fn with_key_file(mut self, path: PathBuf) -> Self {
        self.key_file = Some(path);
        self
    }

    /// Whether a network file system will do.
    #[must_use]
    pub fn with_network_file_system(mut self, network: NetworkFileSystem) -> Self {
        self.network_file_system = network;
        self
    }

    /// Whether to open a log whose last timestamp is over an hour ahead of the clock.
    #[must_use]
    pub fn with_last_timestamp(mut self, ahead: LastTimestamp) -> Self {
        self.last_timestamp = ahead;
        self
    }

    /// How long an `event_id` is remembered.
    #[must_use]
    pub fn with_idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// Who is told what the log does, from opening on; nobody unless set.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// What this process is for, such as `a service at http://127.0.0.1:8600`: who meets the lock is told it after the name and
    /// the id of the process. All of that is shown up to 200 bytes.
    #[must_use]
    pub fn with_purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = Some(purpose.into());
        self
    }

    /// Checks every setting against its limits, as creating and opening do.
    ///
    /// # Errors
    /// [`OpenError::InvalidOption`] names the first that is outside of them.
    pub fn validate(&self) -> Result<(), OpenError> {
        let entry = wide(self.entry_size_max);
        between("entry_size_max", entry, 8 << 10, 1 << 20)?;
        at_least("max_file_size", self.max_file_size, 2 * entry + (64 << 10))?;
        at_least("max_files", self.max_files.map_or(1, u64::from), 1)?;
        at_least("queue_size_max", wide(self.queue_size_max), 2 * entry)?;
        let interval = u64::try_from(self.checkpoint_interval.as_millis()).unwrap_or(u64::MAX);
        between("checkpoint_interval (ms)", interval, 1, 3_600_000)
    }
}

fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

fn at_least(option: &'static str, value: u64, least: u64) -> Result<(), OpenError> {
    if value >= least {
        return Ok(());
    }
    Err(OpenError::InvalidOption { option, value, limit: OptionLimit::AtLeast(least) })
}

fn between(option: &'static str, value: u64, from: u64, to: u64) -> Result<(), OpenError> {
    if (from..=to).contains(&value) {
        return Ok(());
    }
    Err(OpenError::InvalidOption { option, value, limit: OptionLimit::Between { from, to } })
}

/// Whether each record gets a random salt, which keeps a neighbour's content from being guessed from a hash that a
/// proof shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Salting {
    /// 128 random bits a record.
    On,
    /// None: records are 33 bytes shorter.
    Off,
}

/// Whether a network file system will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkFileSystem {
    /// Refuse it.
    Refuse,
    /// Take it, on the operator's word that its syncs are true and its locks exclusive.
    Allow,
}

/// What to do with a log whose last timestamp is over an hour ahead of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LastTimestamp {
    /// Refuse to open it.
    Refuse,
    /// Open it: its time stands still until the clock has caught up.
    AcceptAhead,
}

/// How long an `event_id` is remembered: for `period` and for `records`, whichever is more, as long as it fits into
/// `memory_size_max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "three settings that callers write out")]
pub struct Idempotency {
    /// At least so long: 10 minutes unless set.
    pub period: Duration,
    /// At least so many records: 100,000 unless set.
    pub records: u64,
    /// At most so many bytes of memory: 32 MiB unless set.
    pub memory_size_max: usize,
}

impl Default for Idempotency {
    fn default() -> Self {
        Self { period: Duration::from_mins(10), records: 100_000, memory_size_max: 32 << 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_outside_its_limits_is_named_with_limit_and_value() {
        let options = Options::default().with_max_file_size(1000);
        let message = options.validate().map_err(|e| e.to_string());
        assert_eq!(
            message,
            Err("option max_file_size is 1000: it must be at least 196608".to_owned())
        );
        let options = Options::default().with_entry_size_max(100);
        let message = options.validate().map_err(|e| e.to_string());
        assert_eq!(
            message,
            Err("option entry_size_max is 100: it must be from 8192 to 1048576".to_owned())
        );
        assert!(Options::default().validate().is_ok());
        assert!(Options::default().with_max_files(0).validate().is_err());
    }
}
