//! The simulated disk answers as Linux does, loses what it may lose, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::storage::local::LocalStorage;

mod crashes;
mod faults;

fn path(text: &str) -> &Path {
    Path::new(text)
}

fn create(disk: &dyn Storage, name: &str) -> Box<dyn StorageFile> {
    disk.create_new(path(name), Privacy::Group).unwrap()
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

/// How each step of a script ends, and what is there at last.
#[expect(clippy::too_many_lines, reason = "a script, one line a step")]
fn play(storage: &dyn Storage, root: &Path) -> Vec<String> {
    let at = |name: &str| root.join(name);
    let result = |outcome: io::Result<()>| match outcome {
        Ok(()) => "done".to_owned(),
        Err(error) => format!("{:?} {:?}", error.kind(), error.raw_os_error()),
    };
    let append = |name: &str, bytes: &[u8]| {
        let file = storage.open(&at(name), Access::Append)?;
        file.append(bytes)?;
        file.sync_data()
    };
    let read = |name: &str, offset| {
        let mut buf = [0; 100];
        let file = storage.open(&at(name), Access::Read)?;
        let count = file.read_at(&mut buf, offset)?;
        let again = file.read_medium_at(&mut [0; 100], offset)?;
        assert_eq!(count, again);
        Err(io::Error::other(String::from_utf8_lossy(&buf[..count]).into_owned()))
    };
    let shown = |outcome: io::Result<()>| outcome.unwrap_err().to_string();
    let create = |name: &str, privacy| storage.create_new(&at(name), privacy).map(drop);
    let rename = |from: &str, to: &str| storage.rename(&at(from), &at(to));
    let replace = |from: &str, to: &str| storage.replace(&at(from), &at(to));
    let mut seen: Vec<String> = [
        create("a", Privacy::Group),
        create("a", Privacy::Group),
        create("none/a", Privacy::Group),
        create("a/b", Privacy::Group),
        create(&"x".repeat(256), Privacy::Group),
        create("key", Privacy::Owner),
        append("a", b"one\n"),
        append("none", b""),
        storage.create_folder(&at("sub")),
        storage.create_folder(&at("sub")),
        storage.create_folder(&at("none/sub")),
        append("sub", b""),
        storage.open(&at("sub"), Access::Read).map(drop),
        storage.open(&at("a/b"), Access::Read).map(drop),
        storage.open(&at("link"), Access::Read).map(drop),
        storage.open(&at("link"), Access::Append).map(drop),
        create("link", Privacy::Group),
        storage.open(&at("folder-link/inner"), Access::Read).map(drop),
        storage.open(&at("loop/x"), Access::Read).map(drop),
        storage.sync_folder(&at("folder-link")),
        storage.sync_folder(&at("folder-link/")),
        storage.sync_folder(&at("a")),
        storage.sync_folder(&at("none")),
        storage.sync_folder(&at("sub")),
        storage.list(&at("link")).map(drop),
        storage.list(&at("a")).map(drop),
        storage.medium(&at("none")).map(drop),
        storage.stat(&at("none")).map(drop),
        storage.stat(&at("a/x")).map(drop),
        rename("none", "b"),
        rename("a", "key"),
        rename("a", "a"),
        rename("a", "none/b"),
        rename("a", "b"),
        rename("b", "sub/b"),
        rename("sub/b", "a"),
        rename("link", "link2"),
        rename("sub", "sub2"),
        replace("none", "a"),
        replace("a", "sub2"),
        replace("sub2", "a"),
        replace("key", "a"),
        replace("a", "a"),
        create("sub2/in", Privacy::Group),
        storage.create_folder(&at("sub3")),
        replace("sub3", "sub2"),
        replace("sub2", "sub3"),
        storage.remove_folder(&at("sub3")),
        storage.remove_folder(&at("a")),
        storage.remove_folder(&at("link2")),
        storage.remove_folder(&at("none")),
        storage.unlink(&at("sub3")),
        storage.unlink(&at("none")),
        storage.unlink(&at("link2")),
        storage.unlink(&at("sub3/in")),
        storage.remove_folder(&at("sub3")),
        append("a", b"two\n"),
        storage.open(&at("a"), Access::Read).and_then(|file| file.append(b"x")).map(drop),
        storage.open(&at("a"), Access::Read).and_then(|file| file.truncate(0)),
        storage.open(&at("a"), Access::Read).and_then(|file| file.sync_data()),
        storage.open(&at("a"), Access::Append).and_then(|file| file.truncate(2)),
    ]
    .map(result)
    .into();
    seen.extend([read("a", 0), read("a", 1), read("a", 2), read("a", 9)].map(shown));
    let file = storage.open(&at("a"), Access::Append).unwrap();
    storage.unlink(&at("a")).unwrap();
    file.append(b"more").unwrap();
    seen.push(format!("{:?}", file.stat().unwrap().size));
    let held = storage.lock(&at("lock"), "me\u{1b}").unwrap();
    seen.push(storage.lock(&at("lock"), "you").unwrap_err().to_string());
    seen.push(storage.lock(&at("folder-link"), "you").is_err().to_string());
    drop(held);
    seen.push(storage.lock(&at("lock"), "you").is_ok().to_string());
    let mut names = storage.list(root).unwrap();
    names.sort();
    for name in names {
        let stat = storage.stat(&at(&name)).unwrap();
        seen.push(format!("{name} {:?} {:o} {}", stat.kind, stat.mode, stat.owned));
    }
    seen
}

#[test]
fn answers_as_this_machine_does() {
    let folder = TempDir::new().unwrap();
    let disk = SimulatedDisk::new();
    for (link, target) in [("link", "a"), ("folder-link", "folder"), ("loop", "loop")] {
        std::os::unix::fs::symlink(target, folder.path().join(link)).unwrap();
        disk.plant_link(link, target).unwrap();
    }
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    disk.plant_folder("folder").unwrap();
    std::fs::File::create(folder.path().join("folder/inner")).unwrap();
    disk.write_file("folder/inner", "").unwrap();
    for own in ["folder", "folder/inner"] {
        disk.set_mode(own, 0o750).unwrap();
        let real = folder.path().join(own);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o750);
        std::fs::set_permissions(real, mode).unwrap();
    }
    let real = play(&LocalStorage::new().unwrap(), folder.path());
    let simulated = play(&disk, Path::new("/"));
    for (step, (real, simulated)) in real.iter().zip(&simulated).enumerate() {
        assert_eq!(real, simulated, "step {step}");
    }
    assert_eq!(real.len(), simulated.len());
}

