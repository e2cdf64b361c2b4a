//! Looks at a log before anything is changed: identity, durable mark, order of the segments.

use indelible_format::chain::{Hash, Link};
use indelible_format::checkpoint::Checkpoint;
use indelible_format::note::VerifierKey;
use indelible_format::own::{OwnRecord, Prune};
use indelible_format::record::{Content, Record, parse_head};
use indelible_format::seeded::{self, Bug};
use indelible_format::time::Timestamp;
use indelible_format::tree::{Frontier, leaf_hash};

use crate::error::{OpenError, Refusal};
use crate::history::{self, HistoryTail, StoredNote};
use crate::identity::Identity;
use crate::io::IoFailure;
use crate::layout::{FORMAT, Layout};
use crate::lines::Source;
use crate::segment::{Segment, numbers};
use crate::storage::{Access, Storage};
use crate::tail::lost_sectors;
use crate::tree_store::{RowReader, TreeSource};
use crate::verify::{Finding, Problem};
use crate::writer::commit::Boundary;

/// A segment that was looked at and closed again.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) number: u64,
    /// Its first record, where it has one that can be read.
    pub(crate) first: Option<Boundary>,
    /// Bytes when it was looked at.
    pub(crate) size: u64,
    first_line: Option<Vec<u8>>,
    /// The last whole line, where that is a record.
    last: Option<Last>,
}

impl Seen {
    /// The last whole line, where that is a record.
    pub(crate) fn last_record(&self) -> Option<Last> {
        self.last
    }
}

/// The last record of a stretch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
    pub(crate) timestamp: Timestamp,
}

/// The larger of `checkpoint` and the last noted one: what is known to be durable.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) size: u64,
    pub(crate) frontier: Frontier,
    /// The note in `checkpoint`, where that one is the mark.
    pub(crate) latest: Option<(u64, String)>,
    /// Size of the last noted checkpoint.
    pub(crate) noted: u64,
    pub(crate) history: HistoryTail,
}

/// What a log looks like before it is opened for appending.
#[derive(Debug)]
pub(crate) struct Inspection {
    pub(crate) identity: Identity,
    pub(crate) mark: Mark,
    /// Segments that hold bytes, oldest first.
    pub(crate) segments: Vec<Seen>,
    /// Numbers of all segment files, highest first.
    pub(crate) numbers: Vec<u64>,
    /// The first record that the announced prunes keep.
    pub(crate) kept_from: u64,
}

/// A refusal with one finding.
pub(crate) fn refused(layout: &Layout, finding: Finding) -> OpenError {
    let folder = layout.folder().to_path_buf();
    OpenError::Refused(Box::new(Refusal { folder, findings: vec![finding] }))
}

/// The refusal where rows end before the durable mark, which is at `size`.
pub(crate) fn rows_missing(layout: &Layout, size: u64) -> OpenError {
    let finding = Finding::new(Problem::RowsMissing)
        .in_file(crate::layout::TREE)
        .expected(format!("the rows of {size} records"))
        .evidence("the rows are rebuilt from the segments by an explicit repair");
    refused(layout, finding)
}

/// Looks at everything but the tail.
pub(crate) fn inspect(storage: &dyn Storage, layout: &Layout) -> Result<Inspection, OpenError> {
    inspect_with(storage, layout, &RowReader::new(storage, layout))
}

/// As [`inspect`], with the tree from elsewhere than the rows as they are.
pub(crate) fn inspect_with(
    storage: &dyn Storage,
    layout: &Layout,
    tree: &dyn TreeSource,
) -> Result<Inspection, OpenError> {
    let numbers = numbers(storage, layout)?;
    let mut segments = look_at_segments(storage, layout, &numbers, Source::Medium)?;
    let prunes = announced_prunes(&segments, None);
    let identity = identify(layout, &segments, &prunes)?;
    let mark = find_mark(layout, best_note(storage, layout, &identity)?, tree)?;
    leave_to_the_tail(&mut segments, &mark);
    check_order(layout, &segments)?;
    let kept_from = check_beginning(tree, layout, &identity, &segments, &mark)?;
    Ok(Inspection { identity, mark, segments, numbers, kept_from })
}

