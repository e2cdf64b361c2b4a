//! Reads the tail of the newest segment, from the durable mark on, and judges it by the tail table.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use indelible_format::chain::Hash;
use indelible_format::own::{OwnRecord, TailKind};
use indelible_format::record::{Content, DecodeError, Record, parse_head};
use indelible_format::seeded::{self, Bug};
use indelible_format::tile;
use indelible_format::time::Timestamp;
use indelible_format::tree::leaf_hash;

use crate::error::OpenError;
use crate::io::{IoFailure, Operation};
use crate::layout::{FORMAT, Layout};
use crate::lines::{Line, Lines, Source};
use crate::recovery::inspect::{Inspection, Last, Seen, refused, rows_missing};
use crate::segment::{Segment, read_range_of, to_u64};
use crate::storage::{Access, Storage};
use crate::tail::{TAIL_READ_SIZE, Tail, classify};
use crate::tree_store::{HASH_SIZE, RowReader, TreeSource};
use crate::verify::evidence::one_flipped_bit;
use crate::verify::{Finding, FindingClass, Problem};

/// The end of the log.
#[derive(Debug)]
pub(crate) struct TailSeen {
    /// The segment it is in.
    pub(crate) segment: Segment,
    /// The last record that holds.
    pub(crate) last: Last,
    /// Where it ends, with its line feed if it has one.
    pub(crate) end: u64,
    /// Hashes of the records beyond the mark.
    pub(crate) hashes: Vec<Hash>,
    /// What stands behind it.
    pub(crate) torn: Option<Torn>,
    /// Where the last record is an adoption: from which seq.
    pub(crate) adopted_from: Option<u64>,
}

/// Bytes behind the last record.
#[derive(Debug)]
pub(crate) struct Torn {
    pub(crate) kind: TailKind,
    /// What is cut; empty where only a line feed is missing.
    pub(crate) bytes: Vec<u8>,
}

/// Syncs the newest segment and the folder, and reads the tail from the medium.
pub(crate) fn read_tail(
    storage: &dyn Storage,
    layout: &Layout,
    seen: &Inspection,
) -> Result<TailSeen, OpenError> {
    read_tail_with(storage, layout, seen, &RowReader::new(storage, layout))
}

/// As [`read_tail`], with the tree from elsewhere than the rows as they are.
pub(crate) fn read_tail_with(
    storage: &dyn Storage,
    layout: &Layout,
    seen: &Inspection,
    tree: &dyn TreeSource,
) -> Result<TailSeen, OpenError> {
    let Some(newest) = seen.segments.last() else {
        return Err(refused(layout, Finding::new(Problem::NoRecord)));
    };
    let segment = Segment::open(storage, layout, newest.number, Access::Append)?;
    segment.file.sync_data().map_err(IoFailure::of(Operation::Sync, &segment.path))?;
    storage
        .sync_folder(layout.folder())
        .map_err(IoFailure::of(Operation::Sync, layout.folder()))?;

    let mark = seen.mark.size;
    let before = seen.segments.len().checked_sub(2).and_then(|at| seen.segments.get(at));
    let before = before.and_then(Seen::last_record);
    let first = newest.first.map(|first| first.first_seq).or(before.map(|last| last.seq + 1));
    // The note of a boundary is on the disk before the first rename of its rotation.
    let noted = seen.mark.noted;
    if first.is_none_or(|first| noted < first) {
        let finding = Finding::new(Problem::BoundaryNotNoted).in_file(segment.name());
        return Err(refused(layout, finding.found(format!("the last note covers {noted}"))));
    }
    let from = if first == Some(mark) {
        0
    } else {
        segment.seek(segment.size, |head| head.seq.cmp(&(mark - 1)).then(Ordering::Equal))?
    };
    Scan { tree, layout, mark, origin: seen.identity.origin().as_str(), seen }
        .run(segment, from, before)
}

struct Scan<'a> {
    tree: &'a dyn TreeSource,
    layout: &'a Layout,
    mark: u64,
    origin: &'a str,
    seen: &'a Inspection,
}

