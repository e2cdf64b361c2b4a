//! What is tried, in blocks of states that come from one source: a crash point, a file that is torn, a recovery, a fault.

use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;

use super::fault::Fault;
use super::scene::{Moment, Scene, Stage};
use super::stage::Player;
use super::workload::{Beginning, Ending, FOLDER, Script, Step};
use crate::invariants::Sent;

/// States in a block, at most.
const BLOCK: usize = 8;
/// An unsynced write of no more bytes is torn at each of them.
const TORN_EACH_MAX: usize = 4_096;
/// A larger one at so many, which are others for another seed, unless each is asked for.
const TORN_SOME: usize = 1_024;
/// States that a recovery is cut short in: each of its crash points, more than once.
const RECOVERY_STATES: usize = 96;
/// States after a fault.
const FAULT_STATES: usize = 6;
/// Events of a recovery are numbered from here, apart from those of the workload.
const APART: usize = 1_000_000;
/// States to draw one from.
const DRAWN_FROM: usize = 24;

/// Where an unsynced write is torn that is too large to be torn at each byte in little time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Large {
    AtSome,
    AtEachByte,
}

/// States that come from one source.
#[derive(Clone, Debug)]
pub(super) struct Block {
    source: Source,
    skip: usize,
    pub(super) count: usize,
}

#[derive(Clone, Debug)]
enum Source {
    /// States that are listed of a crash point.
    Listed { moment: usize },
    /// A file whose unsynced part is torn at so many places, everything else being there.
    Torn { moment: usize, file: usize, places: usize },
    /// The recovery of one state, and one append more, stopped at each of its own crash points; without a state, only the
    /// process had died before, and the machine went on.
    Recovery { moment: usize, state: Option<usize> },
    /// A stage in which an operation fails.
    Fault { stage: usize, operation: usize, fault: Fault },
}

/// A disk to recover, and what must be there.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) disk: SimulatedDisk,
    pub(super) sent: Arc<Sent>,
    pub(super) needs_repair: bool,
    /// Whether it was mended so before.
    pub(super) is_repaired: bool,
    /// Whether the process died and the machine goes on.
    pub(super) is_fork: bool,
    /// What it is counted as.
    pub(super) kind: String,
    /// How it came to be.
    pub(super) what: String,
    /// What was wrong before the end already.
    pub(super) violations: Vec<String>,
}

/// All blocks of a scene, in an order in which each beginning has some of every kind. Large writes are torn as `large` says.
pub(super) fn all(scene: &Scene, large: Large, rng: &mut Rng) -> Vec<Block> {
    let (mut first, mut listed, mut torn, mut recoveries) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, moment) in scene.moments.iter().enumerate() {
        let mut blocks = split(&Source::Listed { moment: index }, moment.states.len());
        first.extend(blocks.next());
        listed.extend(blocks);
        for (file, (_, steps)) in moment.unsynced.iter().enumerate() {
            let is_each = *steps <= TORN_EACH_MAX || large == Large::AtEachByte;
            let places = if is_each { steps + 1 } else { TORN_SOME };
            torn.extend(split(&Source::Torn { moment: index, file, places }, places));
        }
        let drawn = (0..moment.states.len().min(2)).map(|_| Some(rng.usize(..moment.states.len())));
        for state in drawn.chain([None]).collect::<Vec<_>>() {
            let source = Source::Recovery { moment: index, state };
            recoveries.extend(split(&source, RECOVERY_STATES));
        }
    }
    let mut faults = Vec::new();
    for (index, stage) in scene.stages.iter().enumerate() {
        for (number, operation) in stage.operations.iter().enumerate() {
            for fault in Fault::of(operation) {
                let source = Source::Fault { stage: index, operation: number, fault };
                faults.extend(split(&source, FAULT_STATES));
            }
        }
    }
    let mut kinds = [first, faults, recoveries, torn, listed];
    for kind in &mut kinds {
        rng.shuffle(kind);
    }
    deal(kinds.map(Vec::into_iter), [3, 4, 2, 2, 1])
}

