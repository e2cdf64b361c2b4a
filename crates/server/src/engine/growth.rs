//! Tells those who wait for records that there are more: [`Growth`].

use indelible::{CommittedGroup, Observer};
use tokio::sync::watch;

/// How many records of one log are durable, for who waits for more.
#[derive(Debug)]
pub(crate) struct Growth(watch::Sender<u64>);

impl Growth {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Waits until more than `count` records are durable. One that was there from the beginning must be asked for
    /// elsewhere: it knows of what comes.
    pub(crate) async fn beyond(&self, count: u64) {
        // The sender is here: it does not end before this.
        drop(self.0.subscribe().wait_for(|durable| *durable > count).await);
    }
}

impl Observer for Growth {
    fn committed(&self, group: &CommittedGroup) {
        self.0.send_replace(group.durable);
    }
}
