//! Specimens by chance: other events, sizes, salts, repairs, clocks, and more than one prune.
//!
//! Always three segments of two records at least, the newest of which begins with a prune record, and records beyond
//! the last checkpoint.

use fastrand::Rng;
use indelible::{Event, Salting};

use super::specimen::{Specimen, events};
use super::steady::steady;
use super::workshop::Workshop;

/// The specimen of these numbers; the same numbers and another `key` make its twin, which differs in nothing else.
pub(crate) fn seeded(rng: &mut Rng, key: u8) -> Specimen {
    let salting = if rng.u8(..4) == 0 { Salting::Off } else { Salting::On };
    let mut shop = Workshop::salted(key, salting);
    let log = shop.whose();
    let mut earlier = vec![shop.folder()];
    let prunes = 1 + usize::from(rng.u8(..3) == 0) + usize::from(rng.u8(..6) == 0);
    for number in 0..2 + prunes {
        fill(&mut shop, rng);
        earlier.push(shop.folder());
        shop.rotate_early();
        earlier.push(shop.folder());
        if number >= 2 {
            shop.prune_early(&log);
            shop.max_files = Some(2);
        }
    }
    fill(&mut shop, rng);
    earlier.push(shop.folder());
    shop.append_and_kill(&some_events(rng, 1, 4));
    let mut own = Rng::with_seed(rng.u64(..) ^ u64::from(key));
    let (folder, earlier, log) = steady(&shop.folder(), &earlier, &log, &mut own);
    Specimen::of(format!("specimen by key {key}"), folder, log, earlier)
}

/// Appends, with what may go wrong on the way; ends with everything signed.
fn fill(shop: &mut Workshop, rng: &mut Rng) {
    for _ in 0..=rng.u8(..2) {
        match rng.u8(..8) {
            0 => shop.append_and_kill(&some_events(rng, 1, 2)),
            1 | 2 => {
                shop.append_and_kill(&some_events(rng, 0, 2));
                let end = rng.usize(1..TORN.len());
                shop.tear(&TORN[..end]);
            }
            3 => {
                shop.append_and_kill(&some_events(rng, 1, 2));
                shop.cut_last_byte();
            }
            4 => {
                shop.append_and_kill(&some_events(rng, 1, 1));
                shop.tear(&vec![0; rng.usize(1..700)]);
            }
            5 => shop.append_while_off(7_200, &some_events(rng, 1, 1)),
            6 => {
                shop.set_clock_off(-5);
                shop.append(&some_events(rng, 1, 2));
                shop.set_clock_off(0);
            }
            _ => shop.append(&some_events(rng, 1, 2)),
        }
    }
    shop.append(&some_events(rng, 2, 3));
}

/// What a crash may leave of a line.
const TORN: &[u8] = b"{\"seq\":8,\"timestamp\":\"2026-01-02T03:04:05.000000000Z\",\"actor\":\"a";

/// From `least` to `most` events.
pub(crate) fn some_events(rng: &mut Rng, least: usize, most: usize) -> Vec<Event> {
    (0..rng.usize(least..=most)).map(|_| event(rng)).collect()
}

/// Most are terse, so that logs are small; some are real, and some as strange as an event may be.
fn event(rng: &mut Rng) -> Event {
    let number = rng.u32(..1000);
    match rng.u8(..12) {
        0 => {
            let real = events();
            real[rng.usize(..real.len())].clone()
        }
        1 | 2 => strange(rng),
        3 => Event::new("a", "b", format!("r{number}")).event_id(format!("{:x}", rng.u64(..))),
        4 => Event::new("a", "b", format!("r{number}"))
            .event_time("2026-01-02T03:04:05+05:30")
            .parent_id("p"),
        _ => Event::new("a", "b", format!("r{number}")),
    }
}

/// Valid, but seldom seen.
fn strange(rng: &mut Rng) -> Event {
    let event = Event::new("a", "b", "r/\u{e9}\u{1f980}\u{7f}\u{1}\"\\");
    match rng.u8(..9) {
        0 => event.metadata_raw(r#"{"n":[1.0,-0e+5,1e999,123456789012345678901234567890,null]}"#),
        1 => event.metadata_raw(r#"{"\u0061":"\ud83e\udd80\u0000","":{},"b":[[],[{}]]}"#),
        2 => event.session_raw(r#"{"_hash":"x","_prev_hash":"y","seq":1,"signed":"z"}"#),
        3 => {
            let deep = format!("{{\"a\":{}1{}}}", "[".repeat(31), "]".repeat(31));
            event.metadata_raw(deep)
        }
        4 => Event::new("a".repeat(1_024), "b", "r"),
        5 => event.metadata(serde_json::json!({"x": "y".repeat(rng.usize(400..2_000))})),
        6 => event.metadata_raw(r#"{"link":",\"_prev_hash\":\"","lines":"\n{\"seq\":1"}"#),
        7 => Event::new("indelible2", "indelibly.b", "r").session_raw("{}").metadata_raw("{}"),
        _ => event.event_time("2024-02-29T23:59:59.1Z").outcome(indelible::Outcome::Denied),
    }
}
