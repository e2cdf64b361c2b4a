//! The layer `system-calls`: the real binary, with each of its file calls failing once, or killed at it.
//!
//! strace lists the file calls of each scenario on the log and its key, without those of the loader. A case is one of them
//! and a fault: the errors that file systems give, once or from then on, or SIGKILL before the call is made. Then everything
//! is asked that a user could ask: exit code, what stderr says, what the log holds, whether the command works again.
//!
//! Every run of the layer fails each call that changes something with EIO, and kills the process at it; what other cases
//! there are is drawn from all calls and faults. A run counts where strace says that the fault was met.
//!
//! It is run on an ext4 of its own, in memory, where it may make one: only there does the log ask after each sync whether the
//! journal is there.
//!
//! A fault meets the n-th call of a name on a path in *each* thread, as strace counts them. The number of a case is made from
//! its scenario, call and fault: it replays these, whatever other calls there are.

mod calls;
mod ground;
mod judge;
mod scenarios;
mod template;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};

use self::calls::{Call, Calls, Fault};
use self::ground::Ground;
use self::scenarios::Scenario;
use crate::cases;
use crate::layer::{Layer, Outcome};
use crate::need::Need;
use crate::plan::Plan;

pub(crate) const LAYER: Layer = Layer {
    name: "system-calls",
    about: "Each file call of init, append, rotate, prune, recover, checkpoint and repair fails, or is the last: nothing \
            acknowledged is lost, and what is said is true.",
    cases: "runs",
    short: SHORT,
    long: LONG,
    needs: &[Need::Program("strace")],
    run,
};

const SHORT: u64 = 2_000;
/// More than there are calls and faults (some 22,000): all of them are tried.
const LONG: u64 = 30_000;
/// How often a call that changes something is waited for: how many groups the writer makes, and so how often it writes and
/// syncs, depends on how threads meet.
const TRIES: usize = 20;

/// One run: which call of which scenario, and what becomes of it.
#[derive(Debug)]
struct Case<'a> {
    scenario: &'a Scenario,
    call: &'a Call,
    fault: Fault,
    /// Whether each run of the scenario makes the call.
    is_steady: bool,
    /// What it is replayed by.
    id: u64,
}

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let binary = plan.binary()?;
    let ground = Ground::new(plan)?;
    let root = ground.path().canonicalize()?;
    let scenarios = scenarios::all(&binary, &root)?;
    let mut listed = Vec::new();
    for scenario in &scenarios {
        let calls = calls::of(&binary, scenario, &root)?;
        ensure!(!calls.steady.is_empty(), "{}: no file call was seen", scenario.name);
        listed.push((scenario, calls));
    }
    let bench = Bench { plan, binary, root, all: all(&listed, plan.seed), met: AtomicU64::new(0) };
    let pairs = u64::try_from(bench.all.len())?;
    let asks = bench.all.iter().filter(|case| case.asks_after_the_journal()).count();
    let asks = u64::try_from(asks)?;
    ensure!(pairs <= LONG, "{pairs} calls and faults: the long form would not try all");
    let always = bench.all.iter().filter(|case| case.is_always_tried()).count();
    ensure!(
        u64::try_from(always)? <= SHORT,
        "{always} runs must always be made: {SHORT} are too few"
    );
    let replayed = plan.only.map(|id| place_of(&bench.all, id)).transpose()?;
    let at = |place| usize::try_from(place).ok().and_then(|place: usize| bench.all.get(place));
    let id_at = |place| at(place).map_or(0, |case| case.id);
    let all = plan.with_cases(pairs).replaying(replayed);
    let mut outcome = cases::run_groups(&all, id_at, |place, outcome| {
        at(place).map_or(Ok(()), |case| bench.try_case(case, outcome))
    })?;
    // A run in which the call never came tells nothing.
    outcome.cases = bench.met.into_inner();
    outcome.count("distinct calls and faults there are", pairs);
    // None where there is no ext4.
    outcome.count("distinct calls that ask after the journal, and faults, there are", asks);
    if plan.keep {
        println!("  kept: {}", ground.keep().display());
    }
    Ok(outcome)
}

