//! One attacker: picks an abuse by the numbers of its case. The first cases are every role on every call, each once.

use super::field::Field;
use super::roles::Grpc;
use super::{bodies, frames, oddities, roles};
use crate::layer::Outcome;

/// What an abuse came to: what it is counted as, or what must not be.
pub(super) type Done = Result<String, String>;

pub(super) struct Attacker<'a> {
    field: &'a Field<'a>,
    grpc: Grpc,
}

impl<'a> Attacker<'a> {
    pub(super) fn new(field: &'a Field<'a>) -> Self {
        Self { field, grpc: Grpc::default() }
    }

    pub(super) fn attack(&mut self, case: u64, mut random: fastrand::Rng, outcome: &mut Outcome) {
        let (field, random) = (self.field, &mut random);
        if let Some(done) = roles::of_matrix(field, &mut self.grpc, case, random) {
            outcome.count("of these, each role on each call and each wrong credential, once", 1);
            return tell(case, done, outcome);
        }
        let done = match random.u8(..100) {
            0..=21 => roles::over_http(field, case, random),
            22..=41 => roles::over_grpc(field, &mut self.grpc, case, random),
            42..=53 => roles::as_nobody(field, random),
            54..=73 => bodies::attack(field, random),
            74..=83 => oddities::attack(field, random),
            84..=91 => frames::attack(field, random),
            _ => bodies::slowly(field, case, random),
        };
        tell(case, done, outcome);
    }
}

fn tell(case: u64, done: Done, outcome: &mut Outcome) {
    match done {
        Ok(what) => outcome.count(what, 1),
        Err(what) => outcome.violation(case, what),
    }
}

/// Checks a status, and for a problem its code: `internal` is never an answer.
pub(super) fn expect(
    what: &str,
    answer: &crate::http::Answer,
    expected: &[u16],
) -> Result<(), String> {
    if expected.contains(&answer.status) && answer.code() != "internal" {
        return Ok(());
    }
    Err(format!("{what}: answered {}, not {expected:?}: {}", answer.status, answer.body))
}
