//! Every role on every call, over both protocols; and callers whom nobody knows.

use std::collections::BTreeMap;

use indelible::Receipt;
use indelible_server::proto::v1;
use indelible_server::proto::v1::append_stream_response::Outcome as Streamed;
use indelible_server::proto::v1::audit_service_client::AuditServiceClient;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::attack::{Done, expect};
use super::field::{Field, PATIENCE};
use super::service::{Caller, LOGS};
use crate::command;

/// Method and path; the first two append.
const ROUTES: [(&str, &str); 8] = [
    ("POST", "records"),
    ("POST", "records"),
    ("GET", "records?limit=3"),
    ("GET", "records/0"),
    ("GET", "records/0/proof"),
    ("GET", "checkpoint"),
    ("GET", "consistency?from=1"),
    // A tail that goes on would hold its connection.
    ("GET", "tail?from=zero"),
];

/// The calls over gRPC; the first three append.
const CALLS: [&str; 9] = [
    "Append",
    "AppendBatch",
    "AppendStream",
    "GetRecord",
    "Query",
    "Tail",
    "GetCheckpoint",
    "GetInclusionProof",
    "GetConsistencyProof",
];

/// How many credentials there are that are none.
const CREDENTIALS: usize = 15;
/// Each caller on each log with each call, over both protocols.
const ASKINGS: usize = Caller::ALL.len() * LOGS.len() * (ROUTES.len() + CALLS.len());
/// The first so many cases are all askings, then all credentials that are none on all routes.
pub(super) const MATRIX: usize = ASKINGS + CREDENTIALS * ROUTES.len();

/// Who asks what of which log.
#[derive(Clone, Copy)]
struct Asking {
    caller: Caller,
    log: &'static str,
    /// Which of the routes, or of the calls.
    call: usize,
}

impl Asking {
    /// One of so many calls.
    fn by_chance(calls: usize, random: &mut fastrand::Rng) -> Self {
        Self {
            caller: random.choice(Caller::ALL).unwrap_or(Caller::Admin),
            log: random.choice(LOGS).unwrap_or_default(),
            call: random.usize(..calls),
        }
    }
}

/// The one with this number of all that there are; none beyond the last.
pub(super) fn of_matrix(
    field: &Field<'_>,
    grpc: &mut Grpc,
    case: u64,
    random: &mut fastrand::Rng,
) -> Option<Done> {
    let number = usize::try_from(case).ok().filter(|number| *number < MATRIX)?;
    if let Some(number) = number.checked_sub(ASKINGS) {
        let (credential, route) = (number / ROUTES.len(), number % ROUTES.len());
        return Some(nobody(field, credential, route, random));
    }
    let calls = ROUTES.len() + CALLS.len();
    let (call, rest) = (number % calls, number / calls);
    let log = LOGS.get(rest % LOGS.len()).copied()?;
    let caller = Caller::ALL.get(rest / LOGS.len()).copied()?;
    Some(match call.checked_sub(ROUTES.len()) {
        Some(call) => ask_over_grpc(field, grpc, case, Asking { caller, log, call }),
        None => ask_over_http(field, case, Asking { caller, log, call }),
    })
}

pub(super) fn over_http(field: &Field<'_>, case: u64, random: &mut fastrand::Rng) -> Done {
    ask_over_http(field, case, Asking::by_chance(ROUTES.len(), random))
}

pub(super) fn over_grpc(
    field: &Field<'_>,
    grpc: &mut Grpc,
    case: u64,
    random: &mut fastrand::Rng,
) -> Done {
    ask_over_grpc(field, grpc, case, Asking::by_chance(CALLS.len(), random))
}

/// Credentials that are none, on any path that takes some.
pub(super) fn as_nobody(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    let (credential, route) = (random.usize(..CREDENTIALS), random.usize(..ROUTES.len()));
    nobody(field, credential, route, random)
}

fn ask_over_http(field: &Field<'_>, case: u64, asking: Asking) -> Done {
    let Asking { caller, log, call: route } = asking;
    let Some((method, path)) = ROUTES.get(route) else { return Ok(String::new()) };
    let line = format!("{method} /v1/logs/{log}/{path}");
    let (appends, bearer) = (route < 2, field.bearer(caller));
    let ids: Vec<String> = (0..[1, 3, 0].get(route).copied().unwrap_or(0))
        .map(|index| format!("http:{case}:{index}"))
        .collect();
    let (kind, end) =
        if route == 1 { ("application/x-ndjson", "\n") } else { ("application/json", "") };
    let body: String = ids.iter().flat_map(|id| [event_json(id), end.to_owned()]).collect();
    let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
    let asked = field.connect().and_then(|mut connection| connection.ask(&line, &headers, &body));
    let answer = asked.map_err(|e| format!("{line} as {caller:?}: {e}"))?;
    let may = if appends { caller.may_append(log) } else { caller.may_read(log) };
    let what = format!("{line} as {caller:?}");
    match (caller.is_known(), may) {
        (false, _) => expect(&what, &answer, &[401])?,
        (true, false) => expect(&what, &answer, &[403])?,
        (true, true) if appends => {
            expect(&what, &answer, &[201])?;
            for (line, id) in answer.body.lines().zip(&ids) {
                field.acknowledge(log, command::receipt(line).map_err(|e| e.to_string())?, id);
            }
        }
        (true, true) if path.starts_with("tail") => expect(&what, &answer, &[400])?,
        (true, true) => expect(&what, &answer, &[200])?,
    }
    Ok(format!("HTTP calls {}", answered(caller, may)))
}