/// Takes so many of each in turn, until there are no more.
fn deal<const N: usize>(
    mut kinds: [std::vec::IntoIter<Block>; N],
    shares: [usize; N],
) -> Vec<Block> {
    let mut dealt = Vec::new();
    loop {
        let before = dealt.len();
        for (kind, share) in kinds.iter_mut().zip(shares) {
            dealt.extend(kind.take(share));
        }
        if dealt.len() == before {
            return dealt;
        }
    }
}

fn split(source: &Source, count: usize) -> impl Iterator<Item = Block> + use<> {
    let source = source.clone();
    (0..count).step_by(BLOCK).map(move |skip| Block {
        source: source.clone(),
        skip,
        count: BLOCK.min(count - skip),
    })
}

impl Block {
    /// How many places its file is torn at, and which moment and file that is, where it tears one.
    #[cfg(test)]
    pub(super) fn torn_of(&self) -> Option<(usize, usize, usize)> {
        let Source::Torn { moment, file, places } = self.source else { return None };
        Some((places, moment, file))
    }

    /// Its cases.
    pub(super) fn cases(&self, scene: &Scene, seed: u64) -> Option<Vec<Case>> {
        let states = self.skip..self.skip + self.count;
        match &self.source {
            Source::Listed { moment } => {
                let moment = scene.moments.get(*moment)?;
                let states = moment.states.get(states)?;
                Some(states.iter().map(|state| moment.case(scene, "crash point", state)).collect())
            }
            Source::Torn { moment, file, places } => {
                let moment = scene.moments.get(*moment)?;
                let (path, steps) = moment.unsynced.get(*file)?;
                let place = |at| if *places > *steps { at } else { spread(*steps, at, seed) };
                states.map(|at| torn(scene, moment, path, place(at))).collect()
            }
            Source::Recovery { moment, state } => {
                recovery(scene, scene.moments.get(*moment)?, *state, states, seed)
            }
            Source::Fault { stage, operation, fault } => {
                failed(scene, *stage, *operation, *fault, states, seed)
            }
        }
    }
}

impl Moment {
    fn case(
        &self,
        scene: &Scene,
        kind: &str,
        state: &indelible::storage::simulated::CrashState,
    ) -> Case {
        Case {
            disk: self.disk.after_crash(state),
            sent: Arc::clone(&self.sent),
            needs_repair: scene.needs_repair(self.stage, self.before),
            is_repaired: scene.is_repaired(self.stage, self.before),
            is_fork: false,
            kind: kind.to_owned(),
            what: format!("{}; left {state:?}", self.told(scene)),
            violations: Vec::new(),
        }
    }

    fn told(&self, scene: &Scene) -> String {
        let stage = scene.stages.get(self.stage);
        let operation = stage.and_then(|stage| {
            stage.operations.iter().find(|operation| operation.index == self.before)
        });
        operation.map_or_else(
            || format!("stage {}, crash at its end", self.stage),
            |operation| format!("stage {}, crash before {}", self.stage, short(operation)),
        )
    }
}

fn short(operation: &indelible::storage::simulated::Operation) -> String {
    let name = operation.path.file_name().unwrap_or_default().display();
    format!("operation {} ({:?} of {name}, {})", operation.index, operation.kind, operation.size)
}

fn torn(scene: &Scene, moment: &Moment, path: &Path, kept: usize) -> Option<Case> {
    let state = moment.disk.everything().keeping(path, kept)?;
    Some(moment.case(scene, "torn at each byte", &state))
}

/// One of the positions that are spread over so many steps.
fn spread(steps: usize, at: usize, seed: u64) -> usize {
    let stretch = steps / TORN_SOME;
    let within = Rng::with_seed(seed ^ u64::try_from(at).unwrap_or(0)).usize(..stretch.max(1));
    (at * steps / TORN_SOME + within).min(steps)
}

/// What opens a log that was left so.
fn opening(disk: &SimulatedDisk, needs_repair: bool) -> Script {
    let beginning = if needs_repair {
        Beginning::Repair
    } else if disk.stat(Path::new(FOLDER)).is_ok() {
        Beginning::Open
    } else {
        Beginning::Create
    };
    Script { beginning, steps: vec![Step::Append { size: 0 }], ending: Ending::Kill }
}

