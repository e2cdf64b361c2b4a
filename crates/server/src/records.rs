//! What the service has its logs say of itself: that it started, and that its certificates changed. (Its stop is recorded
//! where a log is closed, changed tokens and refused access by `auth`.)
//!
//! Invariant: a log that can't take a record refuses nothing else for it; that is told on stderr. Spec:
//! `docs/spec/own-records.md`.

use indelible::format::chain::Hash;
use indelible::format::own::{
    Authentication, Configured, LABEL_SIZE_MAX, LISTENERS_MAX, Label, Listeners, ServiceConfigure,
    ServiceRecord, ServiceStart,
};
use tracing::warn;

use crate::service::Service;

/// The service starts, and listens there.
pub(crate) fn started(service: &Service, places: &[String]) {
    let config = &service.config;
    if !config.record_lifecycle {
        return;
    }
    let places = places.iter().take(LISTENERS_MAX).filter_map(|place| label(place)).collect();
    let (Some(version), Some(listeners), Ok(configuration)) =
        (label(env!("CARGO_PKG_VERSION")), Listeners::new(places), config.digest().parse())
    else {
        return;
    };
    let authentication =
        if config.authenticates() { Authentication::Required } else { Authentication::None };
    tell(
        service,
        &ServiceRecord::Start(ServiceStart {
            version,
            pid: std::process::id(),
            listeners,
            configuration,
            authentication,
        }),
    );
}

/// Its certificates are others than before.
pub(crate) fn certificates_changed(service: &Service, before: Hash, after: Hash) {
    let what = ServiceConfigure { what: Configured::Certificates, before, after };
    tell(service, &ServiceRecord::Configure(what));
}

/// Has every log say it.
fn tell(service: &Service, what: &ServiceRecord) {
    for log in service.logs.all() {
        if let Err(error) = log.record_service(what.clone()).map(drop) {
            warn!(log = log.name(), action = what.action(), %error, "could not be recorded");
        }
    }
}

/// A text as records have it: as much of it as they take.
fn label(text: &str) -> Option<Label> {
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    text.get(..text.floor_char_boundary(LABEL_SIZE_MAX))?.parse().ok()
}