/// Who the log is, as far as its segments say it.
pub(crate) fn identity_of(storage: &dyn Storage, layout: &Layout) -> Result<Identity, OpenError> {
    let numbers = numbers(storage, layout)?;
    let segments = look_at_segments(storage, layout, &numbers, Source::Cache)?;
    identify(layout, &segments, &announced_prunes(&segments, None))
}

/// Looks at each segment; at the beginning of the newest one where `newest` says.
fn look_at_segments(
    storage: &dyn Storage,
    layout: &Layout,
    numbers: &[u64],
    newest: Source,
) -> Result<Vec<Seen>, IoFailure> {
    let mut keyed = Vec::new();
    let mut place = 0;
    for number in numbers {
        // In the newest a failed sync may have left lines that only the cache shows: nothing follows from those.
        let segment = if newest == Source::Medium && numbers.last() == Some(number) {
            Segment::open_on_medium(storage, layout, *number)?
        } else {
            Segment::open(storage, layout, *number, Access::Read)?
        };
        if segment.size == 0 {
            continue;
        }
        let first = segment.first_line.as_deref().and_then(boundary);
        let last = segment.last_line(segment.size)?.and_then(|(_, line)| last_record(&line));
        place = first.map_or(place, |first| first.first_seq);
        let Segment { number, first_line, size, .. } = segment;
        keyed.push((place, Seen { number, first, size, first_line, last }));
    }
    keyed.sort_by_key(|(place, _)| *place);
    Ok(keyed.into_iter().map(|(_, seen)| seen).collect())
}

/// In the newest segment a crash may have lost the end of the first line, so that it begins as the first record and ends as
/// a later one. That is judged with the tail: it begins where it has to, then.
fn leave_to_the_tail(segments: &mut [Seen], mark: &Mark) {
    let [.., before, newest] = segments else { return };
    let (Some(last), Some(first)) = (before.last, newest.first) else { return };
    let follows = Boundary { first_seq: last.seq + 1, prev_hash: last.hash };
    let line = newest.first_line.as_deref().unwrap_or_default();
    if first != follows && follows.first_seq >= mark.size && lost_sectors(line, 0).is_some() {
        newest.first = Some(follows);
    }
}

fn boundary(first_line: &[u8]) -> Option<Boundary> {
    let (start, tied) = (parse_head(first_line).ok()?, Link::split(first_line).ok()?);
    Some(Boundary { first_seq: start.seq, prev_hash: tied.prev_hash })
}

fn last_record(last_line: &[u8]) -> Option<Last> {
    let (start, tied) = (parse_head(last_line).ok()?, Link::split(last_line).ok()?);
    Some(Last { seq: start.seq, hash: tied.hash, timestamp: start.timestamp })
}

/// A prune record that begins a segment.
#[derive(Debug)]
struct Announced {
    seq: u64,
    hash: Hash,
    prune: Prune,
}

/// The prune records that begin segments, oldest first: those that `identity` signed of itself, or, as long as nobody
/// knows who the log is, those that are signed by a key that they name.
fn announced_prunes(segments: &[Seen], identity: Option<&Identity>) -> Vec<Announced> {
    let mut prunes = Vec::new();
    for seen in segments {
        let record = seen.first_line.as_deref().and_then(|line| Record::parse(line).ok());
        let Some(record) = record else { continue };
        let Content::Own(own @ OwnRecord::Prune(signed)) = record.content() else { continue };
        let prune = &signed.what;
        let (log_id, keys) = match identity {
            Some(identity) => (identity.log_id(), std::slice::from_ref(identity.verifier_key())),
            None => (prune.log_id, prune.keys.as_slice()),
        };
        let own_log = identity.is_none_or(|identity| {
            prune.log_id == identity.log_id() && prune.origin == *identity.origin()
        });
        if own_log && own.verify_signed(record.entry_head(), &log_id, keys) {
            prunes.push(Announced { seq: record.seq(), hash: record.hash(), prune: prune.clone() });
        }
    }
    prunes
}

