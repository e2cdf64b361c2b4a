//! The public tree, read as a monitor does that has nothing but the key.

use std::time::Duration;

use indelible::format::chain::Hash;
use indelible::format::checkpoint::Checkpoint;
use indelible::format::note::VerifierKey;
use indelible::format::tree::{Frontier, leaf_hash};
use indelible_server::config::LogConfig;

use super::event;
use crate::support::Running;

async fn public() -> Running {
    Running::start_with(|config| {
        let mut other = LogConfig::new("b", config.logs[0].folder.with_file_name("b"));
        other.create = true;
        config.logs.push(other);
        config.logs[0].public_tree = true;
        config.logs[0].checkpoint_interval = Duration::from_millis(10);
    })
    .await
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    assert!(rest.is_empty());
    hashes.iter().map(|hash| Hash::from_bytes(*hash)).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_and_entries_lead_to_the_root_that_the_checkpoint_signs() {
    let running = public().await;
    running.covered(300).await;
    for prefix in ["", "/v1", "/v1/logs/default"] {
        let note = running.get(&format!("{prefix}/checkpoint")).await;
        assert_eq!(note.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(note.header("cache-control"), Some("public, max-age=1"));
        let key: VerifierKey = running.server.verifier_keys()[1].1.parse().unwrap();
        let checkpoint = Checkpoint::open(&note.body, &[key]).unwrap().checkpoint;
        assert_eq!(checkpoint.size, 301);
        let mut parts = Vec::new();
        for (tile, size) in [("0/000", 8192), ("0/001.p/45", 45 * 32), ("1/000.p/1", 32)] {
            let answer = running.get(&format!("{prefix}/tile/{tile}")).await;
            assert_eq!((answer.status, answer.body.len()), (200, size), "{tile}");
            assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
            assert!(answer.header("cache-control").unwrap().contains("immutable"));
            parts.push(hashes(&answer.body));
        }
        let leaves = [parts[0].clone(), parts[1].clone()].concat();
        assert_eq!(root(&leaves), checkpoint.root);
        assert_eq!(root(&parts[0]), parts[2][0]);

        let mut entries = Vec::new();
        for (tile, count) in [("000", 256), ("001.p/45", 45)] {
            let answer = running.get(&format!("{prefix}/tile/entries/{tile}")).await;
            assert_eq!((answer.status, answer.body.len()), (200, count * 34), "{tile}");
            let (bundle, _) = answer.body.as_chunks::<34>();
            for entry in bundle {
                assert_eq!(entry[..2], [0, 32]);
                entries.push(Hash::from_bytes(entry[2..].try_into().unwrap()));
            }
        }
        assert_eq!(entries.iter().map(leaf_hash).collect::<Vec<_>>(), leaves);
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_tile_stays_what_it_was_when_the_log_grows() {
    let running = public().await;
    running.covered(9).await;
    let before = running.get("/tile/0/000.p/10").await;
    assert_eq!(before.status, 200);
    running.get("/tile/0/000.p/11").await.problem(404, "not_found");
    running.covered(1).await;
    assert_eq!(running.get("/tile/0/000.p/10").await.body, before.body);
    assert_eq!(running.get("/tile/0/000.p/11").await.body[..320], before.body);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_there() {
    let running = public().await;
    running.covered(9).await;
    for path in [
        "/tile/0/000",
        "/tile/0/001",
        "/tile/0/000.p/0",
        "/tile/0/000.p/010",
        "/tile/0/000.p/256",
        "/tile/0/0",
        "/tile/00/000",
        "/tile/64/000",
        "/tile/1/000.p/1",
        "/tile/entries/000",
        "/tile/entries/0/000",
        "/tile/entries/",
        "/tile/",
        "/tile",
        "/tile/0/..%2f000.p/1",
        "/tile/0/x001/067",
        "/tile/data/000.p/1",
        // Not public, and not there at all.
        "/v1/logs/b/tile/0/000.p/1",
        "/v1/logs/c/checkpoint",
        "/v1/logs/b/tile/entries/000.p/1",
    ] {
        running.get(path).await.problem(404, "not_found");
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_public_only_where_it_is_said() {
    let running = Running::start().await;
    assert_eq!(running.post(&event("read")).await.status, 201);
    for prefix in ["", "/v1", "/v1/logs/default"] {
        for path in ["/tile/0/000.p/1", "/tile/entries/000.p/1"] {
            running.get(&format!("{prefix}{path}")).await.problem(404, "not_found");
        }
    }
    running.get("/checkpoint").await.problem(404, "not_found");
    // Who may read the log gets its checkpoint all the same, and nobody in between keeps it for others.
    let answer = running.get("/v1/logs/default/checkpoint").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("private, no-cache")));
    running.stop_and_verify().await;
}
