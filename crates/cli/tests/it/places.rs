//! What people read when the folder, the key or what is around them is not what a log needs.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::support::*;

const ONE: [&str; 6] = ["--actor", "a", "--action", "b", "--resource", "c"];

#[test]
fn a_folder_without_a_log_is_told_from_a_log_without_its_key() {
    let log = Log::new();
    let folder = log.place.path().join("empty");
    fs::create_dir(&folder).expect("made");
    for args in [
        &[&["append", "empty"], &ONE[..]].concat()[..],
        &["checkpoint", "empty"],
        &["tail", "empty"],
        &["query", "empty"],
        &["show", "empty", "0"],
    ] {
        assert_fails(
            &log.run(args),
            1,
            &format!(
                "indelible: {}: there is no log in this folder: it has none of the files that a log has\n\
                 hint: is the path right, and is its volume mounted? a new log makes its own folder: `indelible init` \
                 takes a path at which nothing is yet\n",
                folder.display()
            ),
        );
    }
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0, "something was made in it");
}

#[test]
fn a_link_is_called_one() {
    let log = Log::new();
    let place = log.place.path();
    symlink("audit", place.join("link")).expect("linked");
    symlink("audit.key", place.join("key")).expect("linked");
    write(&place.join("file"), b"");
    for args in
        [&[&["append", "link"], &ONE[..]].concat()[..], &["tail", "link"], &["query", "link"]]
    {
        assert_fails(
            &log.run(args),
            1,
            &format!(
                "indelible: {}: a symbolic link instead of a folder, and links are not followed\n\
                 hint: give the path that the link leads to\n",
                place.join("link").display()
            ),
        );
    }
    for args in
        [&[&["append", "file"], &ONE[..]].concat()[..], &["tail", "file"], &["query", "file"]]
    {
        assert_fails(
            &log.run(args),
            1,
            &format!(
                "indelible: {}: a file instead of a folder, and links are not followed\n",
                place.join("file").display()
            ),
        );
    }
    let told = text(&log.run(&["verify", "link"]).stderr);
    assert!(
        told.contains(": it is no folder, or a link to one, and links are not followed: "),
        "{told}"
    );
    assert_fails(
        &log.run(&[&["append", "audit", "--key-file", "key"], &ONE[..]].concat()),
        1,
        "indelible: could not open key: it is a symbolic link, and links are not followed: Too many levels of symbolic \
         links (os error 40)\n",
    );
}

#[test]
fn the_key_of_another_log_is_named_with_its_file() {
    let (log, other) = (Log::new(), Log::new());
    let key = other.place.path().join("audit.key");
    let key = key.to_str().expect("UTF-8");
    assert_fails(
        &log.run(&[&["append", "audit", "--key-file", key], &ONE[..]].concat()),
        1,
        &format!(
            "indelible: {key} is of another log: it is the private key of {}, and this log's is that of {}\n\
             hint: say with --key-file where this log's own key is, or put it beside the folder as audit.key\n",
            other.key, log.key
        ),
    );
}

#[test]
fn a_new_log_needs_a_folder_around_it() {
    let log = Log::new();
    let parent = log.place.path().join("no/such");
    assert_fails(
        &log.run(&["init", "no/such/log"]),
        1,
        &format!(
            "indelible: {0}: there is no such folder to make a log in\nhint: mkdir -p {0}\n",
            parent.display()
        ),
    );
}

#[test]
fn a_folder_that_may_not_be_read_is_told_by_every_command_alike() {
    let log = Log::new();
    let (place, folder) = (log.place.path(), log.folder());
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    // Root may read everything, and nobody may run what lies in a folder of root's: so nobody runs a copy.
    let is_root = fs::metadata(place).expect("a folder").uid() == 0;
    let binary = place.join("indelible");
    fs::copy(env!("CARGO_BIN_EXE_indelible"), &binary).expect("copied");
    set(place, 0o755).expect("set");
    set(&folder, if is_root { 0o700 } else { 0 }).expect("set");
    for args in
        [&[&["append", "audit"], &ONE[..]].concat()[..], &["tail", "audit"], &["query", "audit"]]
    {
        let mut command =
            Command::new(if is_root { "setpriv".as_ref() } else { binary.as_os_str() });
        if is_root {
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&binary);
        }
        let Ok(output) = command.current_dir(place).args(args).output() else {
            return skipped("no `setpriv` to become nobody with");
        };
        assert_fails(
            &output,
            1,
            &format!(
                "indelible: could not list {0}: Permission denied (os error 13)\nhint: `ls -ld {0}` shows who may; run as \
                 the user who owns the log, or as one of its group to read it\n",
                folder.display()
            ),
        );
    }
    set(&folder, 0o700).expect("set");
}

