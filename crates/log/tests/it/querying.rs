//! Queries against a naive model: every line of every segment, read by `serde_json` and held against every condition.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use indelible::format::record::parse_head;
use indelible::format::time::Timestamp;
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{
    AuditLog, Clock, ClockReading, Event, Glob, Idempotency, Options, Order, Query, ReadError,
    Reader, StoredRecord,
};
use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::checker::assert_log_is_sound;
use crate::counting::Reads;

const FOLDER: &str = "/logs/audit";
/// 2026-01-02T03:04:05Z.
const START: i64 = 1_767_323_045_000_000_000;

/// A clock that stands where it is put.
#[derive(Debug, Default)]
struct Standing(AtomicI64);

impl Clock for Standing {
    fn now(&self) -> ClockReading {
        let ns = i128::from(START + self.0.load(Ordering::SeqCst));
        ClockReading { wall: Timestamp::from_unix_ns(ns).unwrap(), counted_ns: ns }
    }
}

/// The smallest segments that there can be.
fn options(max_files: Option<u32>, clock: &Arc<Standing>) -> Options {
    let never = Idempotency { period: Duration::ZERO, records: 0, memory_size_max: 1 << 20 };
    let clock: Arc<dyn Clock> = clock.clone();
    let options = Options::default()
        .with_entry_size_max(8 << 10)
        .with_max_file_size(80 << 10)
        .with_checkpoint_interval(Duration::from_hours(1))
        .with_idempotency(never)
        .with_clock(clock);
    max_files.map_or(options.clone(), |count| options.with_max_files(count))
}

fn storage(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}

const VALUES: [&str; 6] = ["user:mia", "user:mallory", "agent:7", "a\"q\\u", "\u{e9}*x/y\n", "m"];
const SESSIONS: [&str; 7] = [
    r#"{"id":"s-1","user":{"name":"mia","age":3},"turn":3}"#,
    r#"{"id":"\u0073-1","turn":3.0,"on":true}"#,
    r#"{"\u0069d":"s-1","user":{"name":"\u006dia"}}"#,
    r#"{"id":"a\/b","turn":"3"}"#,
    r#"{"id":"a/b","turn":123456789012345678901234567890}"#,
    r#"{"id":null,"a.b":"s-1","user":"mia"}"#,
    r#"{"id":"x","deep":{"id":"s-1"}}"#,
];
const GLOBS: [&str; 16] = [
    "user:mia",
    "user:*",
    "*mia",
    "*",
    "????????",
    "agent:7",
    "*\\**",
    "*\"*",
    "\u{e9}\\*x/y\n",
    "m",
    "success",
    "*e*",
    "s-1",
    "3*",
    "a/b",
    "e-1?",
];
const PATHS: [&str; 8] = ["id", "turn", "user.name", "user.age", "user", r"a\.b", "on", "deep.id"];
const OUTCOMES: [&str; 2] = ["success", "denied"];

#[derive(Clone, Debug)]
struct Draft {
    values: [usize; 3],
    outcome: Option<usize>,
    event_id: Option<u8>,
    recorded_by: Option<usize>,
    session: Option<usize>,
    padding: usize,
    later_ns: i64,
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let value = || 0..VALUES.len();
    let draft = (
        [value(), value(), value()],
        prop::option::of(0..OUTCOMES.len()),
        prop::option::of(0_u8..30),
        prop::option::of(value()),
        prop::option::of(0..SESSIONS.len()),
        prop_oneof![3 => 0_usize..300, 2 => 2_000_usize..6_000],
        prop_oneof![2 => Just(0_i64), 2 => 1_i64..3, 1 => 1_000_i64..1_000_000],
    )
        .prop_map(|(values, outcome, event_id, recorded_by, session, padding, later_ns)| Draft {
            values,
            outcome,
            event_id,
            recorded_by,
            session,
            padding,
            later_ns,
        });
    prop::collection::vec(draft, 1..160)
}