impl Scan<'_> {
    /// Follows the chain from `from` on to the first line that does not hold.
    fn run(
        &self,
        segment: Segment,
        from: u64,
        before: Option<Last>,
    ) -> Result<TailSeen, OpenError> {
        // Where the mark is the boundary itself, the record that it covers last is in the segment before.
        let mut last = before.filter(|_| from == 0);
        if let Some(last) = last.filter(|last| last.seq + 1 == self.mark) {
            check_leaf(self.tree, self.layout, self.mark, &last.hash)?;
        }
        let (mut end, mut hashes, mut adopted_from) = (from, Vec::new(), None);
        let mut redactions = Redactions::default();
        let (mut broken, mut without_lf) = (None, false);
        let cached = seeded::is(Bug::ReadsTailFromCache);
        let source = if cached { Source::Cache } else { Source::Medium };
        let mut lines = Lines::new(segment.file.as_ref(), source, from, segment.size);
        while let Some(line) = lines.next_line().map_err(|e| segment.read_failure(e))? {
            let (offset, bytes, whole) = match line {
                Line::Whole { offset, bytes } => (offset, bytes, true),
                Line::Unterminated { offset, bytes } => (offset, bytes, false),
                Line::TooLong { offset } => {
                    broken = Some(Finding::new(Problem::NotARecord).at(segment.name(), offset));
                    break;
                }
            };
            match self.judge(&segment, offset, bytes, last, &mut redactions) {
                Err(finding) => {
                    broken = Some(*finding);
                    break;
                }
                Ok((record, adopt)) => {
                    if record.seq >= self.mark {
                        hashes.push(record.hash);
                    } else if record.seq + 1 == self.mark {
                        check_leaf(self.tree, self.layout, self.mark, &record.hash)?;
                    }
                    adopted_from = adopt;
                    last = Some(record);
                    end = offset + to_u64(bytes.len()) + u64::from(whole);
                    without_lf = !whole;
                }
            }
        }
        let last = self.check_mark(&segment, last, end, broken.as_ref(), without_lf)?;
        redactions.check(self.layout)?;
        let torn = match broken {
            None => without_lf.then(|| Torn { kind: TailKind::NoLf, bytes: Vec::new() }),
            Some(finding) => Some(self.torn(&segment, end, finding)?),
        };
        Ok(TailSeen { segment, last, end, hashes, torn, adopted_from })
    }

    /// Checks one line: form, link, order, and what a record of the log's own claims.
    fn judge(
        &self,
        segment: &Segment,
        offset: u64,
        bytes: &[u8],
        last: Option<Last>,
        redactions: &mut Redactions,
    ) -> Result<(Last, Option<u64>), Box<Finding>> {
        let at = |problem| Finding::new(problem).at(segment.name(), offset);
        let record = Record::parse(bytes).map_err(|error| {
            let mut finding = unfit(bytes, offset, &error).at(segment.name(), offset);
            finding.seq =
                last.map(|last| last.seq + 1).or_else(|| Some(parse_head(bytes).ok()?.seq));
            finding
        })?;
        let at = |problem| at(problem).record(record.seq());
        if let Some(last) = last {
            if record.seq() != last.seq + 1 {
                return Err(Box::new(
                    at(Problem::SeqOutOfOrder).expected(last.seq + 1).found(record.seq()),
                ));
            }
            if record.prev_hash() != last.hash && !seeded::is(Bug::ComparesSeqsOnly) {
                return Err(Box::new(
                    at(Problem::ChainBroken).expected(last.hash).found(record.prev_hash()),
                ));
            }
            if record.timestamp() < last.timestamp {
                return Err(Box::new(at(Problem::TimeDecreases).found(record.timestamp())));
            }
        }
        let mut adopted_from = None;
        if let Content::Own(own) = record.content() {
            let identity = &self.seen.identity;
            if record.resource().as_deref() != Some(self.origin) {
                return Err(Box::new(at(Problem::AnotherLogsRecord)));
            }
            if matches!(own, OwnRecord::Create(_)) && record.seq() > 0 {
                return Err(Box::new(at(Problem::GenesisInvalid)));
            }
            if matches!(own, OwnRecord::Prune(_)) && offset > 0 {
                return Err(Box::new(
                    at(Problem::PruneMisplaced).evidence("it is not the first record of a segment"),
                ));
            }
            let keys = std::slice::from_ref(identity.verifier_key());
            if !own.verify_signed(record.entry_head(), &identity.log_id(), keys) {
                return Err(Box::new(at(Problem::SignedInvalid)));
            }
            if let OwnRecord::Format(format) = own
                && format.what.format != FORMAT
            {
                let finding = at(Problem::NewerFormat).expected(FORMAT).found(format.what.format);
                return Err(Box::new(finding));
            }
            if let OwnRecord::Adopt(adopt) = own
                && (adopt.from_seq > adopt.to_seq || adopt.to_seq >= record.seq())
            {
                let found = format!("records {} to {}", adopt.from_seq, adopt.to_seq);
                return Err(Box::new(at(Problem::AdoptMisplaced).found(found)));
            }
            // One that leaves out records tells of nothing.
            if let OwnRecord::Adopt(adopt) = own
                && adopt.to_seq.saturating_add(1) == record.seq()
            {
                adopted_from = Some(adopt.from_seq);
            }
        }
        redactions.take(&record, || at(Problem::RedactionUnannounced));
        let last = Last { seq: record.seq(), hash: record.hash(), timestamp: record.timestamp() };
        Ok((last, adopted_from))
    }

    /// Refuses where the log ends before the durable mark, or is another one there.
    fn check_mark(
        &self,
        segment: &Segment,
        last: Option<Last>,
        end: u64,
        broken: Option<&Finding>,
        without_lf: bool,
    ) -> Result<Last, OpenError> {
        let count = last.map_or(0, |last| last.seq + 1);
        // A record without its line feed that a checkpoint covers was cut by somebody.
        let held = count - u64::from(without_lf);
        let below = seeded::is(Bug::CutsBelowMark);
        let Some(last) = last.filter(|_| held >= self.mark || below) else {
            let finding = match broken {
                Some(finding) => explain(segment, end, finding.clone())?
                    .evidence("a signed checkpoint covers this record"),
                None => Finding::new(Problem::CutOff)
                    .in_file(segment.name())
                    .expected(format!("{} records", self.mark))
                    .found(format!("{held} whole records")),
            };
            return Err(refused(self.layout, finding));
        };
        Ok(last)
    }

    /// The bytes behind the last record, where a crash explains them.
    fn torn(&self, segment: &Segment, end: u64, finding: Finding) -> Result<Torn, OpenError> {
        let upto = segment.size.min(end + to_u64(TAIL_READ_SIZE));
        // A log that uses a newer format is whole, whatever this program can't read of it.
        if finding.problem == Problem::NewerFormat {
            return Err(refused(self.layout, finding));
        }
        // The cache may show whole records that a failed sync never brought to the medium.
        let bytes = read_range_of(segment.file.as_ref(), Source::Medium, end, upto)
            .map_err(|e| segment.read_failure(e))?;
        match classify(&bytes, end) {
            Tail::Torn(kind) => Ok(Torn { kind, bytes }),
            Tail::TooLong => Err(refused(
                self.layout,
                Finding::new(Problem::TailTooLong).at(segment.name(), end),
            )),
            Tail::NotTorn => Err(refused(self.layout, explain(segment, end, finding)?)),
        }
    }
}

