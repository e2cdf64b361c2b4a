//! Folders that somebody changed, keys that fail, programs that panic: opening acts on nothing that it can't vouch for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indelible::format::chain::{Link, seal};
use indelible::format::note::{SignatureLine, SignerKey, VerifierKey};
use indelible::format::own::{Announcement, OwnContext, Prune, write_own};
use indelible::format::record::{parse_head, write_head};
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{
    AppendError, AuditLog, Event, OpenError, Options, PublishedError, SignError, Signer,
};

fn event(number: usize) -> Event {
    let session = serde_json::json!({"text": "x".repeat(300)});
    Event::new("a", "b", format!("r{number}")).session(session)
}

fn small() -> Options {
    Options::default().with_max_file_size(200 << 10)
}

/// A log of several segments.
fn filled(at: &Path) -> PathBuf {
    let folder = at.join("audit");
    let log = AuditLog::create(&folder, small()).unwrap();
    for number in 0..1_800 {
        log.submit(event(number)).map(drop).unwrap();
    }
    log.close().unwrap();
    folder
}

fn segments(folder: &Path) -> Vec<(String, u64)> {
    let mut segments: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
        .filter(|(name, _)| name.starts_with("audit.log"))
        .collect();
    segments.sort();
    segments
}

#[expect(clippy::disallowed_methods, reason = "somebody else writes")]
fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::write(path, bytes).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "somebody else renames")]
fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}

fn assert_refused_and_untouched(folder: &Path) {
    let before = segments(folder);
    match AuditLog::open(folder, small().with_max_files(2)) {
        Err(OpenError::Refused(_)) => {}
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(segments(folder), before);
}

#[test]
fn a_prune_record_that_the_log_did_not_sign_removes_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = filled(temporary.path());
    let log = AuditLog::open(&folder, small()).unwrap();
    let identity = log.identity().clone();
    drop(log);
    let mine = SignerKey::from_seed(identity.origin(), &[7; 32]);
    let path = folder.join("audit.log.1");
    let text = std::fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let tied = Link::split(first.as_bytes()).unwrap();
    let head = parse_head(first.as_bytes()).unwrap();
    let mut line = Vec::new();
    write_head(&mut line, head.seq, head.timestamp);
    let prune = Announcement::Prune(Prune {
        format: 1,
        log_id: identity.log_id(),
        origin: identity.origin().clone(),
        keys: vec![mine.verifier_key()],
        first_kept_seq: 1 << 40,
        last_pruned_hash: tied.prev_hash,
        files: 1,
        reason: "x".to_owned(),
    });
    let context = OwnContext { log_id: identity.log_id(), origin: identity.origin() };
    write_own(&mut line, 0, &prune, &context, &mut |message| mine.sign(message));
    seal(&mut line, 0, &tied.prev_hash);
    line.push(b'\n');
    line.extend_from_slice(rest.as_bytes());
    write(&path, line);
    let before = segments(&folder);
    drop(AuditLog::open(&folder, small()));
    assert_eq!(segments(&folder), before);
}

#[test]
fn segments_under_each_others_numbers_are_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = filled(temporary.path());
    let oldest = folder.join(format!("audit.log.{}", segments(&folder).len() - 1));
    let (newest, aside) = (folder.join("audit.log.1"), folder.join("aside"));
    rename(&oldest, &aside);
    rename(&newest, &oldest);
    rename(&aside, &newest);
    assert_refused_and_untouched(&folder);
}

#[test]
fn a_segment_whose_first_line_is_damaged_is_refused_and_not_counted_out() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = filled(temporary.path());
    let path = folder.join("audit.log.2");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[3] ^= 1;
    write(&path, bytes);
    assert_refused_and_untouched(&folder);
}

#[test]
fn a_stray_segment_number_is_refused_and_shifts_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = filled(temporary.path());
    write(&folder.join("audit.log.19"), b"");
    assert_refused_and_untouched(&folder);
}

#[derive(Debug)]
struct Token {
    key: SignerKey,
    pulled_out: AtomicBool,
}

impl Signer for Token {
    fn verifier_key(&self) -> VerifierKey {
        self.key.verifier_key()
    }

    fn sign(&self, message: &[u8]) -> Result<SignatureLine, SignError> {
        assert!(!self.pulled_out.load(Ordering::SeqCst), "the token is gone");
        Ok(self.key.sign(message))
    }
}

#[test]
fn a_signer_that_panics_halts_the_log_and_leaves_nobody_waiting() {
    let temporary = tempfile::tempdir().unwrap();
    let key = SignerKey::from_seed(&"o".parse().unwrap(), &[1; 32]);
    let token = Arc::new(Token { key, pulled_out: AtomicBool::new(false) });
    let options = small()
        .with_origin("o".parse().unwrap())
        .with_signer(Arc::<Token>::clone(&token))
        .with_checkpoint_interval(Duration::from_hours(1));
    let log = AuditLog::create(temporary.path().join("audit"), options).unwrap();
    token.pulled_out.store(true, Ordering::SeqCst);
    let pending: Vec<_> = (0..900).map_while(|number| log.submit(event(number)).ok()).collect();
    let failed = pending.iter().filter(|pending| pending.wait().is_err()).count();
    assert!(failed > 0);
    assert!(matches!(log.append(event(0)), Err(AppendError::Halted(_))));
    token.pulled_out.store(false, Ordering::SeqCst);
}

#[test]
fn a_key_in_another_folder_is_as_durable_as_the_log() {
    let disk = SimulatedDisk::new();
    for folder in ["/d", "/k"] {
        disk.create_folder(Path::new(folder)).unwrap();
    }
    disk.sync_folder(Path::new("/")).unwrap();
    let options = || small().with_key_file("/k/key".into());
    let log = AuditLog::create_on(Arc::new(disk.clone()), "/d/audit", options()).unwrap();
    log.append(event(1)).unwrap();
    disk.crash();
    drop(log);
    let mut states = 0;
    for state in disk.crash_states(500) {
        let left = disk.after_crash(&state);
        let opened = AuditLog::open_on(Arc::new(left), "/d/audit", options());
        assert!(opened.is_ok(), "{state:?}: {opened:?}");
        states += 1;
    }
    assert!(states > 0);
}

#[test]
fn a_record_is_published_within_the_interval() {
    let temporary = tempfile::tempdir().unwrap();
    let options = Options::default().with_checkpoint_interval(Duration::from_millis(50));
    let log = AuditLog::create(temporary.path().join("audit"), options).unwrap();
    let pending = log.submit(event(1)).unwrap();
    let published: Result<_, PublishedError> = pending.published(Duration::from_mins(1));
    assert_eq!(published.unwrap().seq, 1);
}