#[derive(Clone, Debug)]
struct Asked {
    filters: Vec<(usize, usize, usize)>,
    seq: Option<(u64, Option<u64>)>,
    since: Option<(usize, i8)>,
    until: Option<(usize, i8)>,
    newest_first: bool,
    limit: Option<u64>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let time = || prop::option::weighted(0.3, (any::<usize>(), -1_i8..=1));
    (
        prop::collection::vec((0..7_usize, 0..GLOBS.len(), 0..PATHS.len()), 0..3),
        prop::option::weighted(0.3, (0_u64..170, prop::option::of(0_u64..170))),
        time(),
        time(),
        any::<bool>(),
        prop::option::weighted(0.3, 0_u64..20),
    )
        .prop_map(|(filters, seq, since, until, newest_first, limit)| Asked {
            filters,
            seq,
            since,
            until,
            newest_first,
            limit,
        })
}

/// One stored line, as the model reads it.
struct Stored {
    seq: u64,
    timestamp: Timestamp,
    line: String,
    file: String,
    offset: u64,
}

/// Every line of every segment, oldest first.
fn stored(disk: &SimulatedDisk) -> Vec<Stored> {
    let mut all = Vec::new();
    for number in (0..200).rev() {
        let file = if number == 0 { "audit.log".to_owned() } else { format!("audit.log.{number}") };
        let Ok(bytes) = disk.read_file(Path::new(FOLDER).join(&file)) else { continue };
        let mut offset = 0;
        for line in String::from_utf8(bytes).unwrap().lines() {
            let head = parse_head(line.as_bytes()).unwrap();
            let (line, file) = (line.to_owned(), file.clone());
            all.push(Stored { seq: head.seq, timestamp: head.timestamp, file, offset, line });
            offset += u64::try_from(all.last().unwrap().line.len()).unwrap() + 1;
        }
    }
    all
}

type Members<'a> = HashMap<String, &'a RawValue>;

/// What stands at `path`, if that is a string, a number or a truth value.
fn said(line: &str, path: &[&str]) -> Option<String> {
    let mut value: &RawValue = serde_json::from_str(line).unwrap();
    for name in path {
        let members: Members<'_> = serde_json::from_str(value.get()).ok()?;
        value = members.get(*name).copied()?;
    }
    match value.get().as_bytes()[0] {
        b'"' => Some(serde_json::from_str(value.get()).unwrap()),
        b'{' | b'[' | b'n' => None,
        _ => Some(value.get().to_owned()),
    }
}

fn glob_matches(pattern: &[char], value: &[char]) -> bool {
    match (pattern.split_first(), value.split_first()) {
        (None, _) => value.is_empty(),
        (Some(('*', after)), _) => {
            (0..=value.len()).any(|taken| glob_matches(after, &value[taken..]))
        }
        (Some(('\\', after)), Some((first, rest))) => {
            after[0] == *first && glob_matches(&after[1..], rest)
        }
        (Some((c, after)), Some((first, rest))) => {
            (*c == '?' || c == first) && glob_matches(after, rest)
        }
        (Some(_), None) => false,
    }
}