#[test]
fn no_log_is_made_inside_another() {
    let log = Log::new();
    let folder = log.folder();
    let told = format!(
        "indelible: {}: this is the folder of a log, and no other log is made inside it\n\
         hint: make the new log beside it: `indelible init {}`\n",
        folder.display(),
        log.place.path().join("audit-2").display()
    );
    let before = fs::read_dir(&folder).expect("a folder").count();
    let create = [&["append", "audit/sub", "--create"], &ONE[..]].concat();
    for args in [&["init", "audit/sub", "--origin", ORIGIN][..], &create] {
        assert_fails(&log.run(args), 1, &told);
    }
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), before, "something was made");
    // Other programs call their files so, too.
    let others = log.place.path().join("others");
    fs::create_dir(&others).expect("made");
    write(&others.join("audit.log"), b"");
    assert_eq!(log.run(&["init", "others/audit", "--origin", ORIGIN]).status.code(), Some(0));
}

#[test]
fn making_a_log_never_replaces_a_key() {
    let log = Log::new();
    let before = fs::read(log.place.path().join("audit.key")).expect("a key");
    assert_fails(
        &log.run(&["init", "new", "--key-file", "audit.key"]),
        1,
        "indelible: audit.key: this key file exists, and making a log never replaces a key: if its log's folder was \
         beside it, put the folder back; otherwise have the key made elsewhere\n",
    );
    assert_eq!(fs::read(log.place.path().join("audit.key")).expect("a key"), before);
    let help = text(&log.run(&["init", "--help"]).stdout);
    assert!(help.contains("Make the private key at PATH"), "{help}");
}

#[test]
fn of_several_that_make_the_same_log_one_does_and_the_others_are_told() {
    let place = tempfile::tempdir().expect("a folder");
    let init = || {
        let output = indelible()
            .current_dir(place.path())
            .args(["init", "audit", "--origin", ORIGIN])
            .output();
        output.expect("it runs")
    };
    let outputs: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> = (0..6).map(|_| scope.spawn(init)).collect();
        started.into_iter().map(|one| one.join().expect("it ended")).collect()
    });
    let (made, told): (Vec<_>, Vec<_>) =
        outputs.iter().partition(|output| output.status.code() == Some(0));
    assert_eq!(made.len(), 1);
    let folder = place.path().join("audit");
    for output in told {
        let told = text(&output.stderr);
        let fact = told.strip_prefix(&format!("indelible: {}: ", folder.display()));
        let known = ["another process is making this log just now", "something is here already"];
        assert!(
            fact.is_some_and(|fact| known.iter().any(|known| fact.starts_with(known))),
            "{told}"
        );
        assert!(told.contains(" shows its verifier key"), "{told}");
        assert_eq!(output.status.code(), Some(1));
    }
    let key = text(&made[0].stdout);
    let verified = indelible().arg("verify").arg(&folder).args(["--key", key.trim_end()]).output();
    assert_eq!(verified.expect("it runs").status.code(), Some(0));
}

#[test]
fn what_a_log_can_not_be_continued_from_is_not_advised_again() {
    let log = Log::new();
    fs::create_dir(log.place.path().join("empty")).expect("made");
    let told = text(&log.run(&["init", "new", "--continues", "empty"]).stderr);
    assert!(
        told.ends_with(
            "\nhint: is that the path of the old log, and is its volume mounted? if its records are gone, make the new log \
             without --continues, and keep what is left in empty\n"
        ),
        "{told}"
    );
    fs::remove_file(log.folder().join("checkpoint")).expect("removed");
    assert_fails(
        &log.run(&["init", "new", "--continues", "audit"]),
        1,
        &format!(
            "indelible: {}: no checkpoint that the log's own key signed, so it can't be continued\n\
             hint: a log can only be continued by what it signed of itself: make the new log without --continues, keep \
             audit as it is, and say in the new log's first event what it takes over from; `indelible verify audit` says \
             what is left\n",
            log.folder().display()
        ),
    );
    assert!(!log.place.path().join("new").exists());
}
