//! Keys that can't be used for a while, such as a token that was pulled out: what needs a signature is refused and may be
//! tried again, and what is acknowledged is kept.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indelible::format::note::{SignatureLine, SignerKey, VerifierKey};
use indelible::format::own::OwnRecord;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{
    AppendError, AuditLog, CheckpointError, CloseError, Observer, Obstacle, Options,
    PublishedError, SignError, Signer,
};

use crate::checker::assert_log_is_sound;
use crate::scene::{FOLDER, disk, event, in_folder, options, own_records, storage};

/// A key in a token.
#[derive(Debug)]
struct Token {
    key: SignerKey,
    refuses: AtomicU8,
}

const NOTHING: u8 = 0;
const EVERYTHING: u8 = 1;
/// Records of the log's own, and not checkpoints.
const RECORDS: u8 = 2;

impl Token {
    fn new() -> Arc<Self> {
        let key = SignerKey::from_seed(&"example.com/audit".parse().unwrap(), &[1; 32]);
        Arc::new(Self { key, refuses: AtomicU8::new(NOTHING) })
    }

    fn refuse(&self, what: u8) {
        self.refuses.store(what, Ordering::SeqCst);
    }
}

impl Signer for Token {
    fn verifier_key(&self) -> VerifierKey {
        self.key.verifier_key()
    }

    fn sign(&self, message: &[u8]) -> Result<SignatureLine, SignError> {
        let refuses = self.refuses.load(Ordering::SeqCst);
        let is_record = message.starts_with(b"indelible signed record\n");
        if refuses == EVERYTHING || (refuses == RECORDS && is_record) {
            return Err(SignError::Unavailable { reason: "pulled out".to_owned() });
        }
        Ok(self.key.sign(message))
    }
}

fn with(token: &Arc<Token>) -> Options {
    options()
        .with_origin("example.com/audit".parse().unwrap())
        .with_signer(Arc::<Token>::clone(token))
}

/// Appends until an append fails, and gives its error; there was none for each before.
fn append_until_refused(log: &AuditLog) -> AppendError {
    for number in 0..1_000 {
        if let Err(error) = log.append(event(number)) {
            return error;
        }
    }
    panic!("never refused");
}

#[track_caller]
fn assert_not_signed(error: &AppendError) {
    let AppendError::NotWritten { cause: Obstacle::Signer(error) } = error else {
        panic!("{error}");
    };
    assert_eq!(error.to_string(), "the key can't be used: pulled out");
}

fn has(disk: &SimulatedDisk, name: &str) -> bool {
    disk.read_file(in_folder(name)).is_ok()
}

#[test]
fn a_rotation_without_a_signature_is_refused_and_made_once_there_is_one() {
    let (disk, token) = (disk(), Token::new());
    let log = AuditLog::create_on(storage(&disk), FOLDER, with(&token)).unwrap();
    token.refuse(EVERYTHING);
    assert_not_signed(&append_until_refused(&log));
    assert_not_signed(&log.append(event(1)).unwrap_err());
    assert!(!has(&disk, "audit.log.1") && log.halted().is_none());
    let records = log.records();
    token.refuse(NOTHING);
    assert_eq!(log.append(event(1)).unwrap().seq, records);
    assert!(has(&disk, "audit.log.1"));
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn a_prune_record_without_a_signature_is_not_written_and_nothing_is_removed() {
    let (disk, token) = (disk(), Token::new());
    let options = || with(&token).with_max_files(1);
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    token.refuse(RECORDS);
    assert_not_signed(&append_until_refused(&log));
    assert!(has(&disk, "audit.log.2"), "rotated, and nothing removed");
    assert_eq!(disk.read_file(in_folder("audit.log")).unwrap(), b"");
    let records = log.records();
    token.refuse(NOTHING);
    // The prune record comes first.
    assert_eq!(log.append(event(1)).unwrap().seq, records + 1);
    assert!(!has(&disk, "audit.log.2"));
    let active = disk.read_file(in_folder("audit.log")).unwrap();
    let end = active.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    assert!(matches!(own_records(&active[..end])[..], [OwnRecord::Prune(_)]));
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

/// Keeps what it is told of checkpoints.
#[derive(Debug, Default)]
struct Witness(Mutex<Vec<CheckpointError>>);

impl Observer for Witness {
    fn checkpoint_refused(&self, error: &CheckpointError) {
        self.0.lock().unwrap().push(error.clone());
    }
}

#[test]
fn a_log_closes_without_its_last_checkpoint_and_the_next_opening_makes_it() {
    let (disk, token) = (disk(), Token::new());
    let witness = Arc::new(Witness::default());
    let options = || with(&token).with_observer(Arc::<Witness>::clone(&witness));
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    let pending = log.submit(event(1)).unwrap();
    let receipt = pending.wait().unwrap();
    token.refuse(EVERYTHING);
    assert!(matches!(log.checkpoint(), Err(CheckpointError::Refused(Obstacle::Signer(_)))));
    match log.close() {
        Err(CloseError::Checkpoint(CheckpointError::Refused(Obstacle::Signer(_)))) => {}
        other => panic!("{other:?}"),
    }
    let told = witness.0.lock().unwrap().clone();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|e| matches!(e, CheckpointError::Refused(Obstacle::Signer(_)))));
    // No checkpoint will come: whoever waits for one is told at once.
    match pending.published(Duration::from_hours(1)) {
        Err(PublishedError::Ended) => {}
        other => panic!("{other:?}"),
    }
    token.refuse(NOTHING);
    let log = AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap();
    let adopted = log.recovery().adopted.unwrap();
    assert_eq!((adopted.from_seq, adopted.found_to_seq), (1, receipt.seq));
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}
