//! How a running service is reached: [`Remote`].
//!
//! It reads the files that the flags name, and connects to nothing.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use indelible_server::client::{ConnectOptions, ServerUrl, Token};

/// Where authorities lie on most systems.
const SYSTEM_CA: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// A running service in the place of a folder.
#[derive(Clone, Debug, Args)]
pub(crate) struct Remote {
    /// Ask a running service, not a folder: http://HOST:PORT, https://HOST:PORT or unix:PATH
    #[arg(long, value_name = "URL", conflicts_with = "dir", help_heading = "A running service")]
    pub(crate) server: Option<ServerUrl>,

    /// Which of its logs [default: its default log]
    #[arg(
        long = "log",
        value_name = "NAME",
        requires = "server",
        help_heading = "A running service"
    )]
    log: Option<String>,

    /// A file with the bearer token; without it, the token is taken from `INDELIBLE_TOKEN`
    #[arg(long, value_name = "PATH", requires = "server", help_heading = "A running service")]
    token_file: Option<PathBuf>,

    /// A file with the authorities (PEM) that sign the service's certificate [default: the system's]
    #[arg(long, value_name = "PATH", requires = "server", help_heading = "A running service")]
    ca_file: Option<PathBuf>,

    /// A file with a certificate of your own (PEM, with its chain), where the service asks for one
    #[arg(
        long,
        value_name = "PATH",
        requires = "server",
        requires = "client_key",
        help_heading = "A running service"
    )]
    client_cert: Option<PathBuf>,

    /// A file with its private key (PEM)
    #[arg(long, value_name = "PATH", requires = "client_cert", help_heading = "A running service")]
    client_key: Option<PathBuf>,
}

impl Remote {
    /// How the service is reached; reads the files that were named.
    pub(crate) fn options(&self, url: &ServerUrl) -> anyhow::Result<ConnectOptions> {
        let mut options = ConnectOptions::new(url.clone());
        if let Some(log) = &self.log {
            options = options.with_log(log.clone());
        }
        let token = match &self.token_file {
            Some(path) => Some((read(path)?, path.display().to_string())),
            None => std::env::var("INDELIBLE_TOKEN")
                .ok()
                .filter(|token| !token.is_empty())
                .map(|token| (token.into_bytes(), "INDELIBLE_TOKEN".to_owned())),
        };
        if let Some((token, place)) = token {
            // What is no text is no token either.
            let token = Token::new(&String::from_utf8_lossy(&token)).context(place)?;
            options = options.with_token(token);
        }
        if url.is_tls() {
            if let Some(path) = &self.ca_file {
                options = options.with_ca(read(path)?);
            } else if let Some(ca) = SYSTEM_CA.iter().find_map(|path| read(path).ok()) {
                options = options.with_ca(ca);
            }
        }
        if let (Some(chain), Some(key)) = (&self.client_cert, &self.client_key) {
            options = options.with_certificate(read(chain)?, read(key)?);
        }
        Ok(options)
    }
}

fn read(path: impl AsRef<std::path::Path>) -> anyhow::Result<Vec<u8>> {
    let path = path.as_ref();
    std::fs::read(path).with_context(|| format!("could not read {}", path.display()))
}
