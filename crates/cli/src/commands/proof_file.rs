//! Reads and writes the small files that proofs are kept in.
//!
//! Invariant: a file that exists is never written over.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use indelible::storage::local::LocalStorage;
use indelible::storage::{Privacy, Storage as _, StorageFile};

/// More bytes than any proof has: a record of 1 MiB in base64, and 16 signatures.
const FILE_SIZE_MAX: u64 = 4 << 20;

/// Reads a whole file, or stdin where it is `-`.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        return read_from(io::stdin().lock()).context("could not read stdin");
    }
    let file = File::open(path);
    file.map_err(anyhow::Error::from)
        .and_then(read_from)
        .with_context(|| format!("could not read {}", path.display()))
}

fn read_from(source: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(FILE_SIZE_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > FILE_SIZE_MAX) {
        bail!("it has over {FILE_SIZE_MAX} bytes, more than any proof or record");
    }
    Ok(bytes)
}

/// Writes a new file.
///
/// # Durability
/// On success its bytes and its name are on the disk; where it could not be written whole, nothing is left of it.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let what = || format!("could not write {}", path.display());
    let storage = LocalStorage::new().with_context(what)?;
    let file = match storage.create_new(path, Privacy::Group) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{}: something is here already, and nothing is written over it", path.display())
        }
        created => created.with_context(what)?,
    };
    if let Err(error) = write_all(file.as_ref(), bytes) {
        // Half a proof is of no use to anybody; that it could not be removed either is the smaller news.
        drop(storage.unlink(path));
        return Err(error).with_context(what);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    storage.sync_folder(folder.unwrap_or(Path::new("."))).with_context(what)
}

fn write_all(file: &dyn StorageFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let taken = file.append(bytes)?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(taken..).unwrap_or_default();
    }
    file.sync_data()
}
