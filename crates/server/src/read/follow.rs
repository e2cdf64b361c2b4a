//! Records as they come: [`follow`].

use std::sync::Arc;

use indelible::{Order, StoredRecord};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::engine::Log;
use crate::error::{ApiError, Code};
use crate::read::filter::Filter;
use crate::read::page::{Page, PageLimit, Range, page};
use crate::service::Service;

/// How much a follower holds that its client has not taken: two batches of this.
const BATCH_RECORDS: u64 = 128;
const BATCH_SIZE: usize = 64 << 10;

/// Batches of records, in order; after an error nothing comes.
pub(crate) type Batches = ReceiverStream<Result<Vec<StoredRecord>, ApiError>>;

/// Follows a log from record `from` on; `None` begins with the next one that becomes durable.
///
/// A client that takes nothing for `timeouts.write` gets [`Code::Lagging`], and one that follows when the service stops
/// [`Code::ShuttingDown`]; `resume` says where to go on.
///
/// # Errors
/// [`Code::TooMany`] where as many follow as may; [`Code::Pruned`] where the record was removed by retention.
pub(crate) async fn follow(
    service: &Service,
    log: &Arc<Log>,
    filter: Filter,
    from: Option<u64>,
) -> Result<Batches, ApiError> {
    let Ok(place) = Arc::clone(&service.tails).try_acquire_owned() else {
        let limit = service.config.limits.tails_max;
        let text = format!("{limit} clients follow already, which is the limit (limits.tails_max)");
        return Err(ApiError::new(Code::TooMany, text));
    };
    let (end, kept_from) =
        log.read(|reader, _| Ok((reader.records()?, reader.first_seq()?))).await?;
    if let Some(seq) = from
        && seq < kept_from
    {
        return Err(pruned(seq, kept_from));
    }
    // One batch, and room for an error that always fits.
    let (sender, receiver) = mpsc::channel(2);
    let follower = Follower {
        service: service.clone(),
        log: Arc::clone(log),
        filter,
        next: from.unwrap_or(end),
    };
    let last_word = sender.clone().reserve_owned().await.map_err(ApiError::internal)?;
    tokio::spawn(async move {
        if let Err(error) = follower.run(&sender).await {
            last_word.send(Err(error));
        }
        drop(place);
    });
    Ok(ReceiverStream::new(receiver))
}

struct Follower {
    service: Service,
    log: Arc<Log>,
    filter: Filter,
    next: u64,
}

impl Follower {
    /// Sends what comes until the client is gone.
    async fn run(
        mut self,
        sender: &mpsc::Sender<Result<Vec<StoredRecord>, ApiError>>,
    ) -> Result<(), ApiError> {
        loop {
            let page = tokio::select! {
                page = self.read() => page?,
                () = sender.closed() => return Ok(()),
                () = self.service.stopping.cancelled() => return Err(self.stopping()),
            };
            if let Some(first) = page.records.first()
                && first.seq > self.next
                && let Some(kept_from) = self.pruned_to().await?
            {
                return Err(pruned(self.next, kept_from));
            }
            let reached = page.reached.max(self.next);
            if !page.records.is_empty() && !self.send(sender, page.records).await? {
                return Ok(());
            }
            self.next = reached;
            if page.next.is_some() {
                continue;
            }
            tokio::select! {
                () = self.log.grows_beyond(reached) => {}
                () = sender.closed() => return Ok(()),
                () = self.service.stopping.cancelled() => return Err(self.stopping()),
            }
        }
    }

    async fn read(&self) -> Result<Page, ApiError> {
        let (filter, first) = (self.filter.clone(), self.next);
        let range = Range { first, last: None, order: Order::OldestFirst, cursor: None };
        let time = self.service.config.timeouts.query;
        let limit = PageLimit { records: BATCH_RECORDS, size: BATCH_SIZE, time };
        self.log.scan_in_turn(move |reader, stop| page(reader, &filter, &range, &limit, stop)).await
    }

    /// The first record that is kept, where the next one is not any more.
    async fn pruned_to(&self) -> Result<Option<u64>, ApiError> {
        let next = self.next;
        let kept_from = self.log.scan_in_turn(|reader, _| Ok(reader.first_seq()?)).await?;
        Ok((next < kept_from).then_some(kept_from))
    }

    /// Whether the client is still there.
    async fn send(
        &self,
        sender: &mpsc::Sender<Result<Vec<StoredRecord>, ApiError>>,
        records: Vec<StoredRecord>,
    ) -> Result<bool, ApiError> {
        let patience = self.service.config.timeouts.write;
        match tokio::time::timeout(patience, sender.send(Ok(records))).await {
            Ok(sent) => Ok(sent.is_ok()),
            Err(_elapsed) => Err(self.end(
                Code::Lagging,
                "the client took nothing for as long as it may (timeouts.write)",
            )),
        }
    }

    fn stopping(&self) -> ApiError {
        self.end(Code::ShuttingDown, "the service is stopping")
    }

    fn end(&self, code: Code, what: &str) -> ApiError {
        let next = self.next;
        let mut error = ApiError::new(code, format!("{what}; go on from record {next}"));
        error.resume = Some(next);
        error
    }
}

fn pruned(seq: u64, kept_from: u64) -> ApiError {
    let text = format!(
        "record {seq} was removed by retention; the first that is kept is {kept_from}: go on from there"
    );
    let mut error = ApiError::new(Code::Pruned, text);
    error.resume = Some(kept_from);
    error
}
