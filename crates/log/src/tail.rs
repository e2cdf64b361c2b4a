//! What the bytes behind the last intact record are: the tail table of `docs/spec/recovery.md`, once, for recovery
//! and verifier alike.
//!
//! Pure bytes. That the segment is the newest, that the last intact record is at or beyond the durable mark, and
//! that the bytes are no valid record that only lacks its line feed, is for the caller to know.

use std::ops::Range;

use indelible_format::own::TailKind;
use indelible_format::record::Record;
use indelible_format::seeded::{self, Bug};

/// Most bytes that a crash can leave torn: the largest group, a constant of the format.
pub(crate) const TORN_SIZE_MAX: usize = 4 << 20;
/// Bytes of `rest` that [`classify`] needs: one more than a crash can leave, to see that there are more.
pub(crate) const TAIL_READ_SIZE: usize = TORN_SIZE_MAX + 1;
/// What a disk writes whole.
const SECTOR_SIZE: u64 = 512;

/// What the bytes behind the last intact record are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// As a crash leaves it: the next open cuts it.
    Torn(TailKind),
    /// Torn in kind, but more than a crash can leave.
    TooLong,
    /// A whole line that no crash explains.
    NotTorn,
}

/// Classifies `rest`: the bytes from the first line that is no intact record, which begins at `offset` of its file,
/// up to the file's end, or [`TAIL_READ_SIZE`] of them where there are more. Empty bytes are no tail, and not torn.
pub(crate) fn classify(rest: &[u8], offset: u64) -> Tail {
    let first_line_end = memchr::memchr(b'\n', rest);
    let lost = lost_pages(rest, offset, first_line_end.unwrap_or(rest.len())).is_some();
    let kind = if lost && !seeded::is(Bug::NulPagesRefused) {
        TailKind::Nul
    } else if first_line_end.is_none() && !rest.is_empty() {
        TailKind::Partial
    } else {
        return Tail::NotTorn;
    };
    if rest.len() > TORN_SIZE_MAX { Tail::TooLong } else { Tail::Torn(kind) }
}

/// Where sectors of the line at `offset`, without its line feed, never reached the disk, or are lost: the first such
/// run, from the beginning of the line.
pub(crate) fn lost_sectors(line: &[u8], offset: u64) -> Option<Range<usize>> {
    lost_pages(line, offset, line.len())
}

