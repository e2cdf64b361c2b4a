//! `POST /v1/records` with an event a line.

use super::{event, event_with_id};
use crate::support::Running;

#[tokio::test(flavor = "multi_thread")]
async fn each_line_gets_its_receipt_in_order() {
    let running = Running::start().await;
    let body = format!("{}\r\n\n {} \n{}", event("a"), event("b"), event("c"));
    let answer = running.post_lines(&body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("location"), None);
    let receipts = answer.lines();
    let stored = running.stored();
    for (number, (receipt, action)) in receipts.iter().zip(["a", "b", "c"]).enumerate() {
        assert_eq!(receipt["seq"], number + 1);
        assert!(stored[number + 1].contains(&format!("\"action\":\"{action}\"")));
        assert!(stored[number + 1].contains(receipt["hash"].as_str().unwrap()));
    }
    assert_eq!((receipts.len(), stored.len()), (3, 4));
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_were_recorded_before_are_said_to_be() {
    let running = Running::start().await;
    let body = format!("{}\n{}\n", event_with_id("a", "1"), event_with_id("b", "2"));
    let first = running.post_lines(&body).await;
    assert_eq!(first.status, 201);
    let again = running.post_lines(&body).await;
    assert_eq!(again.status, 200, "{}", again.text());
    for (first, again) in first.lines().iter().zip(again.lines()) {
        assert_eq!((&first["seq"], &first["hash"]), (&again["seq"], &again["hash"]));
        assert_eq!(again["duplicate"], true);
    }
    let mixed = running.post_lines(&format!("{body}{}\n", event("c"))).await;
    assert_eq!(mixed.status, 201, "something is new: {}", mixed.text());
    let seqs: Vec<_> = mixed.lines().iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3]);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_line_that_is_at_fault_keeps_all_out_and_is_named() {
    let running = Running::start().await;
    assert_eq!(running.post(&event_with_id("a", "known")).await.status, 201);
    let good = event("good");
    for (bad, status, code) in [
        ("{}".to_owned(), 400, "invalid_event"),
        ("not JSON".to_owned(), 400, "invalid_event"),
        (format!("[{good}]"), 400, "invalid_argument"),
        (event("indelible.x"), 400, "invalid_event"),
        (event(&"x".repeat(1025)), 400, "invalid_event"),
        (event_with_id("b", "known"), 409, "conflict"),
    ] {
        let answer = running.post_lines(&format!("{good}\n\n{good}\n{bad}\n{good}\n")).await;
        let problem = answer.problem(status, code);
        assert!(problem["detail"].as_str().unwrap().starts_with("line 4: "), "{problem}");
        assert_eq!(problem["index"], 2, "{problem}");
    }
    let answer = running.post_lines(&format!("\u{feff}{good}\n")).await;
    assert!(
        answer.problem(400, "invalid_argument")["detail"].as_str().unwrap().starts_with("line 1: ")
    );
    for empty in ["", "\n\r\n \n"] {
        running.post_lines(empty).await.problem_of(400, "invalid_argument", "body");
    }
    assert_eq!(running.stored().len(), 2, "nothing of them was recorded");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_events_than_a_request_may_have_are_refused_with_the_limit() {
    let running = Running::start_with(|config| config.limits.batch_events_max = 3).await;
    let lines = |count| format!("{}\n", event("read")).repeat(count);
    let answer = running.post_lines(&lines(4)).await;
    let detail = answer.problem_of(413, "too_large", "body");
    assert!(detail.contains("4 events") && detail.contains('3'), "{detail}");
    assert_eq!(running.post_lines(&lines(3)).await.status, 201);
    assert_eq!(running.stored().len(), 4);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_the_queue_can_never_hold_are_refused_before_any_is_taken() {
    let running = Running::start_with(|config| {
        config.logs[0].entry_size_max = 8192;
        config.logs[0].queue_size_max = 16 << 10;
    })
    .await;
    let large =
        event("read").replace('}', &format!(",\"metadata\":{{\"m\":\"{}\"}}}}", "x".repeat(3000)));
    let answer = running.post_lines(&format!("{large}\n").repeat(10)).await;
    let problem = answer.problem(413, "too_large");
    assert!(problem["detail"].as_str().unwrap().contains("16384"), "{problem}");
    assert_eq!(running.stored().len(), 1, "nothing was recorded");
    assert_eq!(running.post_lines(&format!("{large}\n")).await.status, 201);
    running.stop_and_verify().await;
}
