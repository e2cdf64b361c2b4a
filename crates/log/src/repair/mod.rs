//! Explicit repair: says what it would do to a log, and does it when told: [`Repair`].
//!
//! It does what opening for appending does to what a crash left, and one thing that opening refuses: row bytes that the
//! durable mark covers, and that are absent or wrong, are rebuilt from the segments.
//!
//! Invariants:
//! - looking changes nothing;
//! - no byte of a record is changed below the mark, ever: damaged records are restored from a copy, not repaired;
//! - what is wrong and can't be repaired is what a strict verification finds, in its words; where that is a fault, nothing
//!   at all is done: such a log is evidence;
//! - rows are written only when the records give the root that was signed, beside the old ones, and put in place one by
//!   one, each with one rename: a crash at any step leaves rows that are no worse than before;
//! - done twice it equals done once.
//!
//! Spec: `docs/spec/recovery.md`, "Explicit repair".

mod error;
mod plan;
mod rebuilt;
mod rows;
mod survey;
mod walk;

use std::path::Path;
use std::sync::Arc;

pub use self::error::RepairError;
pub use self::plan::{RepairPlan, RepairStep, Unsigned};
use self::rebuilt::Rebuilt;
use self::survey::Survey;
use crate::error::OpenError;
use crate::io::exists;
use crate::keys::load_signer;
use crate::layout::Layout;
use crate::lock_file::{holder, take_lock};
use crate::log::AuditLog;
use crate::opening::{check_files, check_is_log, check_medium, layout_of, local};
use crate::options::Options;
use crate::recovery::Recovery;
use crate::recovery::inspect::{best_note, identity_of, inspect_with};
use crate::recovery::mend::Mend;
use crate::recovery::tail::read_tail_with;
use crate::storage::{Lock, Storage};
use crate::tree_store::{RowReader, TreeSource};
use crate::verify::{Finding, Problem, Verifier};

/// A log that was looked at for repair, and is locked until this is dropped.
///
/// # Examples
/// ```no_run
/// let repair = indelible::Repair::look("audit", indelible::Options::default())?;
/// for step in &repair.plan().steps {
///     println!("would {step}");
/// }
/// repair.run()?;
/// # Ok::<(), indelible::RepairError>(())
/// ```
#[derive(Debug)]
pub struct Repair {
    storage: Arc<dyn Storage>,
    layout: Layout,
    options: Options,
    lock: Box<dyn Lock>,
    survey: Option<Survey>,
    plan: RepairPlan,
}

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repaired {
    /// Rows that were rebuilt from the records.
    pub rows: Vec<u8>,
    /// What opening for appending did then; `None` where there was nothing for it to do.
    pub recovery: Option<Recovery>,
}

impl Repair {
    /// Looks at the log in `folder`, all of it, and changes nothing but the holder's name in `lock`.
    ///
    /// # Errors
    /// The log is not there, in use, or a file can't be read. What can't be repaired is in the plan.
    pub fn look(folder: impl AsRef<Path>, options: Options) -> Result<Self, RepairError> {
        Self::look_on(local(folder.as_ref())?, folder, options)
    }

    /// As [`Repair::look`], on another disk.
    ///
    /// # Errors
    /// As [`Repair::look`].
    pub fn look_on(
        storage: Arc<dyn Storage>,
        folder: impl AsRef<Path>,
        options: Options,
    ) -> Result<Self, RepairError> {
        options.validate()?;
        let layout = layout_of(folder.as_ref())?;
        if !exists(storage.as_ref(), layout.folder())? {
            return Err(OpenError::NotFound { folder: layout.folder().to_path_buf() }.into());
        }
        check_is_log(storage.as_ref(), &layout)?;
        check_medium(storage.as_ref(), &layout, layout.folder(), &options)?;
        check_files(storage.as_ref(), &layout)?;
        let lock = take_lock(storage.as_ref(), &layout, &holder(None))?;
        let plan = RepairPlan::default();
        let mut repair = Self { storage, layout, options, lock, survey: None, plan };
        repair.make_plan()?;
        Ok(repair)
    }

    /// What [`Repair::run`] does, and what it can't.
    pub fn plan(&self) -> &RepairPlan {
        &self.plan
    }

