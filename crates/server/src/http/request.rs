//! What a handler is given of a request: which log ([`OfLog`]), which record ([`RecordSeq`]), for whom.
//!
//! Each path exists twice, under `/v1` and under `/v1/logs/{log}`; only this module knows. What is wrong with a path is a
//! problem that names the part.

use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::auth::Caller;
use crate::auth::role::Role;
use crate::engine::Log;
use crate::error::ApiError;
use crate::http::parameters::{Known, Parameters};
use crate::read::number::number as canonical;
use crate::service::Service;

/// The log that a path names, and who calls.
pub(super) struct OfLog {
    pub(super) log: Arc<Log>,
    pub(super) caller: Caller,
}

/// The log that a path names, for a caller that may read it.
pub(super) struct Readable(pub(super) Arc<Log>);

/// The record that a path names.
pub(super) struct RecordSeq(pub(super) u64);

/// That the address has no query, where the path takes none.
pub(super) struct NoParameters;

impl FromRequestParts<Service> for OfLog {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| ApiError::internal("nobody authenticated a request"))?;
        let log = named_log(parts, service).await?;
        Ok(Self { log, caller })
    }
}

impl FromRequestParts<Service> for Readable {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, ApiError> {
        let OfLog { log, caller } = OfLog::from_request_parts(parts, service).await?;
        caller.require(Role::Read, log.name())?;
        Ok(Self(log))
    }
}

impl FromRequestParts<Service> for RecordSeq {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, ApiError> {
        let text = part(parts, service, "seq").await?;
        number("seq", text.as_deref().unwrap_or_default()).map(Self)
    }
}

impl FromRequestParts<Service> for NoParameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _service: &Service) -> Result<Self, ApiError> {
        Parameters::of(&parts.uri, Known { once: &[], repeated: &[] }).map(|_none| Self)
    }
}

/// The log that a path names; the default one where it names none.
pub(super) async fn named_log(parts: &mut Parts, service: &Service) -> Result<Arc<Log>, ApiError> {
    let name = part(parts, service, "log").await?;
    if name.as_deref().is_some_and(str::is_empty) {
        return Err(ApiError::field(
            "log",
            "the name is empty; the path without it is the default log's",
        ));
    }
    service.logs.get(name.as_deref().unwrap_or_default()).map(Arc::clone)
}

/// A variable part of the path, decoded.
pub(super) async fn part(
    parts: &mut Parts,
    service: &Service,
    name: &'static str,
) -> Result<Option<String>, ApiError> {
    match RawPathParams::from_request_parts(parts, service).await {
        Ok(params) => {
            let found = params.iter().find(|(key, _)| *key == name);
            Ok(found.map(|(_, value)| value.to_owned()))
        }
        Err(RawPathParamsRejection::MissingPathParams(_)) => Ok(None),
        Err(rejection) => Err(ApiError::field("path", rejection.body_text())),
    }
}

/// A sequence number or a count, as a path or a query spells it.
pub(super) fn number(field: &str, text: &str) -> Result<u64, ApiError> {
    canonical(text).ok_or_else(|| {
        let most = u64::MAX;
        let what = "digits alone, without a zero before them";
        ApiError::field(field, format_args!("it is not a whole number from 0 to {most}, {what}"))
    })
}