/// How a call with these rights ends.
fn answered(caller: Caller, may: bool) -> &'static str {
    match (caller.is_known(), may) {
        (false, _) => "of nobody that is known: refused",
        (true, false) => "without the role: refused",
        (true, true) => "with the role: served",
    }
}

fn event_json(id: &str) -> String {
    format!(
        "{{\"event_id\":\"{id}\",\"actor\":\"agent\",\"action\":\"role\",\"resource\":\"{id}\"}}"
    )
}

fn nobody(field: &Field<'_>, credential: usize, route: usize, random: &mut fastrand::Rng) -> Done {
    let token = field.bearer(Caller::Admin);
    let token = token.trim_start_matches("Bearer ");
    let mut wrong = token.to_owned();
    // The last character but one: the very last may hold bits that mean nothing.
    let at = wrong.len().saturating_sub(2);
    let other = if wrong.get(at..=at) == Some("A") { "B" } else { "A" };
    wrong.replace_range(at..=at, other);
    let noise: String = (0..random.usize(1..9_000)).map(|_| random.alphanumeric()).collect();
    let credentials: [_; CREDENTIALS] = [
        Vec::new(),
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![format!("Bearer {wrong}")],
        vec![format!("Bearer {token}x")],
        vec![format!("Bearer {}", token.get(..at).unwrap_or_default())],
        vec![format!("Bearer {}", token.to_uppercase())],
        vec![format!("Bearer indelible_{noise}")],
        vec![format!("Basic {noise}")],
        vec![format!("Bearer {token} {token}")],
        vec![format!("Bearer {wrong}"), format!("Bearer {token}")],
        vec![field.bearer(Caller::Expired)],
        vec![field.bearer(Caller::Revoked)],
        vec![token.to_owned()],
    ];
    let credentials = credentials.get(credential).cloned().unwrap_or_default();
    let (method, path) = ROUTES.get(route).copied().unwrap_or_default();
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(credentials.iter().map(|value| ("authorization", value.as_str())));
    let line = format!("{method} /v1/{path}");
    let body = if method == "POST" { event_json("nobody") } else { String::new() };
    let asked = field.connect().and_then(|mut connection| connection.ask(&line, &headers, &body));
    let answer = asked.map_err(|e| format!("{line} as nobody: {e}"))?;
    expect(&format!("{line} with {credentials:?}"), &answer, &[400, 401])?;
    Ok("wrong credentials".to_owned())
}

type Client = AuditServiceClient<Channel>;

/// A connection for each caller.
#[derive(Default)]
pub(super) struct Grpc {
    clients: BTreeMap<Caller, Client>,
}

fn ask_over_grpc(field: &Field<'_>, grpc: &mut Grpc, case: u64, asking: Asking) -> Done {
    let Asking { caller, log, call } = asking;
    let name = CALLS.get(call).copied().unwrap_or_default();
    let bearer = field.bearer(caller);
    let client = grpc.clients.get(&caller).cloned();
    let work = async {
        let mut client = match client {
            Some(client) => client,
            None => connect(field)?,
        };
        let asked = Called { client: &mut client, bearer: &bearer, log, case };
        let done = asked.call(name).await;
        Ok::<_, String>((client, done))
    };
    let in_time = async { tokio::time::timeout(PATIENCE, work).await };
    let what = format!("{name} on {log} as {caller:?}");
    let ended = field.runtime.block_on(in_time).map_err(|_late| format!("{what}: no answer"))?;
    let (client, done) = ended.map_err(|e| format!("{what}: {e}"))?;
    let closed = done.as_ref().is_err_and(|status| status.code() == Code::Unknown);
    if !closed {
        grpc.clients.insert(caller, client);
    }
    let may = if call < 3 { caller.may_append(log) } else { caller.may_read(log) };
    let refused = done.as_ref().err().map(Status::code);
    match (caller.is_known(), may, refused) {
        (false, _, Some(Code::Unauthenticated)) | (true, false, Some(Code::PermissionDenied)) => {}
        (true, true, None) => {
            for (receipt, id) in done.unwrap_or_default() {
                field.acknowledge(log, receipt, &id);
            }
        }
        _ => return Err(format!("{what}: {done:?}")),
    }
    Ok(format!("gRPC calls {}", answered(caller, may)))
}