/// The first run of NULs that begins in the first line and is made of whole sectors that never reached the disk: it
/// begins at a sector, right behind the last intact line, or right behind a whole record whose line feed is lost with
/// what followed it; and ends at a sector or at the end of the file.
/// A record holds no NUL byte, so a run is judged whole, from its first NUL to its last.
fn lost_pages(rest: &[u8], offset: u64, line_end: usize) -> Option<Range<usize>> {
    let place = |at: usize| u64::try_from(at).map_or(u64::MAX, |at| offset.saturating_add(at));
    let mut from = 0;
    while let Some(found) = rest.get(from..line_end).and_then(|line| memchr::memchr(0, line)) {
        let start = from + found;
        let end = rest
            .get(start..)
            .and_then(|run| run.iter().position(|byte| *byte != 0))
            .map_or(rest.len(), |size| start + size);
        let begins = start == 0
            || place(start).is_multiple_of(SECTOR_SIZE)
            || (from == 0 && Record::parse(rest.get(..start).unwrap_or_default()).is_ok());
        if begins && (end == rest.len() || place(end).is_multiple_of(SECTOR_SIZE)) {
            return Some(start..end);
        }
        from = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nuls(count: usize) -> Vec<u8> {
        vec![0; count]
    }

    #[test]
    fn bytes_without_a_line_feed_are_partial() {
        assert_eq!(classify(b"{\"seq\":1", 700), Tail::Torn(TailKind::Partial));
        assert_eq!(classify(b"x", 0), Tail::Torn(TailKind::Partial));
        // NULs that are no whole sectors change nothing where there is no line feed.
        assert_eq!(classify(b"ab\0cd", 700), Tail::Torn(TailKind::Partial));
    }

    #[test]
    fn nothing_is_not_torn() {
        assert_eq!(classify(b"", 512), Tail::NotTorn);
    }

    #[test]
    fn a_whole_line_without_lost_pages_is_not_torn() {
        assert_eq!(classify(b"{\"seq\":1}\n", 512), Tail::NotTorn);
        assert_eq!(classify(b"\n", 512), Tail::NotTorn);
        // NULs in the middle of a sector were written by somebody.
        assert_eq!(classify(b"ab\0\0cd\n", 100), Tail::NotTorn);
        assert_eq!(classify(b"ab\0\0cd\nrest without an end", 100), Tail::NotTorn);
    }

    #[test]
    fn nuls_behind_the_last_intact_line_up_to_the_end_are_lost_pages() {
        assert_eq!(classify(&nuls(3), 253), Tail::Torn(TailKind::Nul));
        assert_eq!(classify(&nuls(4096 - 253), 253), Tail::Torn(TailKind::Nul));
    }

    #[test]
    fn a_lost_sector_in_the_line_is_torn_whatever_follows() {
        // The line begins at 500, its first 12 bytes are there, one sector is not, the rest is.
        let mut rest = b"{\"seq\":1,\"ti".to_vec();
        rest.extend(nuls(512));
        rest.extend_from_slice(b"end of it\"}\n{\"seq\":2}\n{\"se");
        assert_eq!(classify(&rest, 500), Tail::Torn(TailKind::Nul));
        // The same bytes one further are not at sectors.
        assert_eq!(classify(&rest, 501), Tail::NotTorn);
    }

    #[test]
    fn nuls_in_the_place_of_a_records_line_feed_are_lost_pages() {
        let mut rest = Vec::new();
        indelible_format::record::write_head(&mut rest, 7, indelible_format::time::Timestamp::MIN);
        rest.extend_from_slice(br#""actor":"a","action":"b","resource":"c""#);
        indelible_format::chain::seal(&mut rest, 0, &indelible_format::chain::Hash::ZERO);
        let offset = 1024 - 5 - u64::try_from(rest.len()).unwrap();
        rest.extend(nuls(5));
        rest.extend_from_slice(b"the rest of a repair record\n");
        assert_eq!(classify(&rest, offset), Tail::Torn(TailKind::Nul));
        assert_eq!(classify(&rest, offset + 1), Tail::NotTorn);
        rest[20] ^= 1;
        assert_eq!(classify(&rest, offset), Tail::NotTorn);
    }

    #[test]
    fn a_run_that_ends_between_sectors_is_not_a_lost_page() {
        let mut rest = nuls(12);
        rest.extend_from_slice(b"x\n");
        assert_eq!(classify(&rest, 500), Tail::Torn(TailKind::Nul));
        assert_eq!(classify(&rest, 499), Tail::NotTorn);
    }

    #[test]
    fn nuls_in_a_later_line_do_not_excuse_the_first() {
        let mut rest = b"{\"forged\":1}\n".to_vec();
        rest.resize(1024 - 506, 0);
        assert_eq!(classify(&rest, 506), Tail::NotTorn);
    }

    #[test]
    fn only_the_last_4_mib_can_be_torn() {
        assert_eq!(classify(&vec![b'x'; TORN_SIZE_MAX], 9), Tail::Torn(TailKind::Partial));
        assert_eq!(classify(&vec![b'x'; TAIL_READ_SIZE], 9), Tail::TooLong);
        assert_eq!(classify(&nuls(TORN_SIZE_MAX), 9), Tail::Torn(TailKind::Nul));
        assert_eq!(classify(&nuls(TAIL_READ_SIZE), 9), Tail::TooLong);
        let mut line = b"{}\n".to_vec();
        line.resize(TAIL_READ_SIZE, 0);
        assert_eq!(classify(&line, 9), Tail::NotTorn);
    }
}
