//! Folders that scenarios begin with: logs as they are in use, and as crashes left them.

#![expect(clippy::disallowed_methods, reason = "leaves files as a crash would")]

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use indelible::{AuditLog, Event, Options, Receipt};

use super::calls::{Call, Fault};
use crate::command;

/// The least that the command takes.
const FILE_SIZE: u64 = 192 << 10;
const ORIGIN: &str = "example.com/torture";

/// A folder that holds a log, its key, and the events to come.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) place: PathBuf,
    /// The log's verifier key.
    pub(super) key: Option<String>,
    /// Acknowledged so far: receipt and resource.
    pub(super) receipts: Vec<(Receipt, String)>,
    /// Resources of the events in `events.jsonl`.
    pub(super) events: Vec<String>,
    /// Whether they were sent before, and may be recorded without a receipt.
    pub(super) sent_before: bool,
}

impl Template {
    /// No log yet.
    pub(super) fn empty(root: &Path, name: &str) -> anyhow::Result<Self> {
        let place = root.join("templates").join(name);
        fs::create_dir_all(&place)?;
        Ok(Self { place, key: None, receipts: Vec::new(), events: Vec::new(), sent_before: false })
    }

    /// A log with a few records, closed in order.
    pub(super) fn small(root: &Path, name: &str) -> anyhow::Result<Self> {
        let mut template = Self::empty(root, name)?;
        template.fill(|receipts, _| receipts < 4)?;
        Ok(template)
    }

    /// A log with so many rotated segments, and no room in its last for another event.
    pub(super) fn full(root: &Path, name: &str, rotated: u64) -> anyhow::Result<Self> {
        let mut template = Self::empty(root, name)?;
        let active = template.log().join("audit.log");
        let last = template.log().join(format!("audit.log.{rotated}"));
        template.fill(|_, size| {
            let has_rotated = rotated == 0 || last.exists();
            let is_full = fs::metadata(&active).is_ok_and(|it| it.len() + 2 * size > FILE_SIZE);
            !(has_rotated && is_full)
        })?;
        Ok(template)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.place.join("audit")
    }

    /// Appends as long as it is told to, by the count of receipts and the size of a record.
    fn fill(&mut self, go_on: impl Fn(usize, u64) -> bool) -> anyhow::Result<()> {
        let options = Options::default().with_origin(ORIGIN.parse()?).with_max_file_size(FILE_SIZE);
        let log = AuditLog::create(self.log(), options)?;
        let filler = "x".repeat(20_000);
        while go_on(self.receipts.len(), 20_400) {
            let resource = format!("base:{}", self.receipts.len());
            let event = Event::new("torture", "fill", &resource).event_id(&resource);
            let receipt = log.append(event.metadata_raw(format!("{{\"x\":\"{filler}\"}}")))?;
            self.receipts.push((receipt, resource));
        }
        self.key = Some(log.identity().verifier_key().to_string());
        log.close()?;
        Ok(())
    }

    /// Events to append, of so many bytes each.
    pub(super) fn with_events(mut self, sizes: &[usize]) -> anyhow::Result<Self> {
        let mut lines = String::new();
        for (index, size) in sizes.iter().enumerate() {
            let resource = format!("sent:{index}");
            let filler = "y".repeat(*size);
            let line = serde_json::json!({
                "event_id": format!("event-{index}"), "actor": "torture", "action": "send", "resource": resource,
                "metadata": {"y": filler},
            });
            lines.extend([line.to_string(), "\n".to_owned()]);
            self.events.push(resource);
        }
        fs::write(self.place.join("events.jsonl"), lines)?;
        Ok(self)
    }

    /// Bytes put behind a file of the log.
    pub(super) fn torn(self, file: &str, bytes: &[u8]) -> anyhow::Result<Self> {
        let path = self.log().join(file);
        let mut whole = fs::read(&path).unwrap_or_default();
        whole.extend(bytes);
        fs::write(&path, whole)?;
        Ok(self)
    }

    /// A file of the log without its last bytes.
    pub(super) fn cut(self, file: &str, count: usize) -> anyhow::Result<Self> {
        let path = self.log().join(file);
        let mut whole = fs::read(&path)?;
        whole.truncate(whole.len().saturating_sub(count));
        fs::write(&path, whole)?;
        Ok(self)
    }

    /// A new file whose name did not reach the disk.
    pub(super) fn without(self, file: &str) -> anyhow::Result<Self> {
        let path = self.log().join(file);
        ensure!(fs::metadata(&path)?.len() == 0, "{} holds something", path.display());
        fs::remove_file(path)?;
        Ok(self)
    }

    /// A file that a crash left before its rename.
    pub(super) fn left_over(self, file: &str) -> anyhow::Result<Self> {
        self.torn(file, b"half a file")
    }

    /// As the command left it that was killed at this call.
    pub(super) fn killed(
        mut self,
        binary: &Path,
        args: &[String],
        call: (&str, &str, u64),
    ) -> anyhow::Result<Self> {
        let (name, path, nth) = call;
        let call = Call { name: name.to_owned(), path: path.to_owned(), nth, creates: false };
        let mut strace = call.inject(Fault::Kill, &self.place, &self.place.join("trace.txt"));
        let ended = command::run(strace.arg(binary).args(args), &self.place)?;
        ensure!(ended.signal == Some(9), "not killed at {call:?}, but {ended:?}");
        for (receipt, resource) in ended.receipts()?.into_iter().zip(&self.events) {
            self.receipts.push((receipt, resource.clone()));
        }
        self.sent_before = true;
        Ok(self)
    }
}