/// Each call with each fault that it takes. First those that every run of the layer has, then all others; each in an order
/// that the seed shuffles: a call more or less in a trace does not put all others elsewhere.
fn all<'a>(listed: &'a [(&'a Scenario, Calls)], seed: u64) -> Vec<Case<'a>> {
    let mut all: Vec<Case<'_>> = Vec::new();
    let mut ids = BTreeSet::new();
    for (scenario, calls) in listed {
        let steady = calls.steady.iter().map(|call| (call, true));
        for (call, is_steady) in steady.chain(calls.passing.iter().map(|call| (call, false))) {
            let faults = Fault::ALL.into_iter().filter(|fault| call.takes(*fault));
            all.extend(faults.map(|fault| {
                // Of calls that no name tells apart, those of two files in quarantine, the first comes first.
                let mut id = id_of(scenario, call, fault);
                while !ids.insert(id) {
                    id += 1;
                }
                Case { scenario, call, fault, is_steady, id }
            }));
        }
    }
    all.sort_by_cached_key(|case| (!case.is_always_tried(), case.order(seed)));
    all
}

/// The number of a case, by what it is alone, since a trace may have a call more or less each time.
fn id_of(scenario: &Scenario, call: &Call, fault: Fault) -> u64 {
    let text = format!("{} {:?} {}", scenario.name, call.key(), fault.name());
    // FNV-1a: the same on every machine and of every version.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // Short enough to be typed, and long enough that hardly two of them meet.
    hash >> 20
}

/// The place of the case with this id among all.
fn place_of(all: &[Case<'_>], id: u64) -> anyhow::Result<u64> {
    let place = all.iter().position(|case| case.id == id);
    let place = place.context(
        "no such call was made this time: some come only as threads meet, so try it again; those that ask after the journal \
         of ext4 don't come with --keep",
    )?;
    Ok(u64::try_from(place)?)
}

/// What all cases share.
struct Bench<'a> {
    plan: &'a Plan,
    binary: PathBuf,
    root: PathBuf,
    all: Vec<Case<'a>>,
    /// Runs in which the call came.
    met: AtomicU64,
}

impl Bench<'_> {
    fn try_case(&self, case: &Case<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
        let id = case.id;
        if self.plan.only.is_none() && self.met.load(Ordering::Relaxed) >= self.plan.cases {
            return Ok(());
        }
        let tries = if case.is_always_tried() { TRIES } else { 1 };
        for _ in 0..tries {
            let place = self.root.join(format!("case-{id}"));
            let met = judge::run(&self.binary, case, &place, outcome)?;
            if !(met && self.plan.keep) {
                std::fs::remove_dir_all(&place)?;
            }
            if met {
                self.met.fetch_add(1, Ordering::Relaxed);
                outcome.count(format!("runs of {}", case.scenario.name), 1);
                outcome.count(format!("runs with {}", case.fault.name()), 1);
                if case.asks_after_the_journal() {
                    outcome
                        .count("runs in which asking after the journal fails, or is the last", 1);
                }
                if case.is_always_tried() {
                    outcome
                        .count("runs of each call that changes something, with EIO and SIGKILL", 1);
                }
                return Ok(());
            }
            outcome.count("attempts in which the call did not come, which are no runs", 1);
        }
        if !(case.is_always_tried() && case.is_steady) {
        } else if case.call.nth == 1 {
            outcome.violation(id, format!("{}: it did not come in {tries} tries", case.text()));
        } else {
            outcome.count("calls that change something, of which there were fewer in each try", 1);
        }
        Ok(())
    }
}

impl Case<'_> {
    /// Whether every run of the layer has it.
    fn is_always_tried(&self) -> bool {
        self.call.is_always_tried(self.fault)
    }

    /// Whether its call is the one that asks, behind a sync, whether the journal is there.
    fn asks_after_the_journal(&self) -> bool {
        self.call.name == "utimensat"
    }

    /// Its place among all, by what it is and the seed.
    fn order(&self, seed: u64) -> u64 {
        fastrand::Rng::with_seed(self.id ^ seed).u64(..)
    }

    fn text(&self) -> String {
        let Call { name, path, nth, .. } = self.call;
        let (scenario, fault) = (self.scenario.name, self.fault.name());
        format!("{scenario}: {fault} at {name} {nth} on {path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(names: &[&str]) -> Calls {
        let call = |name: &&str| Call {
            name: (*name).to_owned(),
            path: "audit".to_owned(),
            nth: 1,
            creates: false,
        };
        Calls { steady: names.iter().map(call).collect(), passing: Vec::new() }
    }

    fn scenario() -> Scenario {
        Scenario {
            name: "append",
            template: PathBuf::new(),
            args: Vec::new(),
            key: None,
            receipts: Vec::new(),
            events: Vec::new(),
            sent_before: false,
        }
    }

    #[test]
    fn a_case_is_replayed_by_what_it_is_whatever_other_calls_there_are() {
        let scenario = scenario();
        let few = [(&scenario, calls(&["write", "fsync"]))];
        let more = [(&scenario, calls(&["rename", "write", "open", "fsync", "close"]))];
        let (few, more) = (all(&few, 1), all(&more, 1));
        for case in &few {
            let place = usize::try_from(place_of(&more, case.id).unwrap()).unwrap();
            assert_eq!(more[place].text(), case.text());
        }
        let ids: BTreeSet<u64> = more.iter().map(|case| case.id).collect();
        assert_eq!(ids.len(), more.len());
        assert!(place_of(&few, 7).is_err());
    }

    #[test]
    fn calls_that_no_name_tells_apart_have_a_number_each() {
        let scenario = scenario();
        let twice = [(&scenario, calls(&["write", "write"]))];
        let twice = all(&twice, 1);
        let ids: BTreeSet<u64> = twice.iter().map(|case| case.id).collect();
        assert_eq!(ids.len(), twice.len());
    }
}
