use std::num::NonZeroU64;

use super::*;
use crate::chain::seal;
use crate::checkpoint::Checkpoint;
use crate::decode_error::DecodeError;
use crate::note::SignerKey;
use crate::record::{Content, Record, write_head};

fn log_id() -> LogId {
    LogId::from_bytes(std::array::from_fn(|i| u8::try_from(i).unwrap()))
}

fn origin() -> Origin {
    "example.com/audit".parse().unwrap()
}

fn key(seed: u8) -> SignerKey {
    SignerKey::from_seed(&origin(), &[seed; 32])
}

fn time(ns: i128) -> Timestamp {
    Timestamp::from_unix_ns(ns).unwrap()
}

fn create(continues: Option<Continues>) -> Create {
    let key = key(1).verifier_key();
    Create { format: 1, log_id: log_id(), origin: origin(), key, continues }
}

fn announcements() -> Vec<Announcement> {
    let checkpoint = Checkpoint { origin: origin(), size: 3, root: Hash::from_bytes([3; 32]) };
    let continues = Continues {
        log_id: LogId::from_bytes([9; 16]),
        checkpoint: checkpoint.sign(&key(2)).to_string(),
        reason: "disk \"lost\"\nwrites".to_owned(),
    };
    vec![
        Announcement::Create(create(None)),
        Announcement::Create(create(Some(continues))),
        Announcement::Adopt(Adopt { from_seq: 3, to_seq: u64::MAX }),
        Announcement::Recover(Recover {
            file: "audit.log".to_owned(),
            offset: 1234,
            length: 17,
            sha256: Hash::from_bytes([0xab; 32]),
            kind: TailKind::NoLf,
            quarantine: String::new(),
        }),
        Announcement::Prune(Prune {
            format: 1,
            log_id: log_id(),
            origin: origin(),
            keys: vec![key(1).verifier_key(), key(2).verifier_key()],
            first_kept_seq: 100,
            last_pruned_hash: Hash::from_bytes([7; 32]),
            files: 2,
            reason: "a reason with ,\"signed\": in it".to_owned(),
        }),
        Announcement::Redact(Redact {
            seq: 5,
            hash: Hash::from_bytes([8; 32]),
            timestamp: time(5),
            reason: "erasure request".to_owned(),
        }),
        Announcement::Format(NewFormat { format: 2 }),
        Announcement::ClockBehind(ClockBehind { wall: time(6) }),
        Announcement::ClockJump(ClockJump { wall: time(7), counted: time(8), believed: false }),
    ]
    .into_iter()
    .chain(service_records().into_iter().map(Announcement::Service))
    .collect()
}

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn service_records() -> Vec<ServiceRecord> {
    let refuse = |who| {
        let (reason, count) = (RefuseReason::TokenExpired, NonZeroU64::MAX);
        let (since, until) = (time(9), time(10));
        ServiceRecord::Refuse(ServiceRefuse { who, reason, count, since, until })
    };
    vec![
        ServiceRecord::Start(ServiceStart {
            version: label("0.4.0 \"beta\""),
            pid: u32::MAX,
            listeners: Listeners::new(vec![label(&"l".repeat(256)); 8]).unwrap(),
            configuration: Hash::from_bytes([4; 32]),
            authentication: Authentication::None,
        }),
        ServiceRecord::Stop(ServiceStop { reason: StopReason::Signal, records: u64::MAX }),
        ServiceRecord::Configure(ServiceConfigure {
            what: Configured::Certificates,
            before: Hash::from_bytes([5; 32]),
            after: Hash::from_bytes([6; 32]),
        }),
        refuse(Who::Principal(label("spiffe://example.com/agent/zoë"))),
        refuse(Who::Address("192.0.2.7".parse().unwrap())),
        refuse(Who::Address("::ffff:192.0.2.7".parse().unwrap())),
        refuse(Who::User(u32::MAX)),
    ]
}

