//! A client for `POST /v1/records`: one request after the other on each of many connections.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Failure;
use crate::child::Child;
use crate::load::per_second;

const EVENT: &str = r#"{"actor":"agent:7","action":"tool.call:read_file","resource":"file:/etc/hosts","outcome":"success","metadata":{"padding":"0123456789abcdefghijklmnopqrstuvwx"}}"#;

/// Posts on `connections` at once: requests a second.
pub(crate) async fn post(
    server: &Child,
    connections: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let request = format!(
        "POST /v1/records HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{EVENT}",
        server.address,
        EVENT.len()
    );
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(server.address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let began = Instant::now();
    let mut tasks: JoinSet<Result<u64, Failure>> = JoinSet::new();
    for mut stream in streams {
        let request = request.clone();
        tasks.spawn(async move {
            let (mut count, mut answer) = (0, Vec::with_capacity(4096));
            while began.elapsed() < time {
                stream.write_all(request.as_bytes()).await?;
                answer.clear();
                while !is_whole(&answer)? {
                    if stream.read_buf(&mut answer).await? == 0 {
                        return Err("the connection ended".into());
                    }
                }
                count += 1;
            }
            Ok(count)
        });
    }
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        count += done??;
    }
    Ok(per_second(count, began.elapsed()))
}

/// Whether head and body are there.
fn is_whole(answer: &[u8]) -> Result<bool, Failure> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = std::str::from_utf8(answer.get(..end).unwrap_or_default())?;
    if !head.starts_with("HTTP/1.1 201") {
        return Err(format!("refused: {}", String::from_utf8_lossy(answer)).into());
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    Ok(answer.len() >= end + 4 + length.ok_or("no content-length")??)
}
