//! The kinds of mutants: for each, how it is made and what has to be found of it; its tests try all of a small log, the
//! layer tries it on many logs by chance.

#![expect(
    clippy::unnecessary_wraps,
    reason = "kinds that find a place everywhere are drawn as the others are"
)]

pub(crate) mod anchored;
pub(crate) mod bytes;
pub(crate) mod cuts;
pub(crate) mod every;
pub(crate) mod files;
pub(crate) mod forged;
pub(crate) mod lines;
pub(crate) mod notes;
pub(crate) mod rewritten;
pub(crate) mod unlawful;

use std::sync::OnceLock;

use fastrand::Rng;

use super::expected::Mutant;
use super::seeded::seeded;
use super::specimen::{Specimen, small_by};
use super::steady::steady;

/// A log to tamper with, and another one of the same shape to take from.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) specimen: Specimen,
    twin: OnceLock<Specimen>,
    /// What the twin is made from; none where it is that of the small one.
    rng: Option<Rng>,
}

impl Stand {
    /// The one that every byte of is changed.
    pub(crate) fn small(rng: &mut Rng) -> Self {
        let made = small_by(1);
        let (folder, earlier, log) = steady(&made.folder, &made.earlier, &made.log, rng);
        let specimen = Specimen::of("small", folder, log, earlier);
        Self { specimen, twin: OnceLock::new(), rng: None }
    }

    pub(crate) fn seeded(rng: &Rng) -> Self {
        let specimen = seeded(&mut rng.clone(), 1);
        Self { specimen, twin: OnceLock::new(), rng: Some(rng.clone()) }
    }

    /// The same by another key, with another id.
    pub(crate) fn twin(&self) -> &Specimen {
        self.twin.get_or_init(|| match &self.rng {
            None => small_by(2),
            Some(rng) => {
                let mut rng = rng.clone();
                seeded(&mut rng, 2)
            }
        })
    }
}

/// Makes a mutant by chance; none where the specimen has no place for it.
pub(crate) type Draw = fn(&Stand, &mut Rng) -> Option<Mutant>;

/// Each kind, its name, and how often it comes up.
pub(crate) const KINDS: &[(&str, u8, Draw)] = &[
    ("a byte of a record", 10, bytes::draw),
    ("two bytes", 6, bytes::draw_two),
    ("a byte more or less", 6, bytes::draw_sized),
    ("lost sectors", 4, bytes::draw_lost),
    ("the newest file cut", 4, cuts::draw_newest),
    ("an older file cut", 4, cuts::draw_older),
    ("bytes behind the end", 3, cuts::draw_tail),
    ("a file removed", 2, files::draw_removed),
    ("a file doubled or exchanged", 2, files::draw_exchanged),
    ("a quarantine file", 1, files::draw_quarantine),
    ("a line removed", 3, lines::draw_removed),
    ("a line doubled", 3, lines::draw_doubled),
    ("lines swapped", 5, lines::draw_swapped),
    ("a forged prune", 3, forged::draw_prune),
    ("a redaction", 4, forged::draw_redaction),
    ("a byte of a note", 3, notes::draw_note),
    ("a byte of a row", 6, notes::draw_row),
    ("a row cut", 3, notes::draw_row_cut),
    ("earlier rows and notes", 3, notes::draw_earlier),
    ("another log's rows and notes", 1, notes::draw_foreign),
    ("hashed anew", 5, rewritten::draw_suffix),
    ("spliced", 5, rewritten::draw_splice),
    ("another link", 3, rewritten::draw_link),
    ("no record, signed again", 6, unlawful::draw),
    ("rolled back", 4, anchored::draw_rollback),
    ("forked", 5, anchored::draw_fork),
    ("an end that no signature covers", 3, anchored::draw_end),
    ("another log", 2, anchored::draw_other),
];

/// One of `all`.
pub(crate) fn any<'a, T>(rng: &mut Rng, all: &'a [T]) -> &'a T {
    &all[rng.usize(..all.len())]
}