impl Asked {
    fn path(filter: (usize, usize, usize)) -> Vec<&'static str> {
        let (of, _, path) = filter;
        let top = ["actor", "action", "resource", "outcome", "event_id", "recorded_by"];
        match top.get(of) {
            Some(name) => vec![name],
            None if PATHS[path] == r"a\.b" => vec!["session", "a.b"],
            None => ["session"].into_iter().chain(PATHS[path].split('.')).collect(),
        }
    }

    fn time(all: &[Stored], at: Option<(usize, i8)>) -> Option<Timestamp> {
        let (index, shift) = at?;
        Some(all[index % all.len()].timestamp.saturating_add_ns(i128::from(shift)))
    }

    fn query(&self, all: &[Stored]) -> Query {
        let mut query = Query::new();
        for filter in &self.filters {
            let glob: Glob = GLOBS[filter.1].parse().unwrap();
            query = match filter.0 {
                0 => query.with_actor(glob),
                1 => query.with_action(glob),
                2 => query.with_resource(glob),
                3 => query.with_outcome(glob),
                4 => query.with_event_id(glob),
                5 => query.with_recorded_by(glob),
                _ => query.with_session(PATHS[filter.2].parse().unwrap(), glob),
            };
        }
        if let Some((first, last)) = self.seq {
            query = query.with_seq(first, last);
        }
        if let Some(time) = Self::time(all, self.since) {
            query = query.with_since(time);
        }
        if let Some(time) = Self::time(all, self.until) {
            query = query.with_until(time);
        }
        if self.newest_first {
            query = query.with_order(Order::NewestFirst);
        }
        self.limit.into_iter().fold(query, Query::with_limit)
    }

    /// The lines that should come, without the limit.
    fn expected<'a>(&self, all: &'a [Stored], end: u64) -> Vec<&'a str> {
        let (first, last) = self.seq.unwrap_or((0, None));
        let (since, until) = (Self::time(all, self.since), Self::time(all, self.until));
        let holds = |stored: &&Stored| {
            stored.seq < end
                && stored.seq >= first
                && last.is_none_or(|last| stored.seq <= last)
                && since.is_none_or(|since| stored.timestamp >= since)
                && until.is_none_or(|until| stored.timestamp < until)
                && self.filters.iter().all(|filter| {
                    let pattern: Vec<char> = GLOBS[filter.1].chars().collect();
                    said(&stored.line, &Self::path(*filter)).is_some_and(|value| {
                        glob_matches(&pattern, &value.chars().collect::<Vec<_>>())
                    })
                })
        };
        let mut lines: Vec<&str> =
            all.iter().filter(holds).map(|stored| stored.line.as_str()).collect();
        if self.newest_first {
            lines.reverse();
        }
        lines
    }

    fn limited<'a>(&self, mut lines: Vec<&'a str>) -> Vec<&'a str> {
        lines.truncate(self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap()));
        lines
    }
}

/// What a query hands out: lines and faults.
fn taken(reader: &Reader, query: &Query) -> (Vec<String>, Vec<ReadError>) {
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    for item in reader.query(query).unwrap() {
        match item {
            Ok(record) => lines.push(String::from_utf8(record.line).unwrap()),
            Err(fault) => faults.push(fault),
        }
    }
    (lines, faults)
}

fn append(log: &AuditLog, number: usize, draft: &Draft) {
    let [actor, action, resource] = draft.values.map(|value| VALUES[value]);
    let mut event = Event::new(actor, action, resource)
        .metadata(serde_json::json!({"padding": "p".repeat(draft.padding), "n": number}));
    if let Some(outcome) = draft.outcome {
        event = event.outcome(OUTCOMES[outcome].parse().unwrap());
    }
    if let Some(id) = draft.event_id {
        event = event.event_id(format!("e-{id}"));
    }
    if let Some(session) = draft.session {
        event = event.session_raw(SESSIONS[session]);
    }
    match draft.recorded_by {
        Some(principal) => log.append_recorded_by(event, VALUES[principal]).unwrap(),
        None => log.append(event).unwrap(),
    };
}

