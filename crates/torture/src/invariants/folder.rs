//! The bytes of a log's folder, and what the bytes alone say: read here once more, and not by the library.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use indelible::format::chain::Hash;
use indelible::format::own::{OwnRecord, Prune, TailKind};
use indelible::format::record::{Content, Record, parse_head};
use indelible::storage::{Access, Kind, Storage};
use memchr::memchr;

use super::told_by;

const ACTIVE: &str = "audit.log";
/// What no state of the log depends on.
const LOCK: &str = "lock";
/// Bytes of a line that are told.
const TOLD: usize = 60;
const QUARANTINE: &str = "quarantine/";

/// Every file of a folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    files: BTreeMap<String, Vec<u8>>,
    /// The newest segment as the cache shows it, where that is not what the medium holds.
    cached: Option<Vec<u8>>,
}

/// The bytes that readers see.
pub(super) struct Cached<'a>(&'a Snapshot);

impl Snapshot {
    /// As readers see it.
    pub(super) fn of(storage: &dyn Storage, folder: &Path) -> Result<Self, String> {
        let mut snapshot = Self::default();
        snapshot.add(storage, folder, "")?;
        Ok(snapshot)
    }

    /// As the medium holds it, where that is to be known: the newest segment.
    pub(super) fn of_medium(storage: &dyn Storage, folder: &Path) -> Result<Self, String> {
        let mut snapshot = Self::of(storage, folder)?;
        if let Some(shown) = snapshot.files.get_mut(ACTIVE) {
            let held = read(storage, &folder.join(ACTIVE), Side::Medium)?;
            if held != *shown {
                snapshot.cached = Some(std::mem::replace(shown, held));
            }
        }
        Ok(snapshot)
    }

    fn add(&mut self, storage: &dyn Storage, folder: &Path, inside: &str) -> Result<(), String> {
        let at = folder.join(inside);
        let names =
            storage.list(&at).map_err(|e| format!("{} is not listed: {e}", at.display()))?;
        for name in names {
            let path = at.join(&name);
            let stat = storage.stat(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            if stat.kind == Kind::Folder && inside.is_empty() {
                self.add(storage, folder, &format!("{name}/"))?;
            } else if stat.kind == Kind::File && name != LOCK {
                let bytes = read(storage, &path, Side::Cache)?;
                self.files.insert(format!("{inside}{name}"), bytes);
            }
        }
        Ok(())
    }

    pub(super) fn cached(&self) -> Cached<'_> {
        Cached(self)
    }

    /// Names of the files that are not the same in both.
    pub(super) fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        let gone = self.files.iter().filter(|(name, bytes)| other.files.get(*name) != Some(*bytes));
        let new = other.files.keys().filter(|name| !self.files.contains_key(*name));
        gone.map(|(name, _)| name.as_str()).chain(new.map(String::as_str))
    }

    /// How many records the newest checkpoint in the folder covers.
    fn mark(&self) -> u64 {
        let file = |name: &str| self.files.get(name).map_or(&[][..], Vec::as_slice);
        let notes = split(file("checkpoints.jsonl")).filter(|line| line.ends_with(b"\n"));
        let best = notes.filter_map(|line| size_of(line, "\\n")).max();
        size_of(file("checkpoint"), "\n").max(best).unwrap_or(0)
    }

    fn quarantine(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.iter().filter(|(name, _)| name.starts_with(QUARANTINE));
        files.map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }
}

impl Cached<'_> {
    /// Whether a crash tore the tail of the newest segment: it has no line feed at its end, or a page is missing.
    pub(super) fn is_torn(&self) -> bool {
        let Self(snapshot) = self;
        let newest = match Segments::of(snapshot).names.last() {
            Some((0, bytes)) => snapshot.cached.as_deref().unwrap_or(bytes),
            Some((_, bytes)) => bytes,
            None => return false,
        };
        newest.last().is_some_and(|last| *last != b'\n') || memchr(0, newest).is_some()
    }
}

/// The segments of a folder, oldest first, with their numbers.
pub(super) struct Segments<'a> {
    names: Vec<(u64, &'a [u8])>,
}

/// The records of a folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) lines: Vec<Line>,
    /// Which of them each segment begins with; behind the last where it holds none.
    begins: Vec<usize>,
}

/// One record, as far as the bytes are asked.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) seq: u64,
    pub(super) prev_hash: Hash,
    pub(super) hash: Hash,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Event { resource: String },
    Own(Box<OwnRecord>),
}

