//! What somebody without the key writes behind the last checkpoint of a log that was killed: opening adopts what a
//! crash can leave, and refuses what only a writer can have made.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indelible::format::chain::{Hash, Link, seal};
use indelible::format::note::{SignatureLine, SignerKey};
use indelible::format::own::{Adopt, Announcement, NewFormat, OwnContext, Prune, write_own};
use indelible::format::record::{parse_head, write_head};
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, Event, OpenError, Options, Problem, Verdict, Verifier};

use crate::checker::assert_log_is_sound;

const FOLDER: &str = "/logs/audit";
/// Records that the checkpoint covers.
const MARK: u64 = 6;
/// Records in all.
const COUNT: u64 = 9;

fn options() -> Options {
    Options::default().with_checkpoint_interval(Duration::from_hours(1))
}

fn storage(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}

fn event(number: u64) -> Event {
    Event::new("a", "b", format!("r{number}"))
}

/// A log that was killed with three records behind its last checkpoint.
struct Killed {
    disk: SimulatedDisk,
    context: (indelible::format::identity::LogId, indelible::format::identity::Origin),
    key: SignerKey,
}

impl Killed {
    fn new() -> Self {
        let disk = SimulatedDisk::new();
        disk.plant_folder("/logs").unwrap();
        let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
        let identity = log.identity().clone();
        for number in 1..COUNT {
            assert_eq!(log.append(event(number)).unwrap().seq, number);
            if number + 1 == MARK {
                log.checkpoint().unwrap();
            }
        }
        let left = disk.fork();
        let key = String::from_utf8(left.read_file("/logs/audit.key").unwrap()).unwrap();
        let context = (identity.log_id(), identity.origin().clone());
        Self { disk: left, context, key: key.trim_end().parse().unwrap() }
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        let text = self.disk.read_file(Path::new(FOLDER).join("audit.log")).unwrap();
        text.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
    }

    fn write(&self, lines: &[Vec<u8>]) {
        let mut bytes = lines.join(&b'\n');
        bytes.push(b'\n');
        self.disk.write_file(Path::new(FOLDER).join("audit.log"), bytes).unwrap();
    }

    /// Adds a record of the log's own behind the last line, signed by whom it is said.
    fn forge(
        &self,
        lines: &mut Vec<Vec<u8>>,
        what: &Announcement,
        sign: &mut dyn FnMut(&[u8]) -> SignatureLine,
    ) {
        let before = lines.last().unwrap();
        let (head, hash) = (parse_head(before).unwrap(), Link::split(before).unwrap().hash);
        let mut line = Vec::new();
        write_head(&mut line, head.seq + 1, head.timestamp);
        let context = OwnContext { log_id: self.context.0, origin: &self.context.1 };
        write_own(&mut line, 0, what, &context, sign);
        seal(&mut line, 0, &hash);
        lines.push(line);
    }

    fn assert_refused(&self, problem: Problem) {
        let before = self.disk.tree();
        match AuditLog::open_on(storage(&self.disk), FOLDER, options()) {
            Err(OpenError::Refused(refusal)) => {
                let problems: Vec<_> = refusal.findings.iter().map(|f| f.problem).collect();
                assert_eq!(problems, [problem], "{refusal}");
            }
            other => panic!("not refused: {other:?}"),
        }
        let changed: Vec<_> = self
            .disk
            .tree()
            .into_iter()
            .filter(|(path, stat)| before.get(path) != Some(stat))
            .collect();
        assert!(changed.iter().all(|(path, _)| path.ends_with("lock")), "{changed:?}");
    }

    /// What a verification finds first.
    fn first_finding(&self) -> Problem {
        Verifier::on(storage(&self.disk), FOLDER).verify().unwrap().findings[0].problem
    }

    fn open(&self) -> AuditLog {
        AuditLog::open_on(storage(&self.disk), FOLDER, options()).unwrap()
    }
}

fn unsigned() -> impl FnMut(&[u8]) -> SignatureLine {
    let stranger = SignerKey::from_seed(&"s".parse().unwrap(), &[9; 32]);
    move |message| stranger.sign(message)
}

