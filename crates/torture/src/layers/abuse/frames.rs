//! HTTP/2 as no client speaks it: frames by the thousand that cost the sender nothing.

use super::attack::Done;
use super::field::Field;
use super::service::STREAMS_MAX;
use crate::http::{Connection, is_hung_up};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What must come of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The connection is ended, whatever else.
    Closed,
    /// It may be borne: answered, or ended.
    Borne,
}

pub(super) fn attack(field: &Field<'_>, random: &mut fastrand::Rng) -> Done {
    let many = random.u32(1_000..8_000);
    let (what, frames, end) = match random.u8(..12) {
        0 => ("settings", repeat(many, |n| frame(SETTINGS, 0, 0, &setting(n))), End::Borne),
        1 => {
            ("pings", repeat(many, |n| frame(PING, 0, 0, &u64::from(n).to_be_bytes())), End::Borne)
        }
        2 => (
            "rapid resets",
            repeat(many, |n| {
                [get(2 * n + 1), frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8])].concat()
            }),
            End::Closed,
        ),
        3 => (
            "continuations",
            {
                let first = frame(HEADERS, END_STREAM, 1, &block());
                [
                    first,
                    repeat(many, |_| {
                        frame(CONTINUATION, 0, 1, &[0x40, 1, b'x', 1, b'y'].repeat(40))
                    }),
                ]
                .concat()
            },
            End::Closed,
        ),
        4 => (
            "empty continuations",
            {
                let first = frame(HEADERS, END_STREAM, 1, &block());
                [first, repeat(many, |_| frame(CONTINUATION, 0, 1, &[]))].concat()
            },
            End::Closed,
        ),
        5 => ("streams", repeat(STREAMS_MAX + many % 400, |n| post(2 * n + 1)), End::Borne),
        6 => (
            "windows",
            repeat(many, |_| frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
            End::Closed,
        ),
        7 => (
            "empty data",
            { [post(1), repeat(many, |_| frame(DATA, 0, 1, &[]))].concat() },
            End::Borne,
        ),
        8 => (
            "priorities",
            repeat(many, |n| frame(PRIORITY, 0, 2 * n + 1, &[0, 0, 0, 0, 9])),
            End::Borne,
        ),
        9 => ("promises", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), End::Closed),
        10 => ("a frame too large", frame(DATA, 0, 1, &vec![0; 1 << 20]), End::Closed),
        _ => ("noise", noise(random), End::Borne),
    };
    let mut connection = field.connect().map_err(|e| e.to_string())?;
    let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    connection.send(&begin).map_err(|e| format!("{what}: {e}"))?;
    let sent = connection.send(&frames).and_then(|()| connection.end());
    let closed = match sent {
        Ok(()) => is_ended(&mut connection, what)?,
        Err(e) if is_hung_up(&e) => true,
        Err(e) => return Err(format!("{what}: {e}")),
    };
    if end == End::Closed && !closed {
        return Err(format!("{what}: {} bytes were borne", frames.len()));
    }
    Ok(format!("HTTP/2 {what}"))
}

/// Reads all that comes; whether an error ended it. What ends without one ended since nothing more was sent.
fn is_ended(connection: &mut Connection, what: &str) -> Result<bool, String> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match connection.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend(buffer.iter().take(count)),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                return Err(format!("{what}: neither answered nor ended"));
            }
            Err(e) if is_hung_up(&e) => return Ok(true),
            Err(e) => return Err(format!("{what}: {e}")),
        }
    }
    let mut rest = bytes.as_slice();
    while let Some((head, behind)) = rest.split_first_chunk::<9>() {
        let [a, b, c, kind, ..] = *head;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        let Some((payload, next)) = behind.split_at_checked(length) else { break };
        if kind == GOAWAY && payload.get(4..8).is_some_and(|code| code != [0; 4]) {
            return Ok(true);
        }
        rest = next;
    }
    Ok(false)
}

fn repeat(count: u32, frames: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(frames).collect()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut bytes = length.get(1..).unwrap_or_default().to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The largest header list, at another value each time.
fn setting(number: u32) -> Vec<u8> {
    [&6_u16.to_be_bytes()[..], &(16_384 + number).to_be_bytes()].concat()
}

/// HPACK: `GET`, scheme http, then path and authority as literals of indexed names.
fn block() -> Vec<u8> {
    block_of(0x82)
}

fn block_of(method: u8) -> Vec<u8> {
    let mut block = vec![method, 0x86, 0x04, 8];
    block.extend(b"/nowhere");
    block.extend([0x01, 9]);
    block.extend(b"localhost");
    block
}

fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block())
}

/// A request whose body never comes.
fn post(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &block_of(0x83))
}

/// Frames of any kind, length and stream.
fn noise(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.usize(1..200) {
        let payload: Vec<u8> = (0..random.usize(..60)).map(|_| random.u8(..)).collect();
        bytes.extend(frame(random.u8(..12), random.u8(..), random.u32(..8), &payload));
    }
    bytes
}
