//! `/openapi.json`.

use std::path::Path;

use crate::support::Running;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_the_one_that_was_reviewed() {
    let running = Running::start().await;
    let answer = running.get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi.json");
    if std::env::var_os("INDELIBLE_WRITE_OPENAPI").is_some() {
        write(&path, &answer.body);
    }
    let reviewed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        answer.text() == reviewed,
        "the API changed: write the document anew (INDELIBLE_WRITE_OPENAPI=1), and read the diff"
    );
    let document = answer.json();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    for path in [
        "/records",
        "/records/{seq}",
        "/records/{seq}/proof",
        "/checkpoint",
        "/consistency",
        "/tail",
    ] {
        for prefix in ["/v1", "/v1/logs/{log}"] {
            assert!(document["paths"][format!("{prefix}{path}")].is_object(), "{prefix}{path}");
        }
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_that_may_come_is_explained_to_operators() {
    let running = Running::start().await;
    let document = running.get("/openapi.json").await.json();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate/errors.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut count = 0;
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                if response["content"]["application/problem+json"].is_null() {
                    continue;
                }
                let codes = response["description"].as_str().unwrap().split('`').skip(1).step_by(2);
                for code in codes {
                    let row = page.lines().find(|row| row.starts_with(&format!("| `{code}` |")));
                    let told = row.is_some_and(|row| row.contains(&format!("| {status} |")));
                    assert!(told, "{code} {status}");
                    count += 1;
                }
            }
        }
    }
    assert!(count > 100, "only {count} codes were looked at");
    running.stop_and_verify().await;
}

#[expect(clippy::disallowed_methods, reason = "a golden file, not a log")]
fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
