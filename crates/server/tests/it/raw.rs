//! A client that speaks bytes: what well-behaved ones never send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection.
pub(crate) struct Raw<S = TcpStream> {
    pub(crate) stream: S,
}

/// An HTTP/2 frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

impl Frame {
    pub(crate) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// `GET /nowhere`, or a `POST` whose body is still to come.
    pub(crate) fn request(stream: u32, method: u8, flags: u8) -> Self {
        // HPACK: indexed method, scheme http, then path and authority as literals of indexed names.
        let mut block = vec![method, 0x86, 0x04, 8];
        block.extend(b"/nowhere");
        block.extend([0x01, 9]);
        block.extend(b"localhost");
        Self::new(HEADERS, flags | END_HEADERS, stream, block)
    }

    /// `GET` of that path.
    pub(crate) fn get_path(stream: u32, path: &str) -> Self {
        let mut block = vec![0x82, 0x86];
        block.extend(literal(4, path));
        block.extend(literal(1, "localhost"));
        Self::new(HEADERS, END_HEADERS | END_STREAM, stream, block)
    }

    /// A call of a method of `AuditService` with that message.
    pub(crate) fn call(stream: u32, method: &str, message: &[u8]) -> [Self; 2] {
        let mut block = vec![0x83, 0x86];
        block.extend(literal(4, &format!("/indelible.v1.AuditService/{method}")));
        block.extend(literal(1, "localhost"));
        // content-type, in the second half of the static table.
        block.extend([0x0f, 31 - 15]);
        block.extend(literal(0, "application/grpc").into_iter().skip(1));
        let mut body = vec![0];
        body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend(message);
        let head = Self::new(HEADERS, END_HEADERS, stream, block);
        [head, Self::new(DATA, END_STREAM, stream, body)]
    }

    pub(crate) fn get(stream: u32) -> Self {
        Self::request(stream, 0x82, END_STREAM)
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The last four bytes of the payload: the error of `RST_STREAM` and of a `GOAWAY` without text.
    pub(crate) fn error(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// HPACK: a value of the name with that index, not to be kept.
fn literal(name: u8, value: &str) -> Vec<u8> {
    let mut bytes = vec![name, u8::try_from(value.len()).unwrap()];
    bytes.extend(value.as_bytes());
    bytes
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap() }
    }

    /// As an HTTP/2 client that has made its handshake with these settings.
    pub(crate) async fn connect_http2(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut raw = Self::connect(address).await;
        raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        raw.send_frames(&[Frame::new(SETTINGS, 0, 0, payload)]).await;
        raw
    }
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Raw<S> {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends an event to append.
    pub(crate) async fn post(&mut self, event: &str) {
        let length = event.len();
        self.send(format!(
            "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{event}"
        ))
        .await;
    }

    pub(crate) async fn send_frames(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        self.send(bytes).await;
    }

    /// All that comes until the other end closes.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset ends it too.
        drop(self.stream.read_to_end(&mut bytes).await);
        bytes
    }

    /// Reads frames until one that is sought; all but it and the handshake's are passed over.
    pub(crate) async fn frame(&mut self, kind: u8, flags: u8) -> Frame {
        loop {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload).await.unwrap();
            let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
            let frame = Frame::new(head[3], head[4], stream, payload);
            if frame.kind == kind && frame.flags & flags == flags {
                return frame;
            }
        }
    }

    /// The head and body of one HTTP/1 answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut bytes = Vec::new();
        let head_size = loop {
            if let Some(at) = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.stream.read_buf(&mut bytes).await.unwrap() > 0, "no answer: {bytes:?}");
        };
        let head = String::from_utf8(bytes[..head_size].to_vec()).unwrap().to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap();
        let mut body = bytes[head_size..].to_vec();
        body.resize(length.parse().unwrap(), 0);
        let there = bytes.len() - head_size;
        self.stream.read_exact(&mut body[there..]).await.unwrap();
        Answer { head, body: String::from_utf8(body).unwrap() }
    }
}

/// An HTTP/1 answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}
