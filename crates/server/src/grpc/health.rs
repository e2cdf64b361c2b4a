//! `grpc.health.v1`: whether the service should be sent requests, for load balancers and orchestrators.
//!
//! It knows the whole service (an empty name) and `indelible.v1.AuditService`, which are ready together: while every log
//! takes appends. It names no log, since it answers everybody. A watch ends when the service stops, after it said so.

use std::pin::Pin;

use axum::Router;
use futures_util::stream;
use tokio::sync::watch;
use tokio_stream::Stream;
use tonic::server::NamedService as _;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::error::{ApiError, Code};
use crate::grpc::{Audit, AuditServiceServer, guard};
use crate::readiness::Readiness;
use crate::service::Service;

/// The routes.
pub(super) fn routes(service: &Service) -> Router {
    Routes::new(HealthServer::new(Checks { service: service.clone() }))
        .into_axum_router()
        .reset_fallback()
        .layer(axum::middleware::from_fn(guard::guard))
}

/// `grpc.health.v1.Health`.
#[derive(Clone, Debug)]
struct Checks {
    service: Service,
}

fn is_known(name: &str) -> bool {
    name.is_empty() || name == AuditServiceServer::<Audit>::NAME
}

fn answer(readiness: &Readiness) -> HealthCheckResponse {
    let status =
        if readiness.is_ready() { ServingStatus::Serving } else { ServingStatus::NotServing };
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for Checks {
    type WatchStream =
        Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send + 'static>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !is_known(&request.get_ref().service) {
            let text = "service: there is none of that name; the empty one is the whole service";
            return Err(ApiError::new(Code::NotFound, text).into());
        }
        Ok(Response::new(answer(&self.service.readiness.borrow())))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        // As the protocol has it: an unknown name is no error here, and never becomes known either.
        let is_known = is_known(&request.get_ref().service);
        let state = Some((self.service.clone(), self.service.readiness.subscribe(), true));
        let answers = stream::unfold(state, move |state| async move {
            let (service, mut changes, is_first) = state?;
            if !is_first {
                next_change(&service, &mut changes, is_known).await?;
            }
            let readiness = changes.borrow_and_update().clone();
            let mut said = answer(&readiness);
            if !is_known {
                said.status = ServingStatus::ServiceUnknown.into();
            }
            let goes_on = readiness != Readiness::Stopping;
            Some((Ok(said), goes_on.then_some((service, changes, false))))
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// Waits until there is something new to say; `None` where there never is.
async fn next_change(
    service: &Service,
    changes: &mut watch::Receiver<Readiness>,
    is_known: bool,
) -> Option<()> {
    if !is_known {
        service.stopping.cancelled().await;
        return None;
    }
    let was_ready = changes.borrow().is_ready();
    // Another reason for the same answer is nothing new.
    let is_new = |now: &Readiness| now.is_ready() != was_ready || *now == Readiness::Stopping;
    changes.wait_for(is_new).await.ok().map(drop)
}
