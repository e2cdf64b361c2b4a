//! Which parts of a log agree with themselves: [`Stretch`].
//!
//! Invariant: memory does not grow with the damage.

use serde::Serialize;

use super::place::Place;

/// Stretches that are kept; more are counted.
const KEPT_MAX: usize = 64;

/// Intact records that follow each other without a break of hash, chain or sequence number.
///
/// A log that is whole is one stretch. Where something is wrong, they say how much of the rest still agrees with itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stretch {
    /// Sequence number of its first record.
    pub first_seq: u64,
    /// Sequence number of its last record.
    pub last_seq: u64,
    /// File in the log's folder in which it begins.
    pub file: String,
    /// Byte position in that file.
    pub offset: u64,
    /// What speaks for it besides itself.
    pub vouched_by: Voucher,
}

/// Says what speaks for a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Voucher {
    /// Its own chain: its records follow each other, and whoever wrote them could have made them so.
    Chain,
    /// A root that a known key signed covers some of its records as they stand.
    PartlySigned,
    /// Roots that a known key signed cover all of its records as they stand.
    Signed,
}

impl Voucher {
    /// Stable name, as in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::PartlySigned => "partly-signed",
            Self::Signed => "signed",
        }
    }
}

/// Gathers stretches while records are walked.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    kept: Vec<Open>,
    left_out: u64,
    open: Option<Open>,
}

/// A stretch, before it is known who vouches for it.
#[derive(Debug)]
struct Open {
    stretch: Stretch,
    standing: Standing,
}

/// Whether records stand where their sequence numbers put them in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// They do, so a signed root over that place covers them.
    InPlace,
    /// Other records stand there, so no root speaks for these.
    Beside,
}

impl Stretches {
    /// Begins with the record at `place`.
    pub(super) fn begin(&mut self, place: &Place, standing: Standing) {
        self.end();
        let stretch = Stretch {
            first_seq: place.seq,
            last_seq: place.seq,
            file: place.file.to_string(),
            offset: place.offset,
            vouched_by: Voucher::Chain,
        };
        self.open = Some(Open { stretch, standing });
    }

    /// Goes on up to record `seq`; `false` where nothing is under way that could go on.
    pub(super) fn go_on(&mut self, seq: u64) -> bool {
        if let Some(open) = &mut self.open {
            open.stretch.last_seq = seq;
        }
        self.open.is_some()
    }

    /// Ends the one under way: what comes next is not intact, or does not follow.
    pub(super) fn end(&mut self) {
        let Some(ended) = self.open.take() else { return };
        if self.kept.len() < KEPT_MAX {
            self.kept.push(ended);
        } else {
            self.left_out += 1;
        }
    }

    /// The stretches, in the order of the log, and how many were left out; `signed` are the ranges of records that signed
    /// roots cover as they stand, by rising seq.
    pub(super) fn finish(mut self, signed: &[std::ops::Range<u64>]) -> (Vec<Stretch>, u64) {
        self.end();
        for Open { stretch, standing } in &mut self.kept {
            if *standing == Standing::Beside {
                continue;
            }
            let (first, last) = (stretch.first_seq, stretch.last_seq);
            if signed.iter().any(|range| range.contains(&first) && range.contains(&last)) {
                stretch.vouched_by = Voucher::Signed;
            } else if signed.iter().any(|range| range.start <= last && first < range.end) {
                stretch.vouched_by = Voucher::PartlySigned;
            }
        }
        (self.kept.into_iter().map(|kept| kept.stretch).collect(), self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn place(seq: u64) -> Place {
        Place { file: Arc::from("audit.log"), offset: seq * 100, seq }
    }

    #[test]
    fn stretches_say_how_far_signed_roots_cover_them() {
        let mut stretches = Stretches::default();
        assert!(!stretches.go_on(0));
        for (first, last) in [(0, 4), (6, 9), (10, 10), (18, 19), (30, 31)] {
            stretches.begin(&place(first), Standing::InPlace);
            assert!(stretches.go_on(last));
        }
        stretches.begin(&place(2), Standing::Beside);
        let (found, left_out) = stretches.finish(&[0..8, 20..30]);
        let found: Vec<_> =
            found.iter().map(|s| (s.first_seq, s.last_seq, s.offset, s.vouched_by)).collect();
        let expected = [
            (0, 4, 0, Voucher::Signed),
            (6, 9, 600, Voucher::PartlySigned),
            (10, 10, 1_000, Voucher::Chain),
            (18, 19, 1_800, Voucher::Chain),
            (30, 31, 3_000, Voucher::Chain),
            (2, 2, 200, Voucher::Chain),
        ];
        assert_eq!((found.as_slice(), left_out), (&expected[..], 0));
    }

    #[test]
    fn many_stretches_are_counted_and_not_all_kept() {
        let mut stretches = Stretches::default();
        for seq in 0..100 {
            stretches.begin(&place(seq), Standing::InPlace);
        }
        let (found, left_out) = stretches.finish(&[]);
        assert_eq!((found.len(), left_out), (64, 36));
    }
}
