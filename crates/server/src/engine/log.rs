//! One log of the service: [`Log`].

use std::sync::Arc;
use std::time::Instant;

use indelible::format::own::{ServiceRecord, ServiceStop, StopReason};
use indelible::storage::Storage;
use indelible::storage::local::LocalStorage;
use indelible::{
    AuditLog, BatchError, CloseError, Event, Observer, OpenError, Options, Pending, Prover, Reader,
    Recovery, Refusal, Salting,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::debug;

use crate::config::{Limits, LogConfig};
use crate::engine::LogError;
use crate::engine::growth::Growth;
use crate::engine::progress::Progress;
use crate::engine::queued::{Abandoned, Measured, Queued};
use crate::engine::refusing::Refusing;
use crate::engine::space::Space;
use crate::engine::unready::Unready;
use crate::engine::watchers::Watchers;
use crate::error::{ApiError, Code};
use crate::metrics::LogMetrics;
use crate::read::stop::{SetOnDrop, Stop};
use crate::telemetry;
use crate::unread::UnreadAnswers;

/// One log: its writer, unless it was refused, and what reads it.
#[derive(Debug)]
pub(crate) struct Log {
    config: LogConfig,
    appender: Appender,
    growth: Arc<Growth>,
    space: Arc<Space>,
    progress: Progress,
    abandoned: Arc<Abandoned>,
    refusing: Arc<Refusing>,
    /// Whether it was not there before, and was made.
    is_new: bool,
    /// How many records were there when it was opened.
    records_before: u64,
    metrics: Option<Arc<LogMetrics>>,
    reader: Reader,
    prover: Prover,
    /// Reads under way, bounded.
    reads: Arc<Semaphore>,
    /// Reads of followers under way, bounded for themselves.
    follows: Arc<Semaphore>,
    /// What is answered and not taken yet, bounded together with that of the other logs.
    unread: UnreadAnswers,
}

/// On what a log is, who measures and counts it, and where it is served.
#[derive(Debug)]
pub(crate) struct Site {
    /// This machine's files, where `None`.
    pub(crate) storage: Option<Arc<dyn Storage>>,
    pub(crate) metrics: Option<Arc<LogMetrics>>,
    pub(crate) unread: UnreadAnswers,
    /// Where callers reach the service.
    pub(crate) url: Option<String>,
}

/// Whether appends are taken.
#[derive(Debug)]
enum Appender {
    Open(Box<AuditLog>),
    /// Opening found what a crash alone can't have left: the log is served for reading.
    Refused(Box<Refusal>),
}

impl Log {
    /// Opens a log, or makes it; blocks.
    ///
    /// # Durability
    /// As [`AuditLog::open`].
    pub(crate) fn open(config: &LogConfig, limits: &Limits, site: Site) -> Result<Self, LogError> {
        let name = || config.name.clone();
        let storage = match site.storage {
            Some(storage) => storage,
            None => Arc::new(LocalStorage::new().map_err(|source| LogError::Files { source })?),
        };
        let on = || Arc::clone(&storage);
        let growth = Arc::new(Growth::new());
        let watchers: Vec<Arc<dyn Observer>> = match &site.metrics {
            Some(metrics) => vec![Arc::<Growth>::clone(&growth), Arc::<LogMetrics>::clone(metrics)],
            None => vec![Arc::<Growth>::clone(&growth)],
        };
        let mut options = options(config).with_observer(Arc::new(Watchers(watchers)));
        if let Some(url) = site.url {
            options = options.with_purpose(format!("a service at {url}"));
        }
        let mut is_new = false;
        let opened = match AuditLog::open_on(on(), &config.folder, options.clone()) {
            Err(OpenError::NotFound { folder }) if !config.create => {
                return Err(LogError::Missing { name: name(), folder });
            }
            Err(OpenError::NotFound { .. }) => {
                is_new = true;
                AuditLog::create_on(on(), &config.folder, options)
            }
            opened => opened,
        };
        let read = |source| LogError::Read { name: name(), source: Box::new(source) };
        let (appender, reader, records_before) = match opened {
            Ok(log) => {
                let (reader, records) = (log.reader(), log.records());
                (Appender::Open(Box::new(log)), reader, records)
            }
            Err(OpenError::Refused(refusal)) => {
                let reader = Reader::open_on(on(), &config.folder).map_err(read)?;
                (Appender::Refused(refusal), reader, 0)
            }
            Err(source) => return Err(LogError::Open { name: name(), source: Box::new(source) }),
        };
        let prove = |source| LogError::Prove { name: name(), source: Box::new(source) };
        let prover = Prover::open_on(on(), &config.folder).map_err(prove)?;
        Ok(Self {
            config: config.clone(),
            appender,
            growth,
            space: Space::new(config.folder.clone(), config.min_free_space),
            progress: Progress::default(),
            abandoned: Arc::default(),
            refusing: Arc::new(Refusing::new()),
            is_new,
            records_before,
            metrics: site.metrics,
            reader,
            prover,
            reads: Arc::new(Semaphore::new(limits.reads_max)),
            follows: Arc::new(Semaphore::new((limits.reads_max / 4).max(1))),
            unread: site.unread,
        })
    }

    /// Its name in requests.
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// How it is set up.
    pub(crate) fn config(&self) -> &LogConfig {
        &self.config
    }

    fn audit_log(&self) -> Result<&AuditLog, ApiError> {
        match &self.appender {
            Appender::Open(log) => Ok(log),
            Appender::Refused(refusal) => Err(ApiError::new(
                Code::ReadOnly,
                "the log was refused for appending when it was opened, since a crash alone can't have left it so; it \
                 can be read; its operator should verify it",
            )
            .caused(refusal)),
        }
    }

    /// Queues an event for an authenticated principal, or refuses it; never waits.
    ///
    /// # Durability
    /// None before what is returned resolves; dropping it does not take the event back.
    pub(crate) fn submit(&self, event: &Event, principal: &str) -> Result<Queued, ApiError> {
        self.space.check()?;
        let measured = self.measured();
        let pending = self.audit_log()?.try_submit_recorded_by(event, principal)?;
        Ok(self.queued(pending, measured))
    }

    /// Queues events in order, or refuses them all; never waits.
    ///
    /// # Durability
    /// As [`submit`](Self::submit), each on its own: a crash may keep the first of them and not the last.
    ///
    /// # Errors
    /// Says which event is at fault, where one is.
    pub(crate) fn submit_all(
        &self,
        events: &[Event],
        principal: &str,
    ) -> Result<Vec<Queued>, ApiError> {
        let refused = |refused: BatchError| {
            let error = ApiError::from(refused.error);
            refused.index.map_or(error.clone(), |index| error.at(index))
        };
        self.space.check()?;
        let measured = self.measured();
        let queued = self.audit_log()?.try_submit_all_recorded_by(events, principal);
        let queued = queued.map_err(refused)?.into_iter();
        Ok(queued.map(|pending| self.queued(pending, measured.clone())).collect())
    }

    fn queued(&self, pending: Pending, measured: Option<Measured>) -> Queued {
        Queued::new(pending, measured, &self.abandoned, &self.refusing)
    }

    /// Counts events as rejected that were refused before they were queued, for the request that is answered here.
    pub(crate) fn rejected(&self, count: usize) {
        if let Some(Measured { metrics, protocol, .. }) = self.measured() {
            metrics.rejected(protocol, u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    /// How an event is measured that is queued now, for the request that is answered here.
    fn measured(&self) -> Option<Measured> {
        let protocol = telemetry::protocol()?;
        Some(Measured {
            metrics: Arc::clone(self.metrics.as_ref()?),
            protocol,
            since: Instant::now(),
        })
    }

    /// Reads on a thread that may block, of which there is a bounded number.
    ///
    /// # Errors
    /// [`Code::TooMany`] where that number is reached, or clients have not taken what was read for them; and what `work`
    /// says.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader, &Prover) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.unread.reads.check()?;
        let Ok(turn) = Arc::clone(&self.reads).try_acquire_owned() else {
            return Err(ApiError::new(
                Code::TooMany,
                "as many reads of this log are under way as it may have (limits.reads_max); try again",
            ));
        };
        self.read_with(turn, work).await
    }

    /// As [`read`](Self::read), for what may take long: `work` is told when nobody waits for it any more.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) async fn scan<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader, &Stop) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let waiting = SetOnDrop::default();
        let stop = waiting.stop();
        self.read(move |reader, _| work(reader, &stop)).await
    }

    /// As [`scan`](Self::scan), for those that follow: each waits for its turn among them, so that they leave most of
    /// the reads to others.
    ///
    /// # Errors
    /// What `work` says.
    pub(crate) async fn scan_in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader, &Stop) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = Arc::clone(&self.follows).acquire_owned().await.map_err(ApiError::internal)?;
        let waiting = SetOnDrop::default();
        let stop = waiting.stop();
        self.read_with(turn, move |reader, _| work(reader, &stop)).await
    }

    async fn read_with<T: Send + 'static>(
        &self,
        turn: OwnedSemaphorePermit,
        work: impl FnOnce(&Reader, &Prover) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (reader, prover) = (self.reader.clone(), self.prover.clone());
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&reader, &prover);
            drop(turn);
            done
        });
        done.await.unwrap_or_else(|panicked| Err(ApiError::internal(panicked)))
    }

    /// Waits until more than `count` records can be read.
    pub(crate) async fn grows_beyond(&self, count: u64) {
        if let Appender::Open(log) = &self.appender
            && log.records() > count
        {
            return;
        }
        self.growth.beyond(count).await;
    }

    /// Counts what it and the other logs answer.
    pub(crate) fn unread(&self) -> &UnreadAnswers {
        &self.unread
    }

    /// Why it takes no appends, if it does not.
    pub(crate) fn unready(&self) -> Option<Unready> {
        match &self.appender {
            Appender::Refused(_) => Some(Unready::Refused),
            Appender::Open(log) if log.halted().is_some() => Some(Unready::Halted),
            Appender::Open(_) if self.space.is_low() => Some(Unready::DiskSpace),
            Appender::Open(_) if self.refusing.is_refusing() => Some(Unready::NotWritten),
            Appender::Open(_) => None,
        }
    }

    /// Whether it was not there, and was made when the service started.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Why it was refused or has halted, for the operator.
    pub(crate) fn trouble(&self) -> Option<String> {
        match &self.appender {
            Appender::Refused(refusal) => Some(refusal.to_string()),
            Appender::Open(log) => log.halted().map(|halt| halt.to_string()),
        }
    }

    /// What opening had to mend, where it is open.
    pub(crate) fn recovery(&self) -> Option<&Recovery> {
        match &self.appender {
            Appender::Open(log) => Some(log.recovery()),
            Appender::Refused(_) => None,
        }
    }

    /// Measures the free space, in the background.
    pub(crate) fn measure_space(&self) {
        self.space.measure();
    }

    /// Whether what waits to be written is being written: false where the writer has not moved for long. A log that
    /// takes no appends has nothing to write.
    pub(crate) fn can_write(&self) -> bool {
        match &self.appender {
            Appender::Open(log) if log.halted().is_none() => {
                self.progress.look(log.records(), log.waiting().events)
            }
            Appender::Open(_) | Appender::Refused(_) => true,
        }
    }

    /// Measures what is there to be measured.
    pub(crate) fn measure(&self, metrics: &LogMetrics) {
        if let Some(free) = self.space.free() {
            metrics.space(free, self.space.needed());
        }
        if let Appender::Open(log) = &self.appender {
            metrics.stored(log.records(), log.stored());
            metrics.waiting(log.waiting());
        }
    }

    /// Queues a record of the service's own; never waits.
    ///
    /// # Durability
    /// As [`submit`](Self::submit).
    pub(crate) fn record_service(&self, what: ServiceRecord) -> Result<Queued, ApiError> {
        let pending = self.audit_log()?.record_service(what)?;
        Ok(self.queued(pending, None))
    }

    /// Ends it: commits what waits, says that the service stops (with a reason to do so), makes a last checkpoint; blocks.
    /// Nothing may be queued any more.
    ///
    /// # Durability
    /// As [`AuditLog::close`].
    pub(crate) fn close(&self, reason: Option<StopReason>) -> Result<(), CloseError> {
        match &self.appender {
            Appender::Open(log) => {
                if let Some(reason) = reason {
                    self.record_stop(log, reason);
                }
                log.close()
            }
            Appender::Refused(_) => Ok(()),
        }
    }

    /// Why it takes no appends, where it was refused when it was opened.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match &self.appender {
            Appender::Open(_) => None,
            Appender::Refused(refusal) => Some(refusal),
        }
    }

    fn record_stop(&self, log: &AuditLog, reason: StopReason) {
        self.abandoned.wait();
        let records = log.records().saturating_sub(self.records_before);
        let stop = ServiceStop { reason, records };
        if let Err(error) = log.record_service(ServiceRecord::Stop(stop)).map(drop) {
            // A log that has halted can't say it, and says itself that it has.
            debug!(log = self.name(), %error, "the stop of the service could not be recorded");
        }
    }

    /// The key that verifies its checkpoints, where it is open.
    pub(crate) fn verifier_key(&self) -> Option<String> {
        match &self.appender {
            Appender::Open(log) => Some(log.identity().verifier_key().to_string()),
            Appender::Refused(_) => None,
        }
    }
}

/// Checks what a log is set to against the limits of logs; opens nothing.
///
/// # Errors
/// [`OpenError::InvalidOption`].
pub(crate) fn validate(config: &LogConfig) -> Result<(), OpenError> {
    options(config).validate()
}

fn options(config: &LogConfig) -> Options {
    let mut options = Options::default()
        .with_max_file_size(config.max_file_size)
        .with_checkpoint_interval(config.checkpoint_interval)
        .with_entry_size_max(config.entry_size_max)
        .with_queue_size_max(config.queue_size_max)
        .with_idempotency(config.idempotency)
        .with_salt(if config.salt { Salting::On } else { Salting::Off });
    if let Some(count) = config.max_files {
        options = options.with_max_files(count);
    }
    if let Some(origin) = &config.origin {
        options = options.with_origin(origin.clone());
    }
    if let Some(path) = &config.key_file {
        options = options.with_key_file(path.clone());
    }
    if config.allow_network_file_system {
        options = options.with_network_file_system(indelible::NetworkFileSystem::Allow);
    }
    if config.accept_last_timestamp {
        options = options.with_last_timestamp(indelible::LastTimestamp::AcceptAhead);
    }
    options
}
