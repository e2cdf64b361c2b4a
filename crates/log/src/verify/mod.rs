//! Verifies a log folder, and says what it found: [`Verifier`], [`Report`], [`Finding`].
//!
//! The order is that of `docs/spec/`, *Reading*: `checkpoints.jsonl`, `checkpoint`, segments from the oldest to the
//! newest, rows; so it works on a closed folder, on a copy, and on a folder that is being appended to.
//!
//! Invariants:
//! - it only reads;
//! - what is wrong with the log is a finding, and no error; an error means that it could not look;
//! - memory grows with the notes, the segments, the repairs and the redactions of a log, not with its records.
//!
//! It never repairs, and it judges no intent.

mod advice;
mod anchors;
mod collect;
mod count;
mod elsewhere;
pub(crate) mod evidence;
pub(crate) mod finding;
mod ground;
mod medium;
mod notes;
mod place;
mod plan;
mod policy;
mod progress;
mod quarantine;
mod report;
mod rows;
mod scan;
mod stretches;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_format::identity::Origin;
use indelible_format::note::VerifierKey;
use indelible_format::record::Depth;

pub use self::anchors::{
    Anchoring, KeptCheckpoint, KeptError, ReceiptError, ReceiptFault, Receipts,
};
use self::anchors::{Anchors, Held};
use self::collect::Findings;
pub use self::finding::{Finding, FindingClass, Problem};
use self::ground::{End, Ground};
use self::notes::{Malformed, SignedRoots};
use self::plan::{Identity, Plan};
use self::policy::Policy;
pub use self::progress::Progress;
pub use self::report::{Report, Verdict};
use self::scan::{Feed, Pace, Scan};
pub use self::stretches::{Stretch, Voucher};
use self::tree::Tree;
use self::walk::{Ahead, Boundary, Walk};
use crate::io::IoFailure;
use crate::layout::{ACTIVE, Layout};
use crate::storage::Storage;
use crate::storage::local::LocalStorage;

/// How often it begins again where segments are renamed or removed under it.
const ATTEMPTS_MAX: u32 = 100;

/// Verifies one log folder.
///
/// # Examples
/// ```no_run
/// let report = indelible::Verifier::new("audit")?.verify()?;
/// print!("{report}");
/// # Ok::<(), indelible::VerifyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    keys: Vec<VerifierKey>,
    depth: Depth,
    progress: Arc<Progress>,
    pace: Pace,
    anchors: Anchors,
}

