//! Makes a new log: whole in a sibling folder first, which then takes its name (`docs/spec/folder.md`, *Creation*).
//!
//! Invariants:
//! - a folder at the log's path is always a whole log;
//! - nothing that exists is written over; only what a crash of an earlier creation left is removed (`left_over`).

use std::path::Path;
use std::sync::Arc;

use indelible_format::chain::{Hash, seal};
use indelible_format::checkpoint::Checkpoint;
use indelible_format::identity::{LogId, Origin};
use indelible_format::note::{Note, SignerKey};
use indelible_format::own::{Announcement, Create, OwnContext, write_own};
use indelible_format::record::write_head;
use indelible_format::seeded::{self, Bug};
use indelible_format::tree::leaf_hash;

use crate::error::{AppendError, OpenError};
use crate::io::{IoFailure, Operation, exists, sync_folder, write_whole};
use crate::keys::{folder_of, key_path};
use crate::layout::{FORMAT, Layout};
use crate::left_over;
use crate::lock_file::take_lock;
use crate::options::Options;
use crate::signer::Signer;
use crate::storage::{Lock, Privacy, Storage};
use crate::tree_store::{ExtendError, TreeStore};
use crate::writer::salts::Salts;

/// Makes the log and leaves it locked, under its name.
///
/// # Durability
/// On success all of it is on the disk: genesis, rows, checkpoint, key, names.
pub(crate) fn create(
    storage: &Arc<dyn Storage>,
    layout: &Layout,
    options: &Options,
    holder: &str,
) -> Result<Created, OpenError> {
    let folder = layout.folder();
    if exists(storage.as_ref(), folder)? {
        return Err(OpenError::AlreadyExists { folder: folder.to_path_buf() });
    }
    let creating = layout.creating();
    let key = key_path(layout, options);
    let mut removed_left_over = false;
    if exists(storage.as_ref(), creating.folder())? {
        let key = options.signer.is_none().then_some(key.as_path());
        left_over::remove(storage.as_ref(), &creating, key, holder)?;
        removed_left_over = true;
    } else if options.signer.is_none() && exists(storage.as_ref(), &key)? {
        return Err(OpenError::KeyWithoutFolder { key });
    }

    let mut log_id = [0; 16];
    random(&mut log_id)?;
    let log_id = LogId::from_bytes(log_id);
    let origin = options.origin.clone().unwrap_or_else(|| Origin::unnamed(&log_id));
    let (signer, secret) = signer_for(options, &origin)?;

    let named = Named { log_id, origin };
    let genesis = genesis(options, signer.as_ref(), &named)?;

    make_folder(storage.as_ref(), creating.folder())?;
    // Before the key: a key without any folder would mean that a log was here.
    sync_folder(storage.as_ref(), layout.parent())?;
    let lock = take_lock(storage.as_ref(), &creating, holder)?;
    make_folder(storage.as_ref(), &creating.tree())?;
    make_folder(storage.as_ref(), &creating.quarantine())?;
    write_contents(storage, &creating, signer.as_ref(), &named.origin, &genesis)?;
    if let Some(secret) = secret {
        let line = zeroize::Zeroizing::new(format!("{}\n", secret.encode().as_str()));
        write_file(storage.as_ref(), &key, line.as_bytes(), Privacy::Owner)?;
        sync_folder(storage.as_ref(), folder_of(&key))?;
    }
    sync_folder(storage.as_ref(), layout.parent())?;
    storage
        .rename(creating.folder(), folder)
        .map_err(IoFailure::of(Operation::Rename, creating.folder()))?;
    let unsynced = seeded::is(Bug::NoFolderSyncAfterRename);
    seeded::unless(unsynced, || sync_folder(storage.as_ref(), layout.parent()))?;
    Ok(Created { lock, removed_left_over })
}

/// A log that was just made.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) lock: Box<dyn Lock>,
    /// Whether a crash of an earlier creation had left something that had to go first.
    pub(crate) removed_left_over: bool,
}

struct Named {
    log_id: LogId,
    origin: Origin,
}

