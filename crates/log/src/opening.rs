//! The steps of opening that come before and after recovery: where the log is and whether it may be appended to there,
//! and the committer that goes on from what recovery found.
//!
//! It mends nothing itself; that is `recovery`.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use indelible_format::chain::Hash;
use indelible_format::seeded::{self, Bug};

use crate::checkpoints::{OpenHistory, Publisher};
use crate::error::{Insecurity, OpenError};
use crate::io::{IoFailure, Operation, exists};
use crate::keys::check_private;
use crate::layout::{ACTIVE, CHECKPOINT, HISTORY, Layout, QUARANTINE, TREE, segment_number};
use crate::observer::Watch;
use crate::options::{NetworkFileSystem, Options};
use crate::recovery::inspect::{Inspection, Seen};
use crate::recovery::tail::TailSeen;
use crate::storage::local::LocalStorage;
use crate::storage::{Access, Kind, Medium, Privacy, Storage, SyncGate};
use crate::writer::active::Active;
use crate::writer::commit::{Boundary, Committer, Head};
use crate::writer::salts::Salts;
use crate::writer::timekeeper::Timekeeper;

pub(crate) fn local(folder: &Path) -> Result<Arc<dyn Storage>, OpenError> {
    let storage = LocalStorage::new().map_err(IoFailure::of(Operation::Open, folder))?;
    Ok(Arc::new(storage))
}

pub(crate) fn layout_of(folder: &Path) -> Result<Layout, OpenError> {
    Layout::of(folder).ok_or_else(|| OpenError::NoName { folder: folder.to_path_buf() })
}

pub(crate) fn check_medium(
    storage: &dyn Storage,
    layout: &Layout,
    folder: &Path,
    options: &Options,
) -> Result<(), OpenError> {
    let medium = storage.medium(folder).map_err(IoFailure::of(Operation::Stat, folder))?;
    match medium {
        Medium::Network(kind) if options.network_file_system == NetworkFileSystem::Refuse => {
            Err(OpenError::NetworkFileSystem { folder: layout.folder().to_path_buf(), kind })
        }
        Medium::Network(_) | Medium::Local => Ok(()),
    }
}

/// Says whether there is a log at `folder`, and what is there instead, as [`AuditLog::open`](crate::AuditLog::open)
/// does: for those who read. Nothing is written, and nothing is said of what state the log is in.
///
/// # Errors
/// [`OpenError::NotFound`], [`OpenError::NotALog`], [`OpenError::Insecure`] where it is no folder but a file or a link,
/// and [`OpenError::Io`] where that can't be found out.
///
/// # Examples
/// ```
/// use indelible::{AuditLog, OpenError, Options, find_log};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let place = tempfile::tempdir()?;
/// # let folder = place.path().join("audit");
/// assert!(matches!(find_log(&folder), Err(OpenError::NotFound { .. })));
/// AuditLog::create(&folder, Options::default())?.close()?;
/// find_log(&folder)?;
/// assert!(matches!(find_log(place.path()), Err(OpenError::NotALog { .. })));
/// let inside = AuditLog::create(folder.join("another"), Options::default());
/// assert!(matches!(inside, Err(OpenError::InsideALog { .. })));
/// # Ok(())
/// # }
/// ```
pub fn find_log(folder: impl AsRef<Path>) -> Result<(), OpenError> {
    let folder = folder.as_ref();
    check_is_log(local(folder)?.as_ref(), &layout_of(folder)?)
}

/// Refuses where there is nothing, what is no folder, and a folder that has none of a log's files: before anything is
/// made in it.
pub(crate) fn check_is_log(storage: &dyn Storage, layout: &Layout) -> Result<(), OpenError> {
    let folder = layout.folder();
    if !exists(storage, folder)? {
        return Err(OpenError::NotFound { folder: folder.to_path_buf() });
    }
    let stat = storage.stat(folder).map_err(IoFailure::of(Operation::Stat, folder))?;
    if stat.kind != Kind::Folder {
        let what = Insecurity::Kind { expected: Kind::Folder, found: stat.kind };
        return Err(OpenError::Insecure { path: folder.to_path_buf(), what });
    }
    if is_log(storage, layout)? {
        return Ok(());
    }
    Err(OpenError::NotALog { folder: folder.to_path_buf() })
}

