//! Records, queries, records as they come, checkpoints and proofs.

use std::time::Duration;

use tonic::Streaming;

use super::connect::Client;
use super::error::ClientError;
use super::retry::Pauses;
use super::url::ServerUrl;
use crate::Code;
use crate::proto::v1;
use crate::proto::v1::query_response::Item;

/// A stream that lasted so long is one.
const LASTS: Duration = Duration::from_secs(1);

impl Client {
    /// Fetches one record, as its stored line.
    ///
    /// # Errors
    /// [`ClientError`]; the code `not_found` or `pruned` where there is none (any more).
    pub async fn record(&self, seq: u64) -> Result<v1::Record, ClientError> {
        let request = v1::GetRecordRequest { log: self.log.clone(), seq };
        let answer = self.calls.clone().get_record(request).await;
        let answer = answer.map_err(|status| ClientError::of(status, &self.url))?;
        answer.into_inner().record.ok_or(ClientError::Answer { what: "no record" })
    }

    /// Finds records. `log` of the request is set by the client; where the service ends an answer early, the query goes on
    /// by its cursor.
    pub fn query(&self, request: v1::QueryRequest) -> Found {
        let request = v1::QueryRequest { log: self.log.clone(), ..request };
        let left = if request.limit == 0 { u64::MAX } else { request.limit };
        Found {
            client: self.clone(),
            request,
            left,
            answers: None,
            has_answered: false,
            ended: false,
            pauses: self.pauses(),
        }
    }

    /// Follows the log. `log` of the request is set by the client; where the connection is lost it goes on behind the last
    /// record that came.
    pub fn tail(&self, request: v1::TailRequest) -> Following {
        let request = v1::TailRequest { log: self.log.clone(), ..request };
        Following { client: self.clone(), request, answers: None, pauses: self.pauses() }
    }

    /// Fetches the newest signed checkpoint.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn checkpoint(&self) -> Result<String, ClientError> {
        let request = v1::GetCheckpointRequest { log: self.log.clone() };
        let answer = self.calls.clone().get_checkpoint(request).await;
        let answer = answer.map_err(|status| ClientError::of(status, &self.url))?;
        Ok(answer.into_inner().checkpoint)
    }

    /// Fetches a proof that a record is among the first `tree_size` of the log, or in the newest checkpoint for 0.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn inclusion_proof(
        &self,
        seq: u64,
        tree_size: u64,
    ) -> Result<v1::GetInclusionProofResponse, ClientError> {
        let request = v1::GetInclusionProofRequest { log: self.log.clone(), seq, tree_size };
        let answer = self.calls.clone().get_inclusion_proof(request).await;
        Ok(answer.map_err(|status| ClientError::of(status, &self.url))?.into_inner())
    }

    /// Fetches a proof that the log of `from_size` records is the beginning of that of `to_size`, or of the newest
    /// checkpoint for 0.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn consistency_proof(
        &self,
        from_size: u64,
        to_size: u64,
    ) -> Result<v1::GetConsistencyProofResponse, ClientError> {
        let request = v1::GetConsistencyProofRequest { log: self.log.clone(), from_size, to_size };
        let answer = self.calls.clone().get_consistency_proof(request).await;
        Ok(answer.map_err(|status| ClientError::of(status, &self.url))?.into_inner())
    }
}

/// What a query finds; made by [`Client::query`].
#[derive(Debug)]
pub struct Found {
    client: Client,
    request: v1::QueryRequest,
    left: u64,
    answers: Option<Streaming<v1::QueryResponse>>,
    /// Whether any of these answers has come.
    has_answered: bool,
    ended: bool,
    pauses: Pauses,
}

impl Found {
    /// The next record; `None` where nothing is left. While the service reads nothing (`too_many`) it is asked again as the
    /// client's [`Retry`](super::Retry) says.
    ///
    /// # Errors
    /// [`ClientError`]. Where it says that a place of the log can't be read (the code `data_loss`) and the service knows what
    /// is behind it ([`ClientError::resume`]), the next call goes on there; behind any other nothing comes.
    pub async fn next(&mut self) -> Result<Option<v1::Record>, ClientError> {
        let next = self.next_part().await;
        if let Err(error) = &next {
            self.answers = None;
            self.ended = !self.go_on_behind(error);
        }
        next
    }

