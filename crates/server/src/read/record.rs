//! One record: [`record`].

use indelible::{Reader, StoredRecord};

use crate::error::{ApiError, Code};

/// Finds record `seq`; blocks.
///
/// # Errors
/// [`Code::Pruned`] where retention removed it, [`Code::NotFound`] where there is none yet.
pub(crate) fn record(reader: &Reader, seq: u64) -> Result<StoredRecord, ApiError> {
    if let Some(record) = reader.record(seq)? {
        return Ok(record);
    }
    let (first, records) = (reader.first_seq()?, reader.records()?);
    Err(if seq < first {
        let text =
            format!("record {seq} was removed by retention; the first that is kept is {first}");
        ApiError::new(Code::Pruned, text)
    } else {
        let last = records.saturating_sub(1);
        ApiError::new(Code::NotFound, format!("there is no record {seq}; the last is {last}"))
    })
}
