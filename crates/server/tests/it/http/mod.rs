//! The HTTP side, byte by byte: a client that sends what it is told to, and no more.

mod access;
mod appending;
mod batches;
mod document;
mod failing;
mod finding;
mod problems;
mod proving;
mod tailing;
mod taking;
mod tree;

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::Running;

/// What was answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The body's lines, each of them JSON.
    fn lines(&self) -> Vec<Value> {
        assert_eq!(self.header("content-type"), Some("application/x-ndjson"), "{}", self.text());
        assert!(self.body.is_empty() || self.body.ends_with(b"\n"), "{}", self.text());
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Checks that it is a problem of that status and code, in its whole form.
    fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], format!("urn:indelible:problem:{code}"), "{problem}");
        assert!(!problem["title"].as_str().unwrap().is_empty(), "{problem}");
        let request = format!("urn:indelible:request:{}", self.header("x-request-id").unwrap());
        assert_eq!(problem["instance"], request, "by which the operator finds more");
        problem
    }

    /// As [`Self::problem`], which names a field.
    fn problem_of(&self, status: u16, code: &str, field: &str) -> String {
        let problem = self.problem(status, code);
        assert_eq!(problem["field"], field, "{problem}");
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// A connection that is read piece by piece.
struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    async fn to(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Reads more; false at the end.
    async fn fill(&mut self) -> bool {
        self.stream.read_buf(&mut self.unread).await.unwrap() > 0
    }

    /// Takes all up to and including `end`; `None` where the connection ended before.
    async fn take_through(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            let found = self.unread.windows(end.len()).position(|window| window == end);
            if let Some(at) = found {
                return Some(self.unread.drain(..at + end.len()).collect());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn take(&mut self, size: usize) -> Vec<u8> {
        while self.unread.len() < size {
            assert!(self.fill().await, "the connection ended in a body");
        }
        self.unread.drain(..size).collect()
    }

    /// Status and headers.
    async fn head(&mut self) -> Answer {
        let head = self.take_through(b"\r\n\r\n").await.unwrap();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Answer { status, headers, body: Vec::new() }
    }

    /// The next piece of a body that is sent in chunks; `None` at its end.
    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.take_through(b"\r\n").await?;
        let size = String::from_utf8(line).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let mut chunk = self.take(size + 2).await;
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    /// A whole answer; `is_head` says that it has no body whatever its headers say.
    async fn answer(&mut self, is_head: bool) -> Answer {
        let mut answer = self.head().await;
        if is_head || answer.status == 304 {
            return answer;
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend_from_slice(&chunk);
            }
        } else {
            let size = answer.header("content-length").unwrap().parse().unwrap();
            answer.body = self.take(size).await;
        }
        answer
    }
}

/// The head of a request.
fn head(address: SocketAddr, line: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{line} HTTP/1.1\r\nhost: {address}\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head
}

impl Running {
    /// Sends one request on a connection of its own; `line` is such as `GET /v1/records`.
    async fn http(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut connection = Connection::to(self.address()).await;
        let head = head(self.address(), line, headers);
        let request = format!("{head}content-length: {}\r\n\r\n", body.len());
        connection.send(&[request.as_bytes(), body].concat()).await;
        connection.answer(line.starts_with("HEAD ")).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.http(&format!("GET {path}"), &[], b"").await
    }

    /// Posts one event.
    async fn post(&self, body: &str) -> Answer {
        let json = [("content-type", "application/json")];
        self.http("POST /v1/records", &json, body.as_bytes()).await
    }

    /// Posts an event a line.
    async fn post_lines(&self, body: &str) -> Answer {
        let lines = [("content-type", "application/x-ndjson")];
        self.http("POST /v1/records", &lines, body.as_bytes()).await
    }

    /// Posts `count` events in one request, and waits until a checkpoint covers them all.
    async fn covered(&self, count: usize) -> u64 {
        let answer = self.post_lines(&(event("fill") + "\n").repeat(count)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let last = answer.lines().last().unwrap()["seq"].as_u64().unwrap();
        loop {
            let note = self.get("/v1/checkpoint").await;
            let size: u64 = note.text().lines().nth(1).unwrap().parse().unwrap();
            if size > last {
                return size;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The lines of the log's active file.
    fn stored(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.place.path().join("audit/audit.log")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// An event with nothing but what is required.
fn event(action: &str) -> String {
    format!(r#"{{"actor":"agent:7","action":"{action}","resource":"file:/etc/hosts"}}"#)
}

/// The same with an id.
fn event_with_id(action: &str, id: &str) -> String {
    event(action).replacen('{', &format!(r#"{{"event_id":"{id}","#), 1)
}
