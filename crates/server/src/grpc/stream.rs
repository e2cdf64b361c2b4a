//! `AppendStream`: events come and answers go, both in order, many in flight.
//!
//! Invariants:
//! - each item that was read gets exactly one answer, in the order of the items, whatever became of the others;
//! - it has a bounded number of items in flight and a bounded number of bytes in hand; beyond that it reads no further, so
//!   that a client which sends too fast, or does not read its answers, is slowed down by the flow control of HTTP/2;
//! - no task and no timer per item: what has come is queued at once, and only the oldest item is waited for, since
//!   outcomes come in the order of the queue;
//! - where its caller is no longer let in, or the service stops, it reads no further, answers what it has read, and says at the end why.

use std::collections::VecDeque;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use indelible::Event;
use tokio::time::Sleep;
use tokio_stream::Stream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::{Status, Streaming};

use crate::auth::Caller;
use crate::auth::lasting::{Renewals, renewals};
use crate::auth::role::Role;
use crate::engine::{Log, Queued};
use crate::error::{ApiError, Code};
use crate::grpc::status;
use crate::proto::v1;
use crate::service::Service;
use crate::{append, convert};

/// Bytes of events that are read before they are queued; the last one read may go beyond.
const IN_HAND_SIZE_MAX: usize = 256 << 10;
/// How long to wait for a queue that others have filled.
const PAUSE: Duration = Duration::from_millis(5);

/// The answers of one `AppendStream`.
pub(super) struct Appending {
    service: Service,
    caller: Caller,
    /// Who the caller is from now on.
    renewals: Renewals,
    requests: Streaming<v1::AppendStreamRequest>,
    reading: Reading,
    /// Read, and not queued yet.
    in_hand: VecDeque<Item>,
    in_hand_size: usize,
    /// Queued or refused, oldest first.
    in_flight: VecDeque<Answer>,
    in_flight_max: usize,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    /// While a queue is full without any event of this stream in it.
    pause: Option<Pin<Box<Sleep>>>,
}

/// Whether more is read.
#[derive(Debug)]
enum Reading {
    /// Until the client ends it.
    On,
    /// No more, and this is how the stream ends once everything is answered.
    Ended(Option<Status>),
}

/// An item as it was read.
#[derive(Debug)]
struct Item {
    request_id: u64,
    what: Result<(Arc<Log>, Event), ApiError>,
}

/// An item that was queued, or refused.
#[derive(Debug)]
struct Answer {
    request_id: u64,
    outcome: Result<Queued, ApiError>,
}

impl Appending {
    pub(super) fn new(
        service: &Service,
        caller: Caller,
        requests: Streaming<v1::AppendStreamRequest>,
    ) -> Self {
        Self {
            renewals: renewals(service, &caller),
            caller,
            requests,
            reading: Reading::On,
            in_hand: VecDeque::new(),
            in_hand_size: 0,
            in_flight: VecDeque::new(),
            in_flight_max: service.config.limits.stream_in_flight_max.max(1),
            stopping: Box::pin(service.stopping.clone().cancelled_owned()),
            pause: None,
            service: service.clone(),
        }
    }

    /// The answer to the oldest item, where there is one by now.
    fn poll_oldest(&mut self, context: &mut Context<'_>) -> Poll<Option<v1::AppendStreamResponse>> {
        let Some(oldest) = self.in_flight.front_mut() else { return Poll::Ready(None) };
        let outcome = match &mut oldest.outcome {
            Err(_) => None,
            Ok(pending) => match Pin::new(pending).poll(context) {
                Poll::Ready(outcome) => Some(outcome.map_err(ApiError::from)),
                Poll::Pending => return Poll::Pending,
            },
        };
        let Some(Answer { request_id, outcome: refused }) = self.in_flight.pop_front() else {
            return Poll::Ready(None);
        };
        let answer = match (outcome, refused) {
            (Some(outcome), _) => convert::answer(request_id, outcome),
            (None, Err(refused)) => convert::answer(request_id, Err(refused)),
            (None, Ok(_)) => return Poll::Pending,
        };
        Poll::Ready(Some(answer))
    }

    /// Reads what has come, as far as there is room for it.
    fn read(&mut self, context: &mut Context<'_>) {
        while matches!(self.reading, Reading::On)
            && self.in_hand.len() + self.in_flight.len() < self.in_flight_max
            && self.in_hand_size < IN_HAND_SIZE_MAX
        {
            match Pin::new(&mut self.requests).poll_next(context) {
                Poll::Pending => return,
                Poll::Ready(None) => self.reading = Reading::Ended(None),
                Poll::Ready(Some(Err(error))) => {
                    self.reading = Reading::Ended(Some(status::explained(error)));
                }
                Poll::Ready(Some(Ok(request))) => {
                    self.in_hand_size += request.event.as_ref().map_or(0, size_of_event);
                    let item = self.item(request);
                    self.in_hand.push_back(item);
                }
            }
        }
    }

