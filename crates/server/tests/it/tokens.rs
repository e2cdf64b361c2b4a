//! Tokens: their file, and that a running service follows it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use indelible_server::auth::role::Role;
use indelible_server::auth::tokens::{Token, TokenFile, TokenFileError};
use indelible_server::{Server, StartError};

use crate::support::{Running, config};
use crate::web::{add_token, append, bearer, grant};

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

fn revoke(file: &Path, name: &str) {
    TokenFile::change(file, |entries| {
        entries.retain(|entry| entry.name != name);
        Ok::<_, TokenFileError>(())
    })
    .unwrap();
}

/// A service that takes the token `first`, and its file.
async fn running() -> (Running, PathBuf, Token) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tokens.jsonl");
    let token = add_token(&file, "first", vec![grant(Role::Append, None)], |_| {});
    let mut config = config(&place);
    config.tokens = Some(file.clone());
    let server = Server::start(config).await.unwrap();
    (Running { server, place }, file, token)
}

async fn status(running: &Running, token: &Token) -> String {
    append(running.address(), Some(&bearer(token))).await.status().to_owned()
}

/// Asks until the service answers so: it follows its file within a second or two.
async fn until(running: &Running, token: &Token, expected: &str) {
    let asking = async {
        while status(running, token).await != expected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), asking).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_taken_in_and_taken_back_while_the_service_runs_and_the_log_says_so() {
    let (running, file, first) = running().await;
    assert_eq!(status(&running, &first).await, "201");
    let before = TokenFile::read(&file).unwrap().digest;
    let second = add_token(&file, "second", vec![grant(Role::Append, None)], |_| {});
    until(&running, &second, "201").await;
    assert_eq!(status(&running, &first).await, "201");
    revoke(&file, "first");
    until(&running, &first, "401").await;
    assert_eq!(status(&running, &second).await, "201");
    let lines = running.stop_and_read().await;
    let changes: Vec<_> =
        lines.lines().filter(|line| line.contains("indelible.service.configure")).collect();
    assert_eq!(changes.len(), 2, "{lines}");
    let metadata = format!("\"metadata\":{{\"what\":\"tokens\",\"before\":\"{before}\",\"after\":");
    assert!(changes[0].contains(&metadata), "{}", changes[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_changes_nothing_until_it_is_whole_again() {
    let (running, file, first) = running().await;
    let whole = fs::read(&file).unwrap();
    // As a whole: the service may look at any time, and an empty file is one without tokens.
    let write = |bytes: &[u8], mode| {
        let new = running.place.path().join("new");
        let written = std::io::Write::write_all(&mut fs::File::create(&new).unwrap(), bytes);
        set_mode(&new, mode);
        assert!(std::process::Command::new("mv").args([&new, &file]).status()?.success());
        written
    };
    for broken in [&b"{"[..], b"\xff", b"{\"name\":\"x\"}\n"] {
        write(broken, 0o640).unwrap();
        running.server.reload().await;
        assert_eq!(status(&running, &first).await, "201");
    }
    fs::remove_file(&file).unwrap();
    running.server.reload().await;
    assert_eq!(status(&running, &first).await, "201");
    write(&whole, 0o660).unwrap();
    let second = add_token(
        &running.place.path().join("other"),
        "second",
        vec![grant(Role::Append, None)],
        |_| {},
    );
    let other = fs::read(running.place.path().join("other")).unwrap();
    write(&other, 0o660).unwrap();
    running.server.reload().await;
    assert_eq!(status(&running, &second).await, "401", "a file that others could write");
    set_mode(&file, 0o640);
    until(&running, &second, "201").await;
    assert_eq!(status(&running, &first).await, "401");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_does_not_start_without_its_tokens_and_touches_no_log_then() {
    let place = tempfile::tempdir().unwrap();
    let mut config = config(&place);
    config.tokens = Some(place.path().join("tokens.jsonl"));
    let refused = Server::start(config).await.err().unwrap();
    assert!(matches!(refused, StartError::Tokens(TokenFileError::Missing { .. })), "{refused}");
    assert!(!place.path().join("audit").exists());
}

#[test]
fn a_file_that_others_could_have_written_is_not_read() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tokens.jsonl");
    add_token(&file, "a", vec![grant(Role::Read, None)], |_| {});
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    for mode in [0o600, 0o640, 0o644, 0o444] {
        set_mode(&file, mode);
        assert_eq!(TokenFile::read(&file).unwrap().entries.len(), 1);
    }
    for mode in [0o660, 0o602, 0o666] {
        set_mode(&file, mode);
        let refused = TokenFile::read(&file);
        assert!(matches!(refused, Err(TokenFileError::Writable { .. })), "{refused:?}");
    }
    set_mode(&file, 0o600);
    std::os::unix::fs::symlink("tokens.jsonl", place.path().join("link")).unwrap();
    assert!(TokenFile::read(&place.path().join("link")).is_ok(), "secrets are mounted as links");
    let over_a_link =
        TokenFile::change(&place.path().join("link"), |_| Ok::<_, TokenFileError>(()));
    assert!(matches!(over_a_link, Err(TokenFileError::NotAFile { .. })));
    assert!(matches!(TokenFile::read(place.path()), Err(TokenFileError::NotAFile { .. })));
    if rustix::process::geteuid().is_root() {
        rustix::fs::chown(&file, Some(rustix::fs::Uid::from_raw(12_345)), None).unwrap();
        assert!(matches!(TokenFile::read(&file), Err(TokenFileError::Owner { owner: 12_345, .. })));
    }
}

#[test]
fn a_change_is_whole_or_not_there_and_one_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tokens.jsonl");
    add_token(&file, "a", vec![grant(Role::Read, None)], |_| {});
    set_mode(&file, 0o600);
    let before = fs::read(&file).unwrap();
    // What an interrupted change left.
    fs::File::create(place.path().join("tokens.jsonl.new")).unwrap();
    let inner = TokenFile::change(&file, |entries| {
        entries.clear();
        let second = TokenFile::change(&file, |_| Ok::<_, TokenFileError>(()));
        assert!(matches!(second, Err(TokenFileError::Locked { .. })), "{second:?}");
        Err(TokenFileError::Missing { path: PathBuf::new() })
    });
    assert!(inner.is_err());
    assert_eq!(fs::read(&file).unwrap(), before);
    add_token(&file, "b", vec![grant(Role::Read, None)], |_| {});
    assert_eq!(TokenFile::read(&file).unwrap().entries.len(), 2);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "as it was");
    assert!(!place.path().join("tokens.jsonl.new").exists());
}

#[test]
fn two_tokens_of_one_name_or_digest_are_an_error_with_its_line() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tokens.jsonl");
    add_token(&file, "a", vec![grant(Role::Read, None)], |_| {});
    let line = fs::read_to_string(&file).unwrap();
    let write = |text: String| {
        std::io::Write::write_all(&mut fs::File::create(&file).unwrap(), text.as_bytes()).unwrap();
    };
    for second in [line.clone(), line.replace("\"a\"", "\"b\"")] {
        write(format!("{line}\n{second}"));
        let refused = TokenFile::read(&file);
        assert!(matches!(refused, Err(TokenFileError::Twice { line: 3, .. })), "{refused:?}");
    }
    write(format!("{line}x\n"));
    assert!(matches!(TokenFile::read(&file), Err(TokenFileError::Line { line: 2, .. })));
    write("\n".repeat((4 << 20) + 1));
    assert!(matches!(TokenFile::read(&file), Err(TokenFileError::TooLarge { .. })));
}
