//! Salts of records: 128 random bits each, drawn many at a time, since asking the kernel for each costs as much as
//! hashing the record does.
//!
//! Invariant: no bits are given out twice. They belong to one handle; nothing is shared between logs.

use std::fmt;
use std::path::Path;

use indelible_format::event::{SALT_TEXT_SIZE, Salt};

use crate::io::{IoFailure, Operation};
use crate::options::Salting;
use crate::sync::{Mutex, lock};

/// Bytes of one salt.
const SALT_SIZE: usize = 16;
/// What stands before a salt.
const BEFORE: &[u8] = b",\"salt\":\"";
/// Salts drawn at once.
const DRAW_COUNT: usize = 64;

/// Where records get their salts from.
pub(crate) struct Salts {
    salting: Salting,
    drawn: Mutex<Vec<[u8; SALT_SIZE]>>,
}

impl Salts {
    pub(crate) fn new(salting: Salting) -> Self {
        Self { salting, drawn: Mutex::default() }
    }

    /// Appends `,"salt":"…"`, where records are salted.
    pub(crate) fn write(&self, buf: &mut Vec<u8>) -> Result<(), IoFailure> {
        if self.salting == Salting::Off {
            return Ok(());
        }
        let salt = self.next()?;
        buf.extend_from_slice(BEFORE);
        salt.write(buf);
        buf.push(b'"');
        Ok(())
    }

    /// Bytes that [`Salts::write`] appends.
    pub(crate) fn field_size(&self) -> usize {
        match self.salting {
            Salting::On => BEFORE.len() + SALT_TEXT_SIZE + 1,
            Salting::Off => 0,
        }
    }

    fn next(&self) -> Result<Salt, IoFailure> {
        let mut drawn = lock(&self.drawn);
        if drawn.is_empty() {
            let mut bits = [0; SALT_SIZE * DRAW_COUNT];
            getrandom::fill(&mut bits).map_err(|e| {
                let source = Path::new("the system's random numbers");
                IoFailure::new(Operation::Read, source, std::io::Error::other(e))
            })?;
            drawn.extend_from_slice(bits.as_chunks().0);
        }
        Ok(Salt::from_bytes(drawn.pop().unwrap_or_default()))
    }
}

impl fmt::Debug for Salts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Salts").field("salting", &self.salting).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_salt_is_given_out_twice() {
        let salts = Salts::new(Salting::On);
        let mut seen = HashSet::new();
        for _ in 0..=3 * DRAW_COUNT {
            let mut text = Vec::new();
            salts.write(&mut text).unwrap();
            assert_eq!(text.len(), salts.field_size());
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn records_that_are_not_salted_have_no_salt() {
        let mut text = Vec::new();
        let salts = Salts::new(Salting::Off);
        salts.write(&mut text).unwrap();
        assert!(text.is_empty());
        assert_eq!(salts.field_size(), 0);
    }

    #[test]
    fn debugging_shows_no_salt_that_is_still_to_be_given_out() {
        let salts = Salts::new(Salting::On);
        salts.write(&mut Vec::new()).unwrap();
        assert_eq!(format!("{salts:?}"), "Salts { salting: On, .. }");
    }
}