#[test]
fn a_blanked_line_that_nothing_announces_is_refused() {
    for (at, hash) in [(7, None), (7, Some(Hash::ZERO)), (COUNT - 1, None), (MARK - 1, None)] {
        let killed = Killed::new();
        let mut lines = killed.lines();
        let blanked = &mut lines[usize::try_from(at).unwrap()];
        let (head, link) = (parse_head(blanked).unwrap(), Link::split(blanked).unwrap());
        let hash = hash.unwrap_or(link.hash);
        *blanked = format!(
            "{{\"seq\":{at},\"timestamp\":\"{}\",\"redacted\":true,\"_prev_hash\":\"{}\",\"_hash\":\"{hash}\"}}",
            head.timestamp, link.prev_hash
        )
        .into_bytes();
        if hash == Hash::ZERO {
            lines.truncate(usize::try_from(at + 1).unwrap());
        }
        killed.write(&lines);
        killed.assert_refused(Problem::RedactionUnannounced);
        let report = Verifier::on(storage(&killed.disk), FOLDER).verify().unwrap();
        assert_eq!(report.verdict(), Verdict::Broken);
    }
}

#[test]
fn a_log_that_turned_to_a_newer_format_is_refused_as_such() {
    for more in [false, true] {
        let killed = Killed::new();
        let mut lines = killed.lines();
        let newer = Announcement::Format(NewFormat { format: 2 });
        killed.forge(&mut lines, &newer, &mut |message| killed.key.sign(message));
        if more {
            lines.push(b"{\"a newer record\":1}".to_vec());
        }
        killed.write(&lines);
        killed.assert_refused(Problem::NewerFormat);
    }
}

#[test]
fn a_signed_prune_record_in_the_middle_of_a_file_is_refused() {
    let killed = Killed::new();
    let mut lines = killed.lines();
    let prune = Announcement::Prune(Prune {
        format: 1,
        log_id: killed.context.0,
        origin: killed.context.1.clone(),
        keys: vec![killed.key.verifier_key()],
        first_kept_seq: 2,
        last_pruned_hash: Link::split(&lines[1]).unwrap().hash,
        files: 1,
        reason: "max_files".to_owned(),
    });
    killed.forge(&mut lines, &prune, &mut |message| killed.key.sign(message));
    killed.write(&lines);
    killed.assert_refused(Problem::PruneMisplaced);
}

#[test]
fn an_adopt_record_that_leaves_out_records_tells_of_nothing() {
    for to_seq in [MARK, COUNT - 2] {
        let killed = Killed::new();
        let mut lines = killed.lines();
        let forged = Announcement::Adopt(Adopt { from_seq: MARK, to_seq });
        killed.forge(&mut lines, &forged, &mut unsigned());
        killed.write(&lines);
        let log = killed.open();
        let adopted = log.recovery().adopted.unwrap();
        assert_eq!((adopted.from_seq, adopted.to_seq), (MARK, COUNT));
        log.close().unwrap();
        assert_log_is_sound(&storage(&killed.disk), FOLDER, &[]);
    }
}

#[test]
fn an_adopt_record_of_records_that_are_not_before_it_is_refused() {
    for (from_seq, to_seq) in [(MARK, COUNT), (MARK, u64::from(u32::MAX)), (COUNT - 1, MARK)] {
        let killed = Killed::new();
        let mut lines = killed.lines();
        let forged = Announcement::Adopt(Adopt { from_seq, to_seq });
        killed.forge(&mut lines, &forged, &mut unsigned());
        killed.write(&lines);
        killed.assert_refused(Problem::AdoptMisplaced);
        let report = Verifier::on(storage(&killed.disk), FOLDER).verify().unwrap();
        assert_eq!(report.findings[0].problem, Problem::AdoptMisplaced);
    }
}

#[test]
fn an_action_of_the_logs_own_that_is_not_known_is_told() {
    let killed = Killed::new();
    let mut lines = killed.lines();
    let before = lines.last().unwrap();
    let (head, hash) = (parse_head(before).unwrap(), Link::split(before).unwrap().hash);
    let mut line = Vec::new();
    write_head(&mut line, head.seq + 1, head.timestamp);
    let origin = &killed.context.1;
    let rest = format!(
        "\"actor\":\"indelible\",\"action\":\"indelible.key.rotate\",\"resource\":\"{origin}\",\"metadata\":{{}}"
    );
    line.extend_from_slice(rest.as_bytes());
    seal(&mut line, 0, &hash);
    lines.push(line);
    killed.write(&lines);
    killed.open().close().unwrap();
    let report = Verifier::on(storage(&killed.disk), FOLDER).verify().unwrap();
    assert_eq!(report.verdict(), Verdict::Sound);
    let told = report.findings.iter().find(|f| f.problem == Problem::OwnRecordUnknown).unwrap();
    assert_eq!((told.seq, told.found.as_deref()), (Some(COUNT), Some("indelible.key.rotate")));
}

