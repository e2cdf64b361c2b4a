//! Free space that runs out: appends are refused before, and taken again after.

#![expect(clippy::disallowed_methods, reason = "a disk is filled from outside")]

use std::process::Command;

use crate::raw::{Answer, Raw};
use crate::support::{Running, config};
use indelible_server::Server;

const EVENT: &str = r#"{"actor":"a","action":"b","resource":"c"}"#;

async fn append(server: &Server) -> Answer {
    let mut raw = Raw::connect(server.addresses()[0]).await;
    raw.post(EVENT).await;
    raw.answer().await
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_least_free_space_nothing_is_taken_and_the_reason_is_told() {
    let running = Running::start_with(|config| {
        config.logs[0].min_free_space = u64::MAX / 2;
        config.admin = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let refused = append(&running.server).await;
    assert_eq!(refused.status(), "507", "{refused:?}");
    assert!(refused.body.contains("\"code\":\"disk_space\""), "{refused:?}");
    assert!(refused.head.contains("retry-after: 60\r\n"), "{refused:?}");
    let mut raw = Raw::connect(running.server.admin_address().unwrap()).await;
    raw.send("GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let ready = raw.answer().await;
    assert_eq!(ready.status(), "503");
    assert!(ready.body.starts_with("not ready\ndefault: disk_space: "), "{ready:?}");
    drop(raw);
    let report = running.stop_and_verify().await;
    assert_eq!(report.records, 1, "the genesis record alone");
}

/// A file system of its own, unmounted at the end.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// None where this process may not mount.
    fn new(size: &str) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0700");
        let mounting = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(place.path())
            .output();
        mounting.is_ok_and(|output| output.status.success()).then_some(Self(place))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_refuses_before_it_is_full_and_takes_again_once_there_is_room() {
    let Some(mounted) = Mounted::new("32m") else {
        eprintln!("skipped: a small file system takes the right to mount one");
        return;
    };
    let mut config = config(&mounted.0);
    config.logs[0].min_free_space = 16 << 20;
    let server = Server::start(config).await.unwrap();
    assert_eq!(append(&server).await.status(), "201");
    let ballast = mounted.0.path().join("ballast");
    std::fs::write(&ballast, vec![1; 20 << 20]).unwrap();
    let refused = loop {
        let answer = append(&server).await;
        if answer.status() != "201" {
            break answer;
        }
    };
    assert!(refused.body.contains("\"code\":\"disk_space\""), "{refused:?}");
    std::fs::remove_file(&ballast).unwrap();
    while append(&server).await.status() != "201" {}
    assert!(server.stop().await.is_in_order());
    let folder = mounted.0.path().join("audit");
    let report = indelible::Verifier::new(folder).unwrap().strict().verify().unwrap();
    assert_eq!(report.verdict(), indelible::Verdict::Sound, "{report}");
}
