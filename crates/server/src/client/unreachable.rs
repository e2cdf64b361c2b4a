//! Why there is no connection, in plain words: [`Unreachable`].

use std::error::Error;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};
use tonic::Status;

/// Why there is no connection, or none any more.
///
/// Its text is the deepest cause's alone: those above it repeat it, in the words of their libraries.
#[derive(Debug)]
pub struct Unreachable(Box<Status>);

impl Unreachable {
    pub(super) fn new(status: Status) -> Self {
        Self(Box::new(status))
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cause) = Error::source(&*self.0).map(deepest) else {
            return f.write_str(self.0.message());
        };
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return of_tls(tls, f);
        }
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::TimedOut
        {
            return f.write_str("nobody answered in time");
        }
        fmt::Display::fmt(cause, f)
    }
}

/// The error that caused all those before it.
fn deepest<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut deepest = error;
    loop {
        // An I/O error that wraps another gives that one's cause for its own.
        let wrapped = deepest.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let below: Option<&'e (dyn Error + 'static)> = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => deepest.source(),
        };
        match below {
            Some(below) => deepest = below,
            None => return deepest,
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only what people meet has words of its own")]
fn of_tls(error: &rustls::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            // The latter: by one that has the name of a trusted one, and not its key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate is signed by no authority that is trusted here"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name than the one in the URL"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            _ => return write!(f, "its certificate is not taken: {certificate:?}"),
        },
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what answers there does not speak TLS"
        }
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate,
        ) => "it asks for a client certificate, and takes no other",
        _ => return write!(f, "TLS: {error}"),
    })
}
