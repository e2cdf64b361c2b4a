//! Bodies that no client should send: too large, too deep, broken, of another kind, or too slow.

use super::attack::{Done, expect};
use super::field::Field;
use super::service::{Caller, REQUEST_SIZE_MAX};
use crate::http::{Answer, Connection, is_hung_up};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

/// One that is refused as a whole.
pub(super) fn attack(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    match random.u8(..10) {
        0 => giant_by_length(field, random),
        1 => giant_by_chunks(field),
        2..=4 => deep(field, random),
        5 => large(field, random),
        6 => another_kind(field, random),
        _ => broken(field, random),
    }
}

fn post(
    field: &Field<'_>,
    kind: &str,
    body: &str,
    more: &[(&str, &str)],
) -> Result<Answer, String> {
    let bearer = field.bearer(Caller::Admin);
    let mut headers = vec![("authorization", bearer.as_str()), ("content-type", kind)];
    headers.extend(more);
    let asked = field.connect().and_then(|mut it| it.ask("POST /v1/records", &headers, body));
    asked.map_err(|e| format!("a body of {} bytes: {e}", body.len()))
}

fn head(field: &Field<'_>, kind: &str, length: &str) -> String {
    let bearer = field.bearer(Caller::Admin);
    format!(
        "POST /v1/records HTTP/1.1\r\nhost: localhost\r\nauthorization: {bearer}\r\n\
         content-type: {kind}\r\n{length}\r\n\r\n"
    )
}

/// Its length alone is too much: it is refused before it is read.
fn giant_by_length(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    let what = "giant by its length";
    let bits = random.u8(1..50);
    let size = REQUEST_SIZE_MAX + 1 + random.usize(..1 << bits);
    let mut connection = field.connect().map_err(|e| e.to_string())?;
    let kind = if random.bool() { JSON } else { LINES };
    let sent = connection.send(head(field, kind, &format!("content-length: {size}")).as_bytes());
    let answer = sent.and_then(|()| connection.answer()).map_err(|e| format!("{what}: {e}"))?;
    expect(what, &answer, &[413])?;
    Ok(what.to_owned())
}

/// Its length is not told, and it does not end.
fn giant_by_chunks(field: &Field<'_>) -> Done {
    let what = "giant by its chunks";
    let mut connection = field.connect().map_err(|e| e.to_string())?;
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let begun = connection.send(head(field, JSON, "transfer-encoding: chunked").as_bytes());
    begun.map_err(|e| format!("{what}: {e}"))?;
    let mut sent = 0;
    // It is refused at a quarter of a mebibyte; what is in buffers meanwhile is the system's.
    let refused = loop {
        match connection.send(chunk.as_bytes()) {
            Ok(()) if sent < 256 => sent += 1,
            Ok(()) => return Err(format!("{what}: 16 MiB were taken")),
            Err(error) => break error,
        }
    };
    if !is_hung_up(&refused) {
        return Err(format!("{what}: {refused}"));
    }
    // Who is still sending when the other end closes may lose the answer.
    match connection.answer() {
        Ok(answer) => expect(what, &answer, &[413])?,
        Err(error) if is_hung_up(&error) => {}
        Err(error) => return Err(format!("{what}: {error}")),
    }
    Ok(what.to_owned())
}

/// As deep as fits.
fn deep(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    let what = "deep JSON";
    let depth = random.usize(130..60_000);
    let (open, close) = if random.bool() { ("[", "]") } else { ("{\"a\":", "}") };
    let (open, close) = (open.repeat(depth), close.repeat(depth));
    let inner = if open.ends_with(':') { "1" } else { "" };
    let deep = if random.u8(..4) == 0 { open } else { format!("{open}{inner}{close}") };
    let body = match random.u8(..4) {
        0 => deep,
        1 => format!("{{\"actor\":{deep},\"action\":\"b\",\"resource\":\"deep\"}}"),
        _ => format!(
            "{{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"deep\",\"metadata\":{{\"x\":{deep}}}}}"
        ),
    };
    let answer = post(field, JSON, &body, &[])?;
    expect(what, &answer, &[400, 413])?;
    Ok(what.to_owned())
}

