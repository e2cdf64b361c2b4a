//! The layer `abuse`: the service, set upon by many clients at once in every way that they know, while one behaves.
//!
//! A case is one abuse, made from the seed and its number: what it is, who does it, of which size. All of them meet one
//! service, in no order, and with them a good client, which must be served. A quarter of the cases warms the service up;
//! then its memory is measured, before and after the rest. A last round opens more connections than there may be.
//!
//! What was refused is not in the log, what was acknowledged is: no event is there that nobody has a receipt for.

mod attack;
mod bodies;
mod field;
mod frames;
mod good;
mod oddities;
mod roles;
mod service;
mod slow;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use self::field::Field;
use self::good::Good;
use self::service::Service;
use crate::layer::{Layer, Outcome};
use crate::plan::Plan;
use crate::threads::{self, StopsOthers};

pub(crate) const LAYER: Layer = Layer {
    name: "abuse",
    about: "Slow, giant, deep, broken, forged, flooding and misdirected requests at once: all refused, a good client \
            served, memory flat.",
    cases: "abuses",
    short: 4_000,
    long: 100_000,
    needs: &[],
    run,
};

/// How many clients do evil at one time.
const ATTACKERS: usize = 8;

/// By how much the memory of the service may grow while it is abused, after it is warm. What it may keep: the idempotency
/// window, under 200 bytes for each event that was acknowledged (2 MiB for 10,000 of them); pages of `malloc`, which are
/// not given back where two threads met, an arena a thread.
const GROWTH_MAX_KIB: u64 = 24 << 10;
/// By how much it may be larger while it is abused: the bodies that may be on their way at one time (8 MiB, held twice
/// where one is looked at), and what 512 connections may buffer (64 KiB each).
const PEAK_MAX_KIB: u64 = (2 * 8 + 32 + 24) << 10;

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let binary = plan.binary()?;
    let service = Service::start(plan, &binary)?;
    let field = Field::new(&service)?;
    let good = Good::default();
    let mut outcome = Outcome::default();
    thread::scope(|scope| {
        scope.spawn(|| good.run(&service));
        scope.spawn(|| field.slow.run());
        let _stop = (StopsOthers(&field.slow.stop), StopsOthers(&good.stop));
        rounds(plan, &service, &field, &mut outcome)
    })?;
    good.tell(&mut outcome);
    field.slow.tell(&mut outcome);
    let mut acknowledged = field.take_acknowledged();
    acknowledged.extend(good.take_acknowledged());
    drop(field);
    service.stop(&acknowledged, &mut outcome)?;
    Ok(outcome)
}

fn rounds(
    plan: &Plan,
    service: &Service,
    field: &Field<'_>,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    if let Some(case) = plan.only {
        attacks(plan, field, case..case + 1, outcome);
        return field.slow.drained();
    }
    let warm = plan.cases / 4;
    attacks(plan, field, 0..warm, outcome);
    field.flood(outcome);
    settle(field)?;
    let before = service.memory()?;
    service.forget_peak()?;
    attacks(plan, field, warm..plan.cases, outcome);
    field.flood(outcome);
    settle(field)?;
    let (after, peak) = (service.memory()?, service.peak()?);
    outcome.count("KiB of memory before", before);
    outcome.count("KiB of memory after", after);
    outcome.count("KiB of memory at most meanwhile", peak);
    if after > before + GROWTH_MAX_KIB {
        outcome.violation(None, format!("memory grew from {before} KiB to {after} KiB"));
    }
    if peak > before + PEAK_MAX_KIB {
        outcome.violation(None, format!("memory was {before} KiB, and up to {peak} KiB"));
    }
    Ok(())
}

/// Until the last slow client is hung up on, and the service has closed what it closes.
fn settle(field: &Field<'_>) -> anyhow::Result<()> {
    field.slow.drained()?;
    thread::sleep(Duration::from_millis(500));
    Ok(())
}

fn attacks(plan: &Plan, field: &Field<'_>, cases: Range<u64>, outcome: &mut Outcome) {
    let next = AtomicU64::new(cases.start);
    let work = || {
        let mut outcome = Outcome::default();
        let mut attacker = attack::Attacker::new(field);
        loop {
            let case = next.fetch_add(1, Ordering::Relaxed);
            if case >= cases.end {
                return Ok(outcome);
            }
            outcome.cases += 1;
            attacker.attack(case, plan.random(case), &mut outcome);
        }
    };
    match threads::on(ATTACKERS, work) {
        Ok(outcomes) => outcomes.into_iter().for_each(|one| outcome.add(one)),
        Err(error) => outcome.violation(None, format!("an attacker {error}")),
    }
}
