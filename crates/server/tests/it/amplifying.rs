//! Messages that would be a hundred times as large once they are decoded.

use bytes::BufMut as _;
use indelible_server::Server;
use indelible_server::auth::role::Role;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};

use crate::support::{Running, assert_refused, config};
use crate::web::{add_token, bearer, grant};

/// Sends bytes as they are.
#[derive(Clone, Copy, Debug)]
struct AsIs;

impl Codec for AsIs {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsIs {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for AsIs {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, _from: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        Ok(None)
    }
}

async fn refused(running: &Running, method: &str, message: Vec<u8>, credential: &str) -> Status {
    let mut client = tonic::client::Grpc::new(running.channel().await);
    client.ready().await.unwrap();
    let path = format!("/indelible.v1.AuditService/{method}").parse().unwrap();
    let mut request = Request::new(message);
    let credential: MetadataValue<_> = credential.parse().unwrap();
    request.metadata_mut().insert("authorization", credential);
    client.unary(request, path, AsIs).await.unwrap_err()
}

/// A field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut length = u32::try_from(bytes.len()).unwrap();
    let mut field = vec![number << 3 | 2];
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    field.extend(bytes);
    field
}

/// Each message ends in what can't be decoded, so that a refusal for another reason came before that was tried.
#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_too_much_of_is_refused_before_it_is_decoded() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tokens");
    let admin = bearer(&add_token(&file, "admin", vec![grant(Role::Admin, None)], |_| {}));
    let reader = bearer(&add_token(&file, "reader", vec![grant(Role::Read, None)], |_| {}));
    let mut config = config(&place);
    config.tokens = Some(file);
    config.limits.batch_events_max = 1000;
    let running = Running { server: Server::start(config).await.unwrap(), place };
    let broken = [0x0a, 0x01, 0xff];

    for count in [1001, 1 << 20] {
        let events = field(2, &[]).repeat(count).into_iter().chain(broken).collect();
        let told = refused(&running, "AppendBatch", events, &admin).await;
        assert_refused(&told, Code::ResourceExhausted, "too_large");
        assert!(told.message().contains(&count.to_string()), "{told:?}");
    }
    let events: Vec<_> = field(2, &[]).repeat(1000).into_iter().chain(broken).collect();
    let told = refused(&running, "AppendBatch", events.clone(), &admin).await;
    assert_refused(&told, Code::InvalidArgument, "invalid_argument");
    let told = refused(&running, "AppendBatch", field(2, &[]), &reader).await;
    assert_refused(&told, Code::PermissionDenied, "permission_denied");

    for method in ["Query", "Tail"] {
        // In one filter, and in many that the decoder makes one of.
        for message in
            [field(2, &field(7, &[]).repeat(100_000)), field(2, &field(7, &[])).repeat(100_000)]
        {
            let message = message.into_iter().chain(broken).collect();
            let told = refused(&running, method, message, &admin).await;
            assert_refused(&told, Code::InvalidArgument, "invalid_argument");
            assert!(told.message().contains("100000 conditions, at most 16"), "{told:?}");
        }
    }
    running.stop_and_verify().await;
}
