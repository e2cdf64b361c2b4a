//! A log's folder in memory, of which a copy costs next to nothing, so that each of thousands of mutants has its own.
//!
//! It can only be read, and it stands still: enough for a verifier.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use indelible::storage::simulated::SimulatedDisk;
use indelible::storage::{
    Access, FileId, Kind, Lock, LockError, Medium, Privacy, Stat, Storage, StorageFile,
};

/// Where the folder stands, on every disk of these tests.
pub(crate) const FOLDER: &str = "/logs/audit";

/// Bytes by their name in the folder: `audit.log.1`, `tree/0`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    files: BTreeMap<String, Arc<Vec<u8>>>,
}

impl Memory {
    /// The folder as it is on `disk` now, without the lock.
    pub(crate) fn of(disk: &SimulatedDisk) -> Self {
        let mut memory = Self::default();
        for (path, stat) in disk.tree() {
            let Ok(name) = path.strip_prefix(FOLDER) else { continue };
            let name = name.to_str().unwrap();
            if stat.kind == Kind::File && name != "lock" {
                memory.put(name, disk.read_file(&path).unwrap());
            }
        }
        memory
    }

    pub(crate) fn put(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.files.insert(name.to_owned(), Arc::new(bytes.into()));
    }

    /// The folder with other bytes under `name`.
    pub(crate) fn with(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let mut copy = self.clone();
        copy.put(name, bytes);
        copy
    }

    /// The folder without `name`.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut copy = self.clone();
        assert!(copy.files.remove(name).is_some(), "there is no {name}");
        copy
    }

    /// The folder with what `other` has under `name`, which may be nothing.
    pub(crate) fn taking(&self, name: &str, other: &Self) -> Self {
        let mut copy = self.clone();
        match other.files.get(name) {
            Some(bytes) => copy.files.insert(name.to_owned(), Arc::clone(bytes)),
            None => copy.files.remove(name),
        };
        copy
    }

    pub(crate) fn get(&self, name: &str) -> &[u8] {
        self.files.get(name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|bytes| bytes.as_slice())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The files of a real folder.
    pub(crate) fn import(folder: &Path) -> io::Result<Self> {
        let mut memory = Self::default();
        let mut folders = vec![String::new()];
        while let Some(inside) = folders.pop() {
            for entry in std::fs::read_dir(folder.join(&inside))? {
                let entry = entry?;
                let name = format!("{inside}{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() {
                    folders.push(format!("{name}/"));
                } else {
                    memory.put(&name, std::fs::read(entry.path())?);
                }
            }
        }
        Ok(memory)
    }

    /// Writes all of it into a real folder, which is made.
    pub(crate) fn export(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            #[expect(clippy::disallowed_methods, reason = "it plays the one who tampers")]
            std::fs::write(&path, bytes.as_slice()).unwrap();
        }
    }

    /// The disk that holds it.
    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    fn inode(&self, name: &str) -> io::Result<u64> {
        let place = self.files.keys().position(|other| other == name);
        let place = place.ok_or(io::ErrorKind::NotFound)?;
        Ok(u64::try_from(place).unwrap() + 10)
    }

    fn name(path: &Path) -> io::Result<&str> {
        let name = path.strip_prefix(FOLDER).map_err(|_elsewhere| io::ErrorKind::NotFound)?;
        name.to_str().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn stat_of(kind: Kind, size: usize, inode: u64) -> Stat {
    let size = u64::try_from(size).unwrap();
    let id = FileId { device: 1, inode };
    Stat { kind, size, id, mode: 0o640, owner: 1000, owned: true }
}

fn only_read<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Storage for Memory {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let name = Self::name(folder)?;
        let inside = |file: &String| {
            let rest =
                if name.is_empty() { file } else { file.strip_prefix(name)?.strip_prefix('/')? };
            Some(rest.split('/').next().unwrap_or(rest).to_owned())
        };
        let mut names: Vec<String> = self.files.keys().filter_map(inside).collect();
        names.dedup();
        Ok(names)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let name = Self::name(path)?;
        if name.is_empty() || ["tree", "quarantine"].contains(&name) {
            return Ok(stat_of(Kind::Folder, 0, u64::try_from(name.len()).unwrap()));
        }
        let inode = self.inode(name)?;
        Ok(stat_of(Kind::File, self.get(name).len(), inode))
    }

    fn open(&self, path: &Path, _access: Access) -> io::Result<Box<dyn StorageFile>> {
        let name = Self::name(path)?;
        let inode = self.inode(name)?;
        Ok(Box::new(File { bytes: Arc::clone(&self.files[name]), inode }))
    }

    fn create_new(&self, _path: &Path, _privacy: Privacy) -> io::Result<Box<dyn StorageFile>> {
        only_read()
    }
    fn create_folder(&self, _path: &Path) -> io::Result<()> {
        only_read()
    }
    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        only_read()
    }
    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        only_read()
    }
    fn replace(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        only_read()
    }
    fn unlink(&self, _path: &Path) -> io::Result<()> {
        only_read()
    }
    fn remove_folder(&self, _path: &Path) -> io::Result<()> {
        only_read()
    }
    fn lock(&self, _path: &Path, _holder: &str) -> Result<Box<dyn Lock>, LockError> {
        Err(LockError::Io(io::ErrorKind::ReadOnlyFilesystem.into()))
    }
    fn lock_untouched(&self, _path: &Path) -> Result<Option<Box<dyn Lock>>, LockError> {
        Err(LockError::Io(io::ErrorKind::ReadOnlyFilesystem.into()))
    }
    fn medium(&self, _folder: &Path) -> io::Result<Medium> {
        Ok(Medium::Local)
    }
}

#[derive(Debug)]
struct File {
    bytes: Arc<Vec<u8>>,
    inode: u64,
}

impl StorageFile for File {
    fn append(&self, _bytes: &[u8]) -> io::Result<usize> {
        only_read()
    }
    fn allocate(&self, _offset: u64, _size: u64) -> io::Result<()> {
        only_read()
    }
    fn sync_data(&self) -> io::Result<()> {
        only_read()
    }
    fn truncate(&self, _size: u64) -> io::Result<()> {
        only_read()
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap().min(self.bytes.len());
        let rest = &self.bytes[from..];
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
    fn read_medium_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_at(buf, offset)
    }
    fn stat(&self) -> io::Result<Stat> {
        Ok(stat_of(Kind::File, self.bytes.len(), self.inode))
    }
}
