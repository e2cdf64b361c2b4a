//! A crash leaves each state that the module's documentation names, and no other.

use std::collections::BTreeMap;

use super::*;

/// All contents of the file that crashes can leave; none where it is gone.
fn contents(disk: &SimulatedDisk, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    let states = disk.crash_states(100_000);
    states.map(|state| disk.after_crash(&state).read_file(name).ok()).collect()
}

/// All sets of names that crashes can leave in the root.
fn names(disk: &SimulatedDisk) -> BTreeSet<Vec<String>> {
    let states = disk.crash_states(100_000);
    states.map(|state| disk.after_crash(&state).list(path("")).unwrap()).collect()
}

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<Vec<String>> {
    texts.iter().map(|text| text.split_whitespace().map(str::to_owned).collect()).collect()
}

fn synced(name: &str, bytes: &[u8]) -> (SimulatedDisk, Box<dyn StorageFile>) {
    let disk = SimulatedDisk::new();
    disk.write_file(name, bytes).unwrap();
    let file = disk.open(path(name), Access::Append).unwrap();
    (disk, file)
}

#[test]
fn what_is_remembered_is_what_a_crash_there_leaves() {
    let run = |disk: &SimulatedDisk| -> io::Result<()> {
        let file = disk.create_new(path("a"), Privacy::Owner)?;
        file.append(b"xy")?;
        disk.list(path("")).map(drop)?;
        file.sync_data()?;
        disk.sync_folder(path(""))?;
        disk.unlink(path("a"))
    };
    let whole = SimulatedDisk::new();
    whole.remember();
    run(&whole).unwrap();
    let remembered = whole.remembered();
    let at: Vec<_> = remembered.iter().map(|(index, _)| *index).collect();
    assert_eq!(at, [0, 1, 3, 4, 5]);
    for (index, disk) in remembered {
        let crashed = SimulatedDisk::new();
        crashed.crash_at(index);
        run(&crashed).unwrap_err();
        let left = |disk: &SimulatedDisk| -> Vec<_> {
            let states = disk.crash_states(1000);
            states.map(|state| disk.after_crash(&state).contents()).collect()
        };
        assert_eq!(left(&disk), left(&crashed), "{index}");
    }
}

#[test]
fn a_state_tells_what_is_not_synced() {
    let disk = SimulatedDisk::new();
    disk.plant_folder("sub").unwrap();
    let file = create(&disk, "sub/a");
    file.append(b"abc").unwrap();
    file.truncate(1).unwrap();
    let state = disk.only_synced();
    assert_eq!(state.files().collect::<Vec<_>>(), [(path("/sub/a"), 4)]);
    assert_eq!(state.folders().collect::<Vec<_>>(), [(path("/sub"), 1)]);
    file.sync_data().unwrap();
    disk.sync_folder(path("sub")).unwrap();
    assert_eq!(disk.everything().files().count() + disk.everything().folders().count(), 0);
}

#[test]
fn synced_bytes_stay_and_the_rest_is_torn_at_any_byte_or_nul() {
    let (disk, file) = synced("a", b"one ");
    file.append(b"23").unwrap();
    let expected = ["one ", "one 2", "one 23", "one \0", "one \0\0"];
    assert_eq!(contents(&disk, "a"), expected.map(|text| Some(text.into())).into());
    file.sync_data().unwrap();
    assert_eq!(contents(&disk, "a"), [Some(b"one 23".to_vec())].into());
}

#[test]
fn sectors_are_lost_in_any_order_but_never_synced_bytes() {
    let (disk, file) = synced("a", &[b'a'; 700]);
    file.append(&[b'b'; 1000]).unwrap();
    let whole: BTreeSet<_> = contents(&disk, "a")
        .into_iter()
        .flatten()
        .filter(|content| content.len() == 1700)
        .collect();
    // Sectors that begin at 512, 1024 and 1536, each there or not.
    assert_eq!(whole.len(), 8);
    for content in &whole {
        assert_eq!(&content[..700], &[b'a'; 700]);
        for range in [700..1024, 1024..1536, 1536..1700] {
            let first = content[range.start];
            assert!(matches!(first, 0 | b'b'));
            assert!(content[range].iter().all(|byte| *byte == first));
        }
    }
    let mut torn = vec![b'a'; 700];
    torn.extend([0; 324]);
    torn.extend([b'b'; 200]);
    assert!(contents(&disk, "a").contains(&Some(torn)));
}

#[test]
fn appends_are_lost_from_the_end() {
    let (disk, file) = synced("a", b"");
    file.append(b"1").unwrap();
    file.append(b"2").unwrap();
    let found = contents(&disk, "a");
    assert!(found.contains(&Some(b"12".to_vec())) && found.contains(&Some(b"1".to_vec())));
    assert!(!found.contains(&Some(b"2".to_vec())));
}

