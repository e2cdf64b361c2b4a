//! Tests of the log as its users see it, a module for each property.

#[cfg(test)]
mod acknowledgement;
#[cfg(test)]
mod anchors;
#[cfg(test)]
mod append;
#[cfg(test)]
mod backing_up;
#[cfg(test)]
mod bad_sectors;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod checker;
#[cfg(test)]
mod composed;
#[cfg(test)]
mod counting;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod daily;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod following;
#[cfg(test)]
mod forged;
#[cfg(test)]
mod halting;
#[cfg(test)]
mod hands;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod interleaved;
#[cfg(test)]
mod left_over;
#[cfg(test)]
mod meanwhile;
#[cfg(test)]
mod model;
#[cfg(test)]
mod noted;
#[cfg(test)]
mod nuls;
#[cfg(test)]
mod observing;
#[cfg(test)]
mod one_sync;
#[cfg(test)]
mod own_records;
#[cfg(test)]
mod placing;
#[cfg(test)]
mod proving;
#[cfg(test)]
mod pruning;
#[cfg(test)]
mod quarantined;
#[cfg(test)]
mod querying;
#[cfg(test)]
mod receipted;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod repairing;
#[cfg(test)]
mod repairs;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod service;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod strange;
#[cfg(test)]
mod tails;
#[cfg(test)]
mod time;
#[cfg(test)]
mod unreadable;
#[cfg(test)]
mod untidy;
#[cfg(test)]
mod verifying;
#[cfg(test)]
mod walking;
