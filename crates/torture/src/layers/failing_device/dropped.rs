//! A device that drops its cache with a flush that fails, says so once, to whoever asked for it, and goes on as if nothing had
//! been.
//!
//! Three questions, each put to what does not depend on how the log or its storage answers errors:
//!
//! 1. *Was the log told?* The kernel says so: strace stands beside the process, and writes down which of the log's syncs
//!    failed. Nobody else syncs, but for the kernel itself. Where one of the log's failed, the storage under the log says so, too;
//!    that the log then halts, or does not open, is looked at in any case.
//! 2. *Is what was acknowledged there?* The device knows what it held when it dropped the cache: what a cut of the power
//!    leaves at that moment. Each flush before was kept, so that everything that was acknowledged by then is there; and where
//!    a sync of the log's was under way, and failed, nothing may be acknowledged after it, so that everything that ever was is
//!    there. Nothing excuses a loss here.
//! 3. *What is there in the end?* Not always all of that, whatever a log does. A file system that keeps a journal has written
//!    older blocks to their places meanwhile, and these were in the cache that was dropped. Where it was somebody else who was told
//!    (ext4 flushes before it shortens its journal, and looks at no answer), or the file system goes on after the log was
//!    told and has halted, the next flush succeeds, and the journal gives up the only copy. So what is lost between the
//!    moment and the end is judged as what a device takes that lies: it has to be found.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::layer::Outcome;
use crate::layers::block::{
    Dropped, FileSystem, Image, LOG, LoopDevice, Mount, Told, check, kept, sync_fails,
};
use crate::plan::Plan;

/// What strace says of a call that failed.
const FAILED: &str = " = -1 ";

/// Each call for a sync that failed, as the kernel told the process; `trace` is strace's.
pub(super) fn failed_syncs(trace: &Path) -> anyhow::Result<Vec<String>> {
    let trace = std::fs::read_to_string(trace).context("strace wrote nothing")?;
    Ok(trace.lines().filter(|line| line.contains(FAILED)).map(str::to_owned).collect())
}

/// The moment when the cache was dropped for the first time.
#[derive(Debug)]
pub(super) struct Moment {
    /// What the medium held.
    content: Vec<u8>,
    /// What was said, as far as it has to be there.
    told: Told,
    /// Whether a sync of the log's was under way, and failed.
    ours: bool,
}

impl Moment {
    /// Of all the lines that were `said`, before and after.
    pub(super) fn of(dropped: Dropped, said: &[String]) -> Self {
        let (before, after) = said.split_at(dropped.said.min(said.len()));
        let mut told = Told::default();
        let ours = sync_fails(before, after);
        for line in if ours { said } else { before } {
            told.hear(line);
        }
        Self { content: dropped.content, told, ours }
    }

    /// Looks at what a cut leaves at that moment.
    pub(super) fn judge(
        mut self,
        plan: &Plan,
        file_system: FileSystem,
        outcome: &mut Outcome,
        random: &mut fastrand::Rng,
    ) -> anyhow::Result<()> {
        let whose = if self.ours { "a sync of the log's" } else { "no sync of the log's" };
        outcome.count(format!("the cache was dropped, and {whose} was told"), 1);
        let image = Image::of(&self.content)?;
        let device = LoopDevice::attach(&image.path())?;
        let mounting = plan.folder()?;
        let mount = Mount::new(device.path(), file_system, mounting.path())?;
        self.told.go_on();
        if let Err(error) = check(&mount.path().join(LOG), &mut self.told, random, outcome) {
            let kept = kept(plan, Some(&self.content))?;
            bail!("when the cache was dropped, and {whose} was told: {error:#}{kept}");
        }
        mount.unmount()
    }
}