#[test]
fn cut_may_have_happened_or_not_before_it_is_synced() {
    let (disk, file) = synced("a", b"abcdef");
    file.truncate(3).unwrap();
    file.append(b"X").unwrap();
    let expected = ["abcdef", "abc", "abcX", "abc\0"];
    assert_eq!(contents(&disk, "a"), expected.map(|text| Some(text.into())).into());
    file.sync_data().unwrap();
    assert_eq!(contents(&disk, "a"), [Some(b"abcX".to_vec())].into());
}

#[test]
fn new_name_is_durable_when_its_folder_is_synced_and_not_before() {
    let disk = SimulatedDisk::new();
    let file = create(&disk, "a");
    file.append(b"x").unwrap();
    file.sync_data().unwrap();
    assert_eq!(contents(&disk, "a"), [None, Some(b"x".to_vec())].into());
    disk.sync_folder(path("")).unwrap();
    assert_eq!(contents(&disk, "a"), [Some(b"x".to_vec())].into());
}

#[test]
fn durable_name_says_nothing_about_the_content() {
    let disk = SimulatedDisk::new();
    disk.write_file("checkpoint", "old").unwrap();
    let file = create(&disk, "checkpoint.tmp");
    file.append(b"new").unwrap();
    disk.replace(path("checkpoint.tmp"), path("checkpoint")).unwrap();
    disk.sync_folder(path("")).unwrap();
    let found = contents(&disk, "checkpoint");
    for left in ["", "n", "ne", "new", "\0\0\0"] {
        assert!(found.contains(&Some(left.into())), "{left:?}");
    }
    assert!(!found.contains(&Some(b"old".to_vec())) && !found.contains(&None));
    file.sync_data().unwrap();
    assert_eq!(contents(&disk, "checkpoint"), [Some(b"new".to_vec())].into());
}

#[test]
fn replacement_leaves_the_old_content_or_the_new_one() {
    let disk = SimulatedDisk::new();
    disk.write_file("checkpoint", "old").unwrap();
    let file = create(&disk, "checkpoint.tmp");
    file.append(b"new").unwrap();
    file.sync_data().unwrap();
    disk.replace(path("checkpoint.tmp"), path("checkpoint")).unwrap();
    let expected = [Some(b"old".to_vec()), Some(b"new".to_vec())];
    assert_eq!(contents(&disk, "checkpoint"), expected.into());
    assert_eq!(names(&disk), set(["checkpoint", "checkpoint checkpoint.tmp"]));
}

#[test]
fn entry_operations_are_lost_from_the_end_never_from_the_midst() {
    let disk = SimulatedDisk::new();
    disk.write_file("log", "").unwrap();
    disk.write_file("log.1", "").unwrap();
    disk.rename(path("log.1"), path("log.2")).unwrap();
    disk.rename(path("log"), path("log.1")).unwrap();
    create(&disk, "log");
    disk.unlink(path("log.2")).unwrap();
    let expected = ["log log.1", "log log.2", "log.1 log.2", "log log.1 log.2", "log log.1"];
    assert_eq!(names(&disk), set(expected));
    disk.sync_folder(path("")).unwrap();
    assert_eq!(names(&disk), set(["log log.1"]));
}

#[test]
fn removed_file_comes_back_with_what_was_durable() {
    let (disk, file) = synced("a", b"x");
    disk.unlink(path("a")).unwrap();
    file.append(b"y").unwrap();
    let found = contents(&disk, "a");
    assert!(found.contains(&None) && found.contains(&Some(b"x".to_vec())));
    assert!(found.contains(&Some(b"xy".to_vec())));
    disk.sync_folder(path("")).unwrap();
    // Nothing can bring it back, so there is nothing to choose.
    assert_eq!(disk.crash_states(100).count(), 1);
}

#[test]
fn folder_is_lost_with_all_that_is_in_it() {
    let disk = SimulatedDisk::new();
    disk.create_folder(path("new")).unwrap();
    let file = create(&disk, "new/a");
    file.append(b"x").unwrap();
    file.sync_data().unwrap();
    disk.sync_folder(path("new")).unwrap();
    assert_eq!(contents(&disk, "new/a"), [None, Some(b"x".to_vec())].into());
    disk.rename(path("new"), path("audit")).unwrap();
    disk.sync_folder(path("")).unwrap();
    assert_eq!(contents(&disk, "audit/a"), [Some(b"x".to_vec())].into());
    assert_eq!(names(&disk), set(["audit"]));
}

#[test]
fn rename_between_folders_happens_in_both_or_in_neither() {
    let disk = SimulatedDisk::new();
    disk.write_file("from/a", "x").unwrap();
    disk.plant_folder("to").unwrap();
    create(&disk, "to/before");
    disk.rename(path("from/a"), path("to/a")).unwrap();
    create(&disk, "from/after");
    let places = |disk: &SimulatedDisk| {
        let state = |state| {
            let disk = disk.after_crash(&state);
            let here = ["from/a", "to/a", "to/before", "from/after"];
            here.map(|name| u8::from(disk.read_file(name).is_ok()))
        };
        disk.crash_states(1000).map(state).collect::<BTreeSet<_>>()
    };
    let expected = [[1, 0, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]];
    assert_eq!(places(&disk), expected.into());
    disk.sync_folder(path("from")).unwrap();
    assert_eq!(places(&disk), [[0, 1, 1, 1]].into());
}