/// A log of these events; the first `covered` of them under its checkpoint.
fn log_of(drafts: &[Draft], covered: usize, max_files: Option<u32>) -> (SimulatedDisk, AuditLog) {
    let disk = SimulatedDisk::new();
    disk.plant_folder(Path::new("/logs")).unwrap();
    let clock = Arc::new(Standing::default());
    let log = AuditLog::create_on(storage(&disk), FOLDER, options(max_files, &clock)).unwrap();
    for (number, draft) in drafts.iter().enumerate() {
        if number == covered {
            log.checkpoint().unwrap();
        }
        clock.0.fetch_add(draft.later_ns, Ordering::SeqCst);
        append(&log, number, draft);
    }
    (disk, log)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_query_finds_what_the_model_finds(
        drafts in drafts(),
        covered in 0_usize..160,
        max_files in prop::option::of(1_u32..4),
        queries in prop::collection::vec(asked(), 12),
    ) {
        let (disk, log) = log_of(&drafts, covered, max_files);
        let all = stored(&disk);
        let outside = Reader::open_on(storage(&disk), FOLDER).unwrap();
        let unsynced = outside.clone().unsynced();
        for asked in &queries {
            let query = asked.query(&all);
            for reader in [&outside, &unsynced, &log.reader()] {
                let end = reader.records().unwrap();
                let expected = asked.limited(asked.expected(&all, end));
                let (lines, faults) = taken(reader, &query);
                prop_assert!(faults.is_empty(), "{:?}", faults);
                prop_assert_eq!(&lines, &expected, "{:?}", asked);
                let counted = reader.query(&query).unwrap().count_all().unwrap();
                prop_assert_eq!(counted.matching, u64::try_from(lines.len()).unwrap());
            }
        }
        log.close().unwrap();
        assert_log_is_sound(&storage(&disk), FOLDER, &[]);
    }

    #[test]
    fn a_record_is_found_by_time_as_the_model_finds_it(
        drafts in drafts(),
        max_files in prop::option::of(1_u32..4),
    ) {
        let (disk, log) = log_of(&drafts, usize::MAX, max_files);
        let all = stored(&disk);
        let reader = log.reader();
        let times = all.iter().flat_map(|stored| [-1, 0, 1].map(|by| stored.timestamp.saturating_add_ns(by)));
        for time in times.chain([Timestamp::MIN, Timestamp::MAX]) {
            let expected = all.iter().find(|stored| stored.timestamp >= time);
            let found = reader.first_since(time).unwrap();
            prop_assert_eq!(
                found.map(|record| (record.seq, record.file, record.offset)),
                expected.map(|stored| (stored.seq, stored.file.clone(), stored.offset))
            );
        }
        log.close().unwrap();
        assert_log_is_sound(&storage(&disk), FOLDER, &[]);
    }

    /// Damaged lines are never handed out and hide nothing but themselves; they are told of where nothing else was asked.
    #[test]
    fn damaged_lines_hide_only_themselves(
        drafts in drafts(),
        max_files in prop::option::of(1_u32..4),
        damage in prop::collection::vec((any::<usize>(), any::<usize>(), 0_u8..8), 1..5),
        queries in prop::collection::vec(asked(), 8),
    ) {
        let (disk, log) = log_of(&drafts, usize::MAX, max_files);
        log.close().unwrap();
        assert_log_is_sound(&storage(&disk), FOLDER, &[]);
        let all = stored(&disk);
        let mut hit = std::collections::BTreeMap::new();
        for (line, byte, bit) in damage {
            let at = line % all.len();
            let place = byte % all[at].line.len();
            // Not a line feed, and each line once.
            if all[at].line.as_bytes()[place] ^ (1 << bit) != b'\n' && !hit.contains_key(&at) {
                let offset = usize::try_from(all[at].offset).unwrap() + place;
                disk.flip_byte(Path::new(FOLDER).join(&all[at].file), offset, 1 << bit).unwrap();
                hit.insert(at, (all[at].file.clone(), all[at].offset));
            }
        }
        let reader = Reader::open_on(storage(&disk), FOLDER).unwrap();
        let end = reader.records().unwrap();
        let damaged: Vec<&str> = hit.keys().map(|at| all[*at].line.as_str()).collect();
        let place = |fault: &ReadError| {
            let ReadError::Unreadable { file, offset, .. } = fault else { panic!("{fault}") };
            (file.clone(), *offset)
        };
        for asked in &queries {
            // A bound on a record that can't be read is another bound.
            let asked = Asked { since: None, until: None, limit: None, ..asked.clone() };
            let mut expected = asked.expected(&all, end);
            expected.retain(|line| !damaged.contains(line));
            let (lines, faults) = taken(&reader, &asked.query(&all));
            prop_assert_eq!(lines, expected, "{:?}", asked);
            for fault in &faults {
                prop_assert!(hit.values().any(|at| *at == place(fault)), "{}", fault);
            }
        }
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let (_, faults) = taken(&reader, &Query::new().with_order(order));
            let places: Vec<_> = faults.iter().map(place).collect();
            let mut expected: Vec<_> = hit.values().cloned().collect();
            if order == Order::NewestFirst {
                expected.reverse();
            }
            prop_assert_eq!(places, expected);
        }
    }
}

/// A log on this machine of several segments.
fn local_log(at: &Path, events: usize) -> PathBuf {
    let folder = at.join("audit");
    let clock = Arc::new(Standing::default());
    let log = AuditLog::create(&folder, options(None, &clock)).unwrap();
    for number in 0..events {
        clock.0.fetch_add(i64::try_from(number % 3).unwrap(), Ordering::SeqCst);
        let event = Event::new("a", "b", format!("r{number}"))
            .metadata(serde_json::json!({"x": "y".repeat(number % 50 * 100)}));
        log.submit(event).map(drop).unwrap();
    }
    log.close().unwrap();
    folder
}