    /// Whether there is something to go on with behind an error. Each time that is further on, whatever the service says.
    fn go_on_behind(&mut self, error: &ClientError) -> bool {
        let resume = error.resume().filter(|_| error.code() == Some(Code::DataLoss.as_str()));
        let Some(resume) = resume else { return false };
        self.request.cursor.clear();
        if self.request.order == i32::from(v1::Order::NewestFirst) {
            let reached = self.request.last_seq.is_none_or(|last| resume < last);
            self.request.last_seq = Some(resume);
            reached && resume >= self.request.first_seq
        } else {
            let reached = resume > self.request.first_seq;
            self.request.first_seq = resume;
            reached && self.request.last_seq.is_none_or(|last| resume <= last)
        }
    }

    async fn next_answer(&mut self) -> Result<Option<v1::QueryResponse>, ClientError> {
        let failed = |status| ClientError::of(status, &self.client.url);
        let answers = match &mut self.answers {
            Some(answers) => answers,
            none @ None => {
                self.has_answered = false;
                self.request.limit = if self.left == u64::MAX { 0 } else { self.left };
                let asked = self.client.calls.clone().query(self.request.clone()).await;
                none.insert(asked.map_err(failed)?.into_inner())
            }
        };
        answers.message().await.map_err(failed)
    }

    async fn next_part(&mut self) -> Result<Option<v1::Record>, ClientError> {
        while !self.ended && self.left > 0 {
            let answer = match self.next_answer().await {
                Err(error) if !self.has_answered && is_too_many(&error) => {
                    self.answers = None;
                    let Some(pause) = self.pauses.next(&error) else { return Err(error) };
                    tokio::time::sleep(pause).await;
                    continue;
                }
                answer => answer?,
            };
            self.has_answered = true;
            self.pauses.reset();
            match answer.and_then(|answer| answer.item) {
                Some(Item::Record(record)) => {
                    self.left -= 1;
                    return Ok(Some(record));
                }
                Some(Item::End(end)) if end.cursor.is_empty() => self.ended = true,
                Some(Item::End(end)) => {
                    self.request.cursor = end.cursor;
                    self.answers = None;
                }
                // Without its end an answer may be cut short: that must not look like an end.
                None => return Err(ClientError::Answer { what: "a query without an end" }),
            }
        }
        Ok(None)
    }
}

/// Whether others keep the service from reading, which passes.
fn is_too_many(error: &ClientError) -> bool {
    error.code() == Some(Code::TooMany.as_str())
}

/// Records as they come; made by [`Client::tail`].
#[derive(Debug)]
pub struct Following {
    client: Client,
    request: v1::TailRequest,
    answers: Option<Streaming<v1::TailResponse>>,
    pauses: Pauses,
}

impl Following {
    /// Waits for the next record. Where the connection is lost, or the service stops, it tries again as the client's
    /// [`Retry`](super::Retry) says; before a first record came that begins with the next one, none is missed only where
    /// `from_seq` was given.
    ///
    /// # Errors
    /// [`ClientError`], where trying again makes no sense or did not help. Where it says that a place of the log can't be
    /// read (the code `data_loss`) and the service knows what is behind it ([`ClientError::resume`]), the next call goes on
    /// there.
    pub async fn next(&mut self) -> Result<v1::Record, ClientError> {
        loop {
            let error = match self.try_next().await {
                Ok(record) => {
                    self.pauses.reset();
                    self.request.from_seq = Some(record.seq.saturating_add(1));
                    return Ok(record);
                }
                Err(error) => error,
            };
            self.answers = None;
            if let Some(resume) = error.resume() {
                self.request.from_seq = Some(resume);
            }
            if error.pause().is_none() {
                return Err(error);
            }
            let Some(pause) = self.pauses.next(&error) else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_next(&mut self) -> Result<v1::Record, ClientError> {
        let failed = |status| ClientError::of(status, &self.client.url);
        let answers = match &mut self.answers {
            Some(answers) => answers,
            none @ None => {
                let asked = self.client.calls.clone().tail(self.request.clone()).await;
                none.insert(asked.map_err(failed)?.into_inner())
            }
        };
        if self.pauses.is_failing() {
            // Where no record comes, nothing but that it lasts says that the service is back.
            match tokio::time::timeout(LASTS, answers.message()).await {
                Ok(answer) => return follower_answer(answer.map_err(failed)?, &self.client.url),
                Err(_elapsed) => self.pauses.reset(),
            }
        }
        follower_answer(answers.message().await.map_err(failed)?, &self.client.url)
    }
}

fn follower_answer(
    answer: Option<v1::TailResponse>,
    url: &ServerUrl,
) -> Result<v1::Record, ClientError> {
    match answer {
        Some(v1::TailResponse { record: Some(record) }) => Ok(record),
        Some(_) => Err(ClientError::Answer { what: "no record" }),
        None => Err(ClientError::of(tonic::Status::unavailable("the stream ended"), url)),
    }
}
