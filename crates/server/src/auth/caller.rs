//! Who calls, once that is known: [`Caller`].

use std::sync::Arc;

use indelible::Glob;
use indelible::format::chain::Hash;
use indelible::format::own::{RefuseReason, Who};
use jiff::Timestamp;

use crate::auth::oversight::Oversight;
use crate::auth::role::Role;
use crate::config::Grant;
use crate::error::{ApiError, Code};

/// An authenticated caller (or an anonymous one, where those are taken); in the extensions of each request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    principal: Arc<Principal>,
    /// What it was let in on, where that can be taken back while the service runs.
    lease: Option<Lease>,
}

/// The token that a caller was let in on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    /// The digest of the token.
    pub(crate) token: Hash,
    /// Of the set in which it was found.
    pub(crate) generation: u64,
    pub(crate) expires: Option<Timestamp>,
}

#[derive(Debug)]
struct Principal {
    name: String,
    grants: Vec<Grant>,
    actors: Vec<Glob>,
    /// How it is called where it was refused.
    who: Who,
    oversight: Arc<Oversight>,
}

impl Caller {
    /// One who may do what `grants` say; it counts in `oversight`, where it is refused as `who`.
    pub(crate) fn new(
        name: String,
        grants: Vec<Grant>,
        actors: Vec<Glob>,
        who: Who,
        oversight: &Arc<Oversight>,
    ) -> Self {
        let oversight = Arc::clone(oversight);
        let principal = Arc::new(Principal { name, grants, actors, who, oversight });
        Self { principal, lease: None }
    }

    /// The same, let in on a token.
    pub(crate) fn on(self, lease: Lease) -> Self {
        Self { lease: Some(lease), ..self }
    }

    /// What it was let in on.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// What stands in the record as `recorded_by`.
    pub(crate) fn name(&self) -> &str {
        &self.principal.name
    }

    /// Takes note that it was refused something.
    pub(super) fn refused(&self, reason: RefuseReason) {
        self.principal.oversight.refusals.note(self.principal.who.clone(), reason);
    }

    /// Whether it may do what takes `role` with the log of that name.
    ///
    /// # Errors
    /// Says which role on which log is missing.
    pub(crate) fn require(&self, role: Role, log: &str) -> Result<(), ApiError> {
        let granted = self.principal.grants.iter().any(|grant| {
            grant.role.includes(role) && grant.log.as_deref().is_none_or(|name| name == log)
        });
        if granted {
            return Ok(());
        }
        self.refused(RefuseReason::Role);
        Err(ApiError::new(
            Code::PermissionDenied,
            format!(
                "{:?} lacks the role {role} on the log {log:?}; ask the operator for it",
                self.name()
            ),
        ))
    }

    /// Whether it may append so many events now, by its rate; they are counted if so.
    ///
    /// # Errors
    /// [`Code::RateLimited`] with when to try again; [`Code::TooLarge`] where so many can never pass at once.
    pub(crate) fn spend(&self, events: usize) -> Result<(), ApiError> {
        let spent = self.principal.oversight.rates.check(self.name(), events);
        if spent.is_err() {
            self.refused(RefuseReason::Rate);
        }
        spent
    }

    /// Whether it may claim to act as `actor`.
    ///
    /// # Errors
    /// Says that it may not; the actor itself is not repeated.
    pub(crate) fn may_claim(&self, actor: &str) -> Result<(), ApiError> {
        if self.principal.actors.is_empty()
            || self.principal.actors.iter().any(|glob| glob.matches(actor))
        {
            return Ok(());
        }
        self.refused(RefuseReason::Actor);
        Err(ApiError::new(
            Code::PermissionDenied,
            format!(
                "actor: {:?} may not claim it; the operator binds each principal to its actors",
                self.name()
            ),
        ))
    }
}
