//! A disk that fails: readiness goes, reads stay, appends are refused with the reason.

use std::sync::Arc;

use indelible::storage::Storage;
use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible_server::config::LogConfig;
use indelible_server::{Closed, Config, Server};

use crate::raw::{Answer, Raw};
use crate::support::Running;

const EVENT: &str = r#"{"actor":"a","action":"b","resource":"c"}"#;

/// A service with one log on a simulated disk.
async fn start(disk: &SimulatedDisk) -> Server {
    let mut log = LogConfig::new("default", "/disk/audit");
    log.create = true;
    log.checkpoint_interval = std::time::Duration::from_hours(1);
    let mut config = Config::default();
    config.logs = vec![log];
    config.listen.tcp = vec![([127, 0, 0, 1], 0).into()];
    config.admin = Some(([127, 0, 0, 1], 0).into());
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    Server::start_on(config, [("default".to_owned(), storage)].into()).await.unwrap()
}

fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.plant_folder("/disk").unwrap();
    disk
}

async fn append(server: &Server) -> Answer {
    let mut raw = Raw::connect(server.addresses()[0]).await;
    raw.post(EVENT).await;
    raw.answer().await
}

/// What `/readyz` says once it is no longer ready.
async fn unready(server: &Server) -> String {
    readyz(server, "503").await
}

/// What `/readyz` says once it answers with that status.
async fn readyz(server: &Server, status: &str) -> String {
    loop {
        let mut raw = Raw::connect(server.admin_address().unwrap()).await;
        raw.send("GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        let answer = raw.answer().await;
        if answer.status() == status {
            return answer.body;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_appends_are_refused_and_the_service_is_not_ready() {
    let disk = disk();
    let server = start(&disk).await;
    assert_eq!(append(&server).await.status(), "201");
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncData).on_path("audit.log"));
    let indeterminate = append(&server).await;
    assert_eq!(indeterminate.status(), "500", "{indeterminate:?}");
    assert!(indeterminate.body.contains("\"code\":\"indeterminate\""), "{indeterminate:?}");
    let halted = append(&server).await;
    assert_eq!(halted.status(), "503", "{halted:?}");
    assert!(halted.body.contains("\"code\":\"halted\""), "{halted:?}");
    assert!(!halted.body.contains("/disk"), "no path of the server's is told: {halted:?}");
    let told = unready(&server).await;
    assert!(told.starts_with("not ready\ndefault: halted: "), "{told}");
    let stopped = server.stop().await;
    assert!(matches!(stopped.logs[0].1, Closed::WithoutCheckpoint(_)), "{stopped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_refuses_what_is_written_the_service_is_not_ready_and_then_is_again() {
    let disk = disk();
    let server = start(&disk).await;
    let full =
        || FaultPlan::nth(0).of_kind(OperationKind::Append).on_path("audit.log").with(Errno::NOSPC);
    assert_eq!(append(&server).await.status(), "201");
    disk.fail(full());
    let refused = append(&server).await;
    assert_eq!(refused.status(), "503", "{refused:?}");
    assert!(refused.body.contains("\"code\":\"not_written\""), "{refused:?}");
    let told = unready(&server).await;
    assert!(told.starts_with("not ready\ndefault: not_written: "), "{told}");
    assert_eq!(append(&server).await.status(), "201", "appends are tried all the same");
    assert!(readyz(&server, "200").await.starts_with("ready\n"));
    assert!(server.stop().await.is_in_order());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_edits_the_live_file_is_told_apart_from_a_disk_that_fails() {
    let running = Running::start().await;
    let event = append(&running.server).await;
    assert_eq!(event.status(), "201");
    // As `sed -i` does it: another file takes the place.
    let live = running.place.path().join("audit/audit.log");
    let copy = running.place.path().join("copy");
    std::fs::copy(&live, &copy).unwrap();
    assert!(std::process::Command::new("mv").args([&copy, &live]).status().unwrap().success());
    let first = append(&running.server).await;
    assert_eq!(first.status(), "500", "{first:?}");
    assert!(first.body.contains("\"code\":\"indeterminate\""), "{first:?}");
    assert!(first.body.contains("somebody else changed the log's files"), "{first:?}");
    let then = append(&running.server).await;
    assert!(then.body.contains("somebody else changed its files"), "{then:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_refused_on_opening_is_served_for_reading_and_not_ready() {
    let disk = disk();
    let server = start(&disk).await;
    assert_eq!(append(&server).await.status(), "201");
    assert!(server.stop().await.is_in_order());
    disk.flip_byte("/disk/audit/audit.log", 30, 1).unwrap();
    let server = start(&disk).await;
    let refused = append(&server).await;
    assert_eq!(refused.status(), "503", "{refused:?}");
    assert!(refused.body.contains("\"code\":\"read_only\""), "{refused:?}");
    let told = unready(&server).await;
    assert!(told.starts_with("not ready\ndefault: read_only: "), "{told}");
    assert!(server.stop().await.is_in_order());
}