/// Redacted lines that no record behind them has announced yet.
#[derive(Debug, Default)]
struct Redactions(BTreeMap<u64, (Hash, Timestamp, Finding)>);

impl Redactions {
    /// Takes a record that holds; `finding` says where it is.
    fn take(&mut self, record: &Record<'_>, finding: impl FnOnce() -> Finding) {
        if matches!(record.content(), Content::Redacted) {
            self.0.insert(record.seq(), (record.hash(), record.timestamp(), finding()));
        } else if let Content::Own(OwnRecord::Redact(signed)) = record.content() {
            let redact = &signed.what;
            let announced = |(hash, timestamp, _): &(Hash, Timestamp, Finding)| {
                *hash == redact.hash && *timestamp == redact.timestamp
            };
            if self.0.get(&redact.seq).is_some_and(announced) {
                self.0.remove(&redact.seq);
            }
        }
    }

    /// Refuses where a redacted line is left: whoever blanked it could not sign.
    fn check(self, layout: &Layout) -> Result<(), OpenError> {
        match self.0.into_values().next() {
            Some((_, _, finding)) => Err(refused(layout, finding)),
            None => Ok(()),
        }
    }
}

/// What is wrong with a line that is no record, as a verification puts it.
fn unfit(line: &[u8], offset: u64, error: &DecodeError) -> Finding {
    // Sectors may be lost between a head and a link that are whole.
    let lost = || classify(line, offset) == Tail::Torn(TailKind::Nul);
    if let DecodeError::HashMismatch { stated, computed, .. } = error
        && !lost()
    {
        return Finding::new(Problem::HashMismatch).expected(computed).found(stated);
    }
    Finding::new(Problem::NotARecord).found(error)
}