/// Whether the folder has any of a log's files: that of a volume that is not mounted has none.
pub(crate) fn is_log(storage: &dyn Storage, layout: &Layout) -> Result<bool, IoFailure> {
    let folder = layout.folder();
    let names = storage.list(folder).map_err(IoFailure::of(Operation::List, folder))?;
    Ok(names.iter().any(|name| is_of_a_log(name)))
}

/// The lock says nothing: looking for a log may have made it.
fn is_of_a_log(name: &str) -> bool {
    segment_number(name).is_some() || [CHECKPOINT, HISTORY, TREE, QUARANTINE].contains(&name)
}

/// Refuses where there is no folder to make the log's in, and where that one is another log's own.
pub(crate) fn check_parent(storage: &dyn Storage, layout: &Layout) -> Result<(), OpenError> {
    let parent = layout.parent();
    if !exists(storage, parent)? {
        return Err(OpenError::NoParent { parent: parent.to_path_buf() });
    }
    let has = |name| exists(storage, &parent.join(name));
    // Other programs have an `audit.log`, too.
    if has(HISTORY)? && (has(ACTIVE)? || has(CHECKPOINT)?) {
        return Err(OpenError::InsideALog { parent: parent.to_path_buf() });
    }
    Ok(())
}

/// The storage for as long as one log is open on it: none of the log's syncs passes by the gate. Where a file system refuses
/// `O_DIRECT`, `read_medium_at` of this machine's files syncs before it empties the cache; that one is the storage's own, made
/// below the gate. Nothing is acknowledged for it, and one that fails fails the reading.
pub(crate) fn gated(storage: Arc<dyn Storage>) -> Arc<dyn Storage> {
    Arc::new(SyncGate::before(storage))
}

/// Syncs the name of the log's folder: whoever made the log may have been stopped before that, and then a crash would take
/// away all that is acknowledged from now on.
///
/// # Durability
/// On `Ok` the folder has its name on the disk, unless it is the place of a mount in a folder that nobody could have made it
/// in.
pub(crate) fn sync_name(storage: &dyn Storage, layout: &Layout) -> Result<(), IoFailure> {
    let parent = layout.parent();
    storage.sync_outer_folder(parent).map_err(IoFailure::of(Operation::Sync, parent))
}

/// Tells what another process that makes the same log did from what the disk did.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other error stays what it is")]
pub(crate) fn not_made(
    storage: &dyn Storage,
    layout: &Layout,
    options: &Options,
    error: OpenError,
) -> OpenError {
    let folder = layout.folder().to_path_buf();
    let creating = layout.creating();
    let holder = match error {
        OpenError::Locked { holder, .. } => Some(holder),
        OpenError::Io(failure) if is_of_a_race(&failure, layout, &creating) => None,
        OpenError::KeyWithoutFolder { .. } if is_there(storage, &folder) => None,
        OpenError::KeyWithoutFolder { key } if options.key_file.is_some() => {
            return OpenError::KeyExists { key };
        }
        error => return error,
    };
    if is_there(storage, &folder) {
        OpenError::AlreadyExists { folder }
    } else {
        OpenError::BeingMade { folder, holder }
    }
}

/// Whether a file failed us that only another process can have made or taken away.
fn is_of_a_race(failure: &IoFailure, layout: &Layout, creating: &Layout) -> bool {
    use std::io::ErrorKind;

    let own = failure.path.starts_with(creating.folder()) || failure.path == layout.folder();
    own && matches!(
        failure.source.kind(),
        ErrorKind::AlreadyExists
            | ErrorKind::NotFound
            | ErrorKind::DirectoryNotEmpty
            | ErrorKind::ResourceBusy
    )
}

fn is_there(storage: &dyn Storage, path: &Path) -> bool {
    exists(storage, path).unwrap_or(false)
}

/// Refuses folders and files of the log that somebody else owns or may write to.
pub(crate) fn check_files(storage: &dyn Storage, layout: &Layout) -> Result<(), OpenError> {
    check_folder(storage, layout.folder())?;
    for folder in [layout.tree(), layout.quarantine()] {
        if exists(storage, &folder)? {
            check_folder(storage, &folder)?;
        }
    }
    Ok(())
}

