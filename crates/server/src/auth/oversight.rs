//! What is counted of callers: [`Oversight`].

use crate::auth::rates::Rates;
use crate::auth::refusals::Refusals;
use crate::config::Limits;

/// Whom the service refused, and how much each appends; every caller counts in it.
#[derive(Debug)]
pub(crate) struct Oversight {
    pub(crate) refusals: Refusals,
    pub(super) rates: Rates,
}

impl Oversight {
    /// Nothing counted yet, under these limits.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { refusals: Refusals::default(), rates: Rates::new(limits) }
    }
}
