//! Where a service is: [`ServerUrl`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::Uri;

/// Where a service is: `http://HOST:PORT`, `https://HOST:PORT` or `unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Tcp(Uri),
    Unix(PathBuf),
}

/// Why a text is no [`ServerUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerUrlError {
    /// It begins with none of the three.
    #[error("a service is at http://HOST:PORT, https://HOST:PORT or unix:PATH")]
    Scheme,
    /// It has a path, a query or a user.
    #[error("a service's URL ends after the port: http://HOST:PORT")]
    TooMuch,
}

impl ServerUrl {
    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(&self.0, Kind::Tcp(uri) if uri.scheme_str() == Some("https"))
    }

    /// The path of the Unix socket, where it is one.
    pub fn unix(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Unix(path) => Some(path),
            Kind::Tcp(_) => None,
        }
    }

    /// As HTTP has it; over a Unix socket the host says nothing.
    pub(super) fn uri(&self) -> Uri {
        match &self.0 {
            Kind::Tcp(uri) => uri.clone(),
            Kind::Unix(_) => Uri::from_static("http://localhost"),
        }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp(uri) => f.write_str(uri.to_string().trim_end_matches('/')),
            Kind::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, ServerUrlError> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(ServerUrlError::Scheme);
            }
            return Ok(Self(Kind::Unix(PathBuf::from(path))));
        }
        let uri: Uri = text.parse().map_err(|_malformed| ServerUrlError::Scheme)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(ServerUrlError::Scheme);
        }
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if has_user || uri.query().is_some() || !matches!(uri.path(), "" | "/") {
            return Err(ServerUrlError::TooMuch);
        }
        Ok(Self(Kind::Tcp(uri)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_at_a_port_or_at_a_socket() {
        for text in ["http://127.0.0.1:8600", "https://audit.example.com", "unix:/run/audit.sock"] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), text);
        }
        assert!("https://x".parse::<ServerUrl>().unwrap().is_tls());
        assert!("unix:a.sock".parse::<ServerUrl>().unwrap().unix().is_some());
        for text in ["", "127.0.0.1:8600", "ftp://x", "unix:", "http://"] {
            assert_eq!(text.parse::<ServerUrl>(), Err(ServerUrlError::Scheme), "{text}");
        }
        for text in ["http://x/v1/records", "http://x?y", "http://me:secret@x"] {
            assert_eq!(text.parse::<ServerUrl>(), Err(ServerUrlError::TooMuch), "{text}");
        }
    }
}
