//! All records that match, one page after the other, no faster than they are taken: [`stream`].

use std::sync::Arc;

use futures_util::stream::{self, Stream};
use indelible::StoredRecord;
use tokio::time::Instant;

use crate::engine::Log;
use crate::error::{ApiError, Code};
use crate::read::cursor::Cursor;
use crate::read::filter::Filter;
use crate::read::page::{Page, PageLimit, Range, page};
use crate::service::Service;
use crate::unread::Held;

/// How much one page of a stream holds.
const PAGE_RECORDS: u64 = 256;
const PAGE_SIZE: usize = 256 << 10;

/// What a streamed query consists of: pages of records, then the end.
#[derive(Debug)]
pub(crate) enum Part {
    Records(Vec<StoredRecord>),
    /// Where to go on; `None` where nothing is left.
    End(Option<Cursor>),
}

struct State {
    service: Service,
    log: Arc<Log>,
    filter: Filter,
    range: Range,
    left: u64,
    /// Whether a page was handed out.
    has_read: bool,
    /// Counts the page that was handed out, until the next one is asked for.
    held: Option<Held>,
    deadline: Instant,
    then: Then,
}

/// What comes after what was handed out.
enum Then {
    Read,
    End(Option<Cursor>),
    Nothing,
}

/// Streams what a query finds, at most `limit` records (0: all of them), until `timeouts.query` has passed, or nothing more
/// may be read for now; the end says where to go on.
pub(crate) fn stream(
    service: &Service,
    log: &Arc<Log>,
    filter: Filter,
    range: Range,
    limit: u64,
) -> impl Stream<Item = Result<Part, ApiError>> + Send + use<> {
    let state = State {
        service: service.clone(),
        log: Arc::clone(log),
        filter,
        range,
        left: if limit == 0 { u64::MAX } else { limit },
        has_read: false,
        held: None,
        deadline: Instant::now() + service.config.timeouts.query,
        then: Then::Read,
    };
    stream::unfold(state, |mut state| async move {
        match std::mem::replace(&mut state.then, Then::Nothing) {
            Then::Nothing => None,
            Then::End(next) => Some((Ok(Part::End(next)), state)),
            Then::Read => match state.read().await {
                Ok(page) => Some((Ok(state.take(page)), state)),
                // It was let in; what others do since must not take from it what it has.
                Err(error) if error.code == Code::TooMany && state.has_read => {
                    Some((Ok(Part::End(state.range.cursor)), state))
                }
                Err(error) => Some((Err(error), state)),
            },
        }
    })
}

impl State {
    async fn read(&mut self) -> Result<Page, ApiError> {
        self.held = None;
        let limit = PageLimit {
            records: self.left.min(PAGE_RECORDS),
            size: PAGE_SIZE,
            time: self.deadline.saturating_duration_since(Instant::now()),
        };
        let (filter, range) = (self.filter.clone(), self.range);
        self.log.scan(move |reader, stop| page(reader, &filter, &range, &limit, stop)).await
    }

    fn take(&mut self, page: Page) -> Part {
        let size = page.records.iter().map(|record| record.line.len()).sum();
        self.has_read = true;
        self.held = self.log.unread().reads.hold(size);
        self.left -= u64::try_from(page.records.len()).unwrap_or(u64::MAX).min(self.left);
        let stopping = self.service.stopping.is_cancelled();
        match page.next {
            Some(next) if self.left > 0 && !stopping && Instant::now() < self.deadline => {
                self.range.cursor = Some(next);
                self.then = Then::Read;
            }
            next => self.then = Then::End(next),
        }
        Part::Records(page.records)
    }
}
