//! What the log says of itself, and whether it may: genesis, prunes, redactions, adoptions, a newer format.
//!
//! Invariant: a record that needs the log's signature and has none excuses nothing.

use std::collections::BTreeMap;

use indelible_format::chain::Hash;
use indelible_format::note::VerifierKey;
use indelible_format::own::{OwnRecord, Prune, Redact};
use indelible_format::record::Record;
use indelible_format::time::Timestamp;
use indelible_format::tree::leaf_hash;

use super::collect::Findings;
use super::finding::{Finding, FindingClass, Problem};
use super::place::Place;
use super::plan::Identity;
use crate::layout::FORMAT;

/// A redacted line that no record has explained yet.
#[derive(Debug)]
struct Redacted {
    hash: Hash,
    timestamp: Timestamp,
    place: Place,
    /// How many lost places came before it.
    lost_before: u64,
}

/// A record of the log's own, and where it stands.
#[derive(Debug)]
pub(super) struct Own<'r> {
    pub(super) record: &'r Record<'r>,
    pub(super) said: &'r OwnRecord,
    pub(super) place: &'r Place,
    pub(super) first_of_segment: bool,
}

/// What the log's own records have said so far.
#[derive(Debug)]
pub(super) struct Policy<'a> {
    identity: Option<&'a Identity>,
    keys: &'a [VerifierKey],
    redacted: BTreeMap<u64, Redacted>,
    /// Where the last valid prune record stands that keeps the least, and from which seq on it keeps.
    prune: Option<(u64, Place)>,
    newer_from: Option<u64>,
    /// How many places there were so far where a disk has lost records.
    lost: u64,
    /// What repairs put into quarantine.
    pub(super) quarantined: Vec<Quarantined>,
}

/// Bytes that a repair cut off, as its record tells of them.
#[derive(Debug)]
pub(super) struct Quarantined {
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) sha256: Hash,
    /// Seq of the record.
    pub(super) told_by: u64,
}

impl<'a> Policy<'a> {
    /// `keys` are those whose signatures count.
    pub(super) fn new(identity: Option<&'a Identity>, keys: &'a [VerifierKey]) -> Self {
        Self {
            identity,
            keys,
            redacted: BTreeMap::new(),
            prune: None,
            newer_from: None,
            lost: 0,
            quarantined: Vec::new(),
        }
    }

    /// Whether the form of records is still one that this program knows.
    pub(super) fn form_known(&self) -> bool {
        self.newer_from.is_none()
    }

    /// Keeps a redacted line until a later record explains it.
    pub(super) fn redacted(&mut self, record: &Record<'_>, place: &Place) {
        let redacted = Redacted {
            hash: record.hash(),
            timestamp: record.timestamp(),
            place: place.clone(),
            lost_before: self.lost,
        };
        self.redacted.insert(record.seq(), redacted);
    }

    /// Takes note that records are lost here, as a disk loses them: any of those before may have been explained there.
    pub(super) fn lose(&mut self) {
        self.lost = self.lost.saturating_add(1);
    }

    /// Judges a record of the log's own. `leaf_of` gives the leaf of an earlier record.
    pub(super) fn own(
        &mut self,
        own: &Own<'_>,
        leaf_of: &mut dyn FnMut(u64) -> Option<Hash>,
        out: &mut Findings,
    ) {
        if let Some(identity) = self.identity {
            let origin = own.record.resource().unwrap_or_default();
            if origin != identity.origin.as_str() {
                let finding = own.place.finding(Problem::AnotherLogsRecord);
                let finding = finding.expected(&identity.origin).found(origin);
                out.add(with_log_id(finding, own.said, identity));
                return;
            }
            if !own.said.verify_signed(own.record.entry_head(), &identity.log_id, self.keys) {
                let finding = own.place.finding(Problem::SignedInvalid);
                out.add(with_log_id(finding.found(own.said.action()), own.said, identity));
                return;
            }
        }
        if let OwnRecord::Create(create) = own.said {
            self.create(own, create.format, out);
        } else if let OwnRecord::Prune(prune) = own.said {
            self.prune(own, &prune.what, leaf_of, out);
        } else if let OwnRecord::Redact(redact) = own.said {
            self.redact(&redact.what, own.place, out);
        } else if let OwnRecord::Recover(recover) = own.said {
            self.quarantined.extend((!recover.quarantine.is_empty()).then(|| Quarantined {
                file: recover.quarantine.clone(),
                size: recover.length,
                sha256: recover.sha256,
                told_by: own.place.seq,
            }));
        } else if let OwnRecord::Adopt(adopt) = own.said {
            let misplaced = adopt.from_seq > adopt.to_seq || adopt.to_seq >= own.place.seq;
            let problem = if misplaced { Problem::AdoptMisplaced } else { Problem::Adopted };
            let finding = own.place.finding(problem);
            out.add(finding.found(format_args!("records {} to {}", adopt.from_seq, adopt.to_seq)));
        } else if let OwnRecord::Other { action, .. } = own.said {
            out.add(own.place.finding(Problem::OwnRecordUnknown).found(action));
        } else if let OwnRecord::Format(format) = own.said
            && format.what.format != FORMAT
        {
            self.newer_from.get_or_insert(own.place.seq);
            out.add(own.place.finding(Problem::FormNotChecked).found(format_args!(
                "format {}; links, hashes, tree and checkpoints are still checked",
                format.what.format
            )));
        }
    }