    fn item(&self, request: v1::AppendStreamRequest) -> Item {
        let v1::AppendStreamRequest { log, request_id, event } = request;
        let what = self.service.logs.get(&log).and_then(|log| {
            self.caller.require(Role::Append, log.name())?;
            let event = convert::event(event)
                .and_then(|event| append::may(&self.caller, &event).map(|()| event));
            Ok((Arc::clone(log), event.inspect_err(|_| log.rejected(1))?))
        });
        Item { request_id, what }
    }

    /// Queues what is in hand; what there is no room for stays.
    fn queue(&mut self) {
        while let Some(first) = self.in_hand.pop_front() {
            let (log, event) = match first.what {
                Ok(first) => first,
                Err(error) => {
                    self.answer(first.request_id, Err(error));
                    continue;
                }
            };
            // As many as follow for the same log.
            let (mut ids, mut events) = (vec![first.request_id], vec![event]);
            while let Some(Item { request_id, what: Ok((next, _)) }) = self.in_hand.front()
                && Arc::ptr_eq(next, &log)
            {
                ids.push(*request_id);
                if let Some(Item { what: Ok((_, event)), .. }) = self.in_hand.pop_front() {
                    events.push(event);
                }
            }
            let left = self.queue_for(&log, &mut ids, events);
            if !left.is_empty() {
                // What is left goes back to where it came from, in order.
                for (request_id, event) in ids.into_iter().zip(left).rev() {
                    let what = Ok((Arc::clone(&log), event));
                    self.in_hand.push_front(Item { request_id, what });
                }
                return;
            }
        }
        self.in_hand_size = 0;
    }

    /// Queues events for one log, and returns those for which there is no room, with their `ids`.
    fn queue_for(&mut self, log: &Log, ids: &mut Vec<u64>, mut events: Vec<Event>) -> Vec<Event> {
        let mut count = events.len();
        while !events.is_empty() {
            let part = events.get(..count).unwrap_or(&events);
            match log.submit_all(part, self.caller.name()) {
                Ok(pending) => {
                    events.drain(..pending.len());
                    for (id, pending) in ids.drain(..pending.len()).zip(pending) {
                        self.in_flight.push_back(Answer { request_id: id, outcome: Ok(pending) });
                    }
                    count = events.len();
                }
                // Those before it can go, and then it gets its answer.
                Err(error) => match error.index {
                    Some(0) => {
                        log.rejected(1);
                        events.remove(0);
                        self.answer(ids.remove(0), Err(error.alone()));
                        count = events.len();
                    }
                    Some(index) => count = index,
                    None if count > 1
                        && (is_about_room(error.code) || error.code == Code::TooLarge) =>
                    {
                        count = count.div_ceil(2);
                    }
                    None if is_about_room(error.code) => return events,
                    None => {
                        log.rejected(events.len());
                        for id in std::mem::take(ids) {
                            self.answer(id, Err(error.clone()));
                        }
                        events.clear();
                    }
                },
            }
        }
        events
    }

    fn answer(&mut self, request_id: u64, outcome: Result<Queued, ApiError>) {
        self.in_flight.push_back(Answer { request_id, outcome });
    }

    /// Whether a pause is over, or none is needed.
    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(pause) = &mut self.pause else { return Poll::Ready(()) };
        if pause.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.pause = None;
        Poll::Ready(())
    }
}

/// Whether waiting helps, so that the client is slowed down and not refused.
fn is_about_room(code: Code) -> bool {
    matches!(code, Code::QueueFull | Code::NotReady)
}

/// About how many bytes an event takes in memory.
fn size_of_event(event: &v1::Event) -> usize {
    [
        &event.actor,
        &event.action,
        &event.resource,
        &event.event_id,
        &event.event_time,
        &event.parent_id,
        &event.session_json,
        &event.metadata_json,
    ]
    .map(String::len)
    .iter()
    .sum()
}

impl Stream for Appending {
    type Item = Result<v1::AppendStreamResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Poll::Ready(Some(answer)) = this.poll_oldest(context) {
                return Poll::Ready(Some(Ok(answer)));
            }
            if matches!(this.reading, Reading::On)
                && this.stopping.as_mut().poll(context).is_ready()
            {
                let error = ApiError::new(Code::ShuttingDown, "the service is stopping");
                this.reading = Reading::Ended(Some(error.into()));
            }
            while matches!(this.reading, Reading::On)
                && let Poll::Ready(Some(renewed)) = this.renewals.as_mut().poll_next(context)
            {
                match renewed {
                    Ok(caller) => this.caller = caller,
                    Err(error) => this.reading = Reading::Ended(Some(error.into())),
                }
            }
            if this.poll_pause(context).is_pending() {
                return Poll::Pending;
            }
            let was_idle = this.in_flight.is_empty();
            this.read(context);
            this.queue();
            match (was_idle, this.in_flight.is_empty(), this.in_hand.is_empty()) {
                // Something to wait for, that nobody has been told of yet.
                (true, false, _) => {}
                // The oldest wakes this task; its end is what makes room.
                (false, ..) => return Poll::Pending,
                (true, true, false) => {
                    this.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
                }
                (true, true, true) => {
                    return match &mut this.reading {
                        Reading::On => Poll::Pending,
                        Reading::Ended(end) => Poll::Ready(end.take().map(Err)),
                    };
                }
            }
        }
    }
}
