//! Finds names that occur twice in one object.
//!
//! Owns a stack: each open object has its names on it, above those of the object around it. Objects of a few names are
//! compared pair by pair, larger ones are sorted, so that time never grows with the square of the text.

use std::borrow::Cow;

use super::Text;
use crate::seeded::{self, Bug};

/// Up to how many names are compared pair by pair.
const PAIRWISE_MAX: usize = 12;

/// The names of all objects that are open.
#[derive(Default)]
pub(super) struct Names<'a> {
    stack: Vec<Name<'a>>,
}

struct Name<'a> {
    text: Text<'a>,
    offset: usize,
}

impl<'a> Names<'a> {
    /// Where the names of an object that begins now will start.
    pub(super) fn mark(&self) -> usize {
        self.stack.len()
    }

    /// Adds a name of the innermost object.
    pub(super) fn push(&mut self, text: Text<'a>, offset: usize) {
        self.stack.push(Name { text, offset });
    }

    /// Ends the innermost object; the offset of a name that it had before, if there is one.
    pub(super) fn close(&mut self, mark: usize) -> Option<usize> {
        let repeated = repeated(self.stack.get(mark..).unwrap_or_default());
        self.stack.truncate(mark);
        repeated.filter(|_| !seeded::is(Bug::LenientParsing))
    }
}

fn repeated(names: &[Name<'_>]) -> Option<usize> {
    if names.len() <= PAIRWISE_MAX && !names.iter().any(|name| name.text.escaped) {
        let again = |(i, name): &(usize, &Name<'_>)| {
            names.iter().take(*i).any(|other| other.text.raw == name.text.raw)
        };
        return names.iter().enumerate().find(again).map(|(_, name)| name.offset);
    }
    let mut decoded: Vec<(Cow<'_, str>, usize)> =
        names.iter().map(|name| (name.text.decode(), name.offset)).collect();
    decoded.sort_unstable();
    let again = decoded.iter().zip(decoded.iter().skip(1)).filter(|(a, b)| a.0 == b.0);
    again.map(|(_, later)| later.1).min()
}
