//! Logs that the engine made, each in another way: rotated, pruned, torn, repaired, adopted, in any order.

use super::memory::Memory;
use super::specimen::{Workshop, segments, terse};
use crate::mutants::Dice;
use crate::rewriting::Author;

/// A healthy log, or one with a torn tail.
pub(crate) struct Made {
    pub(crate) folder: Memory,
    /// How it came to be.
    pub(crate) steps: Vec<&'static str>,
    pub(crate) author: Author,
}

/// Makes a log, always by the same key.
pub(crate) fn made(dice: &mut Dice) -> Made {
    let mut shop = Workshop::new(5);
    let log = shop.whose();
    let mut steps = vec!["created"];
    let mut number = 0;
    for _ in 0..=dice.below(9) {
        let count = 1 + dice.below(3);
        let events = terse(count, number);
        number += count;
        steps.push(match dice.below(8) {
            0 | 1 => {
                shop.append(&events);
                "appended"
            }
            2 | 3 => {
                shop.append(&events);
                shop.rotate_early();
                shop.append(&terse(1, number));
                "rotated"
            }
            4 => {
                shop.append(&events);
                shop.rotate_early();
                if segments(&shop.folder()).len() > 2 {
                    shop.prune_early(&log);
                }
                let files = segments(&shop.folder()).len().saturating_sub(2).max(1);
                shop.max_files = u32::try_from(files).ok();
                shop.append(&terse(1, number));
                "pruned"
            }
            5 => {
                shop.append_and_kill(&events);
                "killed"
            }
            6 => {
                shop.append_and_kill(&events);
                shop.cut_last_byte();
                if dice.below(3) > 0 {
                    shop.append(&terse(1, number));
                }
                "killed before a line feed"
            }
            _ => {
                shop.append_and_kill(&events);
                shop.tear(&b"{\"seq\":9,\"timestamp\":\""[..=dice.below(20)]);
                if dice.below(3) > 0 {
                    shop.append(&terse(1, number));
                }
                "killed amid a record"
            }
        });
    }
    let author = Author::new(log.key, log.log_id);
    Made { folder: shop.folder(), steps, author }
}
