use std::path::Path;

use indelible_format::chain::{Hash, seal};
use indelible_format::record::write_head;
use indelible_format::time::Timestamp;

use super::*;
use crate::storage::Privacy;

/// A folder of segments on this machine, the records of which need no more than their beginnings.
struct Folder {
    _temporary: tempfile::TempDir,
    storage: Arc<dyn Storage>,
    layout: Layout,
}

impl Folder {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new().unwrap());
        let layout = Layout::of(&temporary.path().join("audit")).unwrap();
        storage.create_folder(layout.folder()).unwrap();
        Self { _temporary: temporary, storage, layout }
    }

    fn write(&self, path: &Path, bytes: &[u8]) {
        if self.storage.stat(path).is_ok() {
            self.storage.unlink(path).unwrap();
        }
        let file = self.storage.create_new(path, Privacy::Group).unwrap();
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = &rest[file.append(rest).unwrap()..];
        }
    }

    fn segment(&self, number: u64, records: std::ops::Range<u64>) {
        self.write(&self.layout.segment(number), &records.flat_map(line).collect::<Vec<u8>>());
    }

    fn checkpoint(&self, size: u64) {
        let root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let note = format!("o\n{size}\n{root}\n\n\u{2014} o AAAAAAAA\n");
        self.write(&self.layout.checkpoint(), note.as_bytes());
    }

    fn reader(&self) -> Reader {
        Reader::open_on(Arc::clone(&self.storage), self.layout.folder()).unwrap()
    }
}

/// Lines of many sizes, so that bisection lands in all places.
fn line(seq: u64) -> Vec<u8> {
    line_of(seq, usize::try_from(seq % 97 * 9).unwrap())
}

fn line_of(seq: u64, size: usize) -> Vec<u8> {
    let mut line = Vec::new();
    write_head(&mut line, seq, Timestamp::from_unix_ns(0).unwrap());
    let resource = "r".repeat(size);
    line.extend_from_slice(
        format!("\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c{resource}\"").as_bytes(),
    );
    seal(&mut line, 0, &Hash::ZERO);
    line.push(b'\n');
    line
}

fn seqs(records: &[StoredRecord]) -> Vec<u64> {
    records.iter().map(|record| record.seq).collect()
}

#[test]
fn every_record_is_found_in_its_segment_and_none_beyond_the_checkpoint() {
    let folder = Folder::new();
    folder.segment(3, 5..300);
    folder.segment(2, 300..301);
    folder.segment(1, 301..900);
    folder.segment(0, 900..1000);
    folder.checkpoint(990);
    let reader = folder.reader();
    assert_eq!(reader.first_seq().unwrap(), 5);
    assert_eq!(reader.records().unwrap(), 990);
    for seq in 5..990 {
        let found = reader.record(seq).unwrap().unwrap_or_else(|| panic!("no record {seq}"));
        assert_eq!([found.line.as_slice(), b"\n"].concat(), line(seq));
    }
    assert_eq!(reader.record(300).unwrap().unwrap().file, "audit.log.2");
    assert_eq!((reader.record(4).unwrap(), reader.record(990).unwrap()), (None, None));
    assert_eq!(seqs(&reader.last(3).unwrap()), [987, 988, 989]);
    assert_eq!(reader.last(u64::MAX).unwrap().len(), 985);
    let unsynced = reader.unsynced();
    assert_eq!(unsynced.records().unwrap(), 1000);
    assert_eq!(unsynced.record(999).unwrap().unwrap().seq, 999);
    assert_eq!(unsynced.record(1000).unwrap(), None);
    let all: Vec<_> = unsynced.lines_from(0).unwrap().map(Result::unwrap).collect();
    assert_eq!(seqs(&all), (5..1000).collect::<Vec<_>>());
}

#[test]
fn the_last_record_is_found_where_a_line_is_longer_than_a_step_of_the_bisection() {
    let sizes = [40_000, 10, 60_000, 300, 20_000, 20_000, 5, 60_000, 60_000, 1_000];
    for count in 1..=sizes.len() {
        let folder = Folder::new();
        let lines = (0..).zip(&sizes[..count]).flat_map(|(seq, size)| line_of(seq, *size));
        folder.write(&folder.layout.segment(0), &lines.collect::<Vec<u8>>());
        let reader = folder.reader().unsynced();
        let count = u64::try_from(count).unwrap();
        assert_eq!(reader.records().unwrap(), count);
        assert_eq!(seqs(&reader.last(1).unwrap()), [count - 1]);
    }
}

#[test]
fn bytes_behind_the_last_line_feed_are_not_read() {
    let folder = Folder::new();
    let mut bytes: Vec<u8> = (0..3).flat_map(line).collect();
    bytes.extend_from_slice(b"{\"seq\":3,\"timest");
    folder.write(&folder.layout.segment(0), &bytes);
    let reader = folder.reader().unsynced();
    assert_eq!(reader.records().unwrap(), 3);
    assert_eq!(seqs(&reader.last(2).unwrap()), [1, 2]);
    assert_eq!(reader.lines_from(0).unwrap().count(), 3);
}

#[test]
fn an_empty_active_segment_is_no_end() {
    let folder = Folder::new();
    folder.segment(1, 0..4);
    folder.segment(0, 4..4);
    let reader = folder.reader().unsynced();
    assert_eq!(reader.records().unwrap(), 4);
    assert_eq!(seqs(&reader.last(2).unwrap()), [2, 3]);
}

