//! Why something was not done: [`ClientError`].

use std::time::Duration;

use indelible::format::event::EventError;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::unreachable::Unreachable;
use super::url::ServerUrl;
use crate::proto::v1;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The event is outside the limits; it was not sent.
    #[error(transparent)]
    Event(#[from] EventError),
    /// Certificates or keys can't be used.
    #[error("the certificates or the key can't be used")]
    Tls(#[source] tonic::transport::Error),
    /// There is no connection.
    #[error("{url}: the service can't be reached: {reason}")]
    Unreachable {
        /// The service.
        url: ServerUrl,
        /// Why not.
        reason: Unreachable,
    },
    /// The service refused it, or says that it failed.
    #[error("{message}")]
    Refused {
        /// The stable code, as `docs/operate/errors.md` lists it.
        code: String,
        /// What happened.
        message: String,
        /// After how long the service would be asked again.
        retry_after: Option<Duration>,
        /// The record from which to go on.
        resume: Option<u64>,
        /// Whether the event may have been recorded.
        is_indeterminate: bool,
    },
    /// What answers is no service of indelible.
    #[error("{url}: what answers there is no service of indelible: {message}")]
    NotIndelible {
        /// The service.
        url: ServerUrl,
        /// What it said.
        message: String,
    },
    /// The service's answer makes no sense.
    #[error("the service answered with {what}, which makes no sense here")]
    Answer {
        /// What it was.
        what: &'static str,
    },
}

impl ClientError {
    /// The stable code, where the service gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Event(_)
            | Self::Tls(_)
            | Self::Unreachable { .. }
            | Self::NotIndelible { .. }
            | Self::Answer { .. } => None,
        }
    }

    /// Whether an event may have been recorded all the same: retry with the same `event_id`.
    pub const fn is_indeterminate(&self) -> bool {
        match self {
            Self::Refused { is_indeterminate, .. } => *is_indeterminate,
            // Nobody knows how far a request came whose connection broke.
            Self::Unreachable { .. } | Self::Answer { .. } => true,
            Self::Event(_) | Self::Tls(_) | Self::NotIndelible { .. } => false,
        }
    }

    /// The pause after which trying again makes sense; `None` where something must change first.
    pub(super) fn pause(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { .. } => Some(Duration::ZERO),
            Self::Refused { is_indeterminate: true, retry_after, .. } => {
                Some(retry_after.unwrap_or_default())
            }
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Event(_) | Self::Tls(_) | Self::NotIndelible { .. } | Self::Answer { .. } => None,
        }
    }

    /// The record from which to go on, where the service said so: for a follower, or behind a place that can't be read.
    pub const fn resume(&self) -> Option<u64> {
        match self {
            Self::Refused { resume, .. } => *resume,
            Self::Event(_)
            | Self::Tls(_)
            | Self::Unreachable { .. }
            | Self::NotIndelible { .. }
            | Self::Answer { .. } => None,
        }
    }

    pub(super) fn of(status: Status, url: &ServerUrl) -> Self {
        let details = status.get_error_details();
        if let Some(info) = details.error_info().filter(|info| info.domain == "indelible") {
            let resume = info.metadata.get("resume_seq").and_then(|seq| seq.parse().ok());
            return Self::Refused {
                is_indeterminate: info.reason == crate::Code::Indeterminate.as_str(),
                code: info.reason.clone(),
                message: status.message().to_owned(),
                retry_after: details.retry_info().and_then(|info| info.retry_delay),
                resume,
            };
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "all others come from no connection")]
        match status.code() {
            Code::Unimplemented
            | Code::NotFound
            | Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated => {
                Self::NotIndelible { url: url.clone(), message: status.message().to_owned() }
            }
            // The library's own, on an answer that is no gRPC: a service of this kind sends none.
            Code::Internal if status.message().starts_with("protocol error: ") => {
                let message = "it speaks HTTP, and no gRPC".to_owned();
                Self::NotIndelible { url: url.clone(), message }
            }
            _ => Self::Unreachable { url: url.clone(), reason: Unreachable::new(status) },
        }
    }

    pub(super) fn of_failure(failure: v1::Failure, is_indeterminate: bool) -> Self {
        let retry_after = Some(failure.retry_after_ms).filter(|millis| *millis > 0);
        Self::Refused {
            code: failure.code,
            message: failure.message,
            retry_after: retry_after.map(Duration::from_millis),
            resume: None,
            is_indeterminate,
        }
    }
}
