//! Starts the service, and ends it: [`Server`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use indelible::Refusal;
use indelible::format::own::StopReason;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::auth::tokens::TokenFileError;
use crate::auth::{Authenticator, Oversight};
use crate::config::{Config, ConfigError};
use crate::engine::{Log, LogError, Logs, Storages};
use crate::listen::tls::{Certificates, Reloaded, TlsError};
use crate::listen::{Listeners, Routes, SocketError, SocketFile};
use crate::metrics::Metrics;
use crate::service::Service;
use crate::shutdown::signals::{Signals, Wish};
use crate::shutdown::{self, Stopped, manager};
use crate::{admin, auth, grpc, http, readiness, records, telemetry};

/// How often it is looked whether certificates have changed.
const CERTIFICATES_PERIOD: Duration = Duration::from_secs(5);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is not one that the service takes.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tokens could not be read.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// A log could not be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An address could not be listened on.
    #[error("could not listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The Unix socket could not be listened on.
    #[error("could not listen on {}: {source}", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: SocketError,
    },
    /// The certificates can't be used.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// What reflection tells could not be read.
    #[error("could not read the descriptors of the API: {0}")]
    Descriptors(#[from] tonic_reflection::server::Error),
    /// The runtime did not start.
    #[error("could not start the runtime: {0}")]
    Runtime(std::io::Error),
}

/// A service that runs.
#[derive(Debug)]
pub struct Server {
    service: Service,
    addresses: Vec<SocketAddr>,
    admin_address: Option<SocketAddr>,
    certificates: Option<Arc<Certificates>>,
    /// Ended with the service.
    background: Vec<AbortOnDropHandle<()>>,
    socket: Option<SocketFile>,
}

impl Server {
    /// Opens the logs, binds the listeners and begins to serve.
    ///
    /// # Durability
    /// As [`indelible::AuditLog::open`], for each log.
    ///
    /// # Errors
    /// [`StartError`]: nothing is served then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_on(config, Storages::new()).await
    }

    /// As [`start`](Self::start), with logs on other disks than this machine's, by their names.
    ///
    /// # Durability
    /// As [`start`](Self::start), as far as those disks keep what they say.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_on(config: Config, storages: Storages) -> Result<Self, StartError> {
        config.validate()?;
        // What is wrong with addresses and certificates is known before a log is touched.
        let listeners = Listeners::bind(&config).await?;
        let url = listeners.url(&config);
        let opening = tokio::task::spawn_blocking(move || {
            let metrics = Metrics::new(config.logs.iter().map(|log| log.name.as_str()));
            let certificates = Certificates::load(&config, &metrics)?;
            let oversight = Arc::new(Oversight::new(&config.limits));
            let authenticator = Authenticator::new(&config, &oversight)?;
            let logs = Logs::open(&config, &metrics, storages, url.as_deref())?;
            let service = Service::new(config, logs, authenticator, oversight, metrics);
            Ok::<_, StartError>((service, certificates))
        });
        let opened = opening.await.map_err(|panicked| StartError::Runtime(panicked.into()))?;
        let (service, certificates) = opened?;
        service.logs.all().for_each(|log| tell_of(log));
        records::started(&service, &listeners.places());
        readiness::look(&service);
        // One of those that are waited for: it has the log say whom the service refused before it is closed.
        service.tasks.spawn(auth::housekeeping::run(service.clone()));
        let mut background =
            vec![AbortOnDropHandle::new(tokio::spawn(readiness::watch(service.clone())))];
        if let Some(certificates) = &certificates {
            let watching = watch(Arc::clone(certificates), service.clone());
            background.push(AbortOnDropHandle::new(tokio::spawn(watching)));
        }
        let (addresses, admin_address) = (listeners.addresses.clone(), listeners.admin_address);
        let admin_routes = admin_address.map(|address| admin::routes(&service, address));
        let socket = listeners.serve(
            &service,
            routes(&service)?,
            Routes { methods: None, paths: admin_routes.unwrap_or_default() },
            certificates.as_ref(),
        );
        let listening = addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
        let unix = service.config.listen.unix.as_ref().map(|unix| unix.path.display().to_string());
        info!(
            addresses = %listening,
            admin = admin_address.map(tracing::field::display),
            unix = unix.map(tracing::field::display),
            "serving"
        );
        Ok(Self { service, addresses, admin_address, certificates, background, socket })
    }

    /// Where it listens, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where `/metrics`, `/healthz` and `/readyz` are.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// The verifier key of each log that is open for appending, by the log's name.
    pub fn verifier_keys(&self) -> Vec<(String, String)> {
        let logs = self.service.logs.all();
        logs.filter_map(|log| Some((log.name().to_owned(), log.verifier_key()?))).collect()
    }

    /// The names of the logs that were not there and were made.
    pub fn new_logs(&self) -> Vec<String> {
        let logs = self.service.logs.all();
        logs.filter(|log| log.is_new()).map(|log| log.name().to_owned()).collect()
    }

    /// The logs that take no appends, by their names, and why: opening found what a crash alone can't have left.
    pub fn refused_logs(&self) -> Vec<(String, &Refusal)> {
        let logs = self.service.logs.all();
        logs.filter_map(|log| Some((log.name().to_owned(), log.refusal()?))).collect()
    }

    /// Reads the certificates and tokens again; what can't be used is told, and the old ones stay in use.
    pub async fn reload(&self) {
        self.service.reloads.send_replace(());
        if let Some(certificates) = &self.certificates {
            reload(Arc::clone(certificates), self.service.clone()).await;
        }
    }

    /// Ends the service: takes no more, lets end what is under way, closes the logs; each within its deadline.
    ///
    /// # Durability
    /// Everything acknowledged is durable in any case; a last checkpoint covers it, where the log was closed in order.
    pub async fn stop(self) -> Stopped {
        self.stop_for(StopReason::Request).await
    }

    async fn stop_for(self, reason: StopReason) -> Stopped {
        let stopped = shutdown::stop(&self.service, reason).await;
        drop(self.background);
        drop(self.socket);
        stopped
    }

    /// Serves until it is told to end.
    async fn until_told(self, mut signals: Signals) -> Stopped {
        let count = self.service.logs.all().count();
        let status = format!("serving {count} {}", if count == 1 { "log" } else { "logs" });
        manager::ready(&status);
        loop {
            match signals.next().await {
                Wish::Stop => break,
                Wish::Reload => {
                    manager::reloading();
                    self.reload().await;
                    manager::ready(&status);
                }
            }
        }
        let service = self.service.clone();
        tokio::select! {
            stopped = self.stop_for(StopReason::Signal) => stopped,
            () = signals.stop() => {
                warn!("told to end a second time: ending at once; everything acknowledged is durable");
                shutdown::leave_open(&service);
                Stopped::at_once(&service)
            }
        }
    }
}