fn written(what: &Announcement, salt: &str) -> Vec<u8> {
    let mut line = b"earlier line\n".to_vec();
    let start = line.len();
    write_head(&mut line, 12, time(12));
    let context = OwnContext { log_id: log_id(), origin: &origin() };
    write_own(&mut line, start, what, &context, &mut |text| key(1).sign(text));
    line.extend_from_slice(salt.as_bytes());
    seal(&mut line, start, &Hash::ZERO);
    line.split_off(start)
}

/// What `own` announces, without its signature.
fn announced(own: &OwnRecord) -> Announcement {
    match own.clone() {
        OwnRecord::Create(what) => Announcement::Create(what),
        OwnRecord::Adopt(what) => Announcement::Adopt(what),
        OwnRecord::Recover(what) => Announcement::Recover(what),
        OwnRecord::Prune(Signed { what, .. }) => Announcement::Prune(what),
        OwnRecord::Redact(Signed { what, .. }) => Announcement::Redact(what),
        OwnRecord::Format(Signed { what, .. }) => Announcement::Format(what),
        OwnRecord::ClockBehind(what) => Announcement::ClockBehind(what),
        OwnRecord::ClockJump(what) => Announcement::ClockJump(what),
        OwnRecord::Service(what) => Announcement::Service(what),
        OwnRecord::Other { .. } => panic!("{own:?}"),
    }
}

#[test]
fn what_is_written_is_read_back_with_a_signature_that_holds() {
    for what in announcements() {
        for salt in ["", ",\"salt\":\"AAECAwQFBgcICQoLDA0ODw\""] {
            let line = written(&what, salt);
            let record = Record::parse(&line).unwrap();
            let Content::Own(own) = record.content() else { panic!("{record:?}") };
            assert_eq!(announced(own), what);
            assert_eq!(own.action(), what.action());
            assert_eq!(own.signed().is_some(), what.is_signed());
            assert_eq!(record.resource().as_deref(), Some("example.com/audit"));

            let (right, wrong) = ([key(1).verifier_key()], [key(2).verifier_key()]);
            let entry_head = record.entry_head();
            assert!(own.verify_signed(entry_head, &log_id(), &right));
            let needs_none = !what.is_signed();
            assert_eq!(own.verify_signed(entry_head, &log_id(), &wrong), needs_none);
            assert_eq!(own.verify_signed(entry_head, &log_id(), &[]), needs_none);
            let elsewhere = LogId::from_bytes([0; 16]);
            assert_eq!(own.verify_signed(entry_head, &elsewhere, &right), needs_none);
            assert_eq!(own.verify_signed(b"{}", &log_id(), &right), needs_none);
        }
    }
}

#[test]
fn the_genesis_of_the_reference_is_written_byte_for_byte() {
    let signer =
        SignerKey::from_seed(&origin(), &std::array::from_fn(|i| u8::try_from(i).unwrap()));
    let create = Create { key: signer.verifier_key(), ..create(None) };
    let line = written(&Announcement::Create(create), "");
    let metadata = r#""metadata":{"format":1,"log_id":"000102030405060708090a0b0c0d0e0f","origin":"example.com/audit","key":"example.com/audit+29b87bfc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"},"_prev"#;
    assert!(String::from_utf8(line).unwrap().contains(metadata));
}

#[test]
fn what_is_signed_is_everything_before_signed() {
    let head = br#"{"seq":1,"metadata":{"reason":"x","signed":"y"},"salt":"z""#;
    assert_eq!(
        signed_text(head, &log_id()).unwrap(),
        b"indelible signed record\n000102030405060708090a0b0c0d0e0f\n{\"seq\":1,\"metadata\":{\"reason\":\"x\"\n"
    );
    assert_eq!(signed_text(b"{}", &log_id()), None);
}

fn parse(action: &str, metadata: &str) -> Result<OwnRecord, DecodeError> {
    let mut line = Vec::new();
    write_head(&mut line, 1, time(1));
    let fields =
        format!("\"actor\":\"indelible\",\"action\":\"{action}\",\"resource\":\"o\"{metadata}");
    line.extend_from_slice(fields.as_bytes());
    seal(&mut line, 0, &Hash::ZERO);
    let record = Record::parse(&line)?;
    let Content::Own(own) = record.content() else { panic!("{record:?}") };
    Ok(own.clone())
}

