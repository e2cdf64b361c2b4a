//! Reflection, v1 and v1alpha, and the API that it tells of.

use std::fmt::Write as _;
use std::time::Duration;

use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::Label;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_reflection::pb::v1::ServerReflectionResponse as Answered;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Ask;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest as AskAlpha;
use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse as AnswerAlpha;
use tonic_reflection::pb::{v1, v1alpha};

use crate::support::{Running, assert_refused};

#[expect(clippy::wildcard_enum_match_arm, reason = "any other answer is wrong, whichever it is")]
#[tokio::test(flavor = "multi_thread")]
async fn both_versions_list_the_services_and_give_the_file() {
    let running = Running::start().await;
    let expected = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "indelible.v1.AuditService",
    ];

    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(running.channel().await);
    let ask =
        |what| v1::ServerReflectionRequest { host: String::new(), message_request: Some(what) };
    let requests = [
        ask(Ask::ListServices(String::new())),
        ask(Ask::FileContainingSymbol("indelible.v1.AuditService.AppendStream".to_owned())),
    ];
    let mut answers =
        client.server_reflection_info(tokio_stream::iter(requests)).await.unwrap().into_inner();
    match answers.message().await.unwrap().unwrap().message_response.unwrap() {
        Answer::ListServicesResponse(list) => {
            let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
            assert!(expected.iter().all(|name| names.iter().any(|n| n == name)), "{names:?}");
        }
        other => panic!("{other:?}"),
    }
    match answers.message().await.unwrap().unwrap().message_response.unwrap() {
        Answer::FileDescriptorResponse(file) => assert_eq!(file.file_descriptor_proto.len(), 1),
        other => panic!("{other:?}"),
    }

    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(running.channel().await);
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(AskAlpha::ListServices(String::new())),
    };
    let mut answers =
        client.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
    match answers.message().await.unwrap().unwrap().message_response.unwrap() {
        AnswerAlpha::ListServicesResponse(list) => {
            let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
            assert!(expected.iter().all(|name| names.iter().any(|n| n == name)), "{names:?}");
        }
        other => panic!("{other:?}"),
    }
    drop(answers);
    running.stop_and_verify().await;
}

/// A stream of questions that goes on until the sender is dropped.
type Asking = (mpsc::Sender<v1::ServerReflectionRequest>, Streaming<Answered>);

/// Asks which services there are, with a host of that many bytes.
async fn ask(running: &Running, host_size: usize) -> Result<Asking, Status> {
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(running.channel().await);
    let (sender, requests) = mpsc::channel(1);
    let request = v1::ServerReflectionRequest {
        host: "h".repeat(host_size),
        message_request: Some(Ask::ListServices(String::new())),
    };
    sender.send(request).await.unwrap();
    let answers = client.server_reflection_info(ReceiverStream::new(requests)).await?;
    Ok((sender, answers.into_inner()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_larger_than_any_with_an_answer_is_not_repeated() {
    let running = Running::start().await;
    let (sender, mut answers) = ask(&running, 4 << 10).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().valid_host.len(), 4 << 10);
    drop((sender, answers));
    // The library ends the stream, and does not say why.
    let (sender, mut answers) = ask(&running, 16 << 10).await.unwrap();
    assert!(answers.message().await.ok().flatten().is_none());
    drop((sender, answers));

    let alpha = v1alpha::ServerReflectionRequest {
        host: "h".repeat(16 << 10),
        message_request: Some(AskAlpha::ListServices(String::new())),
    };
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(running.channel().await);
    let answers = client.server_reflection_info(tokio_stream::iter([alpha])).await.unwrap();
    assert!(answers.into_inner().message().await.ok().flatten().is_none());
    drop(client);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_there_may_be_are_refused_until_one_ends() {
    let running = Running::start().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(ask(&running, 0).await.unwrap());
    }
    let refused = ask(&running, 0).await.unwrap_err();
    assert_refused(&refused, Code::ResourceExhausted, "too_many");
    open.clear();
    let again = async {
        while ask(&running, 0).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), again).await.expect("one that ended is over");
    running.stop_and_verify().await;
}

/// The API as text, one line a method, field and value.
fn api() -> String {
    let set: FileDescriptorSet =
        prost::Message::decode(indelible_server::proto::DESCRIPTORS).unwrap();
    let mut text = String::new();
    for file in set.file.iter().filter(|file| file.package().starts_with("indelible")) {
        for service in &file.service {
            for method in &service.method {
                let stream = |streams| if streams { "stream " } else { "" };
                writeln!(
                    text,
                    "{}.{}({}{}) {}{}",
                    service.name(),
                    method.name(),
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type()
                )
                .unwrap();
            }
        }
        for value in file.enum_type.iter().flat_map(|kind| &kind.value) {
            writeln!(text, "{} = {}", value.name(), value.number()).unwrap();
        }
        for message in &file.message_type {
            for field in &message.field {
                let kind = match field.type_name() {
                    "" => format!("{:?}", field.r#type()).to_lowercase(),
                    name => name.to_owned(),
                };
                let choice = field
                    .oneof_index
                    .filter(|_| !field.proto3_optional())
                    .map(|_| " oneof")
                    .unwrap_or_default();
                writeln!(
                    text,
                    "{}.{} = {}: {}{kind}{choice}{}",
                    message.name(),
                    field.name(),
                    field.number(),
                    if field.label() == Label::Repeated { "repeated " } else { "" },
                    if field.proto3_optional() { " optional" } else { "" }
                )
                .unwrap();
            }
        }
    }
    text
}

#[test]
fn the_api_is_the_one_that_clients_were_built_for() {
    // A change here is a change of the API: fields are added, never renumbered or given another meaning. To take one over,
    // run this test with INDELIBLE_WRITE_VECTORS=1.
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit.v1.txt");
    if std::env::var_os("INDELIBLE_WRITE_VECTORS").is_some() {
        std::io::Write::write_all(&mut std::fs::File::create(&golden).unwrap(), api().as_bytes())
            .unwrap();
    }
    assert_eq!(std::fs::read_to_string(&golden).unwrap(), api());
}
