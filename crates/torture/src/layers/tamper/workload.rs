//! Healthy logs by chance: rotated, pruned, killed, crashed, torn, repaired, adopted, in any order; and what has to be
//! said of them, which is nothing worse than what happened to them.

use fastrand::Rng;
use indelible::FindingClass::{self, Adopted, NotAnchored, Pruned, TornTail};
use indelible::format::chain::Link;
use indelible::storage::simulated::CrashState;
use indelible::{Salting, Verdict, Verifier};

use super::kinds::rewritten::is_own;
use super::memory::{FOLDER, Memory};
use super::seeded::some_events;
use super::specimen::{Whose, segments};
use super::steady::{find, steady};
use super::workshop::Workshop;

/// A healthy log, or one with a torn tail.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) folder: Memory,
    /// How it came to be.
    pub(crate) steps: Vec<&'static str>,
    pub(crate) log: Whose,
    /// What it must be; none where a crash left either.
    verdict: Option<Verdict>,
}

/// Makes a log by one key.
pub(crate) fn made(rng: &mut Rng, key: u8) -> Made {
    let salting = if rng.u8(..4) == 0 { Salting::Off } else { Salting::On };
    let mut shop = Workshop::salted(key, salting);
    let log = shop.whose();
    let mut steps = vec!["created"];
    let mut verdict = Some(Verdict::Sound);
    for _ in 0..rng.u8(..7) {
        let (step, left) = step(&mut shop, &log, rng);
        steps.push(step);
        verdict = left;
    }
    if verdict == Some(Verdict::Sound) && rng.u8(..6) == 0 && crash(&mut shop, rng) {
        steps.push("crashed");
        // What a crash leaves of the records is by chance, and is not made steady: a salt may be torn.
        return Made { folder: shop.folder(), steps, log, verdict: None };
    }
    if verdict != Some(Verdict::Sound) {
        return Made { folder: shop.folder(), steps, log, verdict };
    }
    let (folder, _, log) = steady_now(&shop.folder(), &log, rng);
    Made { folder, steps, log, verdict }
}

/// Without earlier states; where leaves of pruned records are needed, it stays as it is.
fn steady_now(folder: &Memory, log: &Whose, rng: &mut Rng) -> (Memory, Vec<Memory>, Whose) {
    if segments(folder)[0].lines[0].seq == 0 {
        steady(folder, &[], log, rng)
    } else {
        (folder.clone(), vec![], log.clone())
    }
}

/// One thing that happens to a log, and what it then is.
fn step(shop: &mut Workshop, log: &Whose, rng: &mut Rng) -> (&'static str, Option<Verdict>) {
    let events = some_events(rng, 1, 3);
    let again = some_events(rng, 1, 1);
    let sound = Some(Verdict::Sound);
    match rng.u8(..10) {
        0 | 1 => {
            shop.append(&events);
            ("appended", sound)
        }
        2 | 3 => {
            shop.append(&events);
            shop.rotate_early();
            shop.append(&again);
            ("rotated", sound)
        }
        4 => {
            shop.append(&events);
            shop.rotate_early();
            if segments(&shop.folder()).len() > 2 {
                shop.prune_early(log);
            }
            let files = segments(&shop.folder()).len().saturating_sub(2).max(1);
            shop.max_files = u32::try_from(files).ok();
            shop.append(&again);
            ("pruned", sound)
        }
        5 => {
            shop.append_and_kill(&events);
            ("killed", sound)
        }
        6 => {
            shop.append_while_off(if rng.bool() { 7_200 } else { -5 }, &again);
            ("clock wrong", sound)
        }
        7 => {
            shop.append(&events);
            shop.rotate_early();
            ("rotation interrupted", sound)
        }
        kind => {
            shop.append_and_kill(&events);
            match kind {
                8 => shop.cut_last_byte(),
                _ if rng.bool() => shop.tear(&vec![0; rng.usize(1..1_200)]),
                _ => shop.tear(&b"{\"seq\":9,\"timestamp\":\""[..rng.usize(1..22)]),
            }
            if rng.u8(..3) == 0 {
                return ("torn", Some(Verdict::Torn));
            }
            shop.append(&again);
            ("torn and repaired", sound)
        }
    }
}

/// Stops the machine amid appending, and takes one of the states that it may leave; whether it could be stopped there.
fn crash(shop: &mut Workshop, rng: &mut Rng) -> bool {
    let events = some_events(rng, 1, 3);
    let before = shop.disk.operation_count();
    let rehearsal = shop.disk.fork();
    let original = std::mem::replace(&mut shop.disk, rehearsal);
    shop.append(&events);
    let after = shop.disk.operation_count();
    shop.disk = original;
    if after <= before {
        return false;
    }
    shop.disk.crash_at(rng.u64(before..after));
    shop.append_if_it_can(&events);
    let states: Vec<CrashState> = shop.disk.crash_states_seeded(64, rng.u64(..)).collect();
    let Some(state) = states.get(rng.usize(..states.len().max(1))) else { return false };
    shop.disk = shop.disk.after_crash(state);
    true
}

impl Made {
    /// What is said of it that should not be, or the other way round.
    pub(crate) fn judge(&self) -> Option<String> {
        let adopted = segments_of(&self.folder);
        for key in [None, Some(self.log.key.verifier_key())] {
            let verifier = Verifier::on(self.folder.storage(), FOLDER).strict();
            let anchored = key.is_some();
            let verifier = key.into_iter().fold(verifier, Verifier::with_key);
            let report = match verifier.verify() {
                Ok(report) => report,
                Err(error) => {
                    return Some(format!("{:?}: can't be looked at: {error}", self.steps));
                }
            };
            let verdict = report.verdict();
            let known = self.verdict.is_none_or(|known| known == verdict)
                && matches!(verdict, Verdict::Sound | Verdict::Torn);
            let classes: Vec<FindingClass> =
                report.findings.iter().map(|finding| finding.class).collect();
            let mut expected = vec![];
            expected.extend((verdict == Verdict::Torn).then_some(TornTail));
            expected.extend((!anchored).then_some(NotAnchored));
            expected.extend(vec![Adopted; adopted.0]);
            expected.extend(adopted.1.then_some(Pruned));
            if !known || classes != expected || report.anchored != anchored {
                let steps = self.steps.join(", ");
                return Some(format!("{steps}: {expected:?} were to be found, not\n{report}"));
            }
        }
        None
    }
}

/// How many adoptions the whole records tell of, and whether records before them were pruned.
fn segments_of(folder: &Memory) -> (usize, bool) {
    let names = folder.names().filter(|name| name.starts_with("audit.log"));
    let (mut adopted, mut first) = (0, u64::MAX);
    for line in names.flat_map(|name| folder.get(name).split_inclusive(|byte| *byte == b'\n')) {
        let Some(body) = line.strip_suffix(b"\n") else { continue };
        if Link::split(body).is_err() {
            continue;
        }
        let adopts = is_own(body) && find(body, b"\"action\":\"indelible.log.adopt\"").is_some();
        adopted += usize::from(adopts);
        let head = indelible::format::record::parse_head(body).unwrap();
        first = first.min(head.seq);
    }
    (adopted, first > 0)
}
