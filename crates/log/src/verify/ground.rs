//! What all parts of a verification look at, and how their look ended.

use super::notes::SignedRoots;
use super::plan::Plan;
use crate::layout::Layout;
use crate::storage::Storage;

/// The folder, as the walk sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    pub(super) storage: &'a dyn Storage,
    pub(super) layout: &'a Layout,
    pub(super) plan: &'a Plan,
    pub(super) roots: &'a SignedRoots,
}

/// How the walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It has seen everything.
    Complete,
    /// It was told to stop.
    Stopped,
    /// A segment was gone, which retention explains: everything has to begin again.
    Gone,
}
