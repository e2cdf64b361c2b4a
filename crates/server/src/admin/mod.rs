//! The admin listener: `/metrics`, `/healthz`, `/readyz`.
//!
//! Invariants:
//! - off loopback, metrics and the names of logs are for principals with the role `admin` alone; whether the service
//!   lives and is ready is for everybody, as probes have no name;
//! - on loopback, a web page gets nothing: `Host` and `Origin` must be this machine's;
//! - it answers while the service drains, so that whoever balances load sees that it ends.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::auth::role::Role;
use crate::auth::{Peer, browser};
use crate::error::{ApiError, Code};
use crate::readiness::Readiness;
use crate::service::Service;

/// Who may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    /// Everybody who reaches it, which is this machine alone.
    Everybody,
    /// Principals with the role.
    Admins,
}

#[derive(Clone, Debug)]
struct Admin {
    service: Service,
    audience: Audience,
}

/// The routes of the admin listener at that address.
pub(crate) fn routes(service: &Service, address: SocketAddr) -> Router {
    let loopback = address.ip().to_canonical().is_loopback();
    let audience = if loopback { Audience::Everybody } else { Audience::Admins };
    let admin = Admin { service: service.clone(), audience };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(unknown)
        .layer(axum::middleware::from_fn_with_state(admin.clone(), no_pages))
        .with_state(admin)
}

impl Admin {
    /// Whether who asks may see everything.
    fn admit(&self, request: &Request) -> Result<(), ApiError> {
        if self.audience == Audience::Everybody {
            return Ok(());
        }
        let peer = request.extensions().get::<Peer>();
        let peer = peer.ok_or_else(|| ApiError::internal("a request without a peer"))?;
        let identified = self.service.authenticator.identify(peer, request.headers());
        let caller = identified.inspect_err(|denied| {
            if let Some(reason) = denied.reason {
                self.service.oversight.refusals.note(peer.who(), reason);
            }
        })?;
        // A role on one log shows nothing of the others.
        let mut logs = self.service.logs.all();
        logs.try_for_each(|log| caller.require(Role::Admin, log.name()))
    }
}

/// Keeps web pages of this machine's browsers away from what everybody on it may see.
async fn no_pages(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    if admin.audience == Audience::Everybody
        && let Err(denied) = browser::check_admin(&request, &admin.service.config.listen)
    {
        return denied.error.into_response();
    }
    next.run(request).await
}

async fn metrics(State(admin): State<Admin>, request: Request) -> Result<Response, ApiError> {
    admin.admit(&request)?;
    let text = admin.service.metrics.render();
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// Lives, as long as it answers.
async fn healthz() -> &'static str {
    "alive\n"
}

async fn readyz(State(admin): State<Admin>, request: Request) -> Response {
    let readiness = admin.service.readiness.borrow().clone();
    let status =
        if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut text = format!("{readiness}\n");
    // A probe that does not say who it is is not refused anything.
    let asks =
        admin.audience == Audience::Everybody || request.headers().contains_key(AUTHORIZATION);
    if asks && admin.admit(&request).is_ok() {
        text.extend(lines(&admin.service, &readiness));
    }
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// A line for each log.
fn lines(service: &Service, readiness: &Readiness) -> impl Iterator<Item = String> {
    service.logs.all().map(|log| match readiness.of_log(log.name()) {
        None => format!("{}: takes appends\n", log.name()),
        Some(reason) => format!("{}: {}: {reason}\n", log.name(), reason.as_str()),
    })
}

async fn unknown() -> ApiError {
    ApiError::new(
        Code::NotFound,
        "there is nothing at this path; there are /metrics, /healthz, /readyz",
    )
}
