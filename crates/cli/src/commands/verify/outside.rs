//! Reads what came from outside the log to hold it against: kept checkpoints and receipts, from files or stdin.
//!
//! Invariant: what is not what it was taken for ends the command; nothing that was given is passed over.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indelible::format::note::VerifierKey;
use indelible::{KeptCheckpoint, Receipts};

/// Bytes of kept checkpoints in one file: some hundred thousand.
const CHECKPOINTS_SIZE_MAX: u64 = 64 << 20;

/// Something that was given in the place of something else.
#[derive(Debug)]
pub(crate) enum Mistake {
    /// A private key where a checkpoint should be.
    PrivateKey(PathBuf),
    /// A verifier key where a checkpoint should be.
    VerifierKey(PathBuf),
    /// Receipts, or records, where a checkpoint should be.
    Lines(PathBuf),
    /// A checkpoint where receipts should be.
    Checkpoint(PathBuf),
    /// No receipt in it.
    NoReceipts(PathBuf),
    /// More than any number of kept checkpoints.
    TooLarge(PathBuf),
    /// Two flags read stdin.
    StdinTwice,
}

impl Mistake {
    /// What to do instead.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::PrivateKey(_) => {
                "a checkpoint is what `indelible checkpoint DIR` prints; verifying needs no private key: keep that \
                 file where it is, and to yourself"
                    .to_owned()
            }
            Self::VerifierKey(path) => {
                format!("give the key itself with --key \"$(cat {})\"", crate::hint::quote(path))
            }
            Self::Lines(_) => "receipts are given with --receipts".to_owned(),
            Self::Checkpoint(_) => "checkpoints are given with --checkpoint".to_owned(),
            Self::NoReceipts(_) => {
                "receipts are the lines that `indelible append --receipts` prints".to_owned()
            }
            Self::TooLarge(_) | Self::StdinTwice => return None,
        })
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrivateKey(path) => {
                write!(f, "{} holds a private key, and no checkpoint", named(path))
            }
            Self::VerifierKey(path) => {
                write!(f, "{} holds a verifier key, and no checkpoint", named(path))
            }
            Self::Lines(path) => write!(f, "{} holds JSON, and no checkpoint", named(path)),
            Self::Checkpoint(path) => {
                write!(f, "{} holds a checkpoint, and no receipts", named(path))
            }
            Self::NoReceipts(path) => write!(f, "{} holds no receipt", named(path)),
            Self::TooLarge(path) => {
                write!(f, "{} has over {CHECKPOINTS_SIZE_MAX} bytes", named(path))
            }
            Self::StdinTwice => f.write_str("`-` stands for stdin, which can be read only once"),
        }
    }
}

impl std::error::Error for Mistake {}

/// What people call it.
fn named(path: &Path) -> String {
    if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether stdin would have to be read more than once.
pub(super) fn reads_stdin_twice(paths: &[&PathBuf]) -> bool {
    paths.iter().filter(|path| is_stdin(path)).count() > 1
}

/// The kept checkpoints in a file: one note, or many.
pub(super) fn checkpoints(path: &Path) -> anyhow::Result<Vec<KeptCheckpoint>> {
    let mut text = Vec::new();
    let size = open(path)
        .and_then(|from| from.take(CHECKPOINTS_SIZE_MAX + 1).read_to_end(&mut text))
        .with_context(|| format!("could not read {}", named(path)))?;
    let owned = || path.to_path_buf();
    if u64::try_from(size).is_ok_and(|size| size > CHECKPOINTS_SIZE_MAX) {
        return Err(Mistake::TooLarge(owned()).into());
    }
    let trimmed = text.trim_ascii();
    if trimmed.starts_with(b"PRIVATE+KEY+") {
        return Err(Mistake::PrivateKey(owned()).into());
    }
    if str::from_utf8(trimmed).is_ok_and(|text| text.parse::<VerifierKey>().is_ok()) {
        return Err(Mistake::VerifierKey(owned()).into());
    }
    if trimmed.starts_with(b"{") && !trimmed.starts_with(b"{\"note\"") {
        return Err(Mistake::Lines(owned()).into());
    }
    Ok(KeptCheckpoint::read_all(&named(path), &text)?)
}

/// All receipts of several files.
pub(super) fn receipts(paths: &[PathBuf]) -> anyhow::Result<Receipts> {
    let mut receipts = Receipts::default();
    for path in paths {
        let from = open(path).with_context(|| format!("could not read {}", named(path)))?;
        let mut from = BufReader::with_capacity(256 * 1024, from);
        let begin = from.fill_buf().with_context(|| format!("could not read {}", named(path)))?;
        if begins_as_note(begin) {
            return Err(Mistake::Checkpoint(path.clone()).into());
        }
        if receipts.read(&named(path), from)? == 0 {
            return Err(Mistake::NoReceipts(path.clone()).into());
        }
    }
    Ok(receipts)
}

/// The text of a file of receipts, each of which has the form of one.
pub(super) fn receipt_lines(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    open(path)
        .and_then(|mut from| from.read_to_end(&mut text))
        .with_context(|| format!("could not read {}", named(path)))?;
    if begins_as_note(&text) {
        return Err(Mistake::Checkpoint(path.to_path_buf()).into());
    }
    if Receipts::default().read(&named(path), text.as_slice())? == 0 {
        return Err(Mistake::NoReceipts(path.to_path_buf()).into());
    }
    Ok(text)
}

/// Whether bytes begin as a note does: lines, an empty one, a signature.
fn begins_as_note(bytes: &[u8]) -> bool {
    let signature = "\n\n\u{2014} ".as_bytes();
    !bytes.starts_with(b"{") && bytes.windows(signature.len()).any(|part| part == signature)
}

fn open(path: &Path) -> io::Result<Box<dyn io::Read>> {
    if is_stdin(path) {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(Box::new(file))
}
