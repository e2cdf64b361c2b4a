//! That a caller was not let in: [`Denied`], what it is told, and what the operator and the log are.

use indelible::format::own::RefuseReason;

use crate::error::{ApiError, Code};

/// Why a caller was not let in.
#[derive(Debug)]
pub(crate) struct Denied {
    /// For the caller.
    pub(crate) error: ApiError,
    /// For the record; none where the request was wrong in form, and nobody's access was refused.
    pub(crate) reason: Option<RefuseReason>,
}

impl Denied {
    /// It did not say who it is, in a way that is known here.
    pub(super) fn unauthenticated(reason: RefuseReason, message: &'static str) -> Self {
        Self { error: ApiError::new(Code::Unauthenticated, message), reason: Some(reason) }
    }

    /// It is a web page's request, or one for another host.
    pub(super) fn origin(message: &'static str) -> Self {
        let error = ApiError::new(Code::PermissionDenied, message);
        Self { error, reason: Some(RefuseReason::Origin) }
    }

    /// It is not in the form that requests have.
    pub(super) fn malformed(code: Code, message: &'static str) -> Self {
        Self { error: ApiError::new(code, message), reason: None }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        denied.error
    }
}
