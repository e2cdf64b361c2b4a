//! The actions of the log's own records, as version 1 spells them.

/// The log begins.
pub const CREATE: &str = "indelible.log.create";
/// Open found records beyond the durable mark.
pub const ADOPT: &str = "indelible.log.adopt";
/// Open repaired what a crash left.
pub const RECOVER: &str = "indelible.log.recover";
/// Retention removed records.
pub const PRUNE: &str = "indelible.log.prune";
/// The content of a record was removed.
pub const REDACT: &str = "indelible.log.redact";
/// From here on a newer version of the format.
pub const FORMAT: &str = "indelible.log.format";
/// The clock stood behind the last timestamp.
pub const CLOCK_BEHIND: &str = "indelible.clock.behind";
/// The clock jumped ahead, or such a jump is over.
pub const CLOCK_JUMP: &str = "indelible.clock.jump";
/// The service started.
pub const SERVICE_START: &str = "indelible.service.start";
/// The service stops.
pub const SERVICE_STOP: &str = "indelible.service.stop";
/// What the service is configured by changed.
pub const SERVICE_CONFIGURE: &str = "indelible.service.configure";
/// The service refused access.
pub const SERVICE_REFUSE: &str = "indelible.service.refuse";
