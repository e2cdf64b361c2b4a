//! The tree as it will be once rows are rebuilt, for looking at the tail before that.
//!
//! It holds no leaves: the few that are asked for are found in the segments, which the survey has checked.

use std::sync::Arc;

use indelible_format::chain::{Hash, Link};
use indelible_format::tree::{Frontier, leaf_hash};

use super::survey::Survey;
use crate::io::IoFailure;
use crate::layout::Layout;
use crate::reader::{ReadError, Reader};
use crate::storage::Storage;
use crate::tree_store::{RowReader, TreeSource};

/// The tree that the records give.
#[derive(Debug)]
pub(super) struct Rebuilt<'a> {
    pub(super) storage: &'a Arc<dyn Storage>,
    pub(super) layout: &'a Layout,
    pub(super) survey: &'a Survey,
}

impl TreeSource for Rebuilt<'_> {
    fn frontier(&self, size: u64) -> Result<Option<Frontier>, IoFailure> {
        let frontier = self.survey.frontier();
        Ok((frontier.size() == size).then(|| frontier.clone()))
    }

    fn leaf(&self, seq: u64) -> Result<Option<Hash>, IoFailure> {
        if seq < self.survey.first_seq() {
            return RowReader::new(self.storage.as_ref(), self.layout).leaf(seq);
        }
        let record = Reader::open_on(Arc::clone(self.storage), self.layout.folder())
            .and_then(|reader| reader.unsynced().record(seq));
        match record {
            Ok(record) => Ok(record.and_then(|record| {
                Link::split(&record.line).ok().map(|link| leaf_hash(&link.hash))
            })),
            Err(ReadError::Io(failure)) => Err(failure),
            Err(_) => Ok(None),
        }
    }
}