#[test]
fn a_log_that_ends_before_its_checkpoint_gives_what_it_has_and_says_what_is_missing() {
    let folder = Folder::new();
    folder.segment(0, 0..4);
    folder.checkpoint(6);
    let reader = folder.reader();
    assert_eq!(seqs(&reader.last(2).unwrap()), [2, 3]);
    assert!(matches!(reader.record(4), Err(ReadError::Missing { seq: 4, .. })));
    let mut records = reader.lines_from(3).unwrap();
    assert_eq!(records.next().unwrap().unwrap().seq, 3);
    assert!(matches!(records.next(), Some(Err(ReadError::Missing { seq: 4, .. }))));
    assert!(records.next().is_none());
}

#[test]
fn a_line_that_is_no_record_hides_only_itself() {
    let folder = Folder::new();
    let mut lines: Vec<Vec<u8>> = (0..400).map(line).collect();
    lines[200] = b"nothing\n".to_vec();
    folder.write(&folder.layout.segment(0), &lines.concat());
    folder.checkpoint(400);
    let reader = folder.reader();
    for seq in (0..400).filter(|seq| *seq != 200) {
        assert_eq!(reader.record(seq).unwrap().map(|record| record.seq), Some(seq));
    }
    assert!(matches!(reader.record(200), Err(ReadError::Lost { seq: 200, .. })));
    let mut records = reader.lines_from(198).unwrap();
    assert_eq!(records.next().unwrap().unwrap().seq, 198);
    assert_eq!(records.next().unwrap().unwrap().seq, 199);
    assert!(matches!(records.next(), Some(Err(ReadError::OutOfPlace { expected: 200, .. }))));
    assert!(records.next().is_none());
}

#[test]
fn without_a_checkpoint_only_an_unsynced_reader_reads() {
    let folder = Folder::new();
    folder.segment(0, 0..2);
    let reader = folder.reader();
    assert!(matches!(reader.records(), Err(ReadError::NoCheckpoint { .. })));
    assert_eq!(reader.unsynced().records().unwrap(), 2);
}

#[test]
fn a_limit_that_is_told_is_asked_each_time() {
    let folder = Folder::new();
    folder.segment(0, 0..9);
    let told = Arc::new(std::sync::atomic::AtomicU64::new(3));
    let limit = Arc::clone(&told);
    let reader = Reader::with_limit(
        Arc::clone(&folder.storage),
        folder.layout.clone(),
        Arc::new(move || limit.load(std::sync::atomic::Ordering::SeqCst)),
    );
    assert_eq!(reader.record(3).unwrap(), None);
    assert_eq!(seqs(&reader.last(9).unwrap()), [0, 1, 2]);
    told.store(4, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(reader.record(3).unwrap().unwrap().seq, 3);
}

#[test]
fn records_are_read_on_while_segments_are_renamed_and_removed() {
    let folder = Folder::new();
    folder.segment(2, 0..3);
    folder.segment(1, 3..6);
    folder.segment(0, 6..9);
    folder.checkpoint(9);
    let rename = |from, to| {
        let (from, to) = (folder.layout.segment(from), folder.layout.segment(to));
        folder.storage.rename(&from, &to).unwrap();
    };
    let mut records = folder.reader().lines_from(1).unwrap();
    assert_eq!(records.next().unwrap().unwrap().seq, 1);
    for number in [2, 1, 0] {
        rename(number, number + 1);
    }
    folder.segment(0, 9..10);
    folder.storage.unlink(&folder.layout.segment(3)).unwrap();
    let rest: Vec<_> = records.map(Result::unwrap).collect();
    assert_eq!(seqs(&rest), (2..9).collect::<Vec<_>>());
}

#[test]
fn readers_never_miss_a_record_while_a_log_rotates_and_prunes() {
    let folder = Folder::new();
    folder.segment(0, 0..10);
    let durable = std::sync::atomic::AtomicU64::new(10);
    let durable = &durable;
    let order = std::sync::atomic::Ordering::SeqCst;
    let reader = folder.reader().unsynced();
    std::thread::scope(|scope| {
        let folder = &folder;
        scope.spawn(move || {
            for round in 1..60_u64 {
                for number in (0..round.min(4)).rev() {
                    let from = folder.layout.segment(number);
                    folder.storage.rename(&from, &folder.layout.segment(number + 1)).unwrap();
                }
                folder.segment(0, round * 10..round * 10 + 10);
                durable.store(round * 10 + 10, order);
                if round >= 4 {
                    folder.storage.unlink(&folder.layout.segment(4)).unwrap();
                }
            }
        });
        while durable.load(order) < 600 {
            let last = durable.load(order) - 1;
            // The newest is never the one that retention removes while we look, unless we are very slow.
            match reader.record(last) {
                Ok(Some(record)) => assert_eq!(record.seq, last),
                Ok(None) => assert!(reader.first_seq().unwrap() > last, "record {last} not found"),
                // It says so where files move faster than it looks, and is asked again.
                Err(ReadError::KeepsChanging { .. }) => {}
                Err(e) => panic!("record {last}: {e}"),
            }
        }
    });
}