#[test]
fn members_are_exactly_those_listed_and_in_order() {
    let behind = |metadata: &str| {
        parse(action::CLOCK_BEHIND, &format!(",\"metadata\":{metadata}")).map_err(|e| e.to_string())
    };
    assert!(behind(r#"{"wall":"2026-01-02T03:04:05.000000000Z"}"#).is_ok());
    for (metadata, offset, wanted) in [
        ("{}", 0, "expected wall here"),
        (r#"{"w\u0061ll":"2026-01-02T03:04:05.000000000Z"}"#, 0, "expected wall here"),
        (
            r#"{"wall":"2026-01-02T03:04:05.000000000Z","x":1}"#,
            40,
            "expected no further member here",
        ),
        (r#"{"wall":7}"#, 8, "wall is not a timestamp"),
        (r#"{"wall":"2026-01-02T03:04:05Z"}"#, 8, "wall is not a timestamp"),
    ] {
        let at = 134 + offset;
        let wanted = format!("byte {at}: metadata of indelible.clock.behind: {wanted}");
        assert_eq!(behind(metadata).unwrap_err(), wanted);
    }
    assert!(matches!(parse(action::CLOCK_BEHIND, ""), Err(DecodeError::MissingField { .. })));
    assert!(parse(action::ADOPT, r#","metadata":{"to_seq":1,"from_seq":1}"#).is_err());
    assert!(parse(action::ADOPT, r#","metadata":{"from_seq":1,"to_seq":2}"#).is_ok());
    for number in ["-1", "1.0", "1e0", "\"1\"", "null", "18446744073709551616"] {
        let metadata = format!(",\"metadata\":{{\"from_seq\":{number},\"to_seq\":2}}");
        assert!(parse(action::ADOPT, &metadata).is_err(), "{number}");
    }
}

#[test]
fn every_member_left_out_changed_in_type_or_renamed_is_refused() {
    for what in announcements() {
        let line = written(&what, "");
        let record = Record::parse(&line).unwrap();
        let metadata = std::str::from_utf8(record.entry_head()).unwrap();
        let metadata = metadata.split_once(",\"metadata\":").unwrap().1;
        let members: Vec<(String, Box<serde_json::value::RawValue>)> = ordered(metadata);
        let object = |members: Vec<String>| format!(",\"metadata\":{{{}}}", members.join(","));
        let spelt = |i: usize, name: &str, value: &str| {
            let all = members.iter().enumerate();
            let all = all.map(|(j, (n, v))| {
                if i == j { format!("\"{name}\":{value}") } else { format!("\"{n}\":{}", v.get()) }
            });
            object(all.collect())
        };
        assert!(
            parse(
                what.action(),
                &object(members.iter().map(|(n, v)| format!("\"{n}\":{}", v.get())).collect())
            )
            .is_ok()
        );
        for (i, (name, value)) in members.iter().enumerate() {
            for other in ["null", "[]", "{}", "-1", "\"\\u0000\"", "tru"] {
                let free_text = matches!(name.as_str(), "reason" | "file" | "quarantine")
                    && !matches!(what, Announcement::Service(_));
                if (free_text && other.starts_with('"')) || (name == "listeners" && other == "[]") {
                    continue;
                }
                assert!(parse(what.action(), &spelt(i, name, other)).is_err(), "{name} {other}");
            }
            assert!(parse(what.action(), &spelt(i, "other", value.get())).is_err(), "{name}");
            if name != "continues" {
                let mut fewer: Vec<String> =
                    members.iter().map(|(n, v)| format!("\"{n}\":{}", v.get())).collect();
                fewer.remove(i);
                assert!(parse(what.action(), &object(fewer)).is_err(), "without {name}");
            }
        }
    }
}

/// Members of an object in the order in which they stand.
fn ordered(object: &str) -> Vec<(String, Box<serde_json::value::RawValue>)> {
    struct Pairs(Vec<(String, Box<serde_json::value::RawValue>)>);
    impl<'de> serde::Deserialize<'de> for Pairs {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Pairs;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Pairs, A::Error> {
                    let mut pairs = Vec::new();
                    while let Some(pair) = map.next_entry()? {
                        pairs.push(pair);
                    }
                    Ok(Pairs(pairs))
                }
            }
            from.deserialize_map(Visitor)
        }
    }
    serde_json::from_str::<Pairs>(object).unwrap().0
}

#[test]
fn a_checkpoint_that_a_log_continues_from_has_one_signature() {
    let Announcement::Create(Create { continues: Some(continues), .. }) = &announcements()[1]
    else {
        panic!("the second announcement continues another log");
    };
    let twice =
        format!("{}{}\n", continues.checkpoint, continues.checkpoint.lines().last().unwrap());
    for checkpoint in ["", "no note", continues.checkpoint.trim_end(), &twice] {
        let continues = Continues { checkpoint: checkpoint.to_owned(), ..continues.clone() };
        let line = written(&Announcement::Create(create(Some(continues))), "");
        let refused = Record::parse(&line).unwrap_err();
        assert!(matches!(refused, DecodeError::OwnValue { member: "checkpoint", .. }), "{refused}");
    }
}

#[test]
fn actions_that_this_version_does_not_know_have_any_metadata() {
    for metadata in ["", ",\"metadata\":{}", ",\"metadata\":{\"x\":[1]}"] {
        let service = parse("indelible.service.begin", metadata).unwrap();
        assert_eq!(service.action(), "indelible.service.begin");
        assert!(matches!(&service, OwnRecord::Other { .. }), "{service:?}");
        let other = parse("indelible.key.rotate", metadata).unwrap();
        assert!(matches!(&other, OwnRecord::Other { action } if action == "indelible.key.rotate"));
        assert!(other.verify_signed(b"{}", &log_id(), &[]));
        assert_eq!(other.action(), "indelible.key.rotate");
    }
    assert!(parse("indelible.service.begin", ",\"metadata\":[]").is_err());
}

#[test]
fn labels_and_listeners_are_bounded() {
    let error = |text: &str| text.parse::<Label>().map_err(|e| e.to_string()).unwrap_err();
    assert_eq!(label(&"x".repeat(256)).as_str().len(), LABEL_SIZE_MAX);
    assert_eq!(error(&"x".repeat(257)), "a text of 257 bytes: 1 to 256 are allowed");
    assert_eq!(error(""), "a text of 0 bytes: 1 to 256 are allowed");
    for text in ["a\nb", "a\0", "\u{7f}", "\u{85}"] {
        assert_eq!(error(text), "a text with a control character in it");
    }
    assert!(Listeners::new(vec![label("x"); LISTENERS_MAX]).is_some());
    assert_eq!(Listeners::new(vec![label("x"); LISTENERS_MAX + 1]), None);
}

#[test]
fn the_largest_service_record_fits_into_the_smallest_entry_limit() {
    let worst = label(&"\"".repeat(256));
    let start = ServiceRecord::Start(ServiceStart {
        version: worst.clone(),
        pid: u32::MAX,
        listeners: Listeners::new(vec![worst.clone(); 8]).unwrap(),
        configuration: Hash::from_bytes([4; 32]),
        authentication: Authentication::Required,
    });
    let (reason, count) = (RefuseReason::Unauthenticated, NonZeroU64::MAX);
    let (since, until) = (time(9), time(10));
    let who = Who::Principal(worst);
    let refuse = ServiceRecord::Refuse(ServiceRefuse { who, reason, count, since, until });
    for what in [start, refuse] {
        let line = written(&Announcement::Service(what), ",\"salt\":\"AAECAwQFBgcICQoLDA0ODw\"");
        // The origin may have 255 bytes.
        assert!(line.len() + 255 < 8 << 10, "{}", line.len());
    }
}
