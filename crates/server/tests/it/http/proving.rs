//! Proofs and checkpoints, checked with nothing but the key.

use std::time::Duration;

use indelible::format::checkpoint::Checkpoint;
use indelible::format::note::VerifierKey;
use indelible::format::proof::bundle::Bundle;
use indelible::format::proof::growth::GrowthBundle;

use super::event;
use crate::support::Running;

fn key(running: &Running) -> [VerifierKey; 1] {
    [running.server.verifier_keys()[0].1.parse().unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_proven_to_who_has_the_key() {
    let running = Running::start_with(|config| {
        config.logs[0].checkpoint_interval = Duration::from_millis(10);
    })
    .await;
    running.covered(5).await;
    for seq in 0..=5 {
        let answer = running.get(&format!("/v1/records/{seq}/proof")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        let bundle = Bundle::parse(&answer.body).unwrap();
        let (record, _) = bundle.check_record(&key(&running)).unwrap();
        assert_eq!(record.line(), running.stored()[seq].as_bytes());
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn growth_is_proven_to_who_kept_a_checkpoint() {
    let running = Running::start_with(|config| {
        config.logs[0].checkpoint_interval = Duration::from_millis(10);
    })
    .await;
    let kept = running.get("/v1/checkpoint").await;
    assert_eq!(kept.header("content-type"), Some("text/plain; charset=utf-8"));
    let size = Checkpoint::open(&kept.body, &key(&running)).unwrap().checkpoint.size;
    let newer = running.covered(40).await;
    let answer = running.get(&format!("/v1/consistency?from={size}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let grown =
        GrowthBundle::parse(&answer.body).unwrap().check(&kept.body, &key(&running)).unwrap();
    assert_eq!((grown.kept.checkpoint.size, grown.newer.checkpoint.size), (size, newer));
    running.get("/v1/consistency").await.problem_of(400, "invalid_argument", "from");
    running.get("/v1/consistency?from=1&to=2").await.problem_of(400, "invalid_argument", "to");
    running.get("/v1/consistency?from=0").await.problem_of(400, "invalid_argument", "from");
    running.get("/v1/consistency?from=1000").await.problem_of(404, "not_found", "from");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_checkpoint_covers_yet_is_told_apart_from_what_is_not_there() {
    let running = Running::start_with(|config| {
        config.logs[0].checkpoint_interval = Duration::from_hours(1);
    })
    .await;
    assert_eq!(running.post(&event("read")).await.status, 201);
    let answer = running.get("/v1/records/1/proof").await;
    answer.problem(409, "not_covered");
    assert_eq!(answer.header("retry-after"), Some("1"));
    running.get("/v1/consistency?from=2").await.problem(409, "not_covered");
    running.get("/v1/records/2/proof").await.problem(404, "not_found");
    running.get("/v1/consistency?from=3").await.problem_of(404, "not_found", "from");
    assert_eq!(running.get("/v1/records/0/proof").await.status, 200);
    running.stop_and_verify().await;
}
