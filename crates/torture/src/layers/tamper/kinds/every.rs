//! Every byte of every file of a small log: each of its bits flipped, made another byte, and the file cut there.

use super::bytes::{Target, several_bits};
use super::cuts::{newest_cut, older_cut};
use super::files::quarantine_changed;
use super::notes::{checkpoint_byte, noted_byte, row_byte, row_cut};
use crate::layers::tamper::expected::Mutant;
use crate::layers::tamper::specimen::Specimen;

/// What is done to one byte: eight flipped bits, other bytes, a cut.
const WAYS: usize = 11;
/// The last of them.
const CUT: usize = WAYS - 1;

/// Each byte of a log's files, in every way.
#[derive(Debug)]
pub(crate) struct Every {
    /// File, byte in it, and way.
    all: Vec<(String, usize, usize)>,
}

impl Every {
    /// But for what would be no change, or a NUL, of which there is a rule of its own.
    pub(crate) fn of(specimen: &Specimen) -> Self {
        let mut all = Vec::new();
        for name in specimen.folder.names() {
            let bytes = specimen.folder.get(name);
            for (at, byte) in bytes.iter().enumerate() {
                // Of a note that is wrong, each bit is tried by its signature, which takes long: one bit and another
                // byte will do, and no cut, for nothing tells how many notes there were.
                let note = name.starts_with("checkpoint");
                let ways = (0..WAYS).filter(|way| !note || [at % 8, 8].contains(way));
                let ways = ways.filter(|way| {
                    let mask = mask(*way, *byte, at);
                    *way == CUT || (mask != 0 && mask != *byte)
                });
                let ways = ways.filter(|way| *way != CUT || !name.starts_with("quarantine/"));
                all.extend(ways.map(|way| (name.to_owned(), at, way)));
            }
        }
        Self { all }
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn mutant(&self, specimen: &Specimen, index: usize) -> Mutant {
        let (name, at, way) = &self.all[index];
        let (at, cut) = (*at, *way == CUT);
        let mask = mask(*way, specimen.folder.get(name)[at], at);
        let segment = specimen.segments.iter().position(|segment| segment.name == *name);
        match (name.as_str(), segment) {
            (_, Some(2)) if cut => newest_cut(specimen, at),
            (_, Some(segment)) if cut => older_cut(specimen, segment, at),
            (_, Some(segment)) => {
                let segment = &specimen.segments[segment];
                let line = segment.lines.iter().rev().find(|line| line.offset <= at).unwrap();
                Target { specimen, segment, line, at: at - line.offset }.mutant(mask)
            }
            ("tree/0", _) if cut => row_cut(specimen, at),
            ("tree/0", _) => row_byte(specimen, name, at, mask),
            ("checkpoint", _) => checkpoint_byte(specimen, at, mask),
            ("checkpoints.jsonl", _) => noted_byte(specimen, at, mask),
            (name, _) => quarantine_changed(specimen, name, at, mask),
        }
    }
}

/// What a way makes of a byte.
fn mask(way: usize, byte: u8, at: usize) -> u8 {
    match way {
        0..8 => 1 << way,
        8 => several_bits(byte, at),
        _ => several_bits(byte, at + 3).rotate_left(1) ^ 0x05,
    }
}
