//! Reads and writes the small files that proofs and checkpoints are kept in, and tells one kind from another.
//!
//! Invariant: a file that exists is never written over, but for manual pages.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use indelible::format::checkpoint::Checkpoint;
use indelible::format::note::key::IdHex;
use indelible::format::note::{Note, NoteError, VerifierKey};
use indelible::format::proof::growth::GrowthBundle;
use indelible::storage::local::LocalStorage;
use indelible::storage::{Privacy, Storage as _, StorageFile};

/// More bytes than any proof has: a record of 1 MiB in base64, and 16 signatures.
const FILE_SIZE_MAX: u64 = 4 << 20;

/// What a file is, by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// That a record is in a log.
    Proof,
    /// That a log only grew.
    Growth,
    Checkpoint,
    /// Records, events, receipts or a `checkpoints.jsonl`.
    Json,
    Unknown,
}

impl Kind {
    pub(super) fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"c2sp.org/tlog-proof@") {
            Self::Proof
        } else if GrowthBundle::is_begun_by(bytes) {
            Self::Growth
        } else if checkpoint_fault(bytes).is_none() {
            Self::Checkpoint
        } else if bytes.first() == Some(&b'{') {
            Self::Json
        } else {
            Self::Unknown
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Proof => "the proof of a record (.tlog-proof)",
            Self::Growth => "a proof of growth",
            Self::Checkpoint => "a checkpoint",
            Self::Json => "JSON, such as records, events or receipts",
            Self::Unknown => "something else",
        }
    }
}

/// Why bytes are no checkpoint, whoever signed it.
pub(super) fn checkpoint_fault(bytes: &[u8]) -> Option<NoteError> {
    Note::parse(bytes).and_then(|note| Checkpoint::parse_text(&note.text)).err()
}

/// A file of another kind than the one that was asked for: that says nothing about any log.
#[derive(Debug)]
pub(crate) struct WrongFile {
    path: PathBuf,
    found: Kind,
    /// What was to be read.
    checkpoint: bool,
    fault: Option<NoteError>,
}

impl WrongFile {
    /// What to give instead.
    pub(crate) fn hint(&self) -> String {
        if self.checkpoint {
            "a checkpoint is what `indelible checkpoint DIR` prints".to_owned()
        } else if self.found == Kind::Checkpoint {
            "a proof is what `indelible prove` writes; a checkpoint that you kept is given with --checkpoint, beside the \
             proof of growth that `indelible prove DIR --from CHECKPOINT` makes"
                .to_owned()
        } else {
            "a proof is what `indelible prove` writes".to_owned()
        }
    }
}

impl fmt::Display for WrongFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = if self.checkpoint { "a checkpoint" } else { "a proof" };
        write!(f, "{}: this is ", self.path.display())?;
        match (self.found, &self.fault) {
            (Kind::Unknown, Some(fault)) => write!(f, "not {wanted}: {fault}"),
            (found, _) => write!(f, "{}, not {wanted}", found.name()),
        }
    }
}

impl std::error::Error for WrongFile {}

/// Reads a checkpoint; any other file is refused.
pub(super) fn read_checkpoint(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read(path)?;
    match checkpoint_fault(&bytes) {
        None => Ok(bytes),
        fault => Err(WrongFile {
            path: path.to_path_buf(),
            found: Kind::of(&bytes),
            checkpoint: true,
            fault,
        }
        .into()),
    }
}

/// Reads a proof; a file that is clearly of another kind is refused, one that is broken is not.
pub(super) fn read_proof(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read(path)?;
    let found = Kind::of(&bytes);
    if matches!(found, Kind::Checkpoint | Kind::Json) {
        let path = path.to_path_buf();
        return Err(WrongFile { path, found, checkpoint: false, fault: None }.into());
    }
    Ok(bytes)
}

/// Says by which keys a note is signed and which were given, for whoever gave the wrong one.
pub(super) fn whose(note: &Note, keys: &[VerifierKey]) -> String {
    let mut text = "the checkpoint is signed by".to_owned();
    let signed = note.signatures.iter().map(|line| (line.name.as_str(), line.id));
    name_all(&mut text, signed);
    text.push_str("; given was");
    name_all(&mut text, keys.iter().map(|key| (key.name(), key.id())));
    text
}

fn name_all<'a>(text: &mut String, keys: impl Iterator<Item = (&'a str, [u8; 4])>) {
    for (index, (name, id)) in keys.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        text.extend([comma, " ", name, "+", &IdHex(id).to_string()]);
    }
}

/// What to ask whoever gave the wrong key.
pub(crate) const IS_IT_THE_KEY: &str = "is that the key that init printed? `indelible show DIR 0` has it, too, but whoever \
    can write the log can change it there";

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

/// Writes a file in the place of one that may exist, and is a plain file.
///
/// # Durability
/// As [`write_new`]; until then the old file stands there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return write_new(path, bytes) };
    if !found.is_file() {
        bail!("{}: this is no plain file, and nothing is written over it", path.display());
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    write_new(&beside, bytes)?;
    let renamed = LocalStorage::new().and_then(|storage| storage.replace(&beside, path));
    renamed.with_context(|| format!("could not write {}", path.display()))
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
