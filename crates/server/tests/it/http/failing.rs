//! A disk that fails under an append, and what each client is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use indelible::storage::Storage;
use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::{Verdict, Verifier};
use indelible_server::Server;
use serde_json::Value;

use super::{event, event_with_id};
use crate::support::{Running, config, scrape};

async fn on(disk: &SimulatedDisk) -> Running {
    let place = tempfile::tempdir().unwrap();
    let mut config = config(&place);
    config.logs[0].folder = "/disk/audit".into();
    config.admin = Some(([127, 0, 0, 1], 0).into());
    disk.plant_folder("/disk").unwrap();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let storages = BTreeMap::from([("default".to_owned(), storage)]);
    Running { server: Server::start_on(config, storages).await.unwrap(), place }
}

fn verify(disk: &SimulatedDisk) {
    let storage: Arc<dyn Storage> = Arc::new(disk.fork());
    let report = Verifier::on(storage, "/disk/audit").strict().verify().unwrap();
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
}

fn next(kind: OperationKind) -> FaultPlan {
    FaultPlan::nth(0).of_kind(kind).on_path("audit.log")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_disk_refuses_is_rejected_and_may_be_sent_again() {
    let disk = SimulatedDisk::new();
    let running = on(&disk).await;
    disk.fail(next(OperationKind::Append).with(Errno::NOSPC));
    let answer = running.post(&event("read")).await;
    answer.problem(503, "not_written");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(running.post(&event("read")).await.status, 201);

    disk.fail(next(OperationKind::Append).with(Errno::NOSPC));
    let lines = format!("{}\n{}\n", event("a"), event("b"));
    let answer = running.post_lines(&lines).await;
    assert_eq!(answer.status, 503, "no success where something is missing: {}", answer.text());
    for line in answer.lines() {
        assert_eq!(
            (&line["outcome"], &line["error"]["code"]),
            (&"rejected".into(), &"not_written".into())
        );
    }
    assert_eq!(running.post_lines(&lines).await.status, 201);
    let metrics = scrape(&running).await;
    for (outcome, count) in [("committed", 3), ("rejected", 3), ("indeterminate", 0)] {
        let line = format!(
            "indelible_appends_total{{log=\"default\",protocol=\"http\",outcome=\"{outcome}\"}} {count}"
        );
        assert!(metrics.lines().any(|known| known == line), "no {line} in\n{metrics}");
    }
    running.server.stop().await;
    verify(&disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_disk_may_have_kept_is_indeterminate_and_reads_go_on() {
    let disk = SimulatedDisk::new();
    let running = on(&disk).await;
    assert_eq!(running.post(&event_with_id("read", "0")).await.status, 201);
    disk.fail(next(OperationKind::SyncData));
    let lines = format!(
        "{}\n{}\n{}\n",
        event_with_id("a", "1"),
        event_with_id("read", "0"),
        event_with_id("b", "2")
    );
    let answer = running.post_lines(&lines).await;
    assert_eq!(answer.status, 500, "{}", answer.text());
    let told = answer.lines();
    assert_eq!(told.len(), 3);
    for line in [&told[0], &told[2]] {
        assert_eq!(
            (&line["outcome"], &line["error"]["code"]),
            (&"indeterminate".into(), &"indeterminate".into())
        );
        assert_eq!(line["error"]["status"], 500);
    }
    assert_eq!((&told[1]["seq"], &told[1]["duplicate"]), (&Value::from(1), &Value::from(true)));
    running.post(&event("later")).await.problem(503, "halted");
    running.post_lines(&lines).await.problem(503, "halted");
    assert_eq!(running.get("/v1/records/1").await.json()["action"], "read");
    assert_eq!(running.get("/v1/records").await.lines().len(), 2);
    running.server.stop().await;
    verify(&disk);
}
