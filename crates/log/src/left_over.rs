//! What a crash of an earlier creation left: told from what is somebody else's, and removed.
//!
//! Invariants:
//! - nothing is removed unless all of it can be what a creation made: a folder with no names but a log's own, and a key
//!   that is the one of its genesis;
//! - the key goes first, so that a key without a folder always means that a log was here.

use std::path::Path;

use indelible_format::note::{SignerKey, VerifierKey};
use indelible_format::own::OwnRecord;
use indelible_format::record::{Content, Record};
use zeroize::Zeroizing;

use crate::error::OpenError;
use crate::io::{IoFailure, Operation, exists, sync_folder};
use crate::keys::{KEY_FILE_SIZE_MAX, folder_of, read_key_file};
use crate::layout::{ACTIVE, CHECKPOINT, HISTORY, LOCK, Layout, QUARANTINE, TREE};
use crate::lock_file::take_lock;
use crate::segment::Segment;
use crate::storage::{Access, Kind, Storage};

/// What a creation makes in its folder.
const OWN_NAMES: [&str; 6] = [ACTIVE, CHECKPOINT, HISTORY, TREE, QUARANTINE, LOCK];
/// What the name of a key file's line ends in: `+`, an id, `+`, and the key itself.
const KEY_TEXT_SIZE: usize = 44;

/// Removes what stands at `creating`, with its key, if a crash of a creation left it.
///
/// # Durability
/// On success both are gone from the disk.
pub(crate) fn remove(
    storage: &dyn Storage,
    creating: &Layout,
    key: Option<&Path>,
    holder: &str,
) -> Result<(), OpenError> {
    check_names(storage, creating)?;
    // Somebody who is at it right now holds the lock.
    let lock = take_lock(storage, creating, holder)?;
    if let Some(key) = key
        && exists(storage, key)?
    {
        if !is_its_key(storage, creating, key)? {
            return Err(OpenError::KeyWithoutFolder { key: key.to_path_buf() });
        }
        storage.unlink(key).map_err(IoFailure::of(Operation::Remove, key))?;
        sync_folder(storage, folder_of(key))?;
    }
    for folder in [creating.tree(), creating.quarantine()] {
        if exists(storage, &folder)? {
            remove_folder(storage, &folder)?;
        }
    }
    remove_folder(storage, creating.folder())?;
    drop(lock);
    Ok(sync_folder(storage, creating.parent())?)
}

/// Refuses a folder in which anything stands that a creation does not make.
fn check_names(storage: &dyn Storage, creating: &Layout) -> Result<(), OpenError> {
    let strange = |path: &Path| OpenError::NotALeftOver { path: path.to_path_buf() };
    let folder = creating.folder();
    if kind_of(storage, folder)? != Kind::Folder {
        return Err(strange(folder));
    }
    for name in list(storage, folder)? {
        let path = folder.join(&name);
        let expected = if name == TREE || name == QUARANTINE { Kind::Folder } else { Kind::File };
        if !OWN_NAMES.contains(&name.as_str()) || kind_of(storage, &path)? != expected {
            return Err(strange(&path));
        }
        // A creation makes one row, and puts nothing into quarantine.
        let inside = if expected == Kind::Folder { list(storage, &path)? } else { Vec::new() };
        for entry in inside {
            let path = path.join(&entry);
            if name != TREE || entry != "0" || kind_of(storage, &path)? != Kind::File {
                return Err(strange(&path));
            }
        }
    }
    Ok(())
}

/// Whether the key file is the one that this creation made: whole, or torn by the crash.
fn is_its_key(storage: &dyn Storage, creating: &Layout, key: &Path) -> Result<bool, OpenError> {
    // The genesis was on the disk before the key was made.
    let Some(named) = genesis_key(storage, creating)? else { return Ok(false) };
    let bytes = read_key_file(storage, key)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    Ok(match text.trim_end_matches('\n').parse::<SignerKey>() {
        Ok(signer) => signer.verifier_key() == named,
        Err(_) => is_torn(&bytes, &named),
    })
}

/// The key that the genesis of an unfinished creation names, where it has one.
fn genesis_key(storage: &dyn Storage, creating: &Layout) -> Result<Option<VerifierKey>, IoFailure> {
    let segment = match Segment::open(storage, creating, 0, Access::Read) {
        Err(failure) if failure.is_not_found() => return Ok(None),
        opened => opened?,
    };
    let record = segment.first_line.as_deref().and_then(|line| Record::parse(line).ok());
    let Some(record) = record else { return Ok(None) };
    let Content::Own(OwnRecord::Create(create)) = record.content() else { return Ok(None) };
    Ok(Some(create.key.clone()))
}

/// Whether `bytes` are what a crash leaves of the line for the key that `named` verifies.
fn is_torn(bytes: &[u8], named: &VerifierKey) -> bool {
    if bytes.iter().all(|byte| *byte == 0) {
        return u64::try_from(bytes.len()).is_ok_and(|size| size < KEY_FILE_SIZE_MAX);
    }
    // A verifier key is spelt like the signer key, but for the first word and the key's own bytes.
    let verifier = named.to_string();
    let known = verifier.get(..verifier.len().saturating_sub(KEY_TEXT_SIZE)).unwrap_or_default();
    let known = Zeroizing::new(format!("PRIVATE+KEY+{known}"));
    let whole = known.len() + KEY_TEXT_SIZE;
    bytes.len() < whole
        && (known.as_bytes().starts_with(bytes) || bytes.starts_with(known.as_bytes()))
}

/// Removes a folder with the files in it.
fn remove_folder(storage: &dyn Storage, folder: &Path) -> Result<(), OpenError> {
    for name in list(storage, folder)? {
        let path = folder.join(name);
        storage.unlink(&path).map_err(IoFailure::of(Operation::Remove, &path))?;
    }
    storage.remove_folder(folder).map_err(IoFailure::of(Operation::Remove, folder))?;
    Ok(())
}

fn list(storage: &dyn Storage, folder: &Path) -> Result<Vec<String>, IoFailure> {
    storage.list(folder).map_err(IoFailure::of(Operation::List, folder))
}

fn kind_of(storage: &dyn Storage, path: &Path) -> Result<Kind, IoFailure> {
    Ok(storage.stat(path).map_err(IoFailure::of(Operation::Stat, path))?.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_crash_leaves_of_its_own_key_counts_as_torn() {
        let key = SignerKey::from_seed(&"example.com/a".parse().unwrap(), &[1; 32]);
        let other = SignerKey::from_seed(&"example.com/a".parse().unwrap(), &[2; 32]);
        let line = format!("{}\n", key.encode().as_str());
        for size in 0..key.encode().len() {
            assert!(is_torn(&line.as_bytes()[..size], &key.verifier_key()), "{size}");
        }
        assert!(is_torn(&vec![0; line.len()], &key.verifier_key()));
        assert!(!is_torn(line.as_bytes(), &other.verifier_key()));
        assert!(!is_torn(&line.as_bytes()[..60], &other.verifier_key()));
        assert!(!is_torn(b"-----BEGIN OPENSSH PRIVATE KEY-----", &key.verifier_key()));
    }
}