fn connect(field: &Field<'_>) -> Result<Client, String> {
    let endpoint =
        Channel::from_shared(format!("http://{}", field.address)).map_err(|e| e.to_string())?;
    Ok(AuditServiceClient::new(endpoint.connect_lazy()))
}

/// What a call acknowledged: receipts, and of which events.
type Receipts = Vec<(Receipt, String)>;

/// A call in the name of somebody.
struct Called<'a> {
    client: &'a mut Client,
    bearer: &'a str,
    log: &'a str,
    case: u64,
}

impl Called<'_> {
    fn request<T>(&self, message: T) -> Result<Request<T>, Status> {
        let mut request = Request::new(message);
        let bearer: MetadataValue<_> =
            self.bearer.parse().map_err(|_odd| Status::internal("no header"))?;
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    }

    fn event(&self, index: u64) -> (String, v1::Event) {
        let id = format!("grpc:{}:{index}", self.case);
        let event = v1::Event {
            actor: "agent".to_owned(),
            action: "role".to_owned(),
            resource: id.clone(),
            event_id: id.clone(),
            ..v1::Event::default()
        };
        (id, event)
    }

    async fn call(self, name: &str) -> Result<Receipts, Status> {
        if name.starts_with("Append") { self.append(name).await } else { self.read(name).await }
    }

    async fn append(self, name: &str) -> Result<Receipts, Status> {
        let log = self.log.to_owned();
        let (id, event) = self.event(0);
        match name {
            "Append" => {
                let request = self.request(v1::AppendRequest { log, event: Some(event) })?;
                let answer = self.client.append(request).await?.into_inner();
                Ok(vec![(receipt(answer.receipt)?, id)])
            }
            "AppendBatch" => {
                let (other_id, other) = self.event(1);
                let events = vec![event, other];
                let request = self.request(v1::AppendBatchRequest { log, events })?;
                let answer = self.client.append_batch(request).await?.into_inner();
                let mut receipts = Vec::new();
                for (result, id) in answer.results.into_iter().zip([id, other_id]) {
                    let Some(v1::append_result::Outcome::Receipt(one)) = result.outcome else {
                        return Err(Status::internal(format!("{result:?}")));
                    };
                    receipts.push((receipt(Some(one))?, id));
                }
                Ok(receipts)
            }
            _ => {
                let item = v1::AppendStreamRequest { log, request_id: 1, event: Some(event) };
                let request = self.request(tokio_stream::iter([item]))?;
                let mut answers = self.client.append_stream(request).await?.into_inner();
                match answers.message().await?.and_then(|answer| answer.outcome) {
                    Some(Streamed::Receipt(one)) => Ok(vec![(receipt(Some(one))?, id)]),
                    Some(Streamed::Rejected(failure)) if failure.code == "permission_denied" => {
                        Err(Status::permission_denied(failure.message))
                    }
                    other => Err(Status::internal(format!("{other:?}"))),
                }
            }
        }
    }

    async fn read(self, name: &str) -> Result<Receipts, Status> {
        let log = self.log.to_owned();
        match name {
            "GetRecord" => {
                let request = self.request(v1::GetRecordRequest { log, seq: 0 })?;
                self.client.get_record(request).await?;
            }
            "Query" => {
                let query = v1::QueryRequest { log, limit: 5, ..v1::QueryRequest::default() };
                let request = self.request(query)?;
                self.client.query(request).await?.into_inner().message().await?;
            }
            "Tail" => {
                let tail = v1::TailRequest { log, from_seq: Some(0), ..v1::TailRequest::default() };
                let request = self.request(tail)?;
                self.client.tail(request).await?.into_inner().message().await?;
            }
            "GetCheckpoint" => {
                let request = self.request(v1::GetCheckpointRequest { log })?;
                self.client.get_checkpoint(request).await?;
            }
            "GetInclusionProof" => {
                let proof = v1::GetInclusionProofRequest { log, seq: 0, tree_size: 1 };
                let request = self.request(proof)?;
                self.client.get_inclusion_proof(request).await?;
            }
            _ => {
                let proof = v1::GetConsistencyProofRequest { log, from_size: 1, to_size: 1 };
                let request = self.request(proof)?;
                self.client.get_consistency_proof(request).await?;
            }
        }
        Ok(Vec::new())
    }
}

fn receipt(receipt: Option<v1::Receipt>) -> Result<Receipt, Status> {
    let one = receipt.ok_or_else(|| Status::internal("no receipt"))?;
    let line = format!(
        "{{\"log_id\":\"{}\",\"seq\":{},\"timestamp\":\"{}\",\"hash\":\"{}\"}}",
        one.log_id, one.seq, one.timestamp, one.hash
    );
    command::receipt(&line).map_err(|e| Status::internal(e.to_string()))
}
