//! Breaks the disk in memory: crashes at every operation, in every recovery from one, and after every failure.
//!
//! A workload is played once. Its crash points, the crash points of recoveries from them, and the failures of its operations
//! are the sources of states, each of which is a case. Case by case, every kind comes early. The long form tears what was not
//! synced at each byte.

mod block;
mod fault;
mod memory;
mod scene;
mod stage;
#[cfg(test)]
mod tests;
mod workload;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fastrand::Rng;

use self::block::{Block, Case, Large};
use self::memory::Memory;
use self::scene::Scene;
use self::workload::Workload;
use crate::cases;
use crate::layer::{Layer, Outcome};
use crate::plan::Plan;

pub(crate) const LAYER: Layer = Layer {
    name: "simulated-disk",
    about: "A disk in memory loses, tears, reorders and fails at every operation: what was acknowledged is there, and no \
            crash is refused.",
    cases: "states",
    short: 200_000,
    long: 5_000_000,
    needs: &[],
    run,
};

/// How many states of a random workload are tried before the next.
const STATES_OF_RANDOM: u64 = 10_000;
/// Scenes and blocks that are kept at a time.
const KEPT: usize = 8;

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let bench = Bench::new(plan)?;
    let mut outcome = cases::run(plan, |case, outcome| bench.try_case(case, outcome))?;
    outcome.count("distinct contents", bench.memory.distinct());
    Ok(outcome)
}

/// What all cases share.
struct Bench<'a> {
    plan: &'a Plan,
    fixed: Arc<Staged>,
    random: Kept<Staged>,
    blocks: Kept<Vec<Case>>,
    memory: Memory,
}

/// A scene and what is tried of it.
struct Staged {
    scene: Scene,
    blocks: Vec<Block>,
    /// How many states there are up to and with each block.
    ends: Vec<u64>,
}

impl Staged {
    fn new(workload: Workload, large: Large, rng: &mut Rng) -> anyhow::Result<Self> {
        let scene = Scene::play(workload, rng.u64(..))?;
        let blocks = block::all(&scene, large, rng);
        let ends = blocks.iter().scan(0, |end, block| {
            *end += u64::try_from(block.count).unwrap_or(0);
            Some(*end)
        });
        let ends = ends.collect();
        Ok(Self { scene, blocks, ends })
    }

    fn count(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The block that holds the state with this number, and which of the block's it is.
    fn place(&self, state: u64) -> (usize, usize) {
        let block = self.ends.partition_point(|end| *end <= state);
        let begin = block.checked_sub(1).and_then(|before| self.ends.get(before)).unwrap_or(&0);
        (block, usize::try_from(state - begin).unwrap_or(0))
    }
}

impl<'a> Bench<'a> {
    fn new(plan: &'a Plan) -> anyhow::Result<Self> {
        let large = if plan.long { Large::AtEachByte } else { Large::AtSome };
        let fixed = Staged::new(Workload::fixed(), large, &mut plan.random(0))?;
        Ok(Self {
            plan,
            fixed: Arc::new(fixed),
            random: Kept::default(),
            blocks: Kept::default(),
            memory: Memory::default(),
        })
    }

    fn try_case(&self, case: u64, outcome: &mut Outcome) -> anyhow::Result<()> {
        let (number, staged, state) = self.place(case)?;
        let (index, within) = staged.place(state);
        let seed = self.plan.seed ^ (number << 32) ^ u64::try_from(index).unwrap_or(0);
        let block = staged.blocks.get(index);
        let cases = self.blocks.get((number, index), || {
            let cases = block.and_then(|block| block.cases(&staged.scene, seed));
            cases.ok_or_else(|| anyhow::anyhow!("block {index} of workload {number} is not there"))
        })?;
        let Some(tried) = cases.get(within) else { anyhow::bail!("no such state") };
        outcome.count(format!("states, {}", tried.kind), 1);
        if tried.is_repaired {
            outcome.count("states after an explicit repair, opened without another", 1);
        }
        let options = staged.scene.workload.options(staged.scene.stages.len() + 1);
        let recovered =
            self.memory.recover(&tried.disk, &options, tried.needs_repair, tried.is_fork);
        let mut violations = tried.violations.clone();
        violations.extend(recovered.hold(&tried.sent));
        if state == 0 {
            violations.extend(staged.scene.violations.iter().cloned());
        }
        if !violations.is_empty() {
            outcome.violation(case, format!("{}: {}", tried.what, violations.join("; ")));
        }
        Ok(())
    }

    /// The workload that the case is of, and which of its states it is.
    fn place(&self, case: u64) -> anyhow::Result<(u64, Arc<Staged>, u64)> {
        let Some(beyond) = case.checked_sub(self.fixed.count()) else {
            return Ok((0, Arc::clone(&self.fixed), case));
        };
        let number = beyond / STATES_OF_RANDOM + 1;
        let staged = self.random.get((number, 0), || {
            let mut rng = self.plan.random(number);
            let workload = Workload::random(&mut rng);
            Staged::new(workload, Large::AtSome, &mut rng)
        })?;
        let state = beyond % STATES_OF_RANDOM % staged.count().max(1);
        Ok((number, staged, state))
    }
}

/// The last few that were made, each made once.
struct Kept<T> {
    kept: Mutex<VecDeque<(Which, Slot<T>)>>,
}

type Which = (u64, usize);
type Slot<T> = Arc<OnceLock<Result<Arc<T>, String>>>;

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { kept: Mutex::default() }
    }
}

impl<T> Kept<T> {
    fn get(
        &self,
        which: Which,
        make: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<Arc<T>> {
        let slot = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, slot)) = kept.iter().find(|(other, _)| *other == which) {
                Arc::clone(slot)
            } else {
                kept.truncate(KEPT - 1);
                let slot = Slot::default();
                kept.push_front((which, Arc::clone(&slot)));
                slot
            }
        };
        let kept = slot.get_or_init(|| make().map(Arc::new).map_err(|error| format!("{error:#}")));
        kept.clone().map_err(anyhow::Error::msg)
    }
}
