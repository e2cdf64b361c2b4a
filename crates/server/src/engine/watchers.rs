//! Tells several observers what a log does: [`Watchers`].

use std::sync::Arc;

use indelible::{
    CheckpointError, CommittedGroup, Halt, MadeCheckpoint, Observer, PrunedSegment, RotatedSegment,
};

/// Each is told, in order.
#[derive(Debug)]
pub(super) struct Watchers(pub(super) Vec<Arc<dyn Observer>>);

impl Watchers {
    fn each(&self, tell: impl Fn(&dyn Observer)) {
        self.0.iter().for_each(|observer| tell(observer.as_ref()));
    }
}

impl Observer for Watchers {
    fn committed(&self, group: &CommittedGroup) {
        self.each(|observer| observer.committed(group));
    }

    fn rotated(&self, segment: &RotatedSegment) {
        self.each(|observer| observer.rotated(segment));
    }

    fn pruned(&self, segment: &PrunedSegment) {
        self.each(|observer| observer.pruned(segment));
    }

    fn checkpoint_made(&self, checkpoint: &MadeCheckpoint) {
        self.each(|observer| observer.checkpoint_made(checkpoint));
    }

    fn checkpoint_refused(&self, error: &CheckpointError) {
        self.each(|observer| observer.checkpoint_refused(error));
    }

    fn halted(&self, halt: &Halt) {
        self.each(|observer| observer.halted(halt));
    }
}
