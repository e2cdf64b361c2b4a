//! Requests that two readers may understand in two ways, and what is hardly a request at all.

use super::attack::Done;
use super::field::Field;
use super::service::Caller;
use crate::http::is_hung_up;

/// What the head of a request is; the hidden one follows it.
struct Oddity {
    what: &'static str,
    /// In place of `{}` stands the length of the hidden request.
    head: &'static str,
    body: &'static str,
}

const fn oddity(what: &'static str, head: &'static str, body: &'static str) -> Oddity {
    Oddity { what, head, body }
}

/// Each is refused, and its connection closed: what follows is not read as a request.
const HIDING: [Oddity; 16] = [
    oddity("length and chunks", "content-length: {}\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
    oddity("chunks and length", "transfer-encoding: chunked\r\ncontent-length: 5", "0\r\n\r\n"),
    oddity("two lengths", "content-length: 2\r\ncontent-length: {}", "{}"),
    oddity("a list of lengths", "content-length: 2, 2", "{}"),
    oddity("a length with a sign", "content-length: +2", "{}"),
    oddity("a negative length", "content-length: -2", "{}"),
    oddity("a hexadecimal length", "content-length: 0x2", "{}"),
    oddity("an endless length", "content-length: 99999999999999999999999", "{}"),
    oddity("another coding", "transfer-encoding: xchunked", "0\r\n\r\n"),
    oddity("chunks that are not last", "transfer-encoding: chunked, identity", "0\r\n\r\n"),
    oddity("two codings", "transfer-encoding: chunked\r\ntransfer-encoding: identity", "0\r\n\r\n"),
    oddity(
        "a space before a colon",
        "transfer-encoding : chunked\r\ncontent-length: 5",
        "0\r\n\r\n",
    ),
    oddity("a folded line", "x-folded: a\r\n b\r\ncontent-length: 2", "{}"),
    oddity("a NUL", "x-nul: a\0b\r\ncontent-length: 2", "{}"),
    oddity(
        "an endless chunk",
        "transfer-encoding: chunked",
        "FFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
    ),
    oddity("a chunk of no size", "transfer-encoding: chunked", "-1\r\n{}\r\n0\r\n\r\n"),
];

/// First lines and heads that are refused, with what they are answered; none of them hides anything.
const STRANGE: [(&str, &[u16]); 14] = [
    ("TRACE / HTTP/1.1\r\nhost: localhost", &[400, 404, 405, 501]),
    ("CONNECT example.com:80 HTTP/1.1\r\nhost: localhost", &[400, 404, 405, 501]),
    ("OPTIONS * HTTP/1.1\r\nhost: localhost", &[400, 404, 405]),
    ("DELETE /v1/records/0 HTTP/1.1\r\nhost: localhost", &[405]),
    ("PUT /v1/records HTTP/1.1\r\nhost: localhost", &[405]),
    ("GET / HTTP/9.9\r\nhost: localhost", &[400, 505]),
    ("GET /v1/records/0 HTTP/1.1", &[400]),
    ("GET /v1/records/0 HTTP/1.1\r\nhost: a\r\nhost: b", &[400]),
    ("GET http://evil/v1/records/0 HTTP/1.1\r\nhost: localhost", &[400]),
    ("GET /v1/records/0 HTTP/1.1\r\nhost: user@localhost", &[400, 403]),
    ("GET /v1/logs/%2e%2e/records/0 HTTP/1.1\r\nhost: localhost", &[404]),
    ("GET /v1/logs/../../../etc/passwd HTTP/1.1\r\nhost: localhost", &[404]),
    ("GET /v1/records/18446744073709551616 HTTP/1.1\r\nhost: localhost", &[400]),
    ("\u{16}\u{3}\u{1}\u{2}", &[400]),
];

pub(super) fn attack(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    match random.u8(..8) {
        0..=3 => hiding(field, random),
        4..=5 => strange(field, random),
        6 => large_headers(field, random),
        _ => leftovers(field, random),
    }
}

/// A request inside of another: nobody may append it.
fn hidden(field: &Field<'_>) -> String {
    let event = "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"hidden\"}";
    let bearer = field.bearer(Caller::Admin);
    format!(
        "POST /v1/records HTTP/1.1\r\nhost: localhost\r\nauthorization: {bearer}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{event}",
        event.len()
    )
}

fn hiding(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    let hidden = hidden(field);
    let index = random.usize(..HIDING.len());
    let Some(Oddity { what, head, body }) = HIDING.get(index) else { return Ok(String::new()) };
    let head = head.replace("{}", &hidden.len().to_string());
    let bearer = field.bearer(Caller::Admin);
    let request = format!(
        "POST /v1/records HTTP/1.1\r\nhost: localhost\r\nauthorization: {bearer}\r\n\
         content-type: application/json\r\n{head}\r\n\r\n{body}{hidden}"
    );
    let answers = all_answers(field, request.as_bytes(), Then::Waits)?;
    match answers.as_slice() {
        [400 | 413] => Ok("requests in requests".to_owned()),
        other => Err(format!("{what}: answered {other:?}, not 400 and closed")),
    }
}

fn strange(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    let index = random.usize(..STRANGE.len());
    let Some((head, expected)) = STRANGE.get(index) else { return Ok(String::new()) };
    let bearer = field.bearer(Caller::Admin);
    let request = format!("{head}\r\nauthorization: {bearer}\r\nconnection: close\r\n\r\n");
    let answers = all_answers(field, request.as_bytes(), Then::Waits)?;
    match answers.as_slice() {
        [status] if expected.contains(status) => Ok("strange requests".to_owned()),
        other => Err(format!("{head:?}: answered {other:?}, not {expected:?}")),
    }
}

/// Names, values and numbers of headers over their limit.
fn large_headers(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    let size = random.usize(17 << 10..200 << 10);
    let (what, headers) = match random.u8(..4) {
        0 => ("a large name", format!("{}: x", "x".repeat(size))),
        1 => ("a large value", format!("x: {}", "x".repeat(size))),
        2 => ("many headers", "x: y\r\n".repeat(size / 6).trim_end().to_owned()),
        _ => ("a large cookie", format!("cookie: {}", "a=b; ".repeat(size / 5))),
    };
    let request = format!("GET /v1/records HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n\r\n");
    let answers = all_answers(field, request.as_bytes(), Then::Waits)?;
    match answers.as_slice() {
        // Who is still sending when the other end closes may lose the answer.
        [431] | [] => Ok("large headers".to_owned()),
        other => Err(format!("{what} of {size} bytes: answered {other:?}, not 431")),
    }
}

/// Random bytes, or a good request with some of its bytes changed: an answer or none, and never success with a fault of the
/// service. What would be appended by it is refused for want of a token.
fn leftovers(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    let mut bytes =
        b"POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
        content-length: 46\r\n\r\n{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"noise\"}"
            .to_vec();
    for _ in 0..random.usize(1..8) {
        let at = random.usize(..bytes.len());
        match random.u8(..3) {
            0 => bytes.insert(at, random.u8(..)),
            1 => drop(bytes.remove(at)),
            _ => bytes.get_mut(at).into_iter().for_each(|byte| *byte = random.u8(..)),
        }
    }
    let answers = all_answers(field, &bytes, Then::Ends)?;
    match answers.iter().find(|status| !(400..500).contains(*status)) {
        None => Ok("noise".to_owned()),
        Some(status) => Err(format!("{:?}: answered {status}", String::from_utf8_lossy(&bytes))),
    }
}

/// What the client does when all is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It waits for answers.
    Waits,
    /// It says that nothing more will come, and may get no answer then.
    Ends,
}

/// Sends these bytes and nothing more; the status of each answer until the other end closes.
fn all_answers(field: &Field<'_>, bytes: &[u8], then: Then) -> Result<Vec<u16>, String> {
    let mut connection = field.connect().map_err(|e| e.to_string())?;
    let sent = connection.send(bytes);
    let ended = if then == Then::Ends { connection.end() } else { Ok(()) };
    if sent.is_err() || ended.is_err() {
        // It was refused before all was sent.
        return match connection.answer() {
            Ok(answer) => Ok(vec![answer.status]),
            Err(error) if is_hung_up(&error) => Ok(Vec::new()),
            Err(error) => Err(format!("refused with no answer and no end: {error}")),
        };
    }
    let mut answers = Vec::new();
    loop {
        match connection.answer() {
            Ok(answer) => answers.push(answer.status),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                return Err(format!("after {answers:?}, neither an answer nor an end"));
            }
            Err(error) if is_hung_up(&error) => return Ok(answers),
            Err(error) => return Err(format!("after {answers:?}, no answer is: {error}")),
        }
    }
}
