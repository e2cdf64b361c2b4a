//! Records of the service in front of a log: written through the log, read back, verified, and out of clients' reach.

use std::num::NonZeroU64;
use std::sync::Arc;

use indelible::format::chain::Hash;
use indelible::format::event::EventError;
use indelible::format::own::{
    Authentication, Configured, Listeners, OwnRecord, RefuseReason, ServiceConfigure,
    ServiceRecord, ServiceRefuse, ServiceStart, ServiceStop, StopReason, Who,
};
use indelible::format::record::{Content, Record};
use indelible::format::time::Timestamp;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AppendError, AuditLog, Event, Order, Problem, Query, Verdict};

use crate::checker::assert_log_is_sound;
use crate::scene::{FOLDER, Head, active, closed, event, open, storage, write_active};

fn start() -> ServiceRecord {
    ServiceRecord::Start(ServiceStart {
        version: "0.4.0".parse().unwrap(),
        pid: 4711,
        listeners: Listeners::new(vec!["127.0.0.1:8080".parse().unwrap()]).unwrap(),
        configuration: Hash::from_bytes([7; 32]),
        authentication: Authentication::Required,
    })
}

fn records() -> Vec<ServiceRecord> {
    let refuse = |who| {
        let (reason, count) = (RefuseReason::Role, NonZeroU64::MIN);
        let [since, until] = [1, 2].map(|ns| Timestamp::from_unix_ns(ns).unwrap());
        ServiceRecord::Refuse(ServiceRefuse { who, reason, count, since, until })
    };
    vec![
        start(),
        refuse(Who::Principal("agent \"7\"".parse().unwrap())),
        refuse(Who::Address("2001:db8::1".parse().unwrap())),
        refuse(Who::User(1_000)),
        ServiceRecord::Configure(ServiceConfigure {
            what: Configured::Tokens,
            before: Hash::from_bytes([8; 32]),
            after: Hash::from_bytes([9; 32]),
        }),
        ServiceRecord::Stop(ServiceStop { reason: StopReason::Signal, records: 9 }),
    ]
}

fn read(log: &AuditLog, seq: u64) -> OwnRecord {
    let stored = log.reader().record(seq).unwrap().unwrap();
    let record = Record::parse(&stored.line).unwrap();
    let Content::Own(own) = record.content() else { panic!("{record:?}") };
    own.clone()
}

#[test]
fn what_the_service_records_is_read_back_found_and_sound() {
    let disk = closed();
    let log = open(&disk);
    for (number, what) in records().into_iter().enumerate() {
        log.append(event(number)).unwrap();
        let receipt = log.record_service(what.clone()).unwrap().wait().unwrap();
        assert!(!receipt.duplicate);
        assert_eq!(read(&log, receipt.seq), OwnRecord::Service(what));
    }
    let again = [(); 2].map(|()| log.record_service(start()).unwrap().wait().unwrap().seq);
    assert_eq!(again, [16, 17], "the same twice is two records");
    log.close().unwrap();
    let query = Query::new().with_action("indelible.service.*".parse().unwrap());
    let query = query.with_order(Order::OldestFirst);
    let found = log.reader().query(&query).unwrap().map(|found| found.unwrap().seq);
    assert_eq!(found.collect::<Vec<_>>(), [5, 7, 9, 11, 13, 15, 16, 17]);
    let report = assert_log_is_sound(&storage(&disk), FOLDER, &[]);
    let unknown: Vec<_> =
        report.findings.iter().filter(|f| f.problem == Problem::OwnRecordUnknown).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let log = open(&disk);
    assert!(log.recovery().is_clean());
    assert_eq!(log.append(event(1)).unwrap().seq, 18);
}

#[test]
fn a_closed_log_takes_no_record_of_the_service() {
    let disk = closed();
    let log = open(&disk);
    log.close().unwrap();
    assert!(matches!(log.record_service(start()), Err(AppendError::Closed)));
}

#[test]
fn no_client_writes_a_record_of_the_service() {
    let disk = closed();
    let log = open(&disk);
    let metadata = serde_json::json!({"reason": "signal", "records": 1});
    for (actor, action) in [
        ("indelible", "indelible.service.stop"),
        ("agent:7", "indelible.service.stop"),
        ("indelible", "service.stop"),
    ] {
        let event = Event::new(actor, action, "indelible.invalid/x").metadata(metadata.clone());
        let refused = [
            log.append(&event).map(drop),
            log.append_recorded_by(&event, "agent-7").map(drop),
            log.submit(&event).map(drop),
            log.try_submit_recorded_by(&event, "agent-7").map(drop),
            log.try_submit_all(std::slice::from_ref(&event)).map(drop).map_err(|e| e.error),
            log.check(&event, None).map_err(AppendError::from),
        ];
        for refused in refused {
            let is_own = matches!(refused, Err(AppendError::Event(EventError::LogsOwn { .. })));
            assert!(is_own, "{actor} {action}: {refused:?}");
        }
        let text = format!(r#"{{"actor":"{actor}","action":"{action}","resource":"r"}}"#);
        let event = Event::from_json(text.as_bytes());
        assert!(event.and_then(|event| event.encode()).is_err(), "{text}");
    }
    assert_eq!(log.records(), 4);
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

/// A log with one more record of the service, written past it with these members.
fn planted(action: &str, metadata: &str) -> SimulatedDisk {
    let disk = closed();
    let origin = open(&disk).identity().origin().clone();
    let mut lines = active(&disk);
    let fields = format!(
        r#""actor":"indelible","action":"{action}","resource":"{origin}","metadata":{metadata}"#
    );
    let line = Head::of(&lines).record_with(&fields);
    lines.extend_from_slice(&line);
    write_active(&disk, lines);
    disk
}

#[test]
fn the_verifier_checks_the_members_and_knows_no_other_action() {
    let verify = |disk: &SimulatedDisk| {
        let storage: Arc<_> = storage(disk);
        crate::checker::verify(&storage, FOLDER.as_ref(), &[])
    };
    let report = verify(&planted("indelible.service.stop", r#"{"reason":"signal","records":3}"#));
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    let report = verify(&planted("indelible.service.stop", r#"{"reason":"mood","records":3}"#));
    assert_eq!(report.verdict(), Verdict::Broken, "{report}");
    let text = report.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("reason is not one of signal, request, halted, failed"), "{report}");
    let report = verify(&planted("indelible.service.begin", r#"{"x":1}"#));
    assert!(report.findings.iter().any(|f| f.problem == Problem::OwnRecordUnknown), "{report}");
}
