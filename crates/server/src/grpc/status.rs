//! How an [`ApiError`] looks in gRPC: a status with `google.rpc.ErrorInfo` and, where a retry makes sense, `RetryInfo`.

use std::collections::HashMap;

use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::error::{ApiError, Code};

/// `ErrorInfo.domain` of every error.
const DOMAIN: &str = "indelible";

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        crate::telemetry::answered(&error);
        let mut metadata = HashMap::new();
        if let Some(field) = &error.field {
            metadata.insert("field".to_owned(), field.clone());
        }
        if let Some(seq) = error.resume {
            metadata.insert("resume_seq".to_owned(), seq.to_string());
        }
        if let Some(index) = error.index {
            metadata.insert("index".to_owned(), index.to_string());
        }
        let mut details = ErrorDetails::with_error_info(error.code.as_str(), DOMAIN, metadata);
        if let Some(pause) = error.retry_after {
            details.set_retry_info(Some(pause));
        }
        Self::with_error_details(error.code.grpc(), error.message.clone(), details)
    }
}

/// A status of the gRPC library's, with the stable code of what it means; one that has a code is left as it is.
///
/// The library knows no codes: it calls a message over the limit out of range, and one that is no message an internal
/// error.
pub(super) fn explained(status: Status) -> Status {
    if !status.details().is_empty() {
        return status;
    }
    let text = status.message();
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only what the library itself says is named"
    )]
    match status.code() {
        tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => ApiError::new(
            Code::TooLarge,
            format!("the message is over its limit (limits.request_size_max): {text}"),
        ),
        tonic::Code::Unimplemented if text.is_empty() => {
            ApiError::new(Code::Unimplemented, "the service has no such method")
        }
        tonic::Code::Unimplemented => ApiError::new(Code::Unimplemented, text),
        tonic::Code::Internal => ApiError::new(
            Code::InvalidArgument,
            format!("this is no message of the method's: {text}"),
        ),
        _ => return status,
    }
    .into()
}
