//! One workload, played once without a fault: where it began in each stage, and what was on the disk at each crash point.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastrand::Rng;
use indelible::storage::simulated::{CrashState, Operation, SimulatedDisk};

use super::stage::Player;
use super::workload::{Beginning, Ending, FOLDER, PARENT, Script, Workload};
use crate::invariants::Sent;

/// States that are listed of one crash point, besides those that are torn at each byte.
const LISTED_MAX: usize = 160;
/// Bytes of an unsynced write that are less than these are torn off the end of a group, in [`Ending::Torn`].
const TORN_SIZE: usize = 700;
/// What stands behind the last record where a stage begins with a repair.
const TORN: &[u8] = b"{\"seq\":9,\"timest";

/// A workload that was played.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) workload: Workload,
    pub(super) stages: Vec<Stage>,
    pub(super) moments: Vec<Moment>,
    /// What failed although no fault was planned.
    pub(super) violations: Vec<String>,
}

/// How a stage begins, and what it does.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) script: Script,
    pub(super) start: SimulatedDisk,
    /// What was sent before.
    pub(super) sent: Sent,
    /// The number of its first event.
    pub(super) next: usize,
    pub(super) operations: Vec<Operation>,
    /// From which operation on an explicit repair has mended what only that mends.
    repaired: u64,
}

/// A crash point: right before an operation that changes the disk, or at the end of a stage.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) stage: usize,
    /// The operation that does not happen any more.
    pub(super) before: u64,
    pub(super) disk: SimulatedDisk,
    pub(super) sent: Arc<Sent>,
    /// States that a crash leaves.
    pub(super) states: Vec<CrashState>,
    /// Files with something unsynced, and how many steps of it.
    pub(super) unsynced: Vec<(PathBuf, usize)>,
}

impl Scene {
    pub(super) fn play(workload: Workload, seed: u64) -> anyhow::Result<Self> {
        let mut rng = Rng::with_seed(seed);
        let mut disk = SimulatedDisk::new();
        disk.plant_folder(PARENT)?;
        let (mut sent, mut next) = (Sent::default(), 0);
        if let Some(kept) = workload.max_files {
            sent.prunes(kept..=kept);
        }
        let mut scene =
            Self { stages: Vec::new(), moments: Vec::new(), violations: Vec::new(), workload };
        for (stage, script) in scene.workload.scripts.clone().into_iter().enumerate() {
            if script.beginning == Beginning::Repair {
                damage(&disk)?;
            }
            let options = scene.workload.options(stage);
            let mut player = Player::new(disk.fork(), options, sent.clone(), next);
            player.disk.remember();
            player.play(&script);
            if matches!(script.ending, Ending::Close) {
                player.close();
            }
            let left = player.kill();
            let before = player.disk.operation_count();
            let moments = player.disk.remembered().into_iter();
            let moments = moments.chain([(before, left)]).collect::<Vec<_>>();
            let moments = moments.into_iter().map(|(before, disk)| {
                Moment::new(stage, before, disk, player.timeline.at(before), rng.u64(..))
            });
            let first = scene.moments.len();
            scene.moments.extend(moments);
            let here = scene.moments.get(first..).unwrap_or_default();
            let (left, known) = left_for_next(here, script.ending);
            let repaired = player.repaired();
            let failed = player.failure.iter().map(|what| format!("without a fault: {what}"));
            scene.violations.extend(failed.chain(player.violations));
            let operations = player.disk.operations();
            let start = std::mem::replace(&mut disk, left);
            let before = std::mem::replace(&mut sent, known);
            scene.stages.push(Stage { script, start, sent: before, next, operations, repaired });
            next = player.next;
        }
        Ok(scene)
    }

    /// Whether only an explicit repair mends what is left before that operation of a stage.
    pub(super) fn needs_repair(&self, stage: usize, before: u64) -> bool {
        self.stages.get(stage).is_some_and(|stage| stage.is_damaged() && before < stage.repaired)
    }

    /// Whether that was done in this stage by then.
    pub(super) fn is_repaired(&self, stage: usize, before: u64) -> bool {
        self.stages.get(stage).is_some_and(|stage| before >= stage.repaired)
    }
}

impl Stage {
    /// Whether it begins with damage that only an explicit repair mends.
    pub(super) fn is_damaged(&self) -> bool {
        self.script.beginning == Beginning::Repair
    }
}

impl Moment {
    fn new(stage: usize, before: u64, disk: SimulatedDisk, sent: Sent, seed: u64) -> Self {
        let states = disk.crash_states_seeded(LISTED_MAX, seed).collect();
        let everything = disk.everything();
        let unsynced = everything.files().map(|(path, steps)| (path.to_path_buf(), steps));
        let unsynced = unsynced.collect();
        Self { stage, before, disk, sent: Arc::new(sent), states, unsynced }
    }
}

/// What the next stage begins on, and what was sent by then.
fn left_for_next(moments: &[Moment], ending: Ending) -> (SimulatedDisk, Sent) {
    let is_group = |moment: &&Moment| {
        let mut unsynced = moment.unsynced.iter();
        unsynced.any(|(path, steps)| path.ends_with("audit.log") && *steps > 2 * TORN_SIZE)
    };
    let created = moments.iter().filter(|moment| moment.sent.is_created());
    let (moment, seed) = match ending {
        Ending::Close | Ending::Kill => (None, 0),
        Ending::Torn => (created.rev().find(is_group), 0),
        Ending::CutPower { seed } => {
            let created: Vec<_> = created.collect();
            let mut rng = Rng::with_seed(seed);
            (rng.choice(created), rng.u64(..))
        }
    };
    let Some(moment) = moment else {
        // All that there is, as the process left it.
        let last = moments.last().map(|moment| (moment.disk.fork(), Sent::clone(&moment.sent)));
        return last.unwrap_or_default();
    };
    let torn = || {
        let (path, steps) = moment.unsynced.iter().find(|(path, _)| path.ends_with("audit.log"))?;
        moment.disk.everything().keeping(path, steps - TORN_SIZE)
    };
    let any = || moment.disk.crash_states_seeded(24, seed).last();
    let state = if matches!(ending, Ending::Torn) { torn() } else { any() };
    let state = state.unwrap_or_else(|| moment.disk.only_synced());
    (moment.disk.after_crash(&state), Sent::clone(&moment.sent))
}

/// A disk damages the leaf of the last record, and a crash tears the tail.
fn damage(disk: &SimulatedDisk) -> anyhow::Result<()> {
    let folder = Path::new(FOLDER);
    let (row, active) = (folder.join("tree/0"), folder.join("audit.log"));
    let size = disk.read_file(&row)?.len();
    disk.flip_byte(&row, size.saturating_sub(1), 1)?;
    let torn = [&disk.read_file(&active)?[..], TORN].concat();
    Ok(disk.write_file(&active, torn)?)
}
