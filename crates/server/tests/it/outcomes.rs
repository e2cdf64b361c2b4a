//! The three outcomes and never a fourth, on a disk that fails when it is told to.

use std::net::SocketAddr;
use std::sync::Arc;

use indelible::storage::Storage;
use indelible::storage::simulated::{FaultPlan, OperationKind, SimulatedDisk};
use indelible_server::config::LogConfig;
use indelible_server::proto::v1;
use indelible_server::proto::v1::append_result::Outcome as Result1;
use indelible_server::proto::v1::append_stream_response::Outcome;
use indelible_server::proto::v1::audit_service_client::AuditServiceClient;
use indelible_server::{Config, Server};
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

use crate::support::{assert_refused, event};

const FOLDER: &str = "/logs/audit";

async fn start(disk: &SimulatedDisk) -> (Server, AuditServiceClient<Channel>) {
    let mut log = LogConfig::new("default", FOLDER);
    log.create = true;
    let mut config = Config::default();
    config.logs = vec![log];
    config.listen.tcp = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    config.admin = None;
    config.record_lifecycle = false;
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let storages = [("default".to_owned(), storage)].into_iter().collect();
    let server = Server::start_on(config, storages).await.unwrap();
    let url = format!("http://{}", server.addresses()[0]);
    let client = AuditServiceClient::connect(url).await.unwrap();
    (server, client)
}

fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.plant_folder("/logs").unwrap();
    disk
}

fn request(id: &str) -> v1::AppendRequest {
    let named = v1::Event { event_id: id.to_owned(), ..event("read") };
    v1::AppendRequest { log: String::new(), event: Some(named) }
}

fn item(request_id: u64, id: &str) -> v1::AppendStreamRequest {
    let v1::AppendRequest { log, event } = request(id);
    v1::AppendStreamRequest { log, request_id, event }
}

fn fail_sync(disk: &SimulatedDisk) {
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncData).on_path("audit.log"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_disk_refused_and_gave_back_is_rejected_and_may_be_sent_again() {
    let disk = disk();
    let (server, mut client) = start(&disk).await;
    client.append(request("e-1")).await.unwrap();
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::Append).on_path("audit.log"));
    let refused = client.append(request("e-2")).await.unwrap_err();
    assert_refused(&refused, Code::Unavailable, "not_written");
    assert!(refused.get_details_retry_info().is_some());
    let receipt = client.append(request("e-2")).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!((receipt.seq, receipt.duplicate), (2, false));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_an_append_is_indeterminate_the_next_ones_rejected_and_reads_go_on() {
    let disk = disk();
    let (server, mut client) = start(&disk).await;
    let first = client.append(request("e-1")).await.unwrap().into_inner().receipt.unwrap();
    fail_sync(&disk);
    let doubtful = client.append(request("e-2")).await.unwrap_err();
    assert_refused(&doubtful, Code::Unknown, "indeterminate");
    let halted = client.append(request("e-3")).await.unwrap_err();
    assert_refused(&halted, Code::FailedPrecondition, "halted");
    assert!(halted.get_details_retry_info().is_none(), "somebody must look first");
    let record = v1::GetRecordRequest { log: String::new(), seq: first.seq };
    client.get_record(record).await.unwrap();
    server.stop().await;

    // Opened again, a retry returns the receipt of what was written, or writes it: once in any case.
    disk.clear_faults();
    let (server, mut client) = start(&disk).await;
    // Until it has read which event_ids there are, it says so.
    let again = loop {
        match client.append(request("e-1")).await {
            Ok(appended) => break appended.into_inner().receipt.unwrap(),
            Err(refused) => assert_refused(&refused, Code::Unavailable, "not_ready"),
        }
    };
    assert_eq!(again, v1::Receipt { duplicate: true, ..first });
    let retried = client.append(request("e-2")).await.unwrap().into_inner().receipt.unwrap();
    let twice = client.append(request("e-2")).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!((twice.seq, twice.hash, twice.duplicate), (retried.seq, retried.hash, true));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_and_a_stream_say_it_of_each_event() {
    let disk = disk();
    let (server, mut client) = start(&disk).await;
    client.append(request("e-0")).await.unwrap();
    fail_sync(&disk);
    let events = ["e-1", "e-2"].map(|id| request(id).event.unwrap());
    let batch = v1::AppendBatchRequest { log: String::new(), events: events.into() };
    let results = client.append_batch(batch).await.unwrap().into_inner().results;
    assert_eq!(results.len(), 2);
    for result in results {
        let Some(Result1::Indeterminate(failure)) = result.outcome else { panic!("{result:?}") };
        assert_eq!(failure.code, "indeterminate");
        assert!(failure.retry_after_ms > 0);
    }
    let items = [item(7, "e-3"), item(8, "e-4")];
    let mut answers = client.append_stream(tokio_stream::iter(items)).await.unwrap().into_inner();
    for request_id in [7, 8] {
        let answer = answers.message().await.unwrap().unwrap();
        let Some(Outcome::Rejected(failure)) = answer.outcome else { panic!("{answer:?}") };
        assert_eq!((answer.request_id, failure.code.as_str()), (request_id, "halted"));
    }
    assert!(answers.message().await.unwrap().is_none());
    server.stop().await;

    disk.clear_faults();
    let (server, mut client) = start(&disk).await;
    fail_sync(&disk);
    let items = [item(1, "e-5"), item(2, "e-6")];
    let mut answers = client.append_stream(tokio_stream::iter(items)).await.unwrap().into_inner();
    let first = answers.message().await.unwrap().unwrap();
    assert!(matches!(first.outcome, Some(Outcome::Indeterminate(_))), "{first:?}");
    let second = answers.message().await.unwrap().unwrap();
    assert!(!matches!(second.outcome, Some(Outcome::Receipt(_)) | None), "{second:?}");
    server.stop().await;
}
