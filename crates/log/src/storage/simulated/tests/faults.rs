//! Faults strike what was planned, with the effect that was planned.

use super::*;

#[test]
fn fault_strikes_once_without_effect() {
    let disk = SimulatedDisk::new();
    let file = create(&disk, "a");
    disk.fail(FaultPlan::nth(1).of_kind(OperationKind::Append).with(Errno::NOSPC));
    file.append(b"1").unwrap();
    assert_eq!(errno(&file.append(b"2").unwrap_err()), Some(Errno::NOSPC));
    file.append(b"3").unwrap();
    assert_eq!(disk.read_file("a").unwrap(), b"13");
    assert_eq!(disk.faults_struck(), 1);
}

#[test]
fn lasting_fault_strikes_until_it_is_forgotten() {
    let disk = SimulatedDisk::new();
    let (a, b) = (create(&disk, "dir-a"), create(&disk, "b"));
    disk.fail(FaultPlan::nth(1).on_path("b").from_then_on());
    b.append(b"1").unwrap();
    for _ in 0..3 {
        assert_eq!(errno(&b.append(b"2").unwrap_err()), Some(Errno::IO));
        a.append(b"a").unwrap();
        assert!(disk.stat(path("/b")).is_err());
    }
    disk.clear_faults();
    b.append(b"3").unwrap();
    assert_eq!(disk.read_file("b").unwrap(), b"13");
    assert_eq!(disk.faults_struck(), 6);
}

#[test]
fn fault_at_an_index_strikes_that_operation() {
    let disk = SimulatedDisk::new();
    disk.fail(FaultPlan::at(2).with(Errno::ACCESS));
    let file = create(&disk, "a");
    file.append(b"1").unwrap();
    assert_eq!(errno(&file.sync_data().unwrap_err()), Some(Errno::ACCESS));
    file.sync_data().unwrap();
    let only_appends = FaultPlan::at(4).matching(|op| op.kind == OperationKind::Append);
    disk.fail(only_appends);
    file.sync_data().unwrap();
    assert!(file.append(b"2").is_err());
}

#[test]
fn operation_that_fails_after_its_effect_was_made() {
    let disk = SimulatedDisk::new();
    let file = create(&disk, "a");
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::Append).after_effect());
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncData).after_effect());
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::Rename).after_effect());
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncFolder).after_effect());
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::Lock).after_effect());
    assert!(file.append(b"1").is_err());
    assert!(file.sync_data().is_err());
    assert!(disk.rename(path("a"), path("b")).is_err());
    assert!(disk.lock(path("lock"), "me").is_err());
    assert!(disk.sync_folder(path("/")).is_err());
    let after = disk.after_crash(&disk.only_synced());
    assert_eq!(after.read_file("b").unwrap(), b"1");
    // Its file was made, but nobody holds it.
    assert!(after.read_file("lock").is_ok());
    disk.lock(path("lock"), "me").unwrap();
}

#[test]
fn short_write_takes_some_bytes() {
    let disk = SimulatedDisk::new();
    let file = create(&disk, "a");
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::Append).short(2));
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::ReadAt).short(1));
    assert_eq!(file.append(b"12345").unwrap(), 2);
    assert_eq!(disk.read_file("a").unwrap(), b"12");
    assert_eq!(file.read_at(&mut [0; 9], 0).unwrap(), 1);
    assert_eq!(file.append(b"345").unwrap(), 3);
    assert_eq!(file.read_at(&mut [0; 9], 0).unwrap(), 5);
}

#[test]
fn failed_sync_drops_what_later_syncs_do_not_bring_back() {
    let disk = SimulatedDisk::new();
    let file = create(&disk, "a");
    disk.sync_folder(path("/")).unwrap();
    file.append(b"one ").unwrap();
    file.sync_data().unwrap();
    file.append(b"two ").unwrap();
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncData).dropping_dirty_data());
    assert_eq!(errno(&file.sync_data().unwrap_err()), Some(Errno::IO));

    // The cache goes on as if nothing had happened.
    file.sync_data().unwrap();
    assert_eq!(disk.read_file("a").unwrap(), b"one two ");
    let lost = disk.after_crash(&disk.everything());
    assert_eq!(lost.read_file("a").unwrap(), b"one ");
    let mut buf = [0; 20];
    assert_eq!(file.read_medium_at(&mut buf, 0).unwrap(), 8);
    assert_eq!(&buf[..8], b"one \0\0\0\0");
    assert_eq!(file.read_at(&mut buf, 0).unwrap(), 8);
    assert_eq!(&buf[..8], b"one two ");

    // What is written after it is kept, behind a hole.
    file.append(b"three").unwrap();
    file.sync_data().unwrap();
    let hole = disk.after_crash(&disk.only_synced());
    assert_eq!(hole.read_file("a").unwrap(), b"one \0\0\0\0three");

    // Cut away and written again, all is well.
    file.truncate(4).unwrap();
    file.sync_data().unwrap();
    file.append(b"two").unwrap();
    file.sync_data().unwrap();
    let mended = disk.after_crash(&disk.only_synced());
    assert_eq!(mended.read_file("a").unwrap(), b"one two");
    assert_eq!(file.read_medium_at(&mut buf, 0).unwrap(), 7);
    assert_eq!(&buf[..7], b"one two");
}

