//! What a listener knows of the other end of a connection, before anything was asked.

use std::net::SocketAddr;
use std::sync::Arc;

use indelible::format::own::Who;

/// The other end of one connection; in the extensions of each of its requests.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// Over TCP, with the names of its client certificate where it showed one that a configured authority signed.
    Tcp { address: SocketAddr, names: Arc<[String]> },
    /// Over the Unix socket.
    Unix { uid: u32 },
}

impl Peer {
    /// How it is called where it was refused and is not known by a name: an address without port, or a user.
    pub(crate) fn who(&self) -> Who {
        match self {
            Self::Tcp { address, .. } => Who::Address(address.ip().to_canonical()),
            Self::Unix { uid } => Who::User(*uid),
        }
    }
}