#[test]
fn finding_by_time_and_the_newest_matches_takes_few_reads() {
    let place = tempfile::tempdir().unwrap();
    let folder = local_log(place.path(), 2_000);
    let storage = Arc::new(Reads::of_this_machine().unwrap());
    let counted: Arc<dyn Storage> = storage.clone();
    let reader = Reader::open_on(counted, &folder).unwrap();
    for seq in (0..2_000).step_by(7) {
        let time = parse_head(&reader.record(seq).unwrap().unwrap().line).unwrap().timestamp;
        let before = storage.hand().count();
        assert!(reader.first_since(time).unwrap().unwrap().seq <= seq);
        let reads = storage.hand().count() - before;
        assert!(reads < 40, "{reads} reads for record {seq}");
    }
    let before = storage.hand().count();
    let newest = Query::new().with_order(Order::NewestFirst).with_limit(5);
    let found: Vec<StoredRecord> =
        reader.query(&newest).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(
        found.iter().map(|record| record.seq).collect::<Vec<_>>(),
        [2000, 1999, 1998, 1997, 1996]
    );
    let reads = storage.hand().count() - before;
    assert!(reads < 40, "{reads} reads for the newest");
    crate::checker::assert_local_log_is_sound(&folder);
}

#[test]
fn records_of_the_logs_own_are_found_by_what_they_say() {
    let (disk, log) = log_of(&[], 0, None);
    let reader = log.reader();
    let one = |query: Query| taken(&reader, &query).0.len();
    assert_eq!(one(Query::new().with_actor(Glob::exact("indelible"))), 1);
    assert_eq!(one(Query::new().with_action("indelible.log.*".parse().unwrap())), 1);
    assert_eq!(one(Query::new().with_resource("indelible.invalid/*".parse().unwrap())), 1);
    assert_eq!(one(Query::new().with_event_id("*".parse().unwrap())), 0);
    log.close().unwrap();
    assert_log_is_sound(&storage(&disk), FOLDER, &[]);
}

#[test]
fn a_log_cut_off_before_its_checkpoint_gives_what_it_has_and_says_what_is_missing() {
    let place = tempfile::tempdir().unwrap();
    let folder = local_log(place.path(), 40);
    crate::checker::assert_local_log_is_sound(&folder);
    let disk = SimulatedDisk::import(place.path()).unwrap();
    let active = disk.tree().into_keys().find(|path| path.ends_with("audit.log")).unwrap();
    let folder = active.parent().unwrap().to_path_buf();
    let text = String::from_utf8(disk.read_file(&active).unwrap()).unwrap();
    let cut = text
        .lines()
        .take(text.lines().count() - 3)
        .fold(String::new(), |cut, line| cut + line + "\n");
    disk.write_file(&active, cut).unwrap();
    let reader = Reader::open_on(storage(&disk), &folder).unwrap();
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (lines, faults) = taken(&reader, &Query::new().with_order(order));
        assert_eq!(lines.len(), 38);
        assert!(matches!(faults[..], [ReadError::Missing { seq: 38, .. }]), "{faults:?}");
    }
}

