//! Reflection, v1 and v1alpha, and the API that it tells of.

use std::fmt::Write as _;

use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::Label;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Ask;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest as AskAlpha;
use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse as AnswerAlpha;
use tonic_reflection::pb::{v1, v1alpha};

use crate::support::Running;

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
