//! What the scan vouches for in a log that is whole: all but the log's own records.

use super::super::ground::Ground;
use super::super::notes::{self, Malformed, SignedRoots};
use super::super::scan::{Feed, Scan};
use super::super::{Findings, Plan};
use super::*;
use crate::layout::Layout;
use crate::storage::local::LocalStorage;

/// The scan's records of each run, and all records.
fn runs(files: &Files, depth: Depth, pace: Pace) -> Vec<u64> {
    let temporary = tempfile::tempdir().unwrap();
    let folder = files.write(temporary.path());
    let storage = LocalStorage::new().unwrap();
    let layout = Layout::of(&folder).unwrap();
    let plan = Plan::of(&storage, &layout).unwrap().unwrap();
    let identity = plan.identity.clone().unwrap();
    let mut out = Findings::default();
    let stored = notes::read(&storage, &layout, &mut out).unwrap();
    let origin = Some(&identity.origin);
    let roots = SignedRoots::judge(&stored, &Malformed::new(), origin, &identity.keys, &mut out);
    let ground = Ground { storage: &storage, layout: &layout, plan: &plan, roots: &roots };
    let scan = Scan::new(ground, depth, pace);
    let mut feed = Feed::new(&scan);
    let mut counts = Vec::new();
    for (segment, planned) in plan.segments.iter().enumerate() {
        let mut at = 0;
        while at < planned.size {
            let Some(run) = feed.run_at(segment, at) else {
                at += 1;
                continue;
            };
            at = run.end;
            counts.push(feed.take().unwrap().count);
        }
    }
    counts
}

#[test]
fn every_event_of_a_healthy_log_is_in_a_run() {
    let files = healthy();
    for depth in [Depth::Link, Depth::Form] {
        for (chunk_size, at_most) in [(1 << 20, 12), (10_000, 60)] {
            let pace = Pace { chunk_size: Some(chunk_size), threads: Some(1) };
            let runs = runs(&files, depth, pace);
            assert_eq!(runs.iter().sum::<u64>(), 1_250, "{runs:?}");
            assert!(runs.len() <= at_most, "{runs:?}");
        }
    }
}

#[test]
fn a_line_that_the_row_does_not_know_is_in_no_run() {
    let mut files = healthy();
    files.bytes("tree/0")[32 * 600] ^= 1;
    let pace = Pace { chunk_size: Some(1 << 20), threads: Some(1) };
    let runs = runs(&files, Depth::Link, pace);
    assert!(runs.iter().sum::<u64>() < 1_250, "{runs:?}");
}
