//! The key file beside the folder: where it is, who may read it, and what is in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_format::note::SignerKey;
use zeroize::Zeroizing;

use crate::error::{Insecurity, OpenError};
use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::options::Options;
use crate::segment::read_range;
use crate::signer::Signer;
use crate::storage::{Access, Kind, Stat, Storage};

/// Most bytes of a key file: a name of 255 bytes, and a key.
pub(crate) const KEY_FILE_SIZE_MAX: u64 = 1_024;

/// Where the key file is.
pub(crate) fn key_path(layout: &Layout, options: &Options) -> PathBuf {
    options.key_file.clone().unwrap_or_else(|| layout.key())
}

/// The folder that a key file is in.
pub(crate) fn folder_of(key: &Path) -> &Path {
    key.parent().unwrap_or(Path::new(""))
}

/// The signer of a log that is opened: the one given, or the one in the key file.
pub(crate) fn load_signer(
    storage: &dyn Storage,
    layout: &Layout,
    options: &Options,
) -> Result<Arc<dyn Signer>, OpenError> {
    if let Some(signer) = &options.signer {
        return Ok(Arc::clone(signer));
    }
    let key = key_path(layout, options);
    let file = match storage.open(&key, Access::Read) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(OpenError::KeyMissing { key });
        }
        Err(e) => return Err(IoFailure::new(Operation::Open, &key, e).into()),
    };
    let stat = file.stat().map_err(IoFailure::of(Operation::Stat, &key))?;
    check_owner(&key, &stat)?;
    if stat.mode & 0o077 != 0 {
        let what = Insecurity::KeyReadable { mode: stat.mode };
        return Err(OpenError::Insecure { path: key, what });
    }
    let bytes = read_range(file.as_ref(), 0, stat.size.min(KEY_FILE_SIZE_MAX))
        .map_err(IoFailure::of(Operation::Read, &key))?;
    let bytes = Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    match text.trim_end_matches('\n').parse::<SignerKey>() {
        Ok(signer) => Ok(Arc::new(signer)),
        Err(source) => Err(OpenError::KeyMalformed { key, source }),
    }
}

/// The bytes of a key file, whoever may read it.
pub(crate) fn read_key_file(
    storage: &dyn Storage,
    key: &Path,
) -> Result<Zeroizing<Vec<u8>>, IoFailure> {
    let file = storage.open(key, Access::Read).map_err(IoFailure::of(Operation::Open, key))?;
    let bytes = read_range(file.as_ref(), 0, KEY_FILE_SIZE_MAX);
    Ok(Zeroizing::new(bytes.map_err(IoFailure::of(Operation::Read, key))?))
}

/// Refuses a file or folder that somebody else owns or may write to.
pub(crate) fn check_private(path: &Path, stat: &Stat, kind: Kind) -> Result<(), OpenError> {
    if stat.kind != kind {
        let what = Insecurity::Kind { expected: kind, found: stat.kind };
        return Err(OpenError::Insecure { path: path.to_path_buf(), what });
    }
    check_owner(path, stat)?;
    if stat.mode & 0o022 != 0 {
        let what = Insecurity::Writable { mode: stat.mode };
        return Err(OpenError::Insecure { path: path.to_path_buf(), what });
    }
    Ok(())
}

fn check_owner(path: &Path, stat: &Stat) -> Result<(), OpenError> {
    if stat.owned {
        return Ok(());
    }
    let what = Insecurity::Owner { owner: stat.owner };
    Err(OpenError::Insecure { path: path.to_path_buf(), what })
}