impl<'a> Segments<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let number = |name: &str| match name.strip_prefix(ACTIVE)? {
            "" => Some(0),
            rest => rest.strip_prefix('.')?.parse::<u64>().ok(),
        };
        let files = snapshot.files.iter();
        let mut names: Vec<_> =
            files.filter_map(|(name, bytes)| Some((number(name)?, bytes.as_slice()))).collect();
        names.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        Self { names }
    }

    /// Every record; each must be one.
    pub(super) fn records(&self) -> Result<Records, String> {
        let mut records = Records::default();
        for (number, bytes) in &self.names {
            records.begins.push(records.lines.len());
            for line in split(bytes) {
                records.lines.push(parse(line).ok_or_else(|| {
                    let begin = line.get(..TOLD).unwrap_or(line);
                    format!("segment {number}: no record: {:?}…", String::from_utf8_lossy(begin))
                })?);
            }
        }
        Ok(records)
    }

    /// Every record there is; what is none is passed over.
    pub(super) fn whole_records(&self) -> Records {
        let mut records = Records::default();
        for (_, bytes) in &self.names {
            records.begins.push(records.lines.len());
            records.lines.extend(split(bytes).filter_map(parse));
        }
        records
    }

    fn joined(&self) -> Vec<u8> {
        self.names.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>().concat()
    }
}

impl Records {
    /// The first that is left.
    pub(super) fn first_seq(&self) -> u64 {
        self.lines.iter().map(|line| line.seq).min().unwrap_or(0)
    }

    /// What was announced to be pruned, with the index of the record that says so.
    fn prunes(&self) -> impl Iterator<Item = (usize, &Prune)> {
        self.lines.iter().enumerate().filter_map(|(index, line)| {
            let What::Own(own) = &line.what else { return None };
            if let OwnRecord::Prune(prune) = own.as_ref() {
                Some((index, &prune.what))
            } else {
                None
            }
        })
    }

    /// Whether the first record that is left is one that a record of pruning reaches, or the first of all.
    pub(super) fn is_beginning_told(&self) -> bool {
        let first = self.first_seq();
        first == 0 || self.prunes().any(|(_, prune)| prune.first_kept_seq >= first)
    }

    /// What is wrong with how records were removed, where so many rotated segments are to be kept; none may be removed
    /// where that is not said.
    pub(super) fn judge_pruning(&self, kept: Option<&RangeInclusive<u32>>) -> Vec<String> {
        let mut violations = Vec::new();
        let first = self.first_seq();
        if !self.is_beginning_told() {
            violations.push(format!(
                "the log begins with record {first}, and no record of pruning reaches it"
            ));
        }
        for (index, prune) in self.prunes() {
            violations.extend(self.judge_prune(index, prune, first));
        }
        let Some((index, last)) = self.prunes().last() else { return violations };
        let Some(kept) = kept else {
            violations.push("records were pruned, and nothing asked for it".to_owned());
            return violations;
        };
        if first < last.first_kept_seq {
            let until = last.first_kept_seq;
            violations.push(format!("records {first} to {until} were to be pruned, and are there"));
        }
        // Where it rotated then, so many segments were to stay; no later one removed any of them.
        let begins = self.begins.iter().filter_map(|begin| Some((*begin, self.lines.get(*begin)?)));
        let stayed =
            begins.filter(|(begin, line)| *begin < index && line.seq >= last.first_kept_seq);
        let stayed = stayed.count();
        if !u32::try_from(stayed).is_ok_and(|stayed| kept.contains(&stayed)) {
            violations.push(format!(
                "{stayed} rotated segments were left by a prune, and {kept:?} were to be kept"
            ));
        }
        violations
    }

    /// A record of pruning is the first of its segment, and what it keeps begins a segment and follows what it removes.
    fn judge_prune(&self, index: usize, prune: &Prune, first: u64) -> Option<String> {
        let told = prune.first_kept_seq;
        if !self.begins.contains(&index) {
            return Some(format!(
                "the record that prunes to {told} is not the first of its segment"
            ));
        }
        // Of what a later one removed nothing is known.
        let kept = usize::try_from(told.checked_sub(first)?).ok()?;
        let is_boundary = kept <= index && self.begins.contains(&kept);
        let follows = self
            .lines
            .get(kept)
            .is_some_and(|line| line.seq == told && line.prev_hash == prune.last_pruned_hash);
        (!is_boundary || !follows)
            .then(|| format!("records were pruned to {told}, where none begins a segment so"))
    }
}

/// Lines with their line feeds; the last may have none.
fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let size = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, behind) = rest.split_at(size);
        rest = behind;
        (!line.is_empty()).then_some(line)
    })
}

fn parse(line: &[u8]) -> Option<Line> {
    let record = Record::parse(line.strip_suffix(b"\n")?).ok()?;
    let what = if let Content::Event(fields) = record.content() {
        What::Event { resource: fields.resource().into_owned() }
    } else if let Content::Own(own) = record.content() {
        What::Own(Box::new(own.clone()))
    } else {
        return None;
    };
    Some(Line { seq: record.seq(), prev_hash: record.prev_hash(), hash: record.hash(), what })
}

/// The size that a checkpoint states on its second line.
fn size_of(note: &[u8], line_end: &str) -> Option<u64> {
    let text = std::str::from_utf8(note).ok().filter(|text| !text.contains('\0'))?;
    text.split(line_end).nth(1)?.parse().ok()
}