/// Puts what is wrong with the line at `offset` into the words of a verification: what a disk can explain is damage.
fn explain(segment: &Segment, offset: u64, finding: Finding) -> Result<Finding, OpenError> {
    if !matches!(finding.problem, Problem::NotARecord | Problem::HashMismatch) {
        return Ok(finding);
    }
    // All that can be torn: of a part of a long line nobody could say whether it ends.
    let upto = segment.size.min(offset + to_u64(TAIL_READ_SIZE));
    let bytes = segment.read_range(offset, upto)?;
    let line_size = memchr::memchr(b'\n', &bytes).unwrap_or(bytes.len());
    let own_class =
        |problem: Problem| Finding { problem, ..finding.clone() }.class(problem.class());
    Ok(match (classify(&bytes, offset), one_flipped_bit(&bytes, line_size)) {
        (Tail::Torn(TailKind::Nul), _) => own_class(Problem::NulRun),
        (Tail::Torn(_), _) => own_class(Problem::BelowMark),
        (Tail::TooLong | Tail::NotTorn, Some(mended)) => {
            let at = offset + to_u64(mended.at);
            finding
                .class(FindingClass::Damage)
                .evidence(format!("one flipped bit in the byte at {at} repairs it"))
        }
        (Tail::TooLong | Tail::NotTorn, None) => finding,
    })
}

/// Whether record `mark - 1` of the chain is the one that the signed tree has at that place.
fn check_leaf(
    tree: &dyn TreeSource,
    layout: &Layout,
    mark: u64,
    hash: &Hash,
) -> Result<(), OpenError> {
    // The root may need nothing of a row that is too short: whole tiles of it are in the row above.
    let Some(leaf) = tree.leaf(mark - 1)? else { return Err(rows_missing(layout, mark)) };
    let expected = leaf_hash(hash);
    if leaf == expected {
        return Ok(());
    }
    if gives_root(tree, mark, expected)? {
        let finding = Finding::new(Problem::RowsDiffer)
            .at("tree/0", (mark - 1).saturating_mul(HASH_SIZE))
            .record(mark - 1)
            .expected(expected)
            .found(leaf)
            .evidence("the record gives the root that was signed; the row is rebuilt from the records by an explicit repair");
        return Err(refused(layout, finding));
    }
    Err(refused(
        layout,
        Finding::new(Problem::RootMismatch)
            .record(mark - 1)
            .evidence("the record is not the one that the signed checkpoint covers"),
    ))
}

/// Whether the tree of `mark` leaves has the root that was signed, with `last` in the place of the last one. Where the tiles
/// are all full, the root is made of the rows above, and nothing has looked at that leaf.
fn gives_root(tree: &dyn TreeSource, mark: u64, last: Hash) -> Result<bool, OpenError> {
    let tile = (mark - 1) / u64::from(tile::WIDTH) * u64::from(tile::WIDTH);
    let signed = tree.frontier(mark)?.map(|signed| signed.root());
    let leaves: Result<Option<Vec<_>>, _> = (tile..mark - 1).map(|seq| tree.leaf(seq)).collect();
    let before = tree.frontier(tile)?.zip(leaves?);
    let root = before.map(|(mut frontier, leaves)| {
        for leaf in leaves {
            frontier.push(leaf);
        }
        frontier.push(last);
        frontier.root()
    });
    Ok(root.is_some() && root == signed)
}