/// An event, or a batch of them, over its limit.
fn large(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    if random.bool() {
        let filler = "x".repeat(random.usize(66_000..200_000));
        let body = format!(
            "{{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"large\",\"metadata\":{{\"x\":\"{filler}\"}}}}"
        );
        expect("an event too large", &post(field, JSON, &body, &[])?, &[413])?;
        return Ok("an event too large".to_owned());
    }
    let line = "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"many\"}\n";
    let body = line.repeat(random.usize(1_001..5_000));
    expect("a batch too large", &post(field, LINES, &body, &[])?, &[413])?;
    Ok("a batch too large".to_owned())
}

fn another_kind(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    let body = "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"kind\"}";
    let kinds =
        ["text/plain", "application/xml", "multipart/form-data; boundary=x", "*/*", "json", ""];
    let kind = random.choice(kinds).unwrap_or_default();
    expect("another content type", &post(field, kind, body, &[])?, &[415])?;
    let coding = random.choice(["gzip", "br", "deflate, gzip", "zstd"]).unwrap_or_default();
    let answer = post(field, JSON, body, &[("content-encoding", coding)])?;
    expect("a compressed body", &answer, &[415])?;
    Ok("another content type".to_owned())
}

/// What is no event. Each is refused, and in a batch so are those beside it.
fn broken(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    let events = [
        "",
        "null",
        "[]",
        "\"event\"",
        "{\"actor\":\"a\"}",
        "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\"",
        "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\"}}",
        "{\"actor\":\"a\",\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\"}",
        "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\",\"seq\":0}",
        "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\",\"_hash\":\"0\"}",
        "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\",\"recorded_by\":\"root\"}",
        "{\"actor\":1,\"action\":\"b\",\"resource\":\"c\"}",
        "{\"actor\":\"a\\ud800\",\"action\":\"b\",\"resource\":\"c\"}",
        "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\",\"metadata\":{\"x\":NaN}}",
        "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\",\"metadata\":{\"x\":01}}",
        "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\",\"metadata\":[]}",
        "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\",\"outcome\":\"perhaps\"}",
        "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\",\"event_time\":\"yesterday\"}",
        "\u{feff}{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\"}",
        "{'actor':'a','action':'b','resource':'c'}",
        "{\"actor\":\"indelible\",\"action\":\"indelible.log.prune\",\"resource\":\"c\"}",
        "\u{0}\u{0}\u{0}\u{0}",
    ];
    let event = random.choice(events).unwrap_or_default();
    let (kind, body) = if event.trim().is_empty() || random.bool() {
        (JSON, event.to_owned())
    } else {
        let good = "{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"beside\"}\n";
        (LINES, format!("{}{event}\n{good}", good.repeat(random.usize(..40))))
    };
    let answer = post(field, kind, &body, &[])?;
    expect(&format!("{body:?}"), &answer, &[400])?;
    Ok("broken events".to_owned())
}

/// Bytes that come slowly, or not at all: the connection is handed to who waits.
pub(super) fn slowly(field: &Field<'_>, case: u64, random: &mut fastrand::Rng) -> Done {
    let mut connection: Connection = field.connect().map_err(|e| e.to_string())?;
    let headers = "POST /v1/records HTTP/1.1\r\nhost: localhost\r\nx-slow: ".to_owned();
    let (kind, at_once, drips) = match random.u8(..7) {
        0 => ("nothing sent", String::new(), Vec::new()),
        1 => ("half a preface", "PRI * HTTP/2.0\r\n\r\nSM".to_owned(), Vec::new()),
        2 => ("slow headers", headers, vec![b'x'; 10_000]),
        3 => ("half a head", headers, Vec::new()),
        4 => ("slow body", head(field, JSON, "content-length: 10000"), vec![b' '; 9_999]),
        5 => ("half a body", head(field, LINES, "content-length: 10000"), Vec::new()),
        _ => (
            "slow chunks",
            head(field, JSON, "transfer-encoding: chunked"),
            b"1\r\n \r\n".repeat(2_000),
        ),
    };
    connection.send(at_once.as_bytes()).map_err(|e| format!("{kind}: {e}"))?;
    if random.u8(..3) == 0 && drips.is_empty() {
        // Half open: it will never send another byte, and does not go.
        connection.end().map_err(|e| format!("{kind}: {e}"))?;
    }
    field.slow.hold(case, kind, connection, drips);
    Ok(kind.to_owned())
}
