//! Insertions into a text, nested as the expressions are that they go around.

use crate::request::Region;

/// A piece of what is inserted; a mutant's own or a wrapper's.
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) number: Option<u32>,
}

impl Piece {
    pub(crate) fn wrapper(text: impl Into<String>) -> Self {
        Self { text: text.into(), number: None }
    }

    pub(crate) fn of(number: u32, text: String) -> Self {
        Self { text, number: Some(number) }
    }
}

/// Insertions, told outer ones first.
#[derive(Default)]
pub(crate) struct Edits {
    insertions: Vec<Insertion>,
}

struct Insertion {
    offset: usize,
    // What ends at an offset comes before what begins there; of ends the inner one is first, of beginnings the outer one.
    order: (bool, i64),
    pieces: Vec<Piece>,
}

impl Edits {
    /// Puts `before` and `after` around the bytes from `start` to `end`.
    pub(crate) fn around(&mut self, start: usize, end: usize, before: Vec<Piece>, after: &str) {
        let turn = i64::try_from(self.insertions.len()).unwrap_or(i64::MAX);
        self.insertions.push(Insertion { offset: start, order: (true, turn), pieces: before });
        let after = vec![Piece::wrapper(after)];
        self.insertions.push(Insertion { offset: end, order: (false, -turn), pieces: after });
    }

    /// Inserts at `offset`, behind what ends there.
    pub(crate) fn at(&mut self, offset: usize, pieces: Vec<Piece>) {
        let turn = i64::try_from(self.insertions.len()).unwrap_or(i64::MAX);
        self.insertions.push(Insertion { offset, order: (true, turn), pieces });
    }

    /// The new text, and which of its bytes belong to which mutant; `None` where an offset is within a character.
    pub(crate) fn apply(mut self, source: &str) -> Option<(String, Vec<Region>)> {
        self.insertions.sort_by_key(|insertion| (insertion.offset, insertion.order));
        let (mut text, mut regions, mut done) = (String::new(), Vec::new(), 0);
        for insertion in self.insertions {
            text.push_str(source.get(done..insertion.offset)?);
            done = insertion.offset;
            for piece in insertion.pieces {
                let start = text.len();
                text.push_str(&piece.text);
                if let Some(number) = piece.number {
                    regions.push(Region { start, end: text.len(), number });
                }
            }
        }
        text.push_str(source.get(done..)?);
        Some((text, regions))
    }
}
