//! Takes connections and serves requests on them: sockets, limits of connections, TLS, the end.
//!
//! Invariants:
//! - a connection costs a bounded amount of memory, and each of its steps has a deadline;
//! - when the service stops, a connection ends with what it has under way, or at the deadline.

mod accept;
mod activity;
mod connection;
mod deadline;
mod exchange;
mod pace;
mod received;
mod sent;
mod streams;
pub(crate) mod tls;
mod unix;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;

use self::accept::{Door, accept_tcp, accept_unix};
pub(crate) use self::exchange::Routes;
pub(crate) use self::received::Bodies;
use self::tls::Certificates;
pub use self::tls::TlsError;
use self::unix::Socket;
pub use self::unix::SocketError;
pub(crate) use self::unix::SocketFile;
use crate::config::Config;
use crate::server::StartError;
use crate::service::Service;

/// Sockets that are bound: whoever connects waits until they are served.
#[derive(Debug)]
pub(crate) struct Listeners {
    tcp: Vec<TcpListener>,
    unix: Option<Socket>,
    admin: Option<TcpListener>,
    /// Where they are, in the order of the configuration.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where the admin listener is.
    pub(crate) admin_address: Option<SocketAddr>,
}

impl Listeners {
    /// Binds what the configuration names.
    pub(crate) async fn bind(config: &Config) -> Result<Self, StartError> {
        let mut tcp = Vec::new();
        let mut addresses = Vec::new();
        for &address in &config.listen.tcp {
            let (listener, bound) = bind(address).await?;
            tcp.push(listener);
            addresses.push(bound);
        }
        let (admin, admin_address) = match config.admin {
            Some(address) => {
                let (listener, bound) = bind(address).await?;
                (Some(listener), Some(bound))
            }
            None => (None, None),
        };
        let unix = match &config.listen.unix {
            Some(listen) => Some(
                Socket::bind(listen)
                    .map_err(|source| StartError::Socket { path: listen.path.clone(), source })?,
            ),
            None => None,
        };
        Ok(Self { tcp, unix, admin, addresses, admin_address })
    }

    /// Where callers reach the logs, in words.
    pub(crate) fn places(&self) -> Vec<String> {
        let unix = self.unix.iter().map(|socket| format!("unix:{}", socket.file.path().display()));
        self.addresses.iter().map(ToString::to_string).chain(unix).collect()
    }

    /// Where the command on this machine reaches the logs (`--server`): the first of the addresses, or else the Unix socket.
    pub(crate) fn url(&self, config: &Config) -> Option<String> {
        let Some(mut address) = self.addresses.first().copied() else {
            return self
                .unix
                .as_ref()
                .map(|socket| format!("unix:{}", socket.file.path().display()));
        };
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        Some(format!("{scheme}://{address}"))
    }

    /// Serves on them until the service stops; the file of the Unix socket is there as long as what is returned.
    pub(crate) fn serve(
        self,
        service: &Service,
        routes: Routes,
        admin_routes: Routes,
        certificates: Option<&Arc<Certificates>>,
    ) -> Option<SocketFile> {
        let main = Door::main(service, routes);
        for listener in self.tcp {
            main.tasks.spawn(accept_tcp(listener, main.clone(), certificates.cloned()));
        }
        if let (Some(listener), Some(address)) = (self.admin, self.admin_address) {
            let door = Door::admin(service, admin_routes);
            // Loopback stays plain: probes and scrapers of the machine itself need no certificate.
            let certificates = certificates.filter(|_| !address.ip().is_loopback()).cloned();
            door.tasks.spawn(accept_tcp(listener, door.clone(), certificates));
        }
        let socket = self.unix?;
        main.tasks.spawn(accept_unix(socket.listener, main.clone()));
        Some(socket.file)
    }
}

/// Binds a TCP listener, and says where.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source: io::Error| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
