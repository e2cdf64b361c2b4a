//! The layer `kill`: SIGKILL on the service, again and again, while eight clients append and retry by `event_id`.
//!
//! A folder takes a hundred kills and is then judged as a whole: each event once, at the place that every receipt of it
//! named. A case is a kill; which folder, what is sent and when it comes are made from the seed, what the service was doing
//! then is not: a case that is replayed is the whole hundred of its folder.
//!
//! SIGKILL takes the process and leaves the page cache: an acknowledgement before the sync is not seen here, but by the
//! simulated disk and the power cut. What is seen: events twice or not at all, receipts that differ, states that opening
//! refuses, and a service that does not come back.

mod campaign;
mod client;

use std::sync::atomic::{AtomicU64, Ordering};

use self::campaign::{Campaign, KILLS};
use crate::layer::{Layer, Outcome};
use crate::plan::Plan;
use crate::threads;

pub(crate) const LAYER: Layer = Layer {
    name: "kill",
    about: "SIGKILL on the service under eight clients, also while it starts, recovers, rotates and prunes: each event \
            once, each receipt true.",
    cases: "kills",
    short: 2_000,
    long: 50_000,
    needs: &[],
    run,
};

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let binary = plan.binary()?;
    let (first, kills) = plan.only.map_or((0, plan.cases), |case| (case / KILLS, KILLS));
    let campaigns = kills.div_ceil(KILLS);
    let next = AtomicU64::new(0);
    let work = || {
        let mut outcome = Outcome::default();
        loop {
            let done = next.fetch_add(1, Ordering::Relaxed);
            if done >= campaigns {
                return Ok(outcome);
            }
            let kills = KILLS.min(kills - done * KILLS);
            let campaign = Campaign::begin(plan, &binary, first + done)?;
            campaign.run(kills, &mut outcome)?;
        }
    };
    let mut all = Outcome::default();
    for outcome in threads::on_all_processors(work)? {
        all.add(outcome);
    }
    Ok(all)
}
