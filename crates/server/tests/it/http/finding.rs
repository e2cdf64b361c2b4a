//! `GET /v1/records`.

use serde_json::Value;

use super::{Answer, event};
use crate::support::Running;

/// Records 1 to 25, of two actors in turn, with a session.
async fn filled() -> Running {
    let running = Running::start_with(|config| config.limits.page_records_max = 10).await;
    let lines: String = (1..=25)
        .map(|number| {
            let event = event(&format!("do:{number}"))
                .replace('}', &format!(r#","session":{{"user":{{"id":"u={number}"}}}}}}"#));
            let actor = if number % 2 == 0 { "even é" } else { "odd" };
            event.replace("agent:7", actor) + "\n"
        })
        .collect();
    assert_eq!(running.post_lines(&lines).await.status, 201);
    running
}

fn seqs(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.lines().iter().map(|line| line["seq"].as_u64().unwrap()).collect()
}

fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    assert!(link.ends_with(&format!(
        "cursor={}>; rel=\"next\"",
        answer.header("indelible-cursor").unwrap()
    )));
    Some(link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned())
}

/// All pages from a path on.
async fn pages(running: &Running, path: &str) -> Vec<Vec<u64>> {
    let (mut path, mut pages) = (path.to_owned(), Vec::new());
    loop {
        let answer = running.get(&path).await;
        pages.push(seqs(&answer));
        match next(&answer) {
            Some(next) => path = next,
            None => return pages,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_the_stored_lines_and_lead_on_to_the_end() {
    let running = filled().await;
    let all = pages(&running, "/v1/records").await;
    let expected: [Vec<u64>; 3] = [(0..10).collect(), (10..20).collect(), (20..26).collect()];
    assert_eq!(all, expected);
    let first = running.get("/v1/records?limit=3").await;
    assert_eq!(first.text().lines().collect::<Vec<_>>(), running.stored()[..3]);
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));
    let backwards = pages(&running, "/v1/logs/default/records?order=desc&limit=9&actor=odd").await;
    let odd = |range: std::ops::Range<u64>| range.rev().filter(|n| n % 2 == 1).collect::<Vec<_>>();
    assert_eq!(backwards, [odd(9..26), odd(0..9)]);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_conditions_hold_together_and_survive_paging() {
    let running = filled().await;
    for (query, expected) in [
        ("action=do:1?&limit=4&actor=even%20%C3%A9", vec![vec![10, 12, 14, 16], vec![18]]),
        ("action=do:1?&actor=even+%C3%A9&limit=5", vec![vec![10, 12, 14, 16, 18], vec![]]),
        ("session=user.id%3Du%3D7", vec![vec![7]]),
        ("session=user.id=u=2*&session=user.id=*4", vec![vec![24]]),
        (r"session=a%5C%3Db=c", vec![vec![]]),
        ("first_seq=3&last_seq=5", vec![vec![3, 4, 5]]),
        ("first_seq=24", vec![vec![24, 25]]),
        ("recorded_by=anonymous:*&last_seq=2", vec![vec![1, 2]]),
        ("outcome=*", vec![vec![]]),
        ("event_id=*", vec![vec![]]),
        ("resource=nothing", vec![vec![]]),
        ("actor=", vec![(0..10).collect(), (10..20).collect(), (20..26).collect()]),
        ("first_seq=99", vec![vec![]]),
    ] {
        assert_eq!(pages(&running, &format!("/v1/records?{query}")).await, expected, "{query}");
    }
    let stored: Value = serde_json::from_str(&running.stored()[25]).unwrap();
    let time = stored["timestamp"].as_str().unwrap();
    let since = seqs(&running.get(&format!("/v1/records?since={time}")).await);
    assert!(since.contains(&25), "{since:?}");
    let until = pages(&running, &format!("/v1/records?until={time}")).await.concat();
    assert!(!until.contains(&25), "{until:?}");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_refused_by_its_name() {
    let running = filled().await;
    for (query, field, text) in [
        ("acter=a", "acter", "is \"actor\" meant?"),
        ("offset=3", "offset", "no parameter"),
        ("actor=a&actor=b", "actor", "twice"),
        ("cursor=o1&cursor=o2", "cursor", "twice"),
        ("actor=%ff", "actor", "UTF-8"),
        ("actor=%zz", "actor", "percent"),
        ("actor=a%5C", "actor", "backslash"),
        ("session=user", "session", "PATH=GLOB"),
        ("session=a..b=c", "session", "empty"),
        ("until=", "until", "it is empty"),
        ("since=yesterday", "since", "RFC 3339"),
        ("first_seq=-1", "first_seq", "whole number"),
        ("first_seq=01", "first_seq", "without a zero"),
        ("first_seq=5&last_seq=4", "last_seq", "before first_seq"),
        ("order=up", "order", "asc"),
        ("limit=0", "limit", "1 to 10"),
        ("limit=11", "limit", "limits.page_records_max"),
        ("limit=x", "limit", "whole number"),
        ("cursor=o05", "cursor", "none that the service gave"),
        ("cursor=x", "cursor", "none that the service gave"),
        ("cursor=n5", "cursor", "other order"),
    ] {
        let answer = running.get(&format!("/v1/records?{query}")).await;
        let detail = answer.problem_of(400, "invalid_argument", field);
        assert!(detail.contains(text), "{query}: {detail}");
    }
    let anew = running.get("/v1/records?limit=1").await;
    assert_eq!(running.get("/v1/records?limit=1&cursor=").await.text(), anew.text());
    let long = format!("/v1/records?actor={}", "x".repeat(2049));
    let detail = running.get(&long).await.problem_of(400, "invalid_argument", "actor");
    assert!(detail.contains("2049") && detail.contains("2048"), "{detail}");
    let many = format!("/v1/records?{}", "session=a=b&".repeat(17));
    let detail = running.get(&many).await.problem_of(400, "invalid_argument", "session");
    assert!(detail.contains("17") && detail.contains("16"), "{detail}");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_ends_where_its_bytes_do() {
    let running = Running::start().await;
    let large = event("read")
        .replace('}', &format!(",\"metadata\":{{\"m\":\"{}\"}}}}", "x".repeat(60_000)));
    for _ in 0..3 {
        let answer = running.post_lines(&format!("{large}\n").repeat(10)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let pages = pages(&running, "/v1/records").await;
    assert!(pages.len() > 1 && pages[0].len() < 20, "{pages:?}");
    assert_eq!(pages.concat(), (0..31).collect::<Vec<_>>());
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_beyond_those_that_may_be_are_told_to_come_again() {
    let running = Running::start_with(|config| config.limits.reads_max = 0).await;
    for path in [
        "/v1/records",
        "/v1/records/0",
        "/v1/records/0/proof",
        "/v1/checkpoint",
        "/v1/consistency?from=1",
    ] {
        let answer = running.get(path).await;
        answer.problem(429, "too_many");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    running.stop_and_verify().await;
}