fn recovery(
    scene: &Scene,
    moment: &Moment,
    state: Option<usize>,
    states: std::ops::Range<usize>,
    seed: u64,
) -> Option<Vec<Case>> {
    let (disk, left) = match state {
        Some(state) => {
            let state = moment.states.get(state)?;
            (moment.disk.after_crash(state), format!("left {state:?}"))
        }
        None => (moment.disk.fork(), "the process was killed".to_owned()),
    };
    let needs_repair = scene.needs_repair(moment.stage, moment.before);
    let script = opening(&disk, needs_repair);
    let options = scene.workload.options(scene.stages.len());
    let mut player = Player::new(disk.fork(), options, Sent::clone(&moment.sent), APART);
    player.disk.remember();
    player.play(&script);
    let killed = player.kill();
    let mut points = player.disk.remembered();
    points.push((player.disk.operation_count(), killed));
    let cases = states.map(|index| {
        let (before, disk) = points.get(index % points.len())?;
        let round = index / points.len();
        let drawn = match round {
            0 => disk.everything(),
            1 => disk.only_synced(),
            _ => {
                let seed = seed ^ u64::try_from(index).unwrap_or(0);
                let from: Vec<_> = disk.crash_states_seeded(DRAWN_FROM, seed).collect();
                from.get((index * 7 + round) % from.len())?.clone()
            }
        };
        let failure = player.failure.iter().map(|what| format!("recovery failed: {what}"));
        Some(Case {
            disk: disk.after_crash(&drawn),
            sent: Arc::new(player.timeline.at(*before)),
            needs_repair: needs_repair && *before < player.repaired(),
            is_repaired: if needs_repair {
                *before >= player.repaired()
            } else {
                scene.is_repaired(moment.stage, moment.before)
            },
            is_fork: false,
            kind: if state.is_some() {
                "crash point of a recovery".to_owned()
            } else {
                "crash point of an opening after a kill".to_owned()
            },
            what: format!(
                "{}; {left}; its recovery crashed before operation {before}; left {drawn:?}",
                moment.told(scene)
            ),
            violations: failure.chain(player.violations.iter().cloned()).collect(),
        })
    });
    cases.collect()
}

fn failed(
    scene: &Scene,
    index: usize,
    operation: usize,
    fault: Fault,
    states: std::ops::Range<usize>,
    seed: u64,
) -> Option<Vec<Case>> {
    let stage = scene.stages.get(index)?;
    let operation = stage.operations.get(operation)?;
    let mut player = stage.player(scene.workload.options(index));
    player.disk.remember();
    player.disk.fail(fault.plan(operation));
    player.play(&stage.script);
    player.close();
    let (end, whole) = (player.disk.fork(), player.disk.operation_count());
    let mut moments = player.disk.remembered();
    moments.retain(|(before, _)| *before >= operation.index);
    moments.push((whole, end.fork()));
    let mut rng = Rng::with_seed(seed ^ operation.index);
    let cases = states.map(|state| {
        let (before, disk) = match state {
            0..3 => (&whole, &end),
            _ => moments.get(rng.usize(..moments.len())).map(|(before, disk)| (before, disk))?,
        };
        let (left, told) = match state {
            0 => (disk.fork(), "then the process died".to_owned()),
            1 => (disk.after_crash(&disk.only_synced()), "then all unsynced was lost".to_owned()),
            2 => {
                (disk.after_crash(&disk.everything()), "then nothing unsynced was lost".to_owned())
            }
            _ => {
                let from: Vec<_> = disk.crash_states_seeded(DRAWN_FROM, rng.u64(..)).collect();
                let drawn = rng.choice(&from)?;
                let told = format!("crash before operation {before}; left {drawn:?}");
                (disk.after_crash(drawn), told)
            }
        };
        Some(Case {
            disk: left,
            sent: Arc::new(player.timeline.at(*before)),
            needs_repair: stage.is_damaged() && *before < player.repaired(),
            is_repaired: *before >= player.repaired(),
            is_fork: state == 0,
            kind: format!("fault, {}", fault.name()),
            what: format!("stage {index}, {} failed with {fault:?}; {told}", short(operation)),
            violations: player.violations.clone(),
        })
    });
    cases.collect()
}

impl Stage {
    fn player(&self, options: indelible::Options) -> Player {
        Player::new(self.start.fork(), options, self.sent.clone(), self.next)
    }
}