    fn create(&self, own: &Own<'_>, format: u64, out: &mut Findings) {
        let finding = || own.place.finding(Problem::GenesisInvalid);
        if own.place.seq != 0 {
            let finding = finding().found("a second genesis");
            out.add(match self.identity {
                Some(identity) => with_log_id(finding, own.said, identity),
                None => finding,
            });
        } else if own.record.prev_hash() != Hash::ZERO {
            out.add(finding().expected("64 zeros as _prev_hash").found(own.record.prev_hash()));
        } else if format != FORMAT {
            out.add(finding().expected("format 1").found(format_args!("format {format}")));
        }
    }

    fn prune(
        &mut self,
        own: &Own<'_>,
        prune: &Prune,
        leaf_of: &mut dyn FnMut(u64) -> Option<Hash>,
        out: &mut Findings,
    ) {
        let finding = || own.place.finding(Problem::PruneMisplaced);
        let kept = prune.first_kept_seq;
        if let Some(identity) = self.identity.filter(|identity| identity.log_id != prune.log_id) {
            out.add(finding().expected(identity.log_id).found(prune.log_id));
            return;
        }
        if !own.first_of_segment {
            out.add(finding().evidence("it is not the first record of a segment"));
            return;
        }
        let Some(last_pruned) = kept.checked_sub(1).filter(|_| kept <= own.place.seq) else {
            let expected = format_args!("first_kept_seq from 1 to {}", own.place.seq).to_string();
            out.add(finding().expected(expected).found(kept));
            return;
        };
        let said = leaf_hash(&prune.last_pruned_hash);
        match leaf_of(last_pruned) {
            Some(leaf) if leaf == said => {}
            Some(leaf) => {
                out.add(finding().expected(format_args!("leaf {leaf}")).found(format_args!(
                    "last_pruned_hash {}, whose leaf is {said}",
                    prune.last_pruned_hash
                )));
                return;
            }
            // The leaf is lost with others, and that was reported.
            None if out.has_fault() => {}
            None => {
                out.add(finding().evidence(format!(
                    "record {last_pruned}, which it names, is in no segment and not in tree/0"
                )));
                return;
            }
        }
        if self.prune.as_ref().is_none_or(|(most, _)| kept > *most) {
            self.prune = Some((kept, own.place.clone()));
        }
    }

    fn redact(&mut self, redact: &Redact, place: &Place, out: &mut Findings) {
        let Some(redacted) = self.redacted.get(&redact.seq) else { return };
        if redacted.hash != redact.hash || redacted.timestamp != redact.timestamp {
            return;
        }
        let finding = redacted.place.finding(Problem::Redacted);
        out.add(finding.evidence(format!("announced and signed in record {}", place.seq)));
        self.redacted.remove(&redact.seq);
    }

    /// Records before this one were pruned, as a valid record says; others that are missing before the first that is there
    /// are lost.
    pub(super) fn pruned_before(&self, first: Option<&Place>) -> u64 {
        let kept = self.prune.as_ref().map_or(0, |(kept, _)| *kept);
        first.map_or(kept, |first| kept.min(first.seq))
    }

    /// Says what no record has explained by the end. `first` is the first record there is.
    pub(super) fn finish(&mut self, first: Option<&Place>, out: &mut Findings) {
        for redacted in std::mem::take(&mut self.redacted).into_values() {
            let finding = redacted.place.finding(Problem::RedactionUnannounced);
            out.add(if self.lost > redacted.lost_before {
                finding
                    .class(FindingClass::Missing)
                    .evidence("later records are lost, and the one that says so may be among them")
            } else {
                finding
            });
        }
        let Some(first) = first.filter(|first| first.seq > 0) else { return };
        match &self.prune {
            Some((kept, by)) if first.seq <= *kept => {
                out.add(Finding::new(Problem::Pruned).found(format_args!(
                    "the log begins with record {}; record {} announces it and is signed",
                    first.seq, by.seq
                )));
            }
            Some((kept, _)) => out.add(
                first
                    .finding(Problem::FirstRecordsMissing)
                    .expected(format_args!("record {kept} at the latest"))
                    .found(first.seq),
            ),
            None => out.add(
                first.finding(Problem::FirstRecordsMissing).expected("record 0").found(first.seq),
            ),
        }
    }
}

/// Adds whose record it is, where it says another log than this.
pub(super) fn with_log_id(finding: Finding, said: &OwnRecord, identity: &Identity) -> Finding {
    let log_id = if let OwnRecord::Create(create) = said {
        create.log_id
    } else if let OwnRecord::Prune(prune) = said {
        prune.what.log_id
    } else {
        return finding;
    };
    if log_id == identity.log_id {
        return finding;
    }
    finding.evidence(format!("it names log id {log_id}, this log is {}", identity.log_id))
}
