//! What each role may do: every call of both protocols, for every role, on its own log and on another.

use std::time::Duration;

use indelible_server::Server;
use indelible_server::auth::role::Role;
use indelible_server::config::LogConfig;
use indelible_server::proto::v1;
use indelible_server::proto::v1::audit_service_client::AuditServiceClient;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::support::{Running, config, event, reason};
use crate::web::{EVENT, JSON, add_token, bearer, grant, send};

/// A service with the logs `default` and `other`, and a token for each role on `default` alone.
async fn running() -> (Running, Vec<(Option<Role>, String)>) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tokens");
    let mut config = config(&place);
    let mut other = LogConfig::new("other", place.path().join("other"));
    other.create = true;
    config.logs.push(other);
    for log in &mut config.logs {
        // So that each record is covered at once, and every call has something to say.
        log.checkpoint_interval = Duration::from_millis(1);
    }
    let mut callers = Vec::new();
    for role in [Role::Append, Role::Read, Role::Admin] {
        let grants = vec![grant(role, Some("default"))];
        callers.push((Some(role), bearer(&add_token(&file, role.as_str(), grants, |_| {}))));
    }
    let stranger = add_token(&file, "stranger", vec![grant(Role::Admin, Some("other"))], |_| {});
    callers.push((None, bearer(&stranger)));
    config.tokens = Some(file);
    (Running { server: Server::start(config).await.unwrap(), place }, callers)
}

fn may(role: Option<Role>, needed: Role) -> bool {
    role.is_some_and(|role| role.includes(needed))
}

/// Method, path, content type, body, and the role that it takes.
type Call<'a> = (&'a str, &'a str, (&'a str, &'a str), &'a str, Role);

#[tokio::test(flavor = "multi_thread")]
async fn over_http_each_call_takes_its_role_on_its_log() {
    let (running, callers) = running().await;
    let batch = format!("{EVENT}\n{EVENT}\n");
    let lines = ("content-type", "application/x-ndjson");
    let calls: [Call<'_>; 8] = [
        ("POST", "records", JSON, EVENT, Role::Append),
        ("POST", "records", lines, &batch, Role::Append),
        ("GET", "records", JSON, "", Role::Read),
        ("GET", "records/0", JSON, "", Role::Read),
        ("GET", "records/0/proof", JSON, "", Role::Read),
        ("GET", "checkpoint", JSON, "", Role::Read),
        ("GET", "consistency?from=1&to=1", JSON, "", Role::Read),
        ("GET", "tail?from=zero", JSON, "", Role::Read),
    ];
    for (method, path, kind, body, needed) in calls {
        for (role, credential) in &callers {
            for (log, role) in
                [("default", *role), ("other", role.is_none().then_some(Role::Admin))]
            {
                let line = format!("{method} /v1/logs/{log}/{path}");
                let headers = [("host", "x"), kind, ("authorization", credential.as_str())];
                let answer = send(running.address(), &line, &headers, body).await;
                let refused = answer.status() == "403";
                assert_eq!(!refused, may(role, needed), "{line} as {role:?}: {answer:?}");
                assert_eq!(refused, answer.body.contains("permission_denied"), "{answer:?}");
                assert_ne!(answer.status(), "401");
            }
        }
        let headers = [("host", "x"), kind];
        let line = format!("{method} /v1/{path}");
        let nobody = send(running.address(), &line, &headers, body).await;
        assert_eq!(nobody.status(), "401", "{line}");
    }
    running.stop_and_verify().await;
}

/// Puts a credential into each request.
pub(crate) type Named = Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send>;
pub(crate) type Client = AuditServiceClient<InterceptedService<Channel, Named>>;

pub(crate) async fn client(running: &Running, credential: &str) -> Client {
    let credential: MetadataValue<_> = credential.parse().unwrap();
    let name: Named = Box::new(move |mut request| {
        request.metadata_mut().insert("authorization", credential.clone());
        Ok(request)
    });
    AuditServiceClient::with_interceptor(running.channel().await, name)
}

/// The calls of `AuditService`, and what each takes.
const CALLS: [(&str, Role); 9] = [
    ("Append", Role::Append),
    ("AppendBatch", Role::Append),
    ("AppendStream", Role::Append),
    ("GetRecord", Role::Read),
    ("Query", Role::Read),
    ("Tail", Role::Read),
    ("GetCheckpoint", Role::Read),
    ("GetInclusionProof", Role::Read),
    ("GetConsistencyProof", Role::Read),
];

async fn call(client: &mut Client, call: &str, log: &str) -> Result<(), Status> {
    let log = log.to_owned();
    match call {
        "Append" => {
            client.append(v1::AppendRequest { log, event: Some(event("a")) }).await?;
        }
        "AppendBatch" => {
            let events = vec![event("a"), event("b")];
            client.append_batch(v1::AppendBatchRequest { log, events }).await?;
        }
        "AppendStream" => {
            let item = v1::AppendStreamRequest { log, request_id: 1, event: Some(event("a")) };
            let answers = client.append_stream(tokio_stream::iter([item])).await?;
            let answer = answers.into_inner().message().await?.unwrap();
            if let Some(v1::append_stream_response::Outcome::Rejected(failure)) = answer.outcome {
                assert_eq!(failure.code, "permission_denied");
                return Err(Status::permission_denied(failure.message));
            }
        }
        "GetRecord" => drop(client.get_record(v1::GetRecordRequest { log, seq: 0 }).await?),
        "Query" => {
            let request = v1::QueryRequest { log, ..v1::QueryRequest::default() };
            client.query(request).await?.into_inner().message().await?;
        }
        "Tail" => {
            let request = v1::TailRequest { log, from_seq: Some(0), ..v1::TailRequest::default() };
            client.tail(request).await?.into_inner().message().await?;
        }
        "GetCheckpoint" => {
            client.get_checkpoint(v1::GetCheckpointRequest { log }).await?;
        }
        "GetInclusionProof" => {
            let request = v1::GetInclusionProofRequest { log, seq: 0, tree_size: 1 };
            client.get_inclusion_proof(request).await?;
        }
        "GetConsistencyProof" => {
            let request = v1::GetConsistencyProofRequest { log, from_size: 1, to_size: 1 };
            client.get_consistency_proof(request).await?;
        }
        other => panic!("{other} is no call"),
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn over_grpc_each_call_takes_its_role_on_its_log() {
    let (running, callers) = running().await;
    for (role, credential) in &callers {
        let mut client = client(&running, credential).await;
        for (log, role) in [("default", *role), ("other", role.is_none().then_some(Role::Admin))] {
            for (name, needed) in CALLS {
                let called = call(&mut client, name, log).await;
                let refused =
                    called.as_ref().is_err_and(|status| status.code() == Code::PermissionDenied);
                assert_eq!(!refused, may(role, needed), "{name} on {log} as {role:?}: {called:?}");
                let authenticated = called.as_ref().err().map(reason);
                assert_ne!(authenticated.as_deref(), Some("unauthenticated"), "{name}");
            }
        }
    }
    running.stop_and_verify().await;
}

#[test]
fn every_call_of_the_service_is_among_those_tested() {
    let proto = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../proto/indelible/v1/audit.proto");
    let text = std::fs::read_to_string(proto).unwrap();
    let named = |line: &str| Some(line.trim().strip_prefix("rpc ")?.split('(').next()?.to_owned());
    let calls: Vec<String> = text.lines().filter_map(named).collect();
    assert_eq!(calls, CALLS.map(|(name, _)| name));
    // No role can delete.
    assert!(calls.iter().all(|call| !call.contains("Delete") && !call.contains("Update")));
}
