//! What recovery made of each content of the disk, so that equal ones are recovered once.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indelible::Options;
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;

use super::workload::FOLDER;
use crate::invariants::{Left, Recovered, recover};

/// So many are remembered at a time.
const REMEMBERED_MAX: usize = 150_000;

/// What was recovered so far.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    recovered: HashMap<Key, Arc<Recovered>>,
    seen: HashSet<Key>,
}

/// Stands for the whole content of a disk, and how it is recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    content: u64,
    needs_repair: bool,
    /// Whether the cache shows what the medium does not hold.
    is_fork: bool,
}

impl Memory {
    /// Recovers the log on this disk, or remembers what came of it.
    pub(super) fn recover(
        &self,
        disk: &SimulatedDisk,
        options: &Options,
        needs_repair: bool,
        is_fork: bool,
    ) -> Arc<Recovered> {
        let key = Key { content: digest(disk), needs_repair, is_fork };
        // What the medium holds is no part of the key.
        if !is_fork && let Some(recovered) = self.known().recovered.get(&key) {
            return Arc::clone(recovered);
        }
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let left = Left { storage: &storage, folder: Path::new(FOLDER), options, needs_repair };
        let recovered = Arc::new(recover(left));
        let mut known = self.known();
        known.seen.insert(key);
        if !is_fork {
            if known.recovered.len() >= REMEMBERED_MAX {
                known.recovered.clear();
            }
            known.recovered.insert(key, Arc::clone(&recovered));
        }
        recovered
    }

    /// How many contents there were.
    pub(super) fn distinct(&self) -> u64 {
        u64::try_from(self.known().seen.len()).unwrap_or(u64::MAX)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(disk: &SimulatedDisk) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (path, content) in disk.contents() {
        // Who held it last says nothing.
        if !path.ends_with("lock") {
            path.hash(&mut hasher);
            content.hash(&mut hasher);
        }
    }
    hasher.finish()
}