#[test]
fn machine_stops_before_or_after_an_operation() {
    for (after, expected) in [(false, "1"), (true, "12")] {
        let (disk, file) = synced("a", b"");
        let next = disk.operation_count();
        if after {
            disk.crash_after(next + 1);
        } else {
            disk.crash_at(next + 1);
        }
        file.append(b"1").unwrap();
        assert!(!disk.has_crashed());
        assert!(is_crash(&file.append(b"2").unwrap_err()));
        assert!(disk.has_crashed());
        assert!(is_crash(&file.append(b"3").unwrap_err()));
        assert!(is_crash(&disk.stat(path("a")).unwrap_err()));
        let LockError::Io(error) = disk.lock(path("l"), "me").unwrap_err() else { panic!() };
        assert!(is_crash(&error));
        let next = disk.after_crash(&disk.everything());
        assert_eq!(next.read_file("a").unwrap(), expected.as_bytes());
        next.open(path("a"), Access::Append).unwrap().append(b"4").unwrap();
    }
    assert!(!is_crash(&Errno::IO.into()));
}

#[test]
fn crash_frees_locks_and_forgets_plans() {
    let (disk, _file) = synced("a", b"");
    let _lock = disk.lock(path("lock"), "me").unwrap();
    disk.fail(FaultPlan::nth(0).from_then_on());
    disk.crash();
    let next = disk.after_crash(&disk.everything());
    assert_eq!(next.read_file("lock").unwrap(), b"me");
    next.lock(path("lock"), "you").unwrap();
    assert_eq!(next.operation_count(), 1);
}

#[test]
fn states_can_be_chosen_by_hand() {
    let (disk, file) = synced("log/a", &[b'a'; 512]);
    file.append(&[b'b'; 1024]).unwrap();
    create(&disk, "log/b");
    create(&disk, "log/c");
    let state =
        disk.everything().keeping("log/a", 600).unwrap().missing("log/a", 513..514).unwrap();
    let state = state.keeping_entries("/log", 1).unwrap();
    let after = disk.after_crash(&state);
    let content = after.read_file("log/a").unwrap();
    assert_eq!(content[..512], [b'a'; 512]);
    assert_eq!(content[512..1024], [0; 512]);
    assert_eq!(content[1024..], [b'b'; 88]);
    assert_eq!(after.list(path("log")).unwrap(), ["a", "b"]);
    assert!(state.keeping("log/b", 1).is_none());
    let shown = format!("{state:?}");
    assert!(shown.contains(r#""/log/a": 600 of 1024, NUL at [512..1024]"#), "{shown}");
    assert!(shown.contains(r#""/log": 1 of 2 entry operations"#), "{shown}");
}

#[test]
fn large_state_space_is_sampled_with_its_extremes_and_always_the_same() {
    let (disk, file) = synced("log/a", b"synced\n");
    let line = [&[b'x'; 399][..], b"\n"].concat();
    file.append(&line.repeat(50)).unwrap();
    let other = disk.create_new(path("log/b"), Privacy::Group).unwrap();
    other.append(&line).unwrap();
    let states: Vec<_> = disk.crash_states(2000).collect();
    assert_eq!(states.len(), 2000);
    assert_eq!(states, disk.crash_states(2000).collect::<Vec<_>>());
    assert_ne!(states, disk.crash_states_seeded(2000, 7).collect::<Vec<_>>());
    assert_eq!(states[..2], [disk.only_synced(), disk.everything()]);

    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    let whole = 7 + 50 * line.len();
    for state in &states {
        let content = disk.after_crash(state).read_file("log/a").unwrap();
        assert!(content.starts_with(b"synced\n") && content.len() <= whole);
        let kind = match (content.len() == whole, content[7..].contains(&0)) {
            _ if content.len() == 7 => "nothing",
            _ if content[7..].iter().all(|byte| *byte == 0) => "only NULs",
            (true, false) => "everything",
            (true, true) => "sectors lost",
            (false, true) => "torn with sectors lost",
            (false, false) if content.ends_with(b"\n") => "whole lines",
            (false, false) if (content.len() - 7) % 400 == 399 => "line without its end",
            (false, false) => "torn",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
    assert!(kinds.values().all(|count| *count >= 5), "{kinds:?}");
}

#[test]
fn sample_ends_when_there_is_nothing_new() {
    let (disk, file) = synced("a", b"");
    file.append(b"123").unwrap();
    // 1 + 3 torn ends, each with its one sector there or not.
    assert_eq!(disk.crash_states(7).count(), 7);
    assert_eq!(disk.crash_states(1000).count(), 7);
    assert!(disk.crash_states(6).count() <= 6);
    assert_eq!(disk.crash_states(1).collect::<Vec<_>>(), [disk.only_synced()]);
    assert_eq!(disk.crash_states(0).count(), 0);
}
