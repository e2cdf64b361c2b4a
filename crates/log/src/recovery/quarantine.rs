//! The folder of bytes that crash repair cut off: `quarantine/<next seq>-<sha256>`, never deleted by the program.
//!
//! Invariants:
//! - a file gets its name only when all its bytes are on the disk, and never replaces another;
//! - what a file's name promises is checked before a record tells of it.

use std::path::{Path, PathBuf};

use indelible_format::chain::Hash;
use sha2::{Digest as _, Sha256};

use crate::error::OpenError;
use crate::io::write_whole;
use crate::io::{IoFailure, Operation, exists};
use crate::layout::{Layout, QUARANTINE};
use crate::recovery::inspect::refused;
use crate::segment::{read_range, to_u64};
use crate::storage::{Access, Kind, Privacy, Storage};
use crate::tail::{TAIL_READ_SIZE, TORN_SIZE_MAX};
use crate::verify::{Finding, Problem};

/// The quarantine of one log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quarantine<'a> {
    storage: &'a dyn Storage,
    layout: &'a Layout,
}

/// One file in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quarantined {
    /// How many records there were when it was cut off.
    pub(crate) seq: u64,
    /// Its name in the folder.
    name: String,
    /// What its name says of its bytes.
    pub(crate) hash: Hash,
}

impl Quarantined {
    /// What a file of that name is; `None` where the name is not one of ours.
    fn named(name: String) -> Option<Self> {
        let (seq, hash) = name.split_once('-')?;
        let hash = Hash::parse_hex(hash.as_bytes())?;
        let number = seq.parse().ok().filter(|number| u64::to_string(number) == seq)?;
        Some(Self { seq: number, name, hash })
    }

    /// Its name in the log's folder, as records spell it.
    pub(crate) fn path(&self) -> String {
        format!("{QUARANTINE}/{}", self.name)
    }
}

impl<'a> Quarantine<'a> {
    pub(crate) fn new(storage: &'a dyn Storage, layout: &'a Layout) -> Self {
        Self { storage, layout }
    }

    /// Files that are whole, in the order of their seq.
    pub(crate) fn files(&self) -> Result<Vec<Quarantined>, IoFailure> {
        let mut files: Vec<_> = self.names()?.into_iter().filter_map(Quarantined::named).collect();
        files.sort();
        Ok(files)
    }

    /// The bytes of a file; refuses where they are not those that its name promises, or more than a crash leaves, or
    /// cut off behind the end of the log, whose next record is `next_seq`.
    pub(crate) fn read(&self, file: &Quarantined, next_seq: u64) -> Result<Vec<u8>, OpenError> {
        if file.seq > next_seq {
            let finding = Finding::new(Problem::CutOff).in_file(file.path());
            return Err(refused(
                self.layout,
                finding
                    .expected(format_args!("{} records", file.seq))
                    .found(format_args!("{next_seq} records"))
                    .evidence("its name says how many records there were when it was cut off"),
            ));
        }
        let path = self.folder().join(&file.name);
        let opened = self
            .storage
            .open(&path, Access::Read)
            .map_err(IoFailure::of(Operation::Open, &path))?;
        let bytes = read_range(opened.as_ref(), 0, to_u64(TAIL_READ_SIZE))
            .map_err(IoFailure::of(Operation::Read, &path))?;
        if bytes.len() > TORN_SIZE_MAX || sha256(&bytes) != file.hash {
            return Err(self.differs(file));
        }
        Ok(bytes)
    }

    /// Writes what is to be cut off behind `next_seq` records; a file that holds it already will do.
    ///
    /// # Durability
    /// On success it is on the disk, under its name.
    pub(crate) fn put(&self, next_seq: u64, bytes: &[u8]) -> Result<Quarantined, OpenError> {
        let folder = self.folder();
        if !exists(self.storage, &folder)? {
            self.storage
                .create_folder(&folder)
                .map_err(IoFailure::of(Operation::Create, &folder))?;
            self.sync(self.layout.folder())?;
        }
        let hash = sha256(bytes);
        let file = Quarantined { seq: next_seq, name: format!("{next_seq}-{hash}"), hash };
        let (path, tmp) = (folder.join(&file.name), folder.join(format!("{}.tmp", file.name)));
        let written = self
            .storage
            .create_new(&tmp, Privacy::Group)
            .map_err(IoFailure::of(Operation::Create, &tmp))?;
        write_whole(written.as_ref(), bytes).map_err(IoFailure::of(Operation::Write, &tmp))?;
        written.sync_data().map_err(IoFailure::of(Operation::Sync, &tmp))?;
        match self.storage.rename(&tmp, &path) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                // The name says which bytes, and that they are the same is checked.
                self.read(&file, next_seq)?;
                self.storage.unlink(&tmp).map_err(IoFailure::of(Operation::Remove, &tmp))?;
            }
            Err(e) => return Err(IoFailure::new(Operation::Rename, &tmp, e).into()),
        }
        self.sync(&folder)?;
        Ok(file)
    }

    /// Removes files that a crash left before they had their names.
    ///
    /// # Durability
    /// On success they are gone from the disk.
    pub(crate) fn remove_tmp(&self) -> Result<(), OpenError> {
        let folder = self.folder();
        for name in self.names()? {
            let path = folder.join(&name);
            if !is_tmp(&name) || self.kind(&path)? != Kind::File {
                continue;
            }
            self.storage.unlink(&path).map_err(IoFailure::of(Operation::Remove, &path))?;
            self.sync(&folder)?;
        }
        Ok(())
    }

    fn differs(&self, file: &Quarantined) -> OpenError {
        let finding = Finding::new(Problem::QuarantineDiffers).in_file(file.path());
        refused(self.layout, finding.evidence("nothing was cut, and nothing recorded"))
    }

    fn folder(&self) -> PathBuf {
        self.layout.quarantine()
    }

    fn names(&self) -> Result<Vec<String>, IoFailure> {
        let folder = self.folder();
        match self.storage.list(&folder) {
            Ok(names) => Ok(names),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(IoFailure::new(Operation::List, &folder, e)),
        }
    }

    fn kind(&self, path: &Path) -> Result<Kind, IoFailure> {
        Ok(self.storage.stat(path).map_err(IoFailure::of(Operation::Stat, path))?.kind)
    }

    fn sync(&self, folder: &Path) -> Result<(), OpenError> {
        self.storage.sync_folder(folder).map_err(IoFailure::of(Operation::Sync, folder))?;
        Ok(())
    }
}

/// Whether a name in the folder is one of ours.
pub(crate) fn is_name(name: &str) -> bool {
    Quarantined::named(name.to_owned()).is_some()
}

/// Whether a name is that of a file under way.
pub(crate) fn is_tmp(name: &str) -> bool {
    name.strip_suffix(".tmp").is_some_and(is_name)
}

/// SHA-256 of what was cut off.
pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    Hash::from_bytes(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_and_a_hash_name_a_quarantine_file() {
        let hash = "0".repeat(64);
        let named = Quarantined::named(format!("17-{hash}")).unwrap();
        assert_eq!((named.seq, named.path()), (17, format!("quarantine/17-{hash}")));
        assert_eq!(Quarantined::named(format!("017-{hash}")), None);
        assert_eq!(Quarantined::named("17-x".to_owned()), None);
        assert!(is_tmp(&format!("17-{hash}.tmp")));
        assert!(!is_tmp("notes.tmp"));
    }
}