/// Why a folder could not be looked at; this says nothing about the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The path has no name of its own.
    #[error("{} names no folder of its own", folder.display())]
    NoFolder {
        /// The path.
        folder: PathBuf,
    },
    /// This machine's files can't be worked on.
    #[error("could not prepare to read files: {0}")]
    Storage(#[source] std::io::Error),
    /// A file or the folder could not be opened or read.
    #[error(transparent)]
    Io(#[from] IoFailure),
    /// Segments were renamed or removed each time it looked.
    #[error("{} keeps changing: its files moved in each of {attempts} attempts", folder.display())]
    KeepsChanging {
        /// The folder.
        folder: PathBuf,
        /// How often it looked.
        attempts: u32,
    },
}

impl Verifier {
    /// Verifies the log at `folder` on this machine.
    ///
    /// # Errors
    /// This machine's files can't be worked on.
    pub fn new(folder: impl AsRef<Path>) -> Result<Self, VerifyError> {
        let storage = LocalStorage::new().map_err(VerifyError::Storage)?;
        Ok(Self::on(Arc::new(storage), folder))
    }

    /// Verifies the log at `folder` on another disk.
    pub fn on(storage: Arc<dyn Storage>, folder: impl AsRef<Path>) -> Self {
        Self {
            storage,
            folder: folder.as_ref().to_path_buf(),
            keys: Vec::new(),
            depth: Depth::Link,
            progress: Arc::default(),
            pace: Pace::default(),
            anchors: Anchors::default(),
        }
    }

    /// Adds a key that is known from elsewhere. With one or more, only their signatures count; without, those of the
    /// key that the log itself names, and the report says that it is not anchored.
    #[must_use]
    pub fn with_key(mut self, key: VerifierKey) -> Self {
        self.keys.push(key);
        self.anchors.keys += 1;
        self
    }

    /// Adds a checkpoint that was kept outside of the log: the log must still have its records, with its root. Its
    /// signature is checked against the keys that were given, or else against the log's own.
    #[must_use]
    pub fn with_checkpoint(mut self, kept: KeptCheckpoint) -> Self {
        self.anchors.checkpoints.push(kept);
        self
    }

    /// Takes receipts that were kept outside of the log, in place of any taken before: each record must be there as
    /// its receipt says.
    #[must_use]
    pub fn with_receipts(mut self, receipts: Receipts) -> Self {
        self.anchors.receipts = receipts;
        self
    }

    /// Says which origin the log must have. That is no anchor: whoever writes a log gives it any origin.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.anchors.origin = Some(origin);
        self
    }

    /// Checks the whole form of every record: each field of what clients sent, byte by byte.
    ///
    /// Without this, of a client's event it checks the head, the link suffix and the hash: that it is what the log wrote.
    /// Only a faulty writer can put a line below the last checkpoint that passes these and is no record. The log's own
    /// records, and those that no signature covers, are always checked in full.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.depth = Depth::Form;
        self
    }

    /// Lets `progress` tell how far it has come, and end it early. One for each verification.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Checks everything, on all cores.
    ///
    /// # Errors
    /// The folder, or a file in it, could not be looked at. What is wrong with the log is in the report.
    pub fn verify(&self) -> Result<Report, VerifyError> {
        let layout = Layout::of(&self.folder)
            .ok_or_else(|| VerifyError::NoFolder { folder: self.folder.clone() })?;
        for _ in 0..ATTEMPTS_MAX {
            if let Some(report) = self.attempt(&layout)? {
                return Ok(report);
            }
        }
        Err(VerifyError::KeepsChanging { folder: self.folder.clone(), attempts: ATTEMPTS_MAX })
    }

    /// One look; `None` where segments moved under it.
    fn attempt(&self, layout: &Layout) -> Result<Option<Report>, VerifyError> {
        let storage = self.storage.as_ref();
        let (mut out, mut in_notes) = (Findings::default(), Findings::default());
        let stored = notes::read(storage, layout, &mut in_notes)?;
        let Some(plan) = Plan::of(storage, layout)? else { return Ok(None) };
        let keys = self.keys_for(plan.identity.as_ref());
        let origin = plan.identity.as_ref().map(|identity| &identity.origin);
        let malformed = notes::read_malformed(storage, layout, &stored);
        let mut roots = SignedRoots::judge(&stored, &malformed, origin, &keys, &mut in_notes);
        let mut anchors =
            self.anchors.join(&mut roots, plan.identity.as_ref(), &keys, &mut in_notes);
        let tree = Tree::open(storage, layout, &roots)?;
        let ground = Ground { storage, layout, plan: &plan, roots: &roots };
        let scan = Scan::new(ground, self.depth, self.pace);
        let (progress, feed) = (self.progress.as_ref(), Feed::new(&scan));
        let ahead = Ahead { depth: self.depth, feed, progress };
        let mut walk = Walk::new(ground, tree, Policy::new(plan.identity.as_ref(), &keys), ahead);
        let end = std::thread::scope(|scope| {
            let _ends_with_the_walk = scan.start(scope);
            walk.run(&mut out)
        })?;
        if end == End::Gone {
            return Ok(None);
        }
        let (complete, first) = (end == End::Complete, walk.first().cloned());
        if complete {
            walk.finish(&mut out);
        }
        out.append(in_notes);
        let signed = Signed { ground, keys: &keys, policy: &walk.policy, complete };
        Self::judge_whole(&signed, walk.next_seq(), &mut out)?;
        if !roots.is_empty() {
            self.judge_boundaries(layout, origin, &keys, &walk.boundaries, &mut out)?;
        }
        let held = held(ground, &walk, complete, progress);
        let Some(complete) = self.anchors.hold(&held, &mut anchors, &mut out)? else {
            return Ok(None);
        };
        elsewhere::explain(&held, &mut out);
        let (findings, suppressed) = out.finish();
        let (stretches, stretches_left_out) =
            std::mem::take(&mut walk.stretches).finish(walk.tree.confirmed());
        Ok(Some(Report {
            findings,
            suppressed,
            log_id: plan.identity.as_ref().map(|identity| identity.log_id),
            origin: origin.cloned(),
            anchored: anchors.is_anchored(),
            anchors,
            segments: u64::try_from(plan.segments.len()).unwrap_or(u64::MAX),
            first_seq: first.map(|first| first.seq),
            records: walk.records,
            next_seq: walk.next_seq(),
            head: walk.head(),
            root: walk.tree.root(),
            checkpoint_size: roots.latest().map(|(size, _)| size),
            checkpoints: roots.notes,
            checkpoints_unknown: roots.unknown,
            complete,
            stretches,
            stretches_left_out,
        }))
    }

    /// Keys whose signatures count.
    fn keys_for(&self, identity: Option<&Identity>) -> Vec<VerifierKey> {
        if self.keys.is_empty() {
            identity.map(|identity| identity.keys.clone()).unwrap_or_default()
        } else {
            self.keys.clone()
        }
    }

    /// Boundaries without a note; a rotation since the notes were read made another.
    fn judge_boundaries(
        &self,
        layout: &Layout,
        origin: Option<&Origin>,
        keys: &[VerifierKey],
        boundaries: &[Boundary],
        out: &mut Findings,
    ) -> Result<(), VerifyError> {
        if boundaries.is_empty() {
            return Ok(());
        }
        let mut unheard = Findings::default();
        let stored = notes::read(self.storage.as_ref(), layout, &mut unheard)?;
        let newer = SignedRoots::judge(&stored, &Malformed::new(), origin, keys, &mut unheard);
        for boundary in boundaries.iter().filter(|boundary| !newer.is_noted(boundary.size)) {
            out.add(
                Finding::new(Problem::BoundaryNotNoted)
                    .at(&boundary.file, 0)
                    .expected(format_args!("a signed note of {}", count::records(boundary.size))),
            );
        }
        Ok(())
    }

    /// What only the whole log shows.
    fn judge_whole(
        signed: &Signed<'_>,
        next_seq: Option<u64>,
        out: &mut Findings,
    ) -> Result<(), VerifyError> {
        let Signed { ground, keys, policy, complete } = signed;
        let Ground { plan, roots, .. } = ground;
        if next_seq.is_none() && *complete {
            let files =
                !plan.segments.is_empty() || !plan.empty.is_empty() || !plan.strange.is_empty();
            let nothing = !files && roots.notes == 0;
            let finding = Finding::new(Problem::NoRecord);
            out.add(if nothing {
                finding.evidence(
                    "there is no file of a log here: is the path right, is its volume mounted?",
                )
            } else {
                finding
            });
        } else if plan.identity.is_none() {
            out.add(Finding::new(Problem::IdentityUnknown));
        }
        if let Some((size, root)) = roots.latest()
            && size > next_seq.unwrap_or(0)
            && *complete
        {
            let newest = plan.segments.last();
            let name = newest.map_or_else(|| ACTIVE.to_owned(), plan::Planned::name);
            out.add(
                Finding::new(Problem::CutOff)
                    .at(name, newest.map_or(0, |newest| newest.size))
                    .expected(count::records(size))
                    .found(count::records(next_seq.unwrap_or(0)))
                    .evidence(format!("signed in {}", root.place())),
            );
        }
        for name in &plan.strange {
            out.add(Finding::new(Problem::NotAFile).in_file(name));
        }
        for name in plan.empty.iter().filter(|name| *name != ACTIVE) {
            let finding = Finding::new(Problem::SegmentMissing).at(name, 0);
            out.add(finding.expected("at least one record").found("an empty file"));
        }
        if !keys.is_empty() && roots.is_empty() {
            match plan.identity.as_ref().and_then(|identity| anchors::other_keys(identity, keys)) {
                Some(finding) => out.put_first(finding),
                None => out.add(
                    Finding::new(Problem::NoCheckpoint)
                        .found(format_args!("{} by other keys", count::notes(roots.unknown))),
                ),
            }
        }
        // Behind what checkpoints show of the same end.
        if *complete {
            quarantine::judge(ground, &policy.quarantined, next_seq, out)?;
        }
        Ok(())
    }
}

/// The folder as the walk has found it, for anchors.
fn held<'a>(
    ground: Ground<'a>,
    walk: &'a Walk<'_>,
    complete: bool,
    progress: &'a Progress,
) -> Held<'a> {
    Held {
        ground,
        first_seq: walk.first().map(|first| first.seq),
        pruned_before: walk.policy.pruned_before(walk.first()),
        next_seq: walk.next_seq().unwrap_or(0),
        ends_lost: walk.ends_lost(),
        torn_at: walk.torn_at(),
        unreadable_in: walk.unreadable_in(),
        complete,
        progress,
    }
}

/// What the log says of itself.
struct Signed<'a> {
    ground: Ground<'a>,
    /// Those that count.
    keys: &'a [VerifierKey],
    /// What its own records said.
    policy: &'a Policy<'a>,
    /// Whether everything was looked at.
    complete: bool,
}
