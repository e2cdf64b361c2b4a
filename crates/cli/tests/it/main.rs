//! The command as people meet it: the real binary on real files.

#[cfg(test)]
mod append;
#[cfg(test)]
mod checkpoint;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod help;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod newcomer;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod support;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod verify;
