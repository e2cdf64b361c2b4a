//! Running the command `indelible`, as others do: its exit code, what it printed, and the receipts in that.

use std::fs::{self, File};
use std::ops::{Deref, DerefMut};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indelible::Receipt;
use tempfile::TempDir;

use crate::plan::Plan;

/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// It did not end by itself in half a minute.
    pub(crate) hung: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A process that does not outlive its holder: dropped, it is killed and waited for.
#[derive(Debug)]
pub(crate) struct Guarded(Child);

impl Guarded {
    pub(crate) fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("{command:?} does not start"))?;
        Ok(Self(child))
    }
}

impl Deref for Guarded {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Where it ended and was waited for, nothing is done.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs it in `place`, where what it prints is kept in files meanwhile: nobody has to read while it runs.
pub(crate) fn run(command: &mut Command, place: &Path) -> anyhow::Result<Ended> {
    let (stdout, stderr) = (place.join("stdout.txt"), place.join("stderr.txt"));
    command.current_dir(place).stdin(Stdio::null());
    command.stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
    let mut child = Guarded::spawn(command)?;
    let status = wait(&mut child, PATIENCE)?;
    let hung = status.is_none();
    let status = if let Some(status) = status {
        status
    } else {
        child.kill()?;
        child.wait()?
    };
    Ok(Ended {
        code: status.code(),
        signal: status.signal(),
        hung,
        stdout: String::from_utf8_lossy(&fs::read(&stdout)?).into_owned(),
        stderr: String::from_utf8_lossy(&fs::read(&stderr)?).into_owned(),
    })
}

/// Waits, at most so long.
pub(crate) fn wait(
    child: &mut Child,
    patience: Duration,
) -> anyhow::Result<Option<std::process::ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() > patience {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_micros(300));
    }
}

impl Ended {
    /// The receipts that were printed whole. Half a line was not printed yet.
    pub(crate) fn receipts(&self) -> anyhow::Result<Vec<Receipt>> {
        let lines = self.stdout.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        lines.map(receipt).collect()
    }
}

/// Reads a receipt as the command and the service write it.
pub(crate) fn receipt(line: &str) -> anyhow::Result<Receipt> {
    let read = || {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| value.get(name)?.as_str();
        let log_id = text("log_id")?.parse().ok()?;
        let timestamp = indelible::format::time::Timestamp::parse(text("timestamp")?.as_bytes())?;
        let hash = text("hash")?.parse().ok()?;
        let mut receipt = Receipt::new(log_id, value.get("seq")?.as_u64()?, timestamp, hash);
        receipt.duplicate = value.get("duplicate").is_some();
        Some(receipt)
    };
    // What is printed is what the library would print of it.
    match read() {
        Some(receipt) if receipt.to_string() == line => Ok(receipt),
        _ => anyhow::bail!("{line:?} is no receipt"),
    }
}

/// As a file that `verify --receipts` takes.
pub(crate) fn lines<'a>(receipts: impl IntoIterator<Item = &'a Receipt>) -> String {
    receipts.into_iter().flat_map(|receipt| [receipt.to_string(), "\n".to_owned()]).collect()
}

/// The same receipt, whether or not it was the first answer.
pub(crate) fn is_same(one: &Receipt, other: &Receipt) -> bool {
    (one.log_id, one.seq, one.timestamp, one.hash)
        == (other.log_id, other.seq, other.timestamp, other.hash)
}

/// A folder in memory where there is one to be had: where nothing is asked of the file system itself, it is in the way.
pub(crate) fn fast_folder(plan: &Plan) -> anyhow::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let prefix = "indelible-torture-";
    match tempfile::Builder::new().prefix(prefix).tempdir_in(memory) {
        Ok(folder) if has_room(memory) => Ok(folder),
        _ => plan.folder(),
    }
}

fn has_room(path: &Path) -> bool {
    let free = rustix::fs::statvfs(path).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    free >= 512 << 20
}

/// Copies all that is in a folder, with its modes.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
            fs::set_permissions(&target, entry.metadata()?.permissions())?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
