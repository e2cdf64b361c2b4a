//! Proofs between sizes that a client names: [`inclusion`] and [`consistency`].
//!
//! Invariant: a size that the log has, and no checkpoint covers yet, is one to try again with; a size that it does not have
//! is a mistake, or the sign of a log that was cut off, and trying again is not what helps.

use indelible::{ConsistencyProof, InclusionProof, ProveError, Prover, Reader};

use crate::error::{ApiError, Code};

/// A size, and what the request calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) field: &'static str,
    pub(crate) records: u64,
}

/// Proves that record `seq` is in the tree of a size, or of the newest checkpoint; blocks.
///
/// # Errors
/// [`Code::NotFound`] where the log has no such record or size, [`Code::NotCovered`] where no checkpoint covers it yet.
pub(crate) fn inclusion(
    reader: &Reader,
    prover: &Prover,
    seq: u64,
    size: Option<Size>,
) -> Result<InclusionProof, ApiError> {
    let records = reader.records()?;
    if seq >= records {
        let last = records.saturating_sub(1);
        let text = format!("there is no record {seq}; the last is {last}");
        return Err(ApiError::new(Code::NotFound, text));
    }
    if let Some(size) = size.filter(|size| size.records > records) {
        return Err(too_far(size, records));
    }
    Ok(prover.inclusion(seq, size.map(|size| size.records))?)
}

/// Proves that the log of `to` records, or of the newest checkpoint, continues that of `from`; blocks.
///
/// # Errors
/// As [`inclusion`]; [`Code::InvalidArgument`] where `from` is 0, or after `to`.
pub(crate) fn consistency(
    reader: &Reader,
    prover: &Prover,
    from: Size,
    to: Option<Size>,
) -> Result<ConsistencyProof, ApiError> {
    if from.records == 0 {
        return Err(ApiError::field(from.field, "it is 0: it must be at least 1"));
    }
    if let Some(to) = to.filter(|to| to.records < from.records) {
        let what =
            format_args!("{} is more than {}, which is {}", from.records, to.field, to.records);
        return Err(ApiError::field(from.field, what));
    }
    let proof = prover.consistency(from.records, to.map(|to| to.records));
    // Asked for after the proof failed: a log that grew meanwhile is not called too short.
    match proof {
        Ok(proof) => Ok(proof),
        Err(
            ProveError::Backwards { to: covered, .. } | ProveError::SizeNotCovered { covered, .. },
        ) => {
            let records = reader.records()?;
            let asked = to.unwrap_or(from);
            Err(if asked.records > records {
                too_far(asked, records)
            } else {
                ProveError::SizeNotCovered { size: asked.records, covered }.into()
            })
        }
        Err(error) => Err(error.into()),
    }
}

fn too_far(size: Size, records: u64) -> ApiError {
    let Size { field, records: asked } = size;
    let text = format!(
        "{field}: the log has {records} records, and not {asked}; where a checkpoint of that size was kept, it is another \
         log's, or this one was cut off"
    );
    let mut error = ApiError::new(Code::NotFound, text);
    error.field = Some(field.to_owned());
    error
}