#[test]
fn bytes_without_a_line_feed_are_in_flight_at_the_end_and_a_fault_before() {
    let place = tempfile::tempdir().unwrap();
    let folder = local_log(place.path(), 120);
    crate::checker::assert_local_log_is_sound(&folder);
    let disk = SimulatedDisk::import(place.path()).unwrap();
    let tree = disk.tree();
    let path = |name: &str| tree.keys().find(|path| path.ends_with(name)).unwrap().clone();
    let folder = path("audit.log").parent().unwrap().to_path_buf();
    let reader = Reader::open_on(storage(&disk), &folder).unwrap().unsynced();
    let orders = [Order::OldestFirst, Order::NewestFirst];
    let mut active = disk.read_file(path("audit.log")).unwrap();
    active.extend_from_slice(b"{\"seq\":121,\"times");
    disk.write_file(path("audit.log"), active).unwrap();
    for order in orders {
        let (lines, faults) = taken(&reader, &Query::new().with_order(order));
        assert_eq!((lines.len(), faults.len()), (121, 0));
    }
    // More bytes without a line feed than any line has, in the middle of one segment and at the end of another.
    let mut first = disk.read_file(path("audit.log.2")).unwrap();
    let end = u64::try_from(first.len()).unwrap();
    first.extend_from_slice(&[0; 70]);
    disk.write_file(path("audit.log.2"), first).unwrap();
    let second = disk.read_file(path("audit.log.1")).unwrap();
    let at = second.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let garbage = vec![0; 5 << 20];
    disk.write_file(path("audit.log.1"), [&second[..at], &garbage, b"\n", &second[at..]].concat())
        .unwrap();
    for order in orders {
        let (lines, faults) = taken(&reader, &Query::new().with_order(order));
        assert_eq!(lines.len(), 121, "{faults:?}");
        let mut places: Vec<_> = faults
            .iter()
            .map(|fault| {
                let ReadError::Unended { file, offset } = fault else { panic!("{fault}") };
                (file.as_str(), *offset)
            })
            .collect();
        places.sort_unstable();
        assert_eq!(places, [("audit.log.1", u64::try_from(at).unwrap()), ("audit.log.2", end)]);
    }
    for seq in 0..121 {
        let (lines, _) = taken(&reader, &Query::new().with_seq(seq, Some(seq)));
        assert_eq!(lines.len(), 1, "record {seq}");
    }
}

/// A seq that is wrong but well spelt would lead a bisection astray that believed it.
#[test]
fn a_line_with_another_seq_leads_no_search_astray() {
    let place = tempfile::tempdir().unwrap();
    local_log(place.path(), 120);
    crate::checker::assert_local_log_is_sound(place.path().join("audit"));
    let whole = SimulatedDisk::import(place.path()).unwrap();
    let folder = Path::new("/audit");
    for file in ["audit.log", "audit.log.1", "audit.log.2"] {
        let path = folder.join(file);
        let text = String::from_utf8(whole.read_file(&path).unwrap()).unwrap();
        for line in text.lines() {
            let seq = parse_head(line.as_bytes()).unwrap().seq;
            for wrong in [0, 900] {
                let changed =
                    line.replacen(&format!("{{\"seq\":{seq},"), &format!("{{\"seq\":{wrong},"), 1);
                let disk = whole.fork();
                disk.write_file(&path, text.replacen(line, &changed, 1)).unwrap();
                let reader = Reader::open_on(storage(&disk), folder).unwrap();
                for other in [seq.saturating_sub(2), seq.saturating_sub(1), seq + 1, seq + 2, 60] {
                    let expected = u64::from(other != seq && other <= 120);
                    let query = Query::new().with_seq(other, Some(other));
                    let counted = reader.query(&query).unwrap().count_all().unwrap();
                    assert_eq!(counted.matching, expected, "{other} beside {seq}");
                }
            }
        }
    }
}

/// What stands beside it in another segment is not called absent for it.
#[test]
fn a_damaged_first_or_last_line_of_a_segment_is_one_fault() {
    let place = tempfile::tempdir().unwrap();
    local_log(place.path(), 120);
    crate::checker::assert_local_log_is_sound(place.path().join("audit"));
    let whole = SimulatedDisk::import(place.path()).unwrap();
    let folder = Path::new("/audit");
    for file in ["audit.log", "audit.log.1", "audit.log.2"] {
        let size = whole.read_file(folder.join(file)).unwrap().len();
        for offset in [20, size - 20] {
            let disk = whole.fork();
            disk.flip_byte(folder.join(file), offset, 1).unwrap();
            let reader = Reader::open_on(storage(&disk), folder).unwrap();
            for order in [Order::OldestFirst, Order::NewestFirst] {
                let (lines, faults) = taken(&reader, &Query::new().with_order(order));
                assert_eq!(lines.len(), 120);
                assert!(matches!(faults[..], [ReadError::Unreadable { .. }]), "{faults:?}");
            }
        }
    }
}