/// Records that do not follow the one before.
pub(super) fn out_of_order(lines: &[Line]) -> Vec<String> {
    let pairs = lines.windows(2).filter_map(|pair| match pair {
        [one, next] => Some((one, next)),
        _ => None,
    });
    let wrong = pairs.filter(|(one, next)| next.seq != one.seq + 1 || next.prev_hash != one.hash);
    wrong
        .map(|(one, next)| format!("record {} does not follow record {}", next.seq, one.seq))
        .collect()
}

/// Files in quarantine that no record tells of.
pub(super) fn untold(after: &Snapshot, lines: &[Line]) -> Vec<String> {
    let first = lines.first().map_or(0, |line| line.seq);
    let told = |name: &str| lines.iter().filter_map(told_by).any(|told| told.quarantine == name);
    // What tells of an old one may be pruned.
    let is_kept = |name: &str| {
        let seq = name.strip_prefix(QUARANTINE).and_then(|name| name.split('-').next());
        seq.and_then(|seq| seq.parse::<u64>().ok()).is_none_or(|seq| seq >= first)
    };
    let files = after.quarantine().filter(|(name, _)| is_kept(name) && !told(name));
    files.map(|(name, _)| format!("no record tells of {name}")).collect()
}

/// What recovery took away and should not have, or without quarantine or record.
pub(super) fn lost(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, bytes) in before.quarantine().filter(|(name, _)| !name.contains(".tmp")) {
        if after.files.get(name).map(Vec::as_slice) != Some(bytes) {
            violations.push(format!("{name} is gone, or is another"));
        }
    }
    let (was, is) = (Segments::of(before).joined(), Segments::of(after).joined());
    // Segments that were announced as pruned are gone: their first records tell where the rest begins.
    let begins = is.get(..is.len().min(64)).unwrap_or_default();
    let Some(start) = position(&was, begins) else {
        if !was.is_empty() {
            violations.push("the first record that is left was none of the log's".to_owned());
        }
        return violations;
    };
    let was = was.get(start..).unwrap_or_default();
    let torn = split(was)
        .take_while(|line| line.ends_with(b"\n") && memchr(0, line).is_none())
        .map(<[u8]>::len)
        .sum::<usize>();
    let (whole, cut) = was.split_at(torn);
    if !is.starts_with(whole) {
        violations.push("records that were whole were cut or changed".to_owned());
        return violations;
    }
    violations.extend(judge_adoption(before, whole, &is));
    if !cut.is_empty() {
        let rest = is.get(torn..).unwrap_or_default();
        violations.extend(judge_cut(cut, rest, after));
    }
    violations
}

/// Records that no signature covered are told to be adopted.
fn judge_adoption(before: &Snapshot, whole: &[u8], is: &[u8]) -> Option<String> {
    let mark = before.mark();
    let last = whole.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
    let last = parse_head(last).ok()?.seq;
    if last < mark {
        return None;
    }
    let is_behind = |line: &&[u8]| parse_head(line).is_ok_and(|head| head.seq >= last);
    let is_told = split(is).filter(is_behind).any(|line| {
        let Some(Line { seq, what: What::Own(own), .. }) = parse(line) else { return false };
        let OwnRecord::Adopt(adopt) = *own else { return false };
        adopt.from_seq == mark && (adopt.to_seq >= last || seq == last)
    });
    (!is_told).then(|| format!("no record tells that records {mark} to {last} were adopted"))
}

/// Torn bytes are in quarantine, or were ended by a line feed, and the next records say so.
fn judge_cut(cut: &[u8], rest: &[u8], after: &Snapshot) -> Option<String> {
    let ended = [cut, b"\n"].concat();
    let (is_ended, told_from) =
        if rest.starts_with(&ended) { (true, ended.len()) } else { (false, 0) };
    let told = split(rest.get(told_from..).unwrap_or_default()).filter_map(parse);
    let told: Vec<_> = told.filter_map(|line| told_by(&line).cloned()).collect();
    if is_ended {
        let is_told = told.iter().any(|told| told.kind == TailKind::NoLf);
        return (!is_told).then(|| "a line was ended, and no record tells of it".to_owned());
    }
    let kept = after.quarantine().find(|(_, bytes)| *bytes == cut);
    let Some((name, _)) = kept else {
        return Some(format!("{} torn bytes were cut, and are not in quarantine", cut.len()));
    };
    let size = u64::try_from(cut.len()).unwrap_or(u64::MAX);
    let is_told = told.iter().any(|told| told.quarantine == name && told.length == size);
    (!is_told).then(|| format!("torn bytes were cut, and no record tells of {name}"))
}

#[derive(Clone, Copy)]
enum Side {
    Cache,
    Medium,
}

/// A whole file.
fn read(storage: &dyn Storage, path: &Path, from: Side) -> Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let file = storage.open(path, Access::Read).map_err(failed)?;
    let size = usize::try_from(file.stat().map_err(failed)?.size).unwrap_or(usize::MAX);
    let mut bytes = vec![0; size];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let offset = u64::try_from(filled).unwrap_or(u64::MAX);
        let read = match from {
            Side::Cache => file.read_at(rest, offset),
            Side::Medium => file.read_medium_at(rest, offset),
        };
        match read.map_err(failed)? {
            0 => break,
            size => filled += size,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, what)
}
