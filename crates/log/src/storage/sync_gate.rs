//! One sync of a log at a time, and none after one that failed.
//!
//! A device that can't flush its cache says so to whoever asked, once, and may have dropped what was in it: the next flush,
//! of another file, then succeeds with nothing to write. A log syncs from more than one thread (records, and rows and
//! checkpoints beside them). So its syncs pass here one by one, and the failure of any is the end of all: what was
//! written before it and not yet synced is never acknowledged.
//!
//! It knows only syncs that are made through it. What a flush of somebody else's takes with it, Linux tells them alone.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use indelible_format::seeded::{self, Bug};

use super::{Access, Lock, LockError, Medium, Privacy, Stat, Storage, StorageFile};
use crate::sync::{Condvar, Mutex, lock};

/// A storage, from before a log is made or opened on it until that is closed.
#[derive(Debug)]
pub(crate) struct SyncGate {
    disk: Arc<dyn Storage>,
    gate: Arc<Gate>,
}

impl SyncGate {
    pub(crate) fn before(disk: Arc<dyn Storage>) -> Self {
        Self { disk, gate: Arc::default() }
    }

    fn file(&self, path: &Path, file: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(GatedFile { file, path: path.to_path_buf(), gate: Arc::clone(&self.gate) })
    }
}

/// A sync was not made, since one before it had failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("an earlier sync, of {}, had failed: {source}", path.display())]
struct FailedEarlier {
    path: PathBuf,
    source: Arc<io::Error>,
}

impl From<FailedEarlier> for io::Error {
    fn from(error: FailedEarlier) -> Self {
        Self::new(error.source.kind(), error)
    }
}

/// Lets one sync pass at a time, first come, first served: a checkpoint is several syncs, one right behind the other, and
/// records that wait for theirs must not wait for all of them.
#[derive(Debug, Default)]
struct Gate {
    turns: Mutex<Turns>,
    /// Those who wait for their turn sleep here.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Turns {
    /// How many have come.
    drawn: u64,
    /// How many have passed; the one with this number passes now.
    passed: u64,
    /// The first sync that failed.
    failed: Option<FailedEarlier>,
}

impl Gate {
    fn pass(&self, path: &Path, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if seeded::is(Bug::SyncUngated) {
            // Where threads are scheduled, others come in here, as they do with a real one.
            drop(lock(&self.turns));
            return sync();
        }
        let _turn = Turn::of(self);
        if let Some(earlier) = &lock(&self.turns).failed {
            return Err(earlier.clone().into());
        }
        sync().inspect_err(|error| {
            if !seeded::is(Bug::RetriedSync) && !seeded::is(Bug::GoesOnAfterHalt) {
                // An error can't be copied: the system's number says all that it says.
                let source = error.raw_os_error().map_or_else(
                    || io::Error::new(error.kind(), error.to_string()),
                    io::Error::from_raw_os_error,
                );
                lock(&self.turns).failed =
                    Some(FailedEarlier { path: path.to_path_buf(), source: Arc::new(source) });
            }
        })
    }
}

/// The right to pass, until this is dropped.
#[derive(Debug)]
struct Turn<'g>(&'g Gate);

impl<'g> Turn<'g> {
    fn of(gate: &'g Gate) -> Self {
        let mut turns = lock(&gate.turns);
        let number = turns.drawn;
        turns.drawn += 1;
        while turns.passed != number {
            turns = gate.changed.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
        Self(gate)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.0.turns).passed += 1;
        self.0.changed.notify_all();
    }
}

#[derive(Debug)]
struct GatedFile {
    file: Box<dyn StorageFile>,
    path: PathBuf,
    gate: Arc<Gate>,
}

