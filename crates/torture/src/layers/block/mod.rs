//! What the layers on block devices share: images in memory, loop devices, mounts, a device of our own behind FUSE, the
//! process that appends, and the look at what it leaves.
//!
//! Invariants:
//! - what is attached or mounted is detached and unmounted by the `Drop` of its guard, also after a panic;
//! - no name is ours alone to choose: images are anonymous, loop devices the next free ones, folders made by `tempfile`;
//! - a process that serves a FUSE device never waits for one itself (it could not be killed then): mounting on it,
//!   appending to it and unmounting it are left to child processes.

#![expect(clippy::indexing_slicing, reason = "a panic of the bench is a violation that it tells")]

mod appender;
mod check;
mod device;
mod file_system;
mod image;
mod loop_device;
mod mount;
mod others_sync;
mod program;
mod served;
mod stage;
mod teller;
mod told;
pub(crate) mod worker;

pub(crate) use self::appender::{Appender, Company};
pub(crate) use self::check::{check, held_against, is_held};
pub(crate) use self::device::{Blow, Device, Dropped, Fault, Happening, Strike, keep_some, lay};
pub(crate) use self::file_system::{FileSystem, PowerSwitch};
pub(crate) use self::image::Image;
pub(crate) use self::loop_device::LoopDevice;
pub(crate) use self::mount::Mount;
pub(crate) use self::served::Served;
pub(crate) use self::told::{Told, sync_fails};
pub(crate) use self::worker::options;

use anyhow::Context as _;

use crate::plan::Plan;

/// What a medium writes whole or not at all.
pub(crate) const SECTOR_SIZE: usize = 512;
/// The log's folder on a mount.
pub(crate) const LOG: &str = "audit";

/// One of `choices`.
pub(crate) fn one_of<T: Copy>(random: &mut fastrand::Rng, choices: &[T]) -> T {
    choices[random.usize(..choices.len())]
}

/// Keeps the image of a case that failed, as the fault left it, where that was asked for; says where, as an end to the text
/// of the violation.
pub(crate) fn kept(plan: &Plan, content: Option<&[u8]>) -> anyhow::Result<String> {
    let Some(content) = content.filter(|_| plan.keep) else { return Ok(String::new()) };
    let path = plan.folder()?.keep().join("image");
    #[expect(clippy::disallowed_methods, reason = "not a file of the log")]
    std::fs::write(&path, content).context("the image is not kept")?;
    Ok(format!(" (image: {})", path.display()))
}
