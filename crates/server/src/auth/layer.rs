//! The step in front of every path of a log: finds out who calls, and puts the [`Caller`](super::Caller) into the request.
//!
//! What needs no name (health, reflection, `/openapi.json`, a public tree) stands outside of it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use futures_util::future::Either;
use tower::{Layer, Service as Answering};

use crate::auth::browser;
use crate::auth::caller::Caller;
use crate::auth::denied::Denied;
use crate::auth::peer::Peer;
use crate::error::ApiError;
use crate::service::Service;

/// In front of what answers, and in front of nothing as a layer. (A middleware of axum would box what it answers with, and
/// clone what is behind it, for every request.)
#[derive(Clone, Debug)]
pub(crate) struct Authenticating<S = ()> {
    service: Service,
    behind: S,
}

impl Authenticating {
    /// As a layer.
    pub(crate) fn before_routes(service: &Service) -> Self {
        Self { service: service.clone(), behind: () }
    }
}

impl<S> Layer<S> for Authenticating {
    type Service = Authenticating<S>;

    fn layer(&self, behind: S) -> Authenticating<S> {
        Authenticating { service: self.service.clone(), behind }
    }
}

impl<S> Answering<Request> for Authenticating<S>
where
    S: Answering<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.behind.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match let_in(&self.service, &mut request) {
            Ok(()) => Either::Left(self.behind.call(request)),
            Err(error) => Either::Right(ready(Ok(crate::http::answer(&request, error)))),
        }
    }
}

/// Puts the caller into a request.
///
/// # Errors
/// It is refused, and that is noted.
pub(crate) fn let_in<B>(service: &Service, request: &mut http::Request<B>) -> Result<(), ApiError> {
    let Some(peer) = request.extensions().get::<Peer>() else {
        return Err(ApiError::internal("a request without a peer"));
    };
    match admit(service, peer, request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(())
        }
        Err(denied) => {
            if let Some(reason) = denied.reason {
                service.oversight.refusals.note(peer.who(), reason);
            }
            Err(denied.error)
        }
    }
}

fn admit<B>(service: &Service, peer: &Peer, request: &http::Request<B>) -> Result<Caller, Denied> {
    let anonymous = service.authenticator.is_anonymous();
    browser::check(request, peer, anonymous, &service.config.listen)?;
    service.authenticator.identify(peer, request.headers())
}