impl Storage for SyncGate {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.disk.stat(path)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let file = self.disk.open(path, access)?;
        Ok(match access {
            Access::Read => file,
            Access::Append => self.file(path, file),
        })
    }

    fn create_new(&self, path: &Path, privacy: Privacy) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(path, self.disk.create_new(path, privacy)?))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.create_folder(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.gate.pass(folder, || self.disk.sync_folder(folder))
    }

    fn sync_outer_folder(&self, folder: &Path) -> io::Result<()> {
        self.gate.pass(folder, || self.disk.sync_outer_folder(folder))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.replace(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.disk.unlink(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_folder(path)
    }

    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>, LockError> {
        self.disk.lock(path, holder)
    }

    fn lock_untouched(&self, path: &Path) -> Result<Option<Box<dyn Lock>>, LockError> {
        self.disk.lock_untouched(path)
    }

    fn medium(&self, folder: &Path) -> io::Result<Medium> {
        self.disk.medium(folder)
    }
}

impl StorageFile for GatedFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes)
    }

    fn allocate(&self, offset: u64, size: u64) -> io::Result<()> {
        self.file.allocate(offset, size)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass(&self.path, || self.file.sync_data())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn read_medium_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_medium_at(buf, offset)
    }

    fn stat(&self) -> io::Result<Stat> {
        self.file.stat()
    }
}

#[cfg(test)]
#[cfg(feature = "simulated-disk")]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::{Gate, SyncGate};
    use crate::storage::simulated::{FaultPlan, OperationKind, SimulatedDisk};
    use crate::storage::{Privacy, Storage as _, StorageFile};
    use crate::sync::lock;

    /// Ten seconds, for a thread to come to the gate.
    const LOOKS: u32 = 10_000;
    const PAUSE: Duration = Duration::from_millis(1);

    fn file(gate: &SyncGate, name: &str) -> Box<dyn StorageFile> {
        gate.create_new(&Path::new("/").join(name), Privacy::Group).unwrap()
    }

    #[test]
    fn after_a_sync_that_failed_no_other_is_made_of_any_file_or_folder() {
        let disk = SimulatedDisk::new();
        let gate = SyncGate::before(Arc::new(disk.clone()));
        let (records, row) = (file(&gate, "audit.log"), file(&gate, "row"));
        records.append(b"written\n").unwrap();
        disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncData).on_path("row"));
        let first = row.sync_data().unwrap_err();
        let before = disk.operation_count();
        for error in [
            records.sync_data().unwrap_err(),
            row.sync_data().unwrap_err(),
            gate.sync_folder(Path::new("/")).unwrap_err(),
            gate.sync_outer_folder(Path::new("/")).unwrap_err(),
        ] {
            assert_eq!(error.kind(), first.kind());
            let told = format!("an earlier sync, of /row, had failed: {first}");
            assert_eq!(error.to_string(), told);
        }
        assert_eq!(disk.operation_count(), before);
    }

    #[test]
    fn a_gate_that_is_made_anew_lets_pass() {
        let disk = SimulatedDisk::new();
        let gate = SyncGate::before(Arc::new(disk.clone()));
        disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncFolder));
        gate.sync_folder(Path::new("/")).unwrap_err();
        SyncGate::before(Arc::new(disk)).sync_folder(Path::new("/")).unwrap();
    }

    #[test]
    fn who_waits_for_a_sync_comes_before_who_has_just_made_one() {
        let gate = Gate::default();
        let path = Path::new("/");
        let (passes, order) = mpsc::channel();
        let (second, third) = (passes.clone(), passes);
        gate.pass(path, || Ok(())).unwrap();
        thread::scope(|scope| {
            gate.pass(path, || {
                scope.spawn(|| {
                    gate.pass(path, || second.send("waited").map_err(std::io::Error::other))
                });
                let mut looks = (0..LOOKS).inspect(|_| thread::sleep(PAUSE));
                assert!(looks.any(|_| lock(&gate.turns).drawn == 3), "nobody waits");
                Ok(())
            })
            .unwrap();
            gate.pass(path, || third.send("came again").map_err(std::io::Error::other)).unwrap();
        });
        drop((second, third));
        assert_eq!(order.iter().collect::<Vec<_>>(), ["waited", "came again"]);
    }
}
