//! The fixed workload does all that it is said to do, and every kind of state comes early.

use std::collections::BTreeSet;

use indelible::storage::simulated::OperationKind;

use super::*;

fn fixed() -> Staged {
    staged(Large::AtSome)
}

fn staged(large: Large) -> Staged {
    Staged::new(Workload::fixed(), large, &mut Rng::with_seed(1)).unwrap()
}

#[test]
fn the_fixed_workload_rotates_prunes_quarantines_adopts_and_repairs() {
    let staged = fixed();
    let scene = &staged.scene;
    assert_eq!(scene.violations, [""; 0]);
    let count = |kind, from: &str| {
        let operations = scene.stages.iter().flat_map(|stage| &stage.operations);
        operations.filter(|done| done.kind == kind && done.path.ends_with(from)).count()
    };
    assert_eq!(count(OperationKind::Rename, "audit.log"), 3);
    assert_eq!(count(OperationKind::Unlink, "audit.log.2"), 2);
    assert_eq!(count(OperationKind::Replace, "tree/0.tmp"), 1, "a repair of a row");
    assert_eq!(count(OperationKind::CreateNew, "tree/1"), 1);
    let last = &scene.moments.last().unwrap().disk;
    let files: Vec<_> = last.contents().into_keys().collect();
    let quarantined = files.iter().filter(|path| path.starts_with("/logs/audit/quarantine"));
    assert_eq!(quarantined.count(), 2, "{files:?}");
    let kept = ["audit.log.1", "audit.log"]
        .map(|name| last.read_file(format!("/logs/audit/{name}")).unwrap())
        .concat();
    let kept = String::from_utf8(kept).unwrap();
    for action in ["prune", "adopt", "recover"] {
        assert!(kept.contains(&format!("\"action\":\"indelible.log.{action}\"")), "{action}");
    }
}

#[test]
fn every_kind_of_state_comes_early_and_each_state_once() {
    let staged = fixed();
    assert!(staged.count() > 140_000, "{}", staged.count());
    let (mut kinds, mut state) = (BTreeSet::new(), 0);
    for (index, block) in staged.blocks.iter().enumerate().take(120) {
        let cases = block.cases(&staged.scene, 1).unwrap();
        assert_eq!(cases.len(), block.count);
        for (within, case) in cases.iter().enumerate() {
            assert_eq!(staged.place(state), (index, within));
            state += 1;
            kinds.insert(case.kind.split(' ').next().unwrap().to_owned());
        }
    }
    let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
    assert_eq!(kinds, ["crash", "fault,", "torn"]);
}

#[test]
fn random_workloads_are_played_without_a_failure() {
    for seed in 0..40 {
        let mut rng = Rng::with_seed(seed);
        let workload = Workload::random(&mut rng);
        let scene = Scene::play(workload, seed).unwrap();
        assert_eq!(scene.violations, [""; 0], "seed {seed}: {:?}", scene.workload);
    }
}

#[test]
fn the_long_form_tears_each_unsynced_write_of_the_fixed_workload_at_each_byte() {
    let staged = staged(Large::AtEachByte);
    let unsynced = staged.scene.moments.iter().flat_map(|moment| &moment.unsynced);
    let expected: usize = unsynced.map(|(_, steps)| steps + 1).sum();
    let torn: Vec<_> = staged.blocks.iter().filter(|block| block.torn_of().is_some()).collect();
    assert_eq!(torn.iter().map(|block| block.count).sum::<usize>(), expected);
    // Of the largest, each place once, up to its end.
    let mut places = BTreeSet::new();
    let largest = torn.iter().filter_map(|block| block.torn_of()).max().unwrap();
    for block in torn.iter().filter(|block| block.torn_of() == Some(largest)) {
        let cases = block.cases(&staged.scene, 1).unwrap();
        places.extend(cases.into_iter().map(|case| case.what));
    }
    assert_eq!(places.len(), largest.0);
    assert!(largest.0 > 30_000, "{largest:?}");
    assert!(staged.count() < LAYER.long, "{}", staged.count());
}
