//! `grpc.health.v1`: ready as long as every log takes appends.

use indelible_server::config::LogConfig;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::support::{Running, assert_refused};

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

fn is(answer: HealthCheckResponse, status: ServingStatus) -> bool {
    answer.status == i32::from(status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_takes_appends_is_serving_and_one_that_stops_says_so_to_who_watches() {
    let running = Running::start().await;
    let mut client = HealthClient::new(running.channel().await);
    for service in ["", "indelible.v1.AuditService"] {
        let answer = client.check(of(service)).await.unwrap().into_inner();
        assert!(is(answer, ServingStatus::Serving));
    }
    assert_refused(&client.check(of("other")).await.unwrap_err(), Code::NotFound, "not_found");
    let mut watch = client.watch(of("")).await.unwrap().into_inner();
    assert!(is(watch.message().await.unwrap().unwrap(), ServingStatus::Serving));
    let mut unknown = client.watch(of("other")).await.unwrap().into_inner();
    assert!(is(unknown.message().await.unwrap().unwrap(), ServingStatus::ServiceUnknown));
    let stopping = tokio::spawn(running.stop_and_verify());
    assert!(is(watch.message().await.unwrap().unwrap(), ServingStatus::NotServing));
    assert!(watch.message().await.unwrap().is_none());
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_can_only_be_read_makes_the_service_not_serving() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("broken");
    let log = indelible::AuditLog::create(&folder, indelible::Options::default()).unwrap();
    log.append(indelible::Event::new("a", "b", "c")).unwrap();
    log.close().unwrap();
    // Cut off before its checkpoint: refused for appending.
    std::fs::File::create(folder.join("audit.log")).unwrap();
    let running =
        Running::start_with(|config| config.logs.push(LogConfig::new("broken", folder))).await;
    let mut client = HealthClient::new(running.channel().await);
    let answer = client.check(of("")).await.unwrap().into_inner();
    assert!(is(answer, ServingStatus::NotServing));
    running.stop_and_verify().await;
}
