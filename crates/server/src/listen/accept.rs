//! Takes connections: [`Door`].
//!
//! Invariants:
//! - beyond the limit of connections one is refused at once, at the cost of a system call or two and no memory;
//! - what fails on accepting never ends the listener, and is told at most once a second.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::connection;
use super::exchange::{Counted, Routes};
use super::tls::Certificates;
use crate::auth::Peer;
use crate::error::{ApiError, Code};
use crate::http::problem::last_answer;
use crate::metrics::Step;
use crate::service::Service;

/// Connections of the admin listener: they have their own limit, so that a flood elsewhere does not hide what it does.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// After an error of accepting: what is exhausted needs time to be given back.
const PAUSE: Duration = Duration::from_millis(100);

/// What is written to whom a limit refuses, before anything was read. A client of HTTP/2 sees that it is none.
type Refusal = LazyLock<Vec<u8>>;

/// By the limit of the listeners that serve the logs.
static REFUSAL: Refusal = LazyLock::new(|| {
    let text = "as many connections are open as may be (limits.connections_max); try again";
    last_answer(&ApiError::new(Code::TooMany, text))
});

/// By that of the admin listener, which nobody sets.
static ADMIN_REFUSAL: Refusal = LazyLock::new(|| {
    let text = format!(
        "as many connections of the admin listener are open as may be ({ADMIN_CONNECTIONS_MAX}); try again"
    );
    last_answer(&ApiError::new(Code::TooMany, text))
});

/// What is behind a listener.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) service: Service,
    pub(super) routes: Arc<Routes>,
    /// Cancelled when it is closed.
    pub(super) closing: CancellationToken,
    pub(super) tasks: TaskTracker,
    slots: Arc<Semaphore>,
    refusal: &'static Refusal,
}

impl Door {
    /// Of the listeners that serve the logs.
    pub(super) fn main(service: &Service, routes: Routes) -> Self {
        Self {
            service: service.clone(),
            routes: Arc::new(routes),
            closing: service.stopping.clone(),
            tasks: service.tasks.clone(),
            slots: Arc::clone(&service.slots),
            refusal: &REFUSAL,
        }
    }

    /// Of the admin listener, which stays open while the others are drained, and does not hold that up.
    pub(super) fn admin(service: &Service, routes: Routes) -> Self {
        Self {
            service: service.clone(),
            routes: Arc::new(routes),
            closing: service.aborting.clone(),
            tasks: TaskTracker::new(),
            slots: Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX)),
            refusal: &ADMIN_REFUSAL,
        }
    }

    /// The next connection that is accepted, whatever fails before it; `None` once it is closed.
    async fn next<T, F: Future<Output = io::Result<T>>>(
        &self,
        troubles: &mut Troubles,
        accept: impl Fn() -> F,
    ) -> Option<T> {
        loop {
            let accepted = tokio::select! {
                () = self.closing.cancelled() => return None,
                accepted = accept() => accepted,
            };
            match accepted {
                Ok(connection) => return Some(connection),
                Err(error) => troubles.meet(&error, &self.service).await,
            }
        }
    }

    /// A place for one more connection, unless there are as many as may be.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.slots).try_acquire_owned().ok();
        let measured = &self.service.metrics.requests;
        match &place {
            Some(_) => measured.connections_taken.increment(1),
            None => measured.refused_over_limit.increment(1),
        }
        place
    }
}

/// Accepts on a TCP listener until the service stops.
pub(super) async fn accept_tcp(
    listener: TcpListener,
    door: Door,
    certificates: Option<Arc<Certificates>>,
) {
    let mut troubles = Troubles::default();
    while let Some((stream, address)) = door.next(&mut troubles, || listener.accept()).await {
        let Some(place) = door.place() else {
            refuse(&stream, door.refusal, certificates.is_some());
            continue;
        };
        drop(stream.set_nodelay(true));
        door.tasks.spawn(tcp(stream, address, door.clone(), certificates.clone(), place));
    }
}

/// Accepts on the Unix socket until the service stops.
pub(super) async fn accept_unix(listener: UnixListener, door: Door) {
    let mut troubles = Troubles::default();
    while let Some((stream, _)) = door.next(&mut troubles, || listener.accept()).await {
        let Some(place) = door.place() else {
            drop(stream.try_write(door.refusal));
            continue;
        };
        door.tasks.spawn(unix(stream, door.clone(), place));
    }
}

/// Refuses a connection. What can't be written at once is not written.
fn refuse(stream: &TcpStream, refusal: &[u8], tls: bool) {
    if tls {
        // Nothing readable can be said before a handshake; no state of it is kept.
        drop(stream.set_zero_linger());
    } else {
        drop(stream.try_write(refusal));
    }
}

async fn tcp(
    stream: TcpStream,
    address: SocketAddr,
    door: Door,
    certificates: Option<Arc<Certificates>>,
    place: OwnedSemaphorePermit,
) {
    let service = door.service.clone();
    let _open = Counted::new(&service.metrics.requests.connections);
    match certificates {
        None => {
            let peer = Peer::Tcp { address, names: Arc::new([]) };
            connection::serve(stream, peer, door).await;
        }
        Some(certificates) => {
            let shaking = timeout(service.config.timeouts.handshake, certificates.accept(stream));
            let shaken = tokio::select! {
                shaken = shaking => shaken,
                () = door.closing.cancelled() => return,
            };
            let measured = &service.metrics.requests;
            match shaken {
                Ok(Ok((stream, names))) => {
                    let peer = Peer::Tcp { address, names };
                    connection::serve(stream, peer, door).await;
                }
                Ok(Err(error)) => {
                    measured.refused_handshake.increment(1);
                    debug!(%error, "a TLS handshake failed");
                }
                Err(_) => measured.timed_out(Step::Handshake),
            }
        }
    }
    drop(place);
}

async fn unix(stream: UnixStream, door: Door, place: OwnedSemaphorePermit) {
    let service = door.service.clone();
    let _open = Counted::new(&service.metrics.requests.connections);
    match stream.peer_cred() {
        Ok(credentials) => {
            let peer = Peer::Unix { uid: credentials.uid() };
            connection::serve(stream, peer, door).await;
        }
        Err(error) => {
            warn!(%error, "the system does not say who is at the Unix socket's other end");
        }
    }
    drop(place);
}

/// Errors of accepting.
#[derive(Debug, Default)]
struct Troubles {
    told: Option<Instant>,
}

impl Troubles {
    async fn meet(&mut self, error: &io::Error, service: &Service) {
        service.metrics.requests.refused_accept.increment(1);
        // The client went away between connecting and being accepted: no reason to wait.
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        let now = Instant::now();
        if self.told.is_none_or(|told| now.duration_since(told) >= Duration::from_secs(1)) {
            self.told = Some(now);
            warn!(%error, "could not accept a connection; trying again");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
