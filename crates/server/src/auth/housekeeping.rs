//! What runs beside the requests: takes in the token file when it changes, and has the logs say so and whom the service
//! refused.

use std::time::Duration;

use indelible::format::own::{Configured, ServiceConfigure, ServiceRecord};
use tokio::time::MissedTickBehavior;
use tracing::warn;

use crate::auth::tokens::watch::{Changed, Tokens};
use crate::service::Service;

/// How often the token file is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Runs until the service stops; what was refused until then is in the log when it returns.
pub(crate) async fn run(service: Service) {
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reloads = service.reloads.subscribe();
    loop {
        tokio::select! {
            () = service.stopping.cancelled() => break,
            _ = period.tick() => look(&service, Tokens::look).await,
            Ok(()) = reloads.changed() => look(&service, Tokens::reload).await,
            () = service.oversight.refusals.news() => {}
        }
        tell_refusals(&service, false);
    }
    tell_refusals(&service, true);
}

/// Takes in the token file.
async fn look(service: &Service, how: fn(&Tokens) -> Option<Changed>) {
    if service.authenticator.tokens().is_none() {
        return;
    }
    let looking = service.clone();
    let looked = tokio::task::spawn_blocking(move || looking.authenticator.tokens().and_then(how));
    let Ok(Some(Changed { before, after })) = looked.await else { return };
    for log in service.logs.all() {
        let what = ServiceConfigure { what: Configured::Tokens, before, after };
        if let Err(error) = log.record_service(ServiceRecord::Configure(what)) {
            warn!(log = log.name(), %error, "the change of tokens could not be recorded");
        }
    }
}

/// Has the default log say whom the service refused.
fn tell_refusals(service: &Service, at_the_end: bool) {
    let Ok(log) = service.logs.get("") else { return };
    for refused in service.oversight.refusals.take(at_the_end) {
        let record = log.record_service(ServiceRecord::Refuse(refused.clone()));
        if record.is_err() && !at_the_end {
            service.oversight.refusals.give_back(refused);
        }
    }
}
