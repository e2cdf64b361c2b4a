//! Connections to a service: [`Client`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use super::error::ClientError;
use super::retry::{Observer, Pauses, Retry};
use super::url::ServerUrl;
use crate::proto::v1::audit_service_client::AuditServiceClient;

/// How long making a connection may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Between pings, and until one is answered: a peer that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Bytes of one answer; a record has at most 1 MiB.
const ANSWER_SIZE_MAX: usize = 16 << 20;

/// How a service is reached.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    url: ServerUrl,
    log: String,
    token: Option<Token>,
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    retry: Retry,
    observer: Option<Observer>,
}

impl ConnectOptions {
    /// The service at `url`, its default log, without any credentials.
    pub fn new(url: ServerUrl) -> Self {
        let (log, retry) = (String::new(), Retry::default());
        Self { url, log, token: None, ca: None, identity: None, retry, observer: None }
    }

    /// Uses the log of that name.
    #[must_use]
    pub fn with_log(mut self, log: impl Into<String>) -> Self {
        self.log = log.into();
        self
    }

    /// Sends a bearer token with each request.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Takes a service's certificate only from these authorities (PEM).
    #[must_use]
    pub fn with_ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// Shows a certificate of its own (PEM, with its chain and private key).
    #[must_use]
    pub fn with_certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((chain.into(), key.into()));
        self
    }

    /// How often, and after how long, something is tried again.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Tells an observer where something is tried again.
    #[must_use]
    pub fn with_observer(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }
}

/// A bearer token. [`Debug`](fmt::Debug) does not show it.
#[derive(Clone)]
pub struct Token(MetadataValue<Ascii>);

/// The text can't be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token is one line of visible ASCII characters, as `indelible token new` prints it")]
#[non_exhaustive]
pub struct TokenError;

impl Token {
    /// Takes a token, with white space around it or without.
    ///
    /// # Errors
    /// [`TokenError`]; the text is not repeated.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError);
        }
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {text}").parse().map_err(|_malformed| TokenError)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Adds the token to each request.
#[derive(Clone, Debug)]
pub(super) struct Authorize(Option<Token>);

impl Interceptor for Authorize {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(Token(value)) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// The generated client, with the token.
pub(super) type Calls = AuditServiceClient<InterceptedService<Channel, Authorize>>;

/// A client of one log of a service; cheap to clone. It connects when it is used, and again when the connection is lost.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) calls: Calls,
    pub(super) log: String,
    pub(super) url: ServerUrl,
    retry: Retry,
    observer: Option<Observer>,
    /// Whether the service has ever answered.
    answered: Arc<AtomicBool>,
}

impl Client {
    /// A client that has not connected yet; needs a runtime of tokio around it.
    ///
    /// # Errors
    /// Certificates or keys that can't be used.
    pub fn new(options: &ConnectOptions) -> Result<Self, ClientError> {
        let mut endpoint = Endpoint::from(options.url.uri())
            .connect_timeout(CONNECT_TIME_MAX)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE);
        if options.url.is_tls() {
            let mut tls = ClientTlsConfig::new();
            if let Some(ca) = &options.ca {
                tls = tls.ca_certificate(Certificate::from_pem(ca));
            }
            if let Some((chain, key)) = &options.identity {
                tls = tls.identity(Identity::from_pem(chain, key));
            }
            endpoint = endpoint.tls_config(tls).map_err(ClientError::Tls)?;
        }
        let channel = match options.url.unix() {
            None => endpoint.connect_lazy(),
            Some(path) => {
                let path = path.to_path_buf();
                endpoint.connect_with_connector_lazy(tower::service_fn(move |_: http::Uri| {
                    let path = path.clone();
                    async move {
                        Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?))
                    }
                }))
            }
        };
        let calls = AuditServiceClient::with_interceptor(channel, Authorize(options.token.clone()))
            .max_decoding_message_size(ANSWER_SIZE_MAX)
            .max_encoding_message_size(usize::MAX);
        Ok(Self {
            calls,
            log: options.log.clone(),
            url: options.url.clone(),
            retry: options.retry,
            observer: options.observer.clone(),
            answered: Arc::default(),
        })
    }

    /// The pauses between tries, one after the other.
    pub(super) fn pauses(&self) -> Pauses {
        Pauses::new(self.retry, self.observer.clone(), Arc::clone(&self.answered))
    }

    /// Where the service is.
    pub fn url(&self) -> &ServerUrl {
        &self.url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::new(" secret-7\n").unwrap();
        let options = ConnectOptions::new("http://x".parse().unwrap()).with_token(token);
        assert!(!format!("{options:?}").contains("secret"), "{options:?}");
        for text in ["", " ", "two words", "two\nlines", "ä"] {
            assert!(Token::new(text).is_err(), "{text:?}");
        }
    }
}
