//! The promises of [`LocalStorage`], on real folders. What changes the whole process is done in a child.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;

use super::*;

/// Says which part of which test a child is to play.
const CHILD: &str = "INDELIBLE_TEST_CHILD";

fn storage() -> (TempDir, LocalStorage) {
    (TempDir::new().unwrap(), LocalStorage::new().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "plants what the storage then meets")]
fn plant(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

fn read_all(file: &dyn StorageFile) -> Vec<u8> {
    let mut buf = vec![0; 1 << 16];
    let count = file.read_at(&mut buf, 0).unwrap();
    buf.truncate(count);
    buf
}

/// Runs `test` of this module in a child that plays `part`.
fn child(test: &str, part: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", &format!("storage::local::tests::{test}")]);
    command.env(CHILD, part).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Expects that the child played its part to the end.
fn assert_succeeds(mut child: Command) {
    let output = child.output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert!(out.contains("1 passed"), "the child ran no test\n{out}\n{err}");
}

#[test]
fn appended_bytes_are_read_back_through_every_handle() {
    let (folder, storage) = storage();
    let path = folder.path().join("audit.log");
    let file = storage.create_new(&path, Privacy::Group).unwrap();
    assert_eq!(file.append(b"one\n").unwrap(), 4);
    assert_eq!(storage.open(&path, Access::Append).unwrap().append(b"two\n").unwrap(), 4);
    file.sync_data().unwrap();
    storage.sync_folder(folder.path()).unwrap();
    assert_eq!(read_all(&*file), b"one\ntwo\n");
    assert_eq!(read_all(&*storage.open(&path, Access::Read).unwrap()), b"one\ntwo\n");

    file.truncate(5).unwrap();
    assert_eq!(file.append(b"hree\n").unwrap(), 5);
    let mut buf = [0; 4];
    assert_eq!(file.read_at(&mut buf, 6).unwrap(), 4);
    assert_eq!(&buf, b"ree\n");
    assert_eq!(file.read_at(&mut buf, 10).unwrap(), 0);
    assert_eq!(file.stat().unwrap(), storage.stat(&path).unwrap());
}

#[test]
fn reading_handle_does_not_write() {
    let (folder, storage) = storage();
    let path = folder.path().join("f");
    plant(&path, b"kept");
    let file = storage.open(&path, Access::Read).unwrap();
    assert_eq!(errno(&file.append(b"x").unwrap_err()), Some(Errno::BADF));
    assert!(file.truncate(0).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"kept");
}

#[test]
fn new_file_never_replaces_what_stands_there() {
    let (folder, storage) = storage();
    let path = folder.path().join("f");
    plant(&path, b"kept");
    let error = storage.create_new(&path, Privacy::Group).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(storage.create_folder(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"kept");
}

#[test]
fn new_files_and_folders_are_closed_to_others() {
    let (folder, storage) = storage();
    let [log, key, sub] = ["log", "key", "sub"].map(|name| folder.path().join(name));
    storage.create_new(&log, Privacy::Group).unwrap();
    storage.create_new(&key, Privacy::Owner).unwrap();
    storage.create_folder(&sub).unwrap();
    // The umask may take more away.
    assert_eq!(storage.stat(&log).unwrap().mode & !0o640, 0);
    assert_eq!(storage.stat(&key).unwrap().mode, 0o600);
    assert_eq!(storage.stat(&sub).unwrap().mode & !0o750, 0);
    assert_eq!(storage.stat(&sub).unwrap().kind, Kind::Folder);
    assert!(storage.stat(&key).unwrap().owned);
}

#[test]
fn stat_tells_mode_size_owner_and_which_file_it_is() {
    let (folder, storage) = storage();
    let path = folder.path().join("f");
    plant(&path, b"12345");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4666)).unwrap();
    let (stat, expected) = (storage.stat(&path).unwrap(), fs::metadata(&path).unwrap());
    assert_eq!((stat.kind, stat.size, stat.mode), (Kind::File, 5, 0o4666));
    assert_eq!((stat.id.device, stat.id.inode), (expected.dev(), expected.ino()));
    assert_eq!(stat.owner, expected.uid());
    assert_eq!(storage.stat(&folder.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn links_are_refused_and_never_followed() {
    let (folder, storage) = storage();
    let [target, link, dangling] = ["target", "link", "dangling"].map(|n| folder.path().join(n));
    plant(&target, b"kept");
    symlink(&target, &link).unwrap();
    symlink(folder.path().join("nowhere"), &dangling).unwrap();

    for access in [Access::Read, Access::Append] {
        assert_eq!(errno(&storage.open(&link, access).unwrap_err()), Some(Errno::LOOP));
    }
    for path in [&link, &dangling] {
        let error = storage.create_new(path, Privacy::Group).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let LockError::Io(error) = storage.lock(path, "me").unwrap_err() else { panic!("held") };
        assert_eq!(errno(&error), Some(Errno::LOOP));
        assert_eq!(storage.stat(path).unwrap().kind, Kind::Link);
    }
    assert!(!folder.path().join("nowhere").exists());
    assert_eq!(fs::read(&target).unwrap(), b"kept");
    storage.unlink(&link).unwrap();
    assert!(target.exists());
}

#[test]
fn link_to_a_folder_is_refused_even_with_a_slash_behind_it() {
    let (folder, storage) = storage();
    let [target, link] = ["target", "link"].map(|name| folder.path().join(name));
    fs::create_dir(&target).unwrap();
    symlink(&target, &link).unwrap();
    for suffix in ["", "/", "/."] {
        let link = link.to_str().unwrap().to_owned() + suffix;
        let link = Path::new(&link);
        assert_eq!(storage.stat(link).unwrap().kind, Kind::Link);
        assert!(storage.list(link).is_err());
        assert!(storage.sync_folder(link).is_err());
        assert!(storage.medium(link).is_err());
        assert!(storage.remove_folder(link).is_err());
    }
}

#[test]
fn only_regular_files_are_opened_and_pipes_do_not_block() {
    let (folder, storage) = storage();
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(CWD, &pipe, Mode::from_raw_mode(0o600)).unwrap();
    for access in [Access::Read, Access::Append] {
        let error = storage.open(&pipe, access).unwrap_err();
        assert_eq!(error.to_string(), "not a regular file but a device, socket or pipe");
    }
    assert!(storage.lock(&pipe, "me").is_err());
    let error = storage.open(folder.path(), Access::Read).unwrap_err();
    assert_eq!(error.to_string(), "not a regular file but a folder");
    assert!(storage.open(folder.path(), Access::Append).is_err());
    assert!(storage.open(Path::new("/dev/null"), Access::Append).is_err());
}

#[test]
fn rename_replaces_nothing_and_replace_does() {
    let (folder, storage) = storage();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    plant(&a, b"a");
    plant(&b, b"b");
    assert_eq!(storage.rename(&a, &b).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&b).unwrap(), b"b");
    storage.rename(&b, &c).unwrap();
    assert!(!b.exists());
    storage.replace(&a, &c).unwrap();
    assert_eq!(fs::read(&c).unwrap(), b"a");
    assert_eq!(storage.list(folder.path()).unwrap(), ["c"]);
}

#[test]
fn folders_are_listed_and_removed_only_when_empty() {
    use std::os::unix::ffi::OsStrExt;
    let (folder, storage) = storage();
    let sub = folder.path().join("sub");
    storage.create_folder(&sub).unwrap();
    plant(&sub.join("b"), b"");
    plant(&sub.join(".a"), b"");
    plant(&sub.join(std::ffi::OsStr::from_bytes(b"\xff")), b"");
    let mut names = storage.list(&sub).unwrap();
    names.sort();
    assert_eq!(names, [".a", "b"]);
    assert_eq!(storage.remove_folder(&sub).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    assert!(storage.unlink(&sub).is_err());
    fs::remove_dir_all(&sub).unwrap();
    storage.create_folder(&sub).unwrap();
    storage.remove_folder(&sub).unwrap();
    assert_eq!(storage.list(&sub).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn empty_path_is_the_folder_that_the_process_works_in() {
    assert_eq!(entry(Path::new("")), Path::new("."));
    assert_eq!(entry(Path::new("audit//")), Path::new("audit"));
    assert_eq!(entry(Path::new("/")), Path::new("/"));
    assert_eq!(entry(Path::new("..")), Path::new(".."));
}

#[test]
fn medium_is_read_in_any_pieces() {
    let (folder, storage) = storage();
    let content: Vec<u8> = (0..3 * 4096 + 700_u32).map(|n| n.to_be_bytes()[3] ^ 0x5a).collect();
    let path = folder.path().join("f");
    let file = storage.create_new(&path, Privacy::Group).unwrap();
    assert_eq!(file.append(&content).unwrap(), content.len());

    // Not yet synced; then open for reading alone; then renamed.
    let reading = storage.open(&path, Access::Read).unwrap();
    storage.rename(&path, &folder.path().join("g")).unwrap();
    for file in [&file, &reading] {
        for (offset, size) in
            [(0, 1), (0, 20_000), (511, 2), (4095, 4098), (8192, 4096), (12_287, 9), (12_980, 50)]
        {
            let mut buf = vec![0; size];
            let count = file.read_medium_at(&mut buf, u64::try_from(offset).unwrap()).unwrap();
            let end = content.len().min(offset + size);
            assert_eq!(&buf[..count], &content[offset..end], "{offset} {size}");
        }
        for offset in [12_988, 13_000, 1 << 40] {
            assert_eq!(file.read_medium_at(&mut [0; 10], offset).unwrap(), 0);
        }
        assert_eq!(file.read_medium_at(&mut [], 0).unwrap(), 0);
    }
}

#[test]
fn an_outer_folder_is_synced_where_something_could_be_made_in_it() {
    let (folder, storage) = storage();
    storage.sync_outer_folder(folder.path()).unwrap();
    // It knows no sync.
    assert!(storage.sync_folder(Path::new("/proc")).is_err());
    storage.sync_outer_folder(Path::new("/proc")).unwrap();
    let missing = storage.sync_outer_folder(&folder.path().join("none")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn allocation_leaves_the_size_alone() {
    let (folder, storage) = storage();
    let file = storage.create_new(&folder.path().join("f"), Privacy::Group).unwrap();
    file.append(b"abc").unwrap();
    match file.allocate(0, 1 << 20) {
        Ok(()) => assert!(fs::metadata(folder.path().join("f")).unwrap().blocks() >= 2048),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
    }
    file.allocate(0, 0).unwrap();
    assert_eq!(file.stat().unwrap().size, 3);
    file.append(b"def").unwrap();
    assert_eq!(read_all(&*file), b"abcdef");
}

#[test]
fn second_handle_of_the_lock_is_told_who_holds_it() {
    let (folder, storage) = storage();
    let path = folder.path().join("lock");
    plant(&path, "a much longer name that stood there before".as_bytes());
    let lock = storage.lock(&path, "pid 7 (svc)").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"pid 7 (svc)");
    let LockError::Held { holder } = storage.lock(&path, "me").unwrap_err() else { panic!() };
    assert_eq!(holder, "pid 7 (svc)");
    drop(lock);
    let long = format!("{}\u{1b}[2J{}", "x".repeat(100), "y".repeat(1000));
    let _lock = storage.lock(&path, &long).unwrap();
    let error = storage.lock(&path, "me").unwrap_err();
    assert_eq!(error.to_string(), format!("held by {} [2J{}", "x".repeat(100), "y".repeat(96)));
}

#[test]
fn lock_on_an_unlinked_file_does_not_count() {
    let (folder, storage) = storage();
    let path = folder.path().join("lock");
    let _old = storage.lock(&path, "old").unwrap();
    fs::remove_file(&path).unwrap();
    let _new = storage.lock(&path, "new").unwrap();
    assert!(
        matches!(storage.lock(&path, "third"), Err(LockError::Held { holder }) if holder == "new")
    );
}

#[test]
fn lock_of_another_process_is_refused_and_ends_with_it() {
    let name = "lock_of_another_process_is_refused_and_ends_with_it";
    if let Some(path) = std::env::var_os(CHILD) {
        let _lock = LocalStorage::new().unwrap().lock(Path::new(&path), "pid 1 (child)").unwrap();
        println!("locked");
        io::stdin().read_line(&mut String::new()).unwrap();
        // As a kill would: without dropping anything.
        std::process::exit(7);
    }
    let (folder, storage) = storage();
    let path = folder.path().join("lock");
    let mut child = child(name, &path).spawn().unwrap();
    let mut lines = io::BufRead::lines(io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("locked")));
    let error = storage.lock(&path, "me").unwrap_err();
    assert_eq!(error.to_string(), "held by pid 1 (child)");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
    storage.lock(&path, "me").unwrap();
}

#[test]
fn write_past_the_file_size_limit_is_an_error_and_not_the_end() {
    let name = "write_past_the_file_size_limit_is_an_error_and_not_the_end";
    if let Some(path) = std::env::var_os(CHILD) {
        let storage = LocalStorage::new().unwrap();
        // A second one must not set the handler again, nor fail.
        LocalStorage::new().unwrap();
        let file = storage.create_new(Path::new(&path), Privacy::Group).unwrap();
        setrlimit(Resource::Fsize, Rlimit { current: Some(1000), maximum: Some(1000) }).unwrap();
        assert_eq!(file.append(&[b'x'; 1200]).unwrap(), 1000);
        let error = file.append(b"x").unwrap_err();
        assert_eq!(errno(&error), Some(Errno::FBIG));
        assert_eq!(file.stat().unwrap().size, 1000);
        return;
    }
    let folder = TempDir::new().unwrap();
    assert_succeeds(child(name, &folder.path().join("f")));
}

#[test]
fn one_more_file_can_be_opened_when_descriptors_have_run_out() {
    let name = "one_more_file_can_be_opened_when_descriptors_have_run_out";
    if let Some(folder) = std::env::var_os(CHILD) {
        run_out_of_descriptors(Path::new(&folder));
        return;
    }
    let folder = TempDir::new().unwrap();
    assert_succeeds(child(name, folder.path()));
}

fn run_out_of_descriptors(folder: &Path) {
    let storage = LocalStorage::new().unwrap();
    let written = storage.create_new(&folder.join("a"), Privacy::Group).unwrap();
    written.append(b"abc").unwrap();
    setrlimit(Resource::Nofile, Rlimit { current: Some(40), maximum: Some(40) }).unwrap();
    let mut leak = Vec::new();
    while let Ok(file) = fs::File::open("/dev/null") {
        leak.push(file);
    }

    // The reserve serves one file after another, but only one at a time.
    for name in ["b", "c"] {
        let file = storage.create_new(&folder.join(name), Privacy::Group).unwrap();
        file.append(b"x").unwrap();
        let error = storage.create_new(&folder.join("d"), Privacy::Group).unwrap_err();
        assert_eq!(errno(&error), Some(Errno::MFILE));
        assert!(!folder.join("d").exists());
        assert!(matches!(storage.lock(&folder.join("lock"), "me"), Err(LockError::Io(_))));
        assert!(written.read_medium_at(&mut [0; 3], 0).is_err());
    }
    storage.sync_folder(folder).unwrap();
    assert_eq!(storage.list(folder).unwrap().len(), 3);
    assert_eq!(written.read_medium_at(&mut [0; 3], 0).unwrap(), 3);
    let lock = storage.lock(&folder.join("lock"), "me").unwrap();
    assert!(fs::File::open("/dev/null").is_err());

    // With one descriptor free again, the reserve is taken before anybody else can.
    drop(lock);
    assert!(fs::File::open("/dev/null").is_err());
    drop(leak.pop());
    let one = storage.open(&folder.join("b"), Access::Read).unwrap();
    let two = storage.open(&folder.join("c"), Access::Read).unwrap();
    assert_eq!((read_all(&*one), read_all(&*two)), (b"x".to_vec(), b"x".to_vec()));
}

#[test]
fn temporary_folder_is_on_a_medium_of_some_kind() {
    let (folder, storage) = storage();
    let network = matches!(storage.medium(Path::new("/proc")).unwrap(), Medium::Network(_));
    assert!(!network, "proc is nobody's network");
    assert!(storage.medium(&folder.path().join("none")).is_err());
}