/// All routes of the service's port.
fn routes(service: &Service) -> Result<Routes, StartError> {
    let paths = Router::new()
        .merge(http::routes(service).with_state(service.clone()))
        .merge(http::open_routes(service).with_state(service.clone()))
        .merge(grpc::open_routes(service)?)
        .fallback(http::unknown);
    Ok(Routes { methods: Some(grpc::methods(service)), paths })
}

/// What opening a log found, for the operator.
fn tell_of(log: &Log) {
    let (name, folder) = (log.name(), log.config().folder.display());
    if let Some(trouble) = log.trouble() {
        warn!(log = name, %folder, "opened for reading alone: {trouble}");
        return;
    }
    let key = log.verifier_key();
    if log.is_new() {
        info!(log = name, %folder, key, key_file = %log.config().key_path().display(), "made a new log");
        return;
    }
    match log.recovery().filter(|recovery| !recovery.is_clean()) {
        None => info!(log = name, %folder, key, "opened"),
        Some(recovery) => info!(
            log = name,
            %folder,
            key,
            torn_bytes = recovery.mended.iter().map(|mended| mended.length).sum::<u64>(),
            adopted_to_seq = recovery.adopted.map(|adopted| adopted.to_seq),
            finished_rotation = recovery.finished_rotation,
            removed_segments = recovery.removed_segments,
            "opened, and mended what a crash left"
        ),
    }
}

/// Looks again and again whether certificates have changed.
async fn watch(certificates: Arc<Certificates>, service: Service) {
    let mut ticks = tokio::time::interval(CERTIFICATES_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        reload(Arc::clone(&certificates), service.clone()).await;
    }
}

async fn reload(certificates: Arc<Certificates>, service: Service) {
    let reloading = tokio::task::spawn_blocking(move || {
        if let Reloaded::Changed { before, after } = certificates.reload(&service.metrics) {
            records::certificates_changed(&service, before, after);
        }
    });
    if let Err(panicked) = reloading.await {
        warn!(%panicked, "reading the certificates again failed");
    }
}

/// Runs the service until it is told to end, on a runtime of its own; blocks.
///
/// # Durability
/// As [`Server::stop`].
///
/// # Errors
/// [`StartError`].
pub fn run(config: Config) -> Result<Stopped, StartError> {
    run_with(config, |_| {})
}

/// As [`run`]; `started` is called once the service serves.
///
/// # Durability
/// As [`Server::stop`].
///
/// # Errors
/// [`StartError`].
pub fn run_with(config: Config, started: impl FnOnce(&Server)) -> Result<Stopped, StartError> {
    telemetry::start(&config.telemetry);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(StartError::Runtime)?;
    let ended = runtime.block_on(async {
        let signals = Signals::listen().map_err(StartError::Runtime)?;
        let server = Server::start(config).await?;
        started(&server);
        Ok(server.until_told(signals).await)
    });
    // A thread that waits for a disk is not waited for.
    runtime.shutdown_background();
    ended
}