#[test]
fn a_segment_that_somebody_emptied_is_missing_to_opening_and_verifying_alike() {
    let killed = Killed::new();
    killed.disk.write_file(Path::new(FOLDER).join("audit.log.1"), "").unwrap();
    killed.assert_refused(Problem::SegmentMissing);
    let report = Verifier::on(storage(&killed.disk), FOLDER).verify().unwrap();
    assert_eq!(report.findings[0].problem, Problem::SegmentMissing);
}

#[test]
fn an_adopt_record_that_tells_all_is_not_repeated() {
    let killed = Killed::new();
    let mut lines = killed.lines();
    let told = Announcement::Adopt(Adopt { from_seq: MARK, to_seq: COUNT - 1 });
    killed.forge(&mut lines, &told, &mut unsigned());
    killed.write(&lines);
    let log = killed.open();
    assert_eq!((log.recovery().adopted, log.records()), (None, COUNT + 1));
    log.close().unwrap();
    assert_log_is_sound(&storage(&killed.disk), FOLDER, &[]);
}

#[test]
fn a_boundary_that_no_note_covers_is_refused() {
    let killed = Killed::new();
    let mut lines = killed.lines();
    let rest = lines.split_off(usize::try_from(MARK).unwrap());
    killed.write(&lines);
    let text = killed.disk.read_file(Path::new(FOLDER).join("audit.log")).unwrap();
    killed.disk.write_file(Path::new(FOLDER).join("audit.log.1"), text).unwrap();
    killed.write(&rest);
    killed.assert_refused(Problem::BoundaryNotNoted);
    let report = Verifier::on(storage(&killed.disk), FOLDER).verify().unwrap();
    assert_eq!(report.findings[0].problem, Problem::BoundaryNotNoted);
}

#[test]
fn more_behind_the_last_note_than_a_crash_leaves_is_refused_and_not_cut() {
    for size in [300_000, 700_000] {
        let killed = Killed::new();
        let path = Path::new(FOLDER).join("checkpoints.jsonl");
        let mut bytes = killed.disk.read_file(&path).unwrap();
        bytes.resize(bytes.len() + size, b'x');
        killed.disk.write_file(&path, bytes).unwrap();
        killed.assert_refused(Problem::CheckpointMalformed);
        let report = Verifier::on(storage(&killed.disk), FOLDER).verify().unwrap();
        assert_eq!(report.findings[0].problem, Problem::CheckpointMalformed);
    }
}

#[test]
fn quarantine_files_that_are_not_what_their_names_say_are_refused() {
    let hash_of = |bytes: &[u8]| {
        use sha2::Digest as _;
        Hash::from_bytes(sha2::Sha256::digest(bytes).into())
    };
    let put = |killed: &Killed, seq: u64, named: &[u8], bytes: &[u8]| {
        let name = format!("{FOLDER}/quarantine/{seq}-{}", hash_of(named));
        killed.disk.write_file(name, bytes.to_vec()).unwrap();
    };
    let killed = Killed::new();
    put(&killed, COUNT + 1, b"torn", b"torn");
    killed.assert_refused(Problem::CutOff);
    assert_eq!(killed.first_finding(), Problem::CutOff);
    let killed = Killed::new();
    put(&killed, COUNT, b"torn", b"other");
    killed.assert_refused(Problem::QuarantineDiffers);
    assert_eq!(killed.first_finding(), Problem::QuarantineDiffers);
    let killed = Killed::new();
    let large = vec![b'x'; (4 << 20) + 1];
    put(&killed, COUNT, &large, &large);
    killed.assert_refused(Problem::QuarantineDiffers);
    assert_eq!(killed.first_finding(), Problem::QuarantineDiffers);
    // Of the largest size that a crash leaves it may be.
    let killed = Killed::new();
    put(&killed, COUNT, &large[1..], &large[1..]);
    assert_log_is_sound(&storage(&killed.disk), FOLDER, &[]);
    killed.open().close().unwrap();
    assert_log_is_sound(&storage(&killed.disk), FOLDER, &[]);

    let killed = Killed::new();
    put(&killed, COUNT, b"torn", b"torn");
    killed.disk.plant_folder(format!("{FOLDER}/quarantine/x.tmp")).unwrap();
    let log = killed.open();
    assert_eq!(log.recovery().mended.len(), 1);
    log.close().unwrap();
    assert!(killed.open().recovery().is_clean());
    assert_log_is_sound(&storage(&killed.disk), FOLDER, &[]);
}