#[test]
fn paths_lead_through_links_and_back() {
    let disk = SimulatedDisk::new();
    disk.write_file("/var/log/audit/audit.log", "x").unwrap();
    disk.plant_link("/audit", "/var/log/audit").unwrap();
    disk.plant_link("/var/here", "log").unwrap();
    for same in ["var/log/audit/audit.log", "audit/audit.log", "./var/here/audit//audit.log"] {
        assert_eq!(disk.read_file(same).unwrap(), b"x", "{same}");
    }
    assert_eq!(disk.read_file("/audit/../audit/audit.log").unwrap(), b"x");
    assert_eq!(disk.list(path("")).unwrap(), ["audit", "var"]);
    disk.sync_folder(path("")).unwrap();
}

#[test]
fn clones_are_one_disk_and_forks_are_not() {
    let disk = SimulatedDisk::new();
    let file = create(&disk, "a");
    let lock = disk.lock(path("lock"), "me").unwrap();
    let fork = disk.fork();
    file.append(b"x").unwrap();
    assert_eq!(disk.clone().read_file("a").unwrap(), b"x");
    assert_eq!(fork.read_file("a").unwrap(), b"");
    assert_eq!(fork.operation_count(), 0);
    fork.lock(path("lock"), "next").unwrap();
    assert!(disk.clone().lock(path("lock"), "next").is_err());
    drop(lock);
    disk.lock(path("lock"), "next").unwrap();
}

