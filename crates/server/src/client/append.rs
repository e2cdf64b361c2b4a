//! Appends, which are tried again under their `event_id`: one at a time, or many in flight ([`Appending`]).

use std::collections::VecDeque;

use indelible::{Event, Receipt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::connect::Client;
use super::error::ClientError;
use super::event::message;
use super::receipt::receipt;
use super::retry::Pauses;
use crate::proto::v1;
use crate::proto::v1::append_stream_response::Outcome;

/// Events that may be in flight.
const IN_FLIGHT_MAX: usize = 1024;
/// Why a receipt is none.
const NO_RECEIPT: ClientError = ClientError::Answer { what: "no receipt" };

impl Client {
    /// Appends an event, and returns when it is durable. Tried again where that makes sense, as [`Retry`](super::Retry) says:
    /// it is recorded once.
    ///
    /// # Durability
    /// On `Ok` the record is on the service's disk.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::is_indeterminate`] says whether it may have been recorded all the same.
    pub async fn append(&self, event: &Event) -> Result<Receipt, ClientError> {
        let request = v1::AppendRequest { log: self.log.clone(), event: Some(message(event)?) };
        let mut pauses = self.pauses();
        loop {
            let error = match self.calls.clone().append(request.clone()).await {
                Ok(answer) => {
                    pauses.reset();
                    let message = answer.into_inner().receipt;
                    return message.as_ref().and_then(receipt).ok_or(NO_RECEIPT);
                }
                Err(status) => ClientError::of(status, &self.url),
            };
            let Some(pause) = pauses.next(&error) else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Begins to append many events, of which many are in flight.
    pub fn append_many(&self) -> Appending {
        Appending {
            client: self.clone(),
            unanswered: VecDeque::new(),
            again: VecDeque::new(),
            stream: None,
            pauses: self.pauses(),
            refused: None,
        }
    }
}

/// Many events on their way; made by [`Client::append_many`].
///
/// Events are sent in order, and each is answered once, in order, but for those that have to be tried again: these come
/// behind. Where the connection is lost, all that have no answer are sent again.
#[derive(Debug)]
pub struct Appending {
    client: Client,
    /// Sent, oldest first.
    unanswered: VecDeque<Item>,
    /// To be sent again before anything new is.
    again: VecDeque<Item>,
    stream: Option<Stream>,
    pauses: Pauses,
    /// Why something was refused last that is to be tried again.
    refused: Option<ClientError>,
}

#[derive(Clone, Debug)]
struct Item {
    number: u64,
    event: v1::Event,
}

#[derive(Debug)]
struct Stream {
    requests: mpsc::Sender<v1::AppendStreamRequest>,
    answers: Streaming<v1::AppendStreamResponse>,
}

/// The answer to an event, by the number that it was given.
type Answer = (u64, Result<Receipt, ClientError>);

impl Appending {
    /// Whether another event may be sent before an answer is taken.
    pub fn has_room(&self) -> bool {
        self.in_flight() < IN_FLIGHT_MAX
    }

    /// How many events have no answer yet.
    pub fn in_flight(&self) -> usize {
        self.unanswered.len() + self.again.len()
    }

    /// Sends an event under a number of the caller's. Takes it in any case; whether the service does, the answer says.
    ///
    /// # Durability
    /// None before its answer.
    ///
    /// # Errors
    /// The event is outside the limits: it is not sent, and gets no answer.
    pub fn send(&mut self, number: u64, event: &Event) -> Result<(), ClientError> {
        let item = Item { number, event: message(event)? };
        if self.stream.is_none() || !self.again.is_empty() {
            self.again.push_back(item);
            return Ok(());
        }
        self.hand_over(item);
        Ok(())
    }

    /// Waits for the next answer; `None` where nothing is in flight.
    ///
    /// # Durability
    /// With a receipt the record is on the service's disk.
    ///
    /// # Errors
    /// The service can't be reached, or does not take appends, for longer than [`Retry`](super::Retry) allows: what
    /// became of those in flight is not known.
    pub async fn next(&mut self) -> Result<Option<Answer>, ClientError> {
        loop {
            if self.in_flight() == 0 {
                return Ok(None);
            }
            let error = match self.try_next().await {
                Ok(Some(answer)) => return Ok(Some(answer)),
                Ok(None) => continue,
                Err(error) => error,
            };
            // All that have no answer go again, in their order.
            self.stream = None;
            self.refused = None;
            self.unanswered.append(&mut self.again);
            std::mem::swap(&mut self.unanswered, &mut self.again);
            let Some(pause) = self.pauses.next(&error) else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_next(&mut self) -> Result<Option<Answer>, ClientError> {
        if self.stream.is_none() {
            self.stream = Some(self.open().await?);
        }
        if self.refused.is_none() || self.unanswered.is_empty() {
            // What was refused goes again once all the others have their answer, after one pause for all of it.
            if let Some(error) = self.refused.take() {
                let Some(pause) = self.pauses.next(&error) else {
                    let number = self.again.pop_front().map(|item| item.number);
                    return Ok(number.map(|number| (number, Err(error))));
                };
                tokio::time::sleep(pause).await;
            }
            while let Some(item) = self.again.pop_front() {
                self.hand_over(item);
            }
        }
        let Some(stream) = &mut self.stream else {
            return Err(ClientError::of(lost(), &self.client.url));
        };
        let answer = stream.answers.message().await;
        let answer = answer.map_err(|status| ClientError::of(status, &self.client.url))?;
        let Some(v1::AppendStreamResponse { request_id, outcome }) = answer else {
            return Err(ClientError::of(lost(), &self.client.url));
        };
        let Some(item) = self.unanswered.pop_front().filter(|item| item.number == request_id)
        else {
            return Err(ClientError::Answer { what: "an answer to another event" });
        };
        let error = match outcome {
            Some(Outcome::Receipt(message)) => {
                self.pauses.reset();
                return Ok(Some((request_id, receipt(&message).ok_or(NO_RECEIPT))));
            }
            Some(Outcome::Rejected(failure)) => ClientError::of_failure(failure, false),
            Some(Outcome::Indeterminate(failure)) => ClientError::of_failure(failure, true),
            None => ClientError::Answer { what: "an answer without an outcome" },
        };
        if error.pause().is_none() {
            return Ok(Some((request_id, Err(error))));
        }
        self.again.push_back(item);
        self.refused = Some(error);
        Ok(None)
    }

    async fn open(&mut self) -> Result<Stream, ClientError> {
        let (requests, receiver) = mpsc::channel(IN_FLIGHT_MAX);
        let asked = self.client.calls.clone().append_stream(ReceiverStream::new(receiver)).await;
        let answers = asked.map_err(|status| ClientError::of(status, &self.client.url))?;
        self.pauses.reached();
        Ok(Stream { requests, answers: answers.into_inner() })
    }

    /// Gives an item to the stream. Where that is broken, the next answer tells, and the item goes again.
    fn hand_over(&mut self, item: Item) {
        if let Some(stream) = &self.stream {
            let request = v1::AppendStreamRequest {
                log: self.client.log.clone(),
                request_id: item.number,
                event: Some(item.event.clone()),
            };
            // There is room: the channel holds as many as may be in flight.
            drop(stream.requests.try_send(request));
        }
        self.unanswered.push_back(item);
    }
}

fn lost() -> tonic::Status {
    tonic::Status::unavailable("the stream ended")
}
