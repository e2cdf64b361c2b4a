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
mod checker;
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
mod hands;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod left_over;
#[cfg(test)]
mod model;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod nuls;
#[cfg(test)]
mod pruning;
#[cfg(test)]
mod querying;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod repairing;
#[cfg(test)]
mod repairs;
#[cfg(test)]
mod rewriting;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod strange;
#[cfg(test)]
mod tails;
#[cfg(test)]
mod tamper;
#[cfg(test)]
mod time;
#[cfg(test)]
mod verifying;