#[test]
fn failed_sync_that_drops_some_data_has_written_the_rest() {
    let mut left = BTreeSet::new();
    for seed in 0..64 {
        let disk = SimulatedDisk::new();
        disk.write_file("a", [b'a'; 500]).unwrap();
        let file = disk.open(path("a"), Access::Append).unwrap();
        file.append(&[b'b'; 1000]).unwrap();
        disk.fail(FaultPlan::nth(0).dropping_some_dirty_data(seed));
        assert_eq!(errno(&file.sync_data().unwrap_err()), Some(Errno::IO));
        file.sync_data().unwrap();
        assert_eq!(disk.read_file("a").unwrap()[500..], [b'b'; 1000]);
        let medium = disk.after_crash(&disk.only_synced()).read_file("a").unwrap();
        assert_eq!(medium, disk.after_crash(&disk.everything()).read_file("a").unwrap());
        assert_eq!(medium[..500], [b'a'; 500]);
        let sectors = [500..512, 512..1024, 1024..1500].map(|range| {
            let sector = medium.get(range.start..range.end.min(medium.len())).unwrap_or_default();
            assert!(sector.iter().all(|byte| byte == &sector[0]));
            sector.first() == Some(&b'b')
        });
        left.insert(sectors);
    }
    assert_eq!(left.len(), 8, "each subset of the sectors: {left:?}");
}

#[test]
fn failed_sync_that_drops_the_whole_cache_takes_the_data_of_other_files() {
    for of_folder in [false, true] {
        let disk = SimulatedDisk::new();
        let (one, other) = (create(&disk, "one"), create(&disk, "other"));
        disk.sync_folder(path("/")).unwrap();
        one.append(b"kept ").unwrap();
        one.sync_data().unwrap();
        one.append(b"lost").unwrap();
        disk.fail(FaultPlan::nth(0).dropping_whole_cache());
        let failed = if of_folder { disk.sync_folder(path("/")) } else { other.sync_data() };
        assert_eq!(errno(&failed.unwrap_err()), Some(Errno::IO));
        one.sync_data().unwrap();
        assert_eq!(disk.read_file("one").unwrap(), b"kept lost");
        assert_eq!(disk.after_crash(&disk.everything()).read_file("one").unwrap(), b"kept ");
    }
}

#[test]
fn failed_sync_that_drops_data_leaves_cuts_to_the_next() {
    let disk = SimulatedDisk::new();
    disk.write_file("a", "12345678").unwrap();
    let file = disk.open(path("a"), Access::Append).unwrap();
    file.truncate(6).unwrap();
    file.append(b"abc").unwrap();
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncData).dropping_dirty_data());
    assert!(file.sync_data().is_err());
    let kept = |state| disk.after_crash(&state).read_file("a").unwrap();
    assert_eq!(kept(disk.only_synced()), b"12345678");
    assert_eq!(kept(disk.everything()), b"123456");
    file.sync_data().unwrap();
    assert_eq!(kept(disk.only_synced()), b"123456");
}

#[test]
fn every_operation_of_a_run_can_fail() {
    let run = |disk: &SimulatedDisk| -> io::Result<()> {
        let file = disk.create_new(path("a"), Privacy::Owner)?;
        file.append(b"x")?;
        file.sync_data()?;
        disk.sync_folder(path(""))?;
        disk.list(path("")).map(drop)
    };
    let mut failed = 0;
    loop {
        let disk = SimulatedDisk::new();
        disk.fail(FaultPlan::nth(failed));
        let outcome = run(&disk);
        if disk.faults_struck() == 0 {
            outcome.unwrap();
            break;
        }
        assert_eq!(errno(&outcome.unwrap_err()), Some(Errno::IO));
        failed += 1;
    }
    assert_eq!(failed, 5);
}