    /// Does what the plan says.
    ///
    /// # Durability
    /// On `Ok` all of it is on the disk.
    ///
    /// # Errors
    /// `Ok` and nothing done is what a log with a fault that can't be repaired gets. After an error the log is as it was, or part of the repair is done; it can be looked at and repaired again.
    pub fn run(self) -> Result<Repaired, RepairError> {
        let Self { storage, layout, options, lock, survey, plan } = self;
        let mut repaired = Repaired::default();
        let opens = plan.steps.iter().any(RepairStep::is_for_opening);
        if opens {
            // Without the key nothing could be told in the log: then nothing is begun.
            load_signer(storage.as_ref(), &layout, &options)?;
        }
        if let Some(survey) = survey {
            repaired.rows = survey.wrong_rows();
            rows::rebuild(storage.as_ref(), &layout, &survey)?;
        }
        if opens {
            drop(lock);
            let log = AuditLog::open_on(storage, layout.folder(), options)?;
            repaired.recovery = Some(log.recovery().clone());
            log.close().map_err(|source| RepairError::Close { source })?;
        }
        Ok(repaired)
    }

    /// Verifies the log, and finds out what of that can be repaired.
    fn make_plan(&mut self) -> Result<(), RepairError> {
        let verifier = Verifier::on(Arc::clone(&self.storage), self.layout.folder()).strict();
        let report = verifier.verify()?;
        let faults: Vec<_> =
            report.findings.into_iter().filter(|finding| finding.class.is_fault()).collect();
        // A verification has compared the rows, too.
        let unfit = if faults.is_empty() { None } else { self.look_at_rows()? };
        let rebuilds = self.survey.is_some();
        let is_of_rows = |finding: &Finding| {
            matches!(finding.problem, Problem::RowsMissing | Problem::RowsDiffer)
        };
        let left = faults.into_iter().filter(|finding| !(rebuilds && is_of_rows(finding)));
        self.plan.left.extend(left);
        let refused = self.look_at_tail()?;
        if self.plan.left.is_empty() {
            // No fault to a verification, as a newer format is none.
            self.plan.left.extend(refused);
        } else if self.plan.left.iter().all(is_of_rows) {
            // Why they can't be rebuilt.
            self.plan.left.extend(unfit);
        }
        self.plan.settle();
        if self.plan.steps.is_empty() {
            self.survey = None;
        }
        Ok(())
    }

    /// Compares every row with the records; keeps the survey where rows are to be rebuilt. Returns why they can't be.
    fn look_at_rows(&mut self) -> Result<Option<Finding>, RepairError> {
        let storage = self.storage.as_ref();
        let best = identity_of(storage, &self.layout)
            .and_then(|identity| best_note(storage, &self.layout, &identity));
        let checkpoint = match best {
            Ok(best) => best.checkpoint,
            // The look at the tail says it.
            Err(OpenError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match Survey::take(storage, &self.layout, &checkpoint)? {
            Ok(survey) if survey.wrong_rows().is_empty() => Ok(None),
            Ok(survey) => {
                self.plan.steps.extend(survey.steps());
                self.survey = Some(survey);
                Ok(None)
            }
            Err(finding) => Ok(Some(*finding)),
        }
    }

    /// Finds out what opening would do once the rows are rebuilt. Returns why it would refuse the log.
    fn look_at_tail(&mut self) -> Result<Vec<Finding>, RepairError> {
        match self.steps_of_opening() {
            Ok(steps) => {
                self.plan.steps.extend(steps);
                Ok(Vec::new())
            }
            Err(OpenError::Refused(refusal)) => Ok(refusal.findings),
            Err(error) => Err(error.into()),
        }
    }

    fn steps_of_opening(&self) -> Result<Vec<RepairStep>, OpenError> {
        let storage = self.storage.as_ref();
        let rows = RowReader::new(storage, &self.layout);
        let rebuilt = self.survey.as_ref().map(|survey| Rebuilt {
            storage: &self.storage,
            layout: &self.layout,
            survey,
        });
        let tree: &dyn TreeSource = match &rebuilt {
            Some(rebuilt) => rebuilt,
            None => &rows,
        };
        let seen = inspect_with(storage, &self.layout, tree)?;
        let tail = read_tail_with(storage, &self.layout, &seen, tree)?;
        let mend = Mend { storage: &self.storage, layout: &self.layout, seen: &seen, tail: &tail };
        plan::steps_of(&mend)
    }
}
