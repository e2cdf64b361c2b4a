//! The layers, in the order in which they run.

#[cfg(not(seeded_bugs))]
mod abuse;
mod block;
mod block_replay;
mod failing_device;
mod fuzz;
mod kill;
mod power_cut;
mod schedules;
mod seeded_bugs;
mod simulated_disk;
mod system_calls;
mod tamper;
mod two_implementations;

use crate::layer::Layer;

pub(crate) use self::block::worker;

/// Every layer.
pub(crate) const ALL: &[&Layer] = &[
    &simulated_disk::LAYER,
    &system_calls::LAYER,
    &power_cut::LAYER,
    &block_replay::LAYER,
    &failing_device::LAYER,
    &kill::LAYER,
    &tamper::LAYER,
    &fuzz::LAYER,
    &two_implementations::LAYER,
    &schedules::LAYER,
    #[cfg(not(seeded_bugs))]
    &abuse::LAYER,
    &seeded_bugs::LAYER,
];