/// Who the log is: the genesis says it, and where that was pruned, a prune record.
fn identify(
    layout: &Layout,
    segments: &[Seen],
    prunes: &[Announced],
) -> Result<Identity, OpenError> {
    let Some(first) = segments.first() else {
        return Err(refused(layout, Finding::new(Problem::NoRecord)));
    };
    let genesis = first.first_line.as_deref().and_then(|line| Record::parse(line).ok());
    if let Some(record) = genesis
        && let Content::Own(OwnRecord::Create(create)) = record.content()
    {
        if create.format != FORMAT {
            let finding = Finding::new(Problem::NewerFormat).expected(FORMAT).found(create.format);
            return Err(refused(layout, finding));
        }
        return Ok(Identity::new(create.log_id, create.origin.clone(), create.key.clone()));
    }
    if let Some(Announced { prune, .. }) = prunes.last()
        && let Some(key) = prune.keys.first()
    {
        return Ok(Identity::new(prune.log_id, prune.origin.clone(), key.clone()));
    }
    Err(refused(
        layout,
        Finding::new(Problem::IdentityUnknown).in_file(crate::layout::segment_name(first.number)),
    ))
}

/// The newest checkpoint that the log's key signed, and what stands around it.
#[derive(Debug)]
pub(crate) struct BestNote {
    pub(crate) checkpoint: Checkpoint,
    /// The note in `checkpoint`, where that one is the newest.
    latest: Option<(u64, String)>,
    /// Size of the last noted checkpoint.
    noted: u64,
    history: HistoryTail,
}

/// Reads the newest checkpoint.
pub(crate) fn best_note(
    storage: &dyn Storage,
    layout: &Layout,
    identity: &Identity,
) -> Result<BestNote, OpenError> {
    let history = history::read_tail(storage, layout)?;
    if history.is_too_long() {
        let finding = Finding::new(Problem::CheckpointMalformed)
            .at(crate::layout::HISTORY, history.whole_size)
            .found(format_args!("{} bytes without a line", history.size - history.whole_size))
            .evidence("a crash leaves no more than a part of one line");
        return Err(refused(layout, finding));
    }
    let latest = history::read_latest(storage, layout)?;
    let key = identity.verifier_key();
    let noted = history
        .last
        .as_ref()
        .map(|note| open_note(layout, identity, note, key))
        .transpose()?
        .flatten();
    let stored =
        latest.as_ref().map(|note| open_note(layout, identity, note, key)).transpose()?.flatten();
    if let (Some(stored), Some(noted)) = (&stored, &noted)
        && stored.size == noted.size
        && stored.root != noted.root
    {
        let finding = Finding::new(Problem::Forked).in_file(crate::layout::CHECKPOINT);
        return Err(refused(layout, finding));
    }
    let Some(best) = stored.iter().chain(&noted).max_by_key(|note| note.size) else {
        return Err(refused(layout, Finding::new(Problem::NoCheckpoint)));
    };
    let at_mark = stored.as_ref().is_some_and(|stored| stored.size == best.size);
    let text = latest.and_then(|note| note.note).and_then(|note| String::from_utf8(note).ok());
    Ok(BestNote {
        checkpoint: best.clone(),
        latest: text.filter(|_| at_mark).map(|text| (best.size, text)),
        noted: noted.as_ref().map_or(0, |noted| noted.size),
        history,
    })
}

/// Reads the tree up to the durable mark.
fn find_mark(layout: &Layout, best: BestNote, tree: &dyn TreeSource) -> Result<Mark, OpenError> {
    let Checkpoint { size, root, .. } = best.checkpoint;
    let Some(frontier) = tree.frontier(size)? else { return Err(rows_missing(layout, size)) };
    if frontier.root() != root {
        let finding = Finding::new(Problem::RowsDiffer)
            .in_file(crate::layout::TREE)
            .expected(format_args!("root {root}"))
            .found(format_args!("root {}", frontier.root()))
            .evidence(format!(
                "that root over {size} records is signed; whether the rows or the records were changed is for a \
                 verification to say"
            ));
        return Err(refused(layout, finding));
    }
    let BestNote { latest, noted, history, .. } = best;
    Ok(Mark { size, frontier, latest, noted, history })
}

