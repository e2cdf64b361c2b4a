//! What is asked and answered, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One mutant, as `cargo mutants --list --json` tells it, with a number of ours.
#[derive(Debug, Deserialize)]
pub(crate) struct Mutant {
    pub(crate) number: u32,
    pub(crate) file: String,
    pub(crate) genre: String,
    pub(crate) replacement: String,
    pub(crate) span: Lines,
    pub(crate) function: Option<Function>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Function {
    pub(crate) return_type: String,
    pub(crate) span: Lines,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Lines {
    pub(crate) start: Place,
    pub(crate) end: Place,
}

/// A place in a file; lines and columns count from 1, columns in characters.
#[derive(Debug, Deserialize)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Answer {
    /// By file, in the order of their starts; the wrappers around code that stays have no mutant.
    pub(crate) regions: BTreeMap<String, Vec<Region>>,
    /// Number and reason.
    pub(crate) inexpressible: Vec<(u32, String)>,
    /// In functions that the compiler may be alone to run.
    pub(crate) constant: Vec<u32>,
}

/// Bytes of a rewritten file that are there for a mutant alone.
#[derive(Debug, Serialize)]
pub(crate) struct Region {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) number: u32,
}