#[test]
fn operations_are_written_down() {
    use OperationKind::{Append, CreateNew, Open, ReadAt, Rename, SyncData, Truncate};
    let disk = SimulatedDisk::new();
    let file = create(&disk, "a");
    file.append(b"abc").unwrap();
    file.read_at(&mut [0; 7], 0).unwrap();
    file.sync_data().unwrap();
    disk.rename(path("a"), path("b")).unwrap();
    assert!(disk.open(path("a"), Access::Read).is_err());
    file.truncate(1).unwrap();
    let seen: Vec<_> = disk
        .operations()
        .iter()
        .map(|op| (op.index, op.kind, op.path.to_str().unwrap().to_owned(), op.size))
        .collect();
    let kinds = [CreateNew, Append, ReadAt, SyncData, Rename, Open, Truncate];
    let sizes = [0, 3, 7, 0, 0, 0, 1];
    let expected: Vec<_> = (0..)
        .zip(kinds.into_iter().zip(sizes))
        .map(|(index, (kind, size))| (index, kind, "a".to_owned(), size))
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(disk.operations()[4].to.as_deref(), Some(path("b")));
}

#[test]
fn planted_things_are_durable_and_told() {
    let disk = SimulatedDisk::new();
    disk.write_file("audit/audit.log", "abc").unwrap();
    disk.flip_byte("audit/audit.log", 1, 1).unwrap();
    disk.set_mode("audit", 0o777).unwrap();
    disk.set_owner("audit/audit.log", 0).unwrap();
    disk.set_medium(Medium::Network("NFS"));
    disk.write_file("gone", "x").unwrap();
    disk.remove_file("gone").unwrap();
    assert!(disk.flip_byte("audit/audit.log", 3, 1).is_err());

    let disk = disk.after_crash(&disk.only_synced());
    assert_eq!(disk.read_file("audit/audit.log").unwrap(), b"acc");
    assert_eq!(disk.stat(path("audit")).unwrap().mode, 0o777);
    let stat = disk.stat(path("audit/audit.log")).unwrap();
    assert_eq!((stat.owner, stat.owned), (0, false));
    assert_eq!(disk.medium(path("audit")).unwrap(), Medium::Network("NFS"));
    let names: Vec<_> = disk.tree().into_keys().collect();
    assert_eq!(names, [path("/audit"), path("/audit/audit.log")]);
}

#[test]
fn disk_goes_to_a_real_folder_and_back() {
    let disk = SimulatedDisk::new();
    disk.write_file("audit/tree/0", vec![7; 64]).unwrap();
    disk.write_file("audit.key", "secret").unwrap();
    disk.set_mode("audit.key", 0o600).unwrap();
    disk.plant_link("link", "audit").unwrap();
    let folder = TempDir::new().unwrap();
    disk.export(folder.path()).unwrap();
    assert_eq!(std::fs::read(folder.path().join("audit/tree/0")).unwrap(), [7; 64]);

    let back = SimulatedDisk::import(folder.path()).unwrap();
    let seen = |disk: &SimulatedDisk| -> Vec<_> {
        let tree = disk.tree();
        tree.into_iter().map(|(path, stat)| (path, stat.kind, stat.mode, stat.size)).collect()
    };
    assert_eq!(seen(&back), seen(&disk));
    assert_eq!(back.read_file("audit.key").unwrap(), b"secret");
    assert_eq!(back.crash_states(10).count(), 1);
}

#[test]
fn threads_share_the_disk() {
    let disk = SimulatedDisk::new();
    let file = create(&disk, "a");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| assert_eq!(file.append(b"1234\n").unwrap(), 5)));
        }
    });
    assert_eq!(disk.read_file("a").unwrap(), b"1234\n".repeat(400));
    assert_eq!(disk.operation_count(), 401);
}