/// The checkpoint of a note that the log's key signed; `None` where that key did not sign it.
fn open_note(
    layout: &Layout,
    identity: &Identity,
    stored: &StoredNote,
    key: &VerifierKey,
) -> Result<Option<Checkpoint>, OpenError> {
    let at = |problem| Finding::new(problem).at(stored.file, stored.offset);
    let Some(note) = &stored.note else {
        return Err(refused(layout, at(Problem::CheckpointMalformed)));
    };
    let opened = Checkpoint::open(note, std::slice::from_ref(key))
        .map_err(|e| refused(layout, at(Problem::CheckpointMalformed).found(e)))?;
    if opened.good == 0 {
        return Ok(None);
    }
    if opened.checkpoint.origin != *identity.origin() {
        let finding = at(Problem::CheckpointOfAnotherLog)
            .expected(identity.origin())
            .found(&opened.checkpoint.origin);
        return Err(refused(layout, finding));
    }
    Ok(Some(opened.checkpoint))
}

/// Refuses where segments don't follow each other.
fn check_order(layout: &Layout, segments: &[Seen]) -> Result<(), OpenError> {
    for pair in segments.windows(2) {
        let [before, after] = pair else { continue };
        let name = crate::layout::segment_name(after.number);
        let Some(last) = before.last else {
            let name = crate::layout::segment_name(before.number);
            return Err(refused(
                layout,
                Finding::new(Problem::NotARecord)
                    .in_file(name)
                    .evidence("it is the last line of a segment that another one follows"),
            ));
        };
        let Some(first) = after.first else {
            // A torn first line of the newest segment is judged with the tail.
            if segments.last().is_some_and(|newest| newest.number == after.number) {
                continue;
            }
            return Err(refused(layout, Finding::new(Problem::NotARecord).at(name, 0)));
        };
        let apart = first.first_seq != last.seq + 1 || first.prev_hash != last.hash;
        if apart && !seeded::is(Bug::GapAtBoundary) {
            let finding = Finding::new(Problem::SegmentMissing)
                .at(name, 0)
                .record(first.first_seq)
                .expected(format!("record {} chained to {}", last.seq + 1, last.hash))
                .found(format!("record {} chained to {}", first.first_seq, first.prev_hash));
            return Err(refused(layout, finding));
        }
    }
    Ok(())
}

/// Refuses where records at the beginning are gone and no prune record says so; returns the first record that the
/// announced prunes keep.
fn check_beginning(
    tree: &dyn TreeSource,
    layout: &Layout,
    identity: &Identity,
    segments: &[Seen],
    mark: &Mark,
) -> Result<u64, OpenError> {
    let mut kept_from = 0;
    for announced in announced_prunes(segments, Some(identity)) {
        let (seq, kept) = (announced.seq, announced.prune.first_kept_seq);
        let is_leaf = |seq: u64, hash: &Hash| -> Result<bool, IoFailure> {
            Ok(tree.leaf(seq)? == Some(leaf_hash(hash)))
        };
        // What the mark covers is held against the tree: a signature alone could come from another time.
        if let Some(last_pruned) = kept.checked_sub(1)
            && kept <= seq
            && is_leaf(last_pruned, &announced.prune.last_pruned_hash)?
            && (seq >= mark.size || is_leaf(seq, &announced.hash)?)
        {
            kept_from = kept_from.max(kept);
        }
    }
    let Some(first) = segments.first().and_then(|seen| seen.first) else { return Ok(kept_from) };
    if first.first_seq == 0 {
        return Ok(kept_from);
    }
    if first.first_seq > kept_from {
        let finding = Finding::new(Problem::FirstRecordsMissing)
            .record(first.first_seq)
            .expected(format!("records from {kept_from} on"))
            .found(format!("records from {} on", first.first_seq));
        return Err(refused(layout, finding));
    }
    if tree.leaf(first.first_seq - 1)? != Some(leaf_hash(&first.prev_hash)) {
        return Err(refused(layout, Finding::new(Problem::LeavesLost).record(first.first_seq)));
    }
    Ok(kept_from)
}