fn check_folder(storage: &dyn Storage, folder: &Path) -> Result<(), OpenError> {
    let stat = storage.stat(folder).map_err(IoFailure::of(Operation::Stat, folder))?;
    check_private(folder, &stat, Kind::Folder)?;
    for name in storage.list(folder).map_err(IoFailure::of(Operation::List, folder))? {
        let path = folder.join(name);
        match storage.stat(&path) {
            Ok(stat) if stat.kind == Kind::Folder => {}
            Ok(stat) => check_private(&path, &stat, Kind::File)?,
            // The lock's holder may just have renamed it.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(IoFailure::new(Operation::Stat, &path, e).into()),
        }
    }
    Ok(())
}

pub(crate) fn open_history(
    storage: &dyn Storage,
    layout: &Layout,
) -> Result<OpenHistory, OpenError> {
    let path = layout.history();
    let file = match storage.open(&path, Access::Append) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let file = storage
                .create_new(&path, Privacy::Group)
                .map_err(IoFailure::of(Operation::Create, &path))?;
            let folder = layout.folder();
            storage.sync_folder(folder).map_err(IoFailure::of(Operation::Sync, folder))?;
            file
        }
        Err(e) => return Err(IoFailure::new(Operation::Open, &path, e).into()),
    };
    let stat = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?;
    Ok(OpenHistory { file, id: stat.id, size: stat.size })
}

/// The committer of a log whose files are mended.
pub(crate) fn committer(
    storage: &Arc<dyn Storage>,
    layout: &Layout,
    options: &Options,
    publisher: &Arc<Publisher>,
    seen: &Inspection,
    tail: &TailSeen,
) -> Result<Committer, OpenError> {
    let path = layout.segment(0);
    let active = match storage.open(&path, Access::Append) {
        Ok(file) => {
            let stat = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?;
            Some(Active::new(path, file, &stat))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) => return Err(IoFailure::new(Operation::Open, &path, e).into()),
    };
    let next = Boundary { first_seq: tail.last.seq + 1, prev_hash: tail.last.hash };
    let is_empty = active.as_ref().is_some_and(|active| active.size() == 0);
    let next = if is_empty && seeded::is(Bug::GenesisOnEmptyFile) {
        Boundary { first_seq: 0, prev_hash: Hash::ZERO }
    } else {
        next
    };
    // The active segment is none of the rotated ones, also where all of it was torn and cut.
    let is_active = |seen: &Seen| active.is_some() && seen.number == 0;
    let (newest, older): (Vec<&Seen>, Vec<&Seen>) =
        seen.segments.iter().partition(|seen| is_active(seen));
    let rotated: Vec<Boundary> = older.iter().filter_map(|seen| seen.first).collect();
    let holds_records = active.as_ref().is_some_and(|active| active.size() > 0);
    let begins = newest.first().and_then(|seen| seen.first).filter(|_| holds_records);
    let begins = begins.unwrap_or(next);
    // A segment goes when the one behind it begins at or before the first record that is kept.
    let next_begins = rotated.iter().skip(1).chain([&begins]);
    let doomed = rotated
        .iter()
        .zip(next_begins)
        .filter(|(_, next)| next.first_seq <= seen.kept_from)
        .count();
    Ok(Committer {
        storage: Arc::clone(storage),
        layout: layout.clone(),
        publisher: Arc::clone(publisher),
        clock: Arc::clone(&options.clock),
        salts: Arc::new(Salts::new(options.salting)),
        max_file_size: options.max_file_size,
        max_files: options.max_files,
        active,
        begins,
        rotated,
        rotated_size: older.iter().map(|seen| seen.size).sum(),
        doomed,
        removal_failure: None,
        head: Head {
            next_seq: next.first_seq,
            hash: next.prev_hash,
            time: Timekeeper::new(tail.last.timestamp, options.clock.now()),
        },
        buf: Vec::new(),
        hashes: Vec::new(),
        halted: None,
        watch: Watch::new(options.observer.clone()),
        observations: Vec::new(),
    })
}
