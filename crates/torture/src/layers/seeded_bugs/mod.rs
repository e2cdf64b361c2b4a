//! The bench itself: whether its layers find bugs that were planted for them.
//!
//! All bugs are in one build of the bench, and one of them at most is chosen when it starts (`indelible_format::seeded`).
//! First, with none chosen, each layer must find nothing. Then, for each bug, the layers that can find it run, a few cases
//! each, the likeliest first; the short form goes on to the next bug as soon as one found it.

mod attempt;
mod hunts;

use std::sync::{Mutex, PoisonError};

use comfy_table::{Table, presets};

use self::attempt::{Attempt, Programs};
use self::hunts::{HUNTS, Hunt, Try};
use crate::layer::{Layer, Outcome};
use crate::layers;
use crate::need;
use crate::plan::Plan;
use crate::threads;

pub(crate) const LAYER: Layer = Layer {
    name: "seeded-bugs",
    about: "Bugs are planted in the product, one at a time: a layer must find each.",
    cases: "bugs",
    short: 38,
    long: 38,
    needs: &[],
    run,
};

/// What became of a bug.
struct Caught {
    /// Which.
    case: usize,
    by: Vec<String>,
    /// Layers that ran and did not find it.
    missed: Vec<String>,
}

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let programs = Programs::build()?;
    let mut outcome = Outcome::default();
    let mut chosen: Vec<(usize, &Hunt)> = HUNTS.iter().enumerate().collect();
    if let Some(case) = plan.only {
        chosen.retain(|(index, _)| u64::try_from(*index) == Ok(case));
    }
    chosen.retain(|(_, hunt)| can_be_hunted(hunt, &mut outcome));
    let hunts: Vec<&Hunt> = chosen.iter().map(|(_, hunt)| *hunt).collect();
    healthy(plan, &programs, &hunts, &mut outcome)?;
    let mut caught = for_each_of(&chosen, |(case, hunt)| hunt_one(plan, &programs, case, hunt))?;
    caught.sort_by_key(|one| one.case);
    tell(&caught, plan.long);
    for one in caught {
        outcome.cases += 1;
        let name = HUNTS.get(one.case).map_or("", |hunt| hunt.name());
        if let Some(layer) = one.by.first() {
            outcome.count(format!("found by {}", layer.split(' ').next().unwrap_or_default()), 1);
        } else {
            let case = u64::try_from(one.case).ok();
            outcome.violation(case, format!("{name} was not found: {}", one.missed.join("; ")));
        }
    }
    Ok(outcome)
}

/// Whether a layer that goes after it can run on this machine; where nothing may be skipped, it has to.
fn can_be_hunted(hunt: &Hunt, outcome: &mut Outcome) -> bool {
    let lacking = |one: &Try| {
        let layer = layers::ALL.iter().find(|layer| layer.name == one.layer)?;
        layer.needs.iter().find_map(|need| need.missing())
    };
    let lacking: Option<Vec<String>> = hunt.tries.iter().map(lacking).collect();
    match lacking {
        Some(missing) if !need::is_strict() => {
            outcome.count(
                format!("{} was not hunted, for want of {}", hunt.name(), missing.join(", ")),
                1,
            );
            false
        }
        Some(_) | None => true,
    }
}

/// With no bug chosen, no layer may find anything.
fn healthy(
    plan: &Plan,
    programs: &Programs,
    hunts: &[&Hunt],
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let mut tries: Vec<Try> = hunts.iter().flat_map(|hunt| hunt.tries).copied().collect();
    tries.sort_by_key(|one| (one.layer, one.cases));
    // The most that any bug asks of a layer.
    tries.dedup_by(|next, kept| {
        let same = next.layer == kept.layer;
        if same {
            kept.cases = kept.cases.max(next.cases);
        }
        same
    });
    let found = for_each_of(&tries, |one| Ok((one, programs.run(plan, one, None)?)))?;
    for (one, attempt) in found {
        if let Attempt::Found(what) | Attempt::Broke(what) = attempt {
            outcome.violation(None, format!("no bug was chosen, and {} found: {what}", one.layer));
        }
    }
    Ok(())
}

fn hunt_one(plan: &Plan, programs: &Programs, case: usize, hunt: &Hunt) -> anyhow::Result<Caught> {
    let mut caught = Caught { case, by: Vec::new(), missed: Vec::new() };
    for one in hunt.tries {
        match programs.run(plan, *one, Some(hunt.name()))? {
            Attempt::Found(what) => {
                caught.by.push(format!("{} ({what})", one.layer));
                if !plan.long {
                    break;
                }
            }
            Attempt::Nothing => {
                caught.missed.push(format!("{} found nothing in {} cases", one.layer, one.cases));
            }
            Attempt::Broke(how) => caught.missed.push(format!("{}: {how}", one.layer)),
        }
    }
    Ok(caught)
}

/// Does `work` for each of `all`, on all processors.
fn for_each_of<T: Copy + Sync, R: Send>(
    all: &[T],
    work: impl Fn(T) -> anyhow::Result<R> + Sync,
) -> anyhow::Result<Vec<R>> {
    let next = Mutex::new(all.iter().copied());
    let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
    let done = threads::on_all_processors(|| {
        std::iter::from_fn(take).map(&work).collect::<anyhow::Result<Vec<R>>>()
    })?;
    Ok(done.into_iter().flatten().collect())
}

fn tell(caught: &[Caught], long: bool) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["bug", "what it does", "found by"]);
    for one in caught {
        let Some(hunt) = HUNTS.get(one.case) else { continue };
        let by = if one.by.is_empty() {
            "NOTHING".to_owned()
        } else if long {
            one.by.join("\n")
        } else {
            one.by.iter().filter_map(|by| by.split(' ').next()).collect()
        };
        table.add_row([hunt.name().to_owned(), hunt.does().to_owned(), by]);
    }
    println!("{table}");
}
