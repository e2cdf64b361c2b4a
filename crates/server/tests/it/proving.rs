//! `GetCheckpoint`, `GetInclusionProof`, `GetConsistencyProof`, checked as a client would: with the verifier key alone.

use std::time::Duration;

use indelible::format::chain::Hash;
use indelible::format::checkpoint::{Checkpoint, Opened};
use indelible::format::note::VerifierKey;
use indelible::format::proof::bundle::Bundle;
use indelible::format::proof::{Growth, Inclusion, check_consistency, check_inclusion};
use indelible_server::proto::v1;
use tonic::Code;

use crate::support::{Running, assert_refused, event};

fn key(running: &Running) -> VerifierKey {
    running.server.verifier_keys()[0].1.parse().unwrap()
}

/// Appends until the newest checkpoint covers at least `size` records, and returns it.
async fn covered(running: &Running, size: u64) -> Opened {
    let mut client = running.client().await;
    loop {
        let answer = client.get_checkpoint(v1::GetCheckpointRequest::default()).await.unwrap();
        let opened =
            Checkpoint::open(answer.into_inner().checkpoint.as_bytes(), &[key(running)]).unwrap();
        if opened.checkpoint.size >= size {
            return opened;
        }
        let request = v1::AppendRequest { log: String::new(), event: Some(event("more")) };
        client.append(request).await.unwrap();
    }
}

async fn start() -> Running {
    Running::start_with(|config| {
        config.logs[0].checkpoint_interval = Duration::from_millis(1);
    })
    .await
}

fn hashes(proof: &[bytes::Bytes]) -> Vec<Hash> {
    proof.iter().map(|hash| Hash::from_bytes(hash[..].try_into().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_proven_in_the_tree_that_the_newest_checkpoint_signs() {
    let running = start().await;
    covered(&running, 20).await;
    let mut client = running.client().await;
    for seq in [0, 1, 7, 19] {
        let request = v1::GetInclusionProofRequest { seq, ..Default::default() };
        let proof = client.get_inclusion_proof(request).await.unwrap().into_inner();
        let opened = Checkpoint::open(proof.checkpoint.as_bytes(), &[key(&running)]).unwrap();
        assert_eq!((proof.seq, proof.tree_size), (seq, opened.checkpoint.size));
        let leaf = Hash::from_bytes(proof.leaf_hash[..].try_into().unwrap());
        let what = Inclusion { index: seq, size: proof.tree_size };
        check_inclusion(&hashes(&proof.hashes), what, &leaf, &opened.checkpoint.root).unwrap();
        let bundle = Bundle::parse(proof.tlog_proof.as_bytes()).unwrap();
        let keys = [key(&running)];
        let (record, _) = bundle.check_record(&keys).unwrap();
        assert_eq!(record.seq(), seq);
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn growth_is_proven_between_any_two_sizes_and_a_record_in_any_of_them() {
    let running = start().await;
    let old = covered(&running, 5).await.checkpoint;
    let new = covered(&running, old.size + 20).await.checkpoint;
    let mut client = running.client().await;
    let request = v1::GetConsistencyProofRequest {
        from_size: old.size,
        to_size: new.size,
        ..Default::default()
    };
    let proof = client.get_consistency_proof(request).await.unwrap().into_inner();
    let growth = Growth { from: old.size, to: new.size };
    assert_eq!((proof.from_size, proof.to_size), (old.size, new.size));
    check_consistency(&hashes(&proof.hashes), growth, &old.root, &new.root).unwrap();

    let request =
        v1::GetInclusionProofRequest { seq: 3, tree_size: old.size, ..Default::default() };
    let proof = client.get_inclusion_proof(request).await.unwrap().into_inner();
    let leaf = Hash::from_bytes(proof.leaf_hash[..].try_into().unwrap());
    let what = Inclusion { index: 3, size: old.size };
    check_inclusion(&hashes(&proof.hashes), what, &leaf, &old.root).unwrap();
    assert_eq!(proof.tlog_proof, "");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_proven_is_refused() {
    let running = start().await;
    let size = covered(&running, 5).await.checkpoint.size;
    let mut client = running.client().await;
    let inclusion =
        |seq, tree_size| v1::GetInclusionProofRequest { seq, tree_size, ..Default::default() };
    let refused = client.get_inclusion_proof(inclusion(1 << 40, 0)).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "not_found");
    let refused = client.get_inclusion_proof(inclusion(3, 1 << 40)).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "not_found");
    let refused = client.get_inclusion_proof(inclusion(3, 3)).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "invalid_argument");
    let growth = |from_size, to_size| v1::GetConsistencyProofRequest {
        from_size,
        to_size,
        ..Default::default()
    };
    for wrong in [growth(0, 1), growth(2, 1)] {
        let refused = client.get_consistency_proof(wrong).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, "invalid_argument");
    }
    for beyond in [growth(1, 1 << 40), growth(1 << 40, 0), growth(1 << 40, 1 << 41)] {
        let refused = client.get_consistency_proof(beyond).await.unwrap_err();
        assert_refused(&refused, Code::NotFound, "not_found");
    }
    client.get_consistency_proof(growth(size, 0)).await.unwrap();
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_is_not_covered_yet_is_told_apart_from_one_that_the_log_has_not() {
    let running = Running::start_with(|config| {
        config.logs[0].checkpoint_interval = Duration::from_hours(1);
    })
    .await;
    let mut client = running.client().await;
    let request = v1::AppendRequest { event: Some(event("read")), ..Default::default() };
    client.append(request).await.unwrap();
    for (from_size, to_size) in [(2, 0), (1, 2), (2, 2)] {
        let request = v1::GetConsistencyProofRequest { from_size, to_size, ..Default::default() };
        let refused = client.get_consistency_proof(request).await.unwrap_err();
        assert_refused(&refused, Code::FailedPrecondition, "not_covered");
        let request = v1::GetConsistencyProofRequest {
            from_size,
            to_size: to_size + 1,
            ..Default::default()
        };
        if to_size > 1 {
            let refused = client.get_consistency_proof(request).await.unwrap_err();
            assert_refused(&refused, Code::NotFound, "not_found");
        }
    }
    running.stop_and_verify().await;
}