/// Who signs, and the key to keep where it is the log's own.
type SignerAndSecret = (Arc<dyn Signer>, Option<Arc<SignerKey>>);

/// Who signs, and the secret key to keep where the log makes its own.
fn signer_for(options: &Options, origin: &Origin) -> Result<SignerAndSecret, OpenError> {
    if let Some(signer) = &options.signer {
        return Ok((Arc::clone(signer), None));
    }
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    random(seed.as_mut())?;
    let key = Arc::new(SignerKey::from_seed(origin, &seed));
    let signer: Arc<dyn Signer> = Arc::<SignerKey>::clone(&key);
    Ok((signer, Some(key)))
}

/// Writes genesis, rows, history and checkpoint, and syncs each of them and the folders.
fn write_contents(
    storage: &Arc<dyn Storage>,
    creating: &Layout,
    signer: &dyn Signer,
    origin: &Origin,
    (line, hash): &(Vec<u8>, Hash),
) -> Result<(), OpenError> {
    write_file(storage.as_ref(), &creating.segment(0), line, Privacy::Group)?;
    let mut tree = TreeStore::empty(Arc::clone(storage), creating.clone());
    tree.extend(&[leaf_hash(hash)]).map_err(|error| match error {
        ExtendError::Refused(failure) => failure.into(),
        ExtendError::Unknown(cause) => OpenError::Append(AppendError::Halted(cause.into())),
    })?;
    write_file(storage.as_ref(), &creating.history(), b"", Privacy::Group)?;
    let text = Checkpoint { origin: origin.clone(), size: 1, root: tree.root() }.text();
    let signature = signer.sign(text.as_bytes()).map_err(OpenError::Signer)?;
    let note = Note { text, signatures: vec![signature] }.to_string();
    write_file(storage.as_ref(), &creating.checkpoint(), note.as_bytes(), Privacy::Group)?;
    sync_folder(storage.as_ref(), &creating.tree())?;
    sync_folder(storage.as_ref(), &creating.quarantine())?;
    Ok(sync_folder(storage.as_ref(), creating.folder())?)
}

/// Record 0, with its line feed, and its hash.
fn genesis(
    options: &Options,
    signer: &dyn Signer,
    named: &Named,
) -> Result<(Vec<u8>, Hash), OpenError> {
    let mut line = Vec::new();
    write_head(&mut line, 0, options.clock.now().wall);
    let create = Announcement::Create(Create {
        format: FORMAT,
        log_id: named.log_id,
        origin: named.origin.clone(),
        key: signer.verifier_key(),
        continues: options.continues.clone(),
    });
    let context = OwnContext { log_id: named.log_id, origin: &named.origin };
    write_own(&mut line, 0, &create, &context, &mut crate::signer::unsigned);
    Salts::new(options.salting).write(&mut line)?;
    // The brace that ends the entry comes with the link.
    let (size, limit) = (line.len() + 1, options.entry_size_max);
    if size > limit {
        return Err(OpenError::GenesisTooLarge { limit, size });
    }
    let hash = seal(&mut line, 0, &Hash::ZERO);
    line.push(b'\n');
    Ok((line, hash))
}

fn make_folder(storage: &dyn Storage, path: &Path) -> Result<(), IoFailure> {
    storage.create_folder(path).map_err(IoFailure::of(Operation::Create, path))
}

fn write_file(
    storage: &dyn Storage,
    path: &Path,
    bytes: &[u8],
    privacy: Privacy,
) -> Result<(), IoFailure> {
    let file = storage.create_new(path, privacy).map_err(IoFailure::of(Operation::Create, path))?;
    if !bytes.is_empty() {
        write_whole(file.as_ref(), bytes).map_err(IoFailure::of(Operation::Write, path))?;
    }
    file.sync_data().map_err(IoFailure::of(Operation::Sync, path))
}

fn random(bytes: &mut [u8]) -> Result<(), IoFailure> {
    getrandom::fill(bytes).map_err(|e| {
        let source = Path::new("the system's random numbers");
        IoFailure::new(Operation::Read, source, std::io::Error::other(e))
    })
}
