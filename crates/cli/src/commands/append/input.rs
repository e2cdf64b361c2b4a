//! Reads events line by line, from a file or from stdin.
//!
//! Invariants: never holds more than one line, and no more of it than tells that it is too long; lines are numbered
//! from 1, empty ones too. It does not know what an event is.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use indelible::format::event::EventError;

use crate::hint::quote;

/// Bytes that a line may have: twice what the largest entry can take, since a client may write white space.
pub(super) const LINE_SIZE_MAX: usize = 2 << 20;
/// One byte more than a line may have: its LF, or the proof that it is too long.
const TAKE: u64 = (2 << 20) + 1;

/// What some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where the lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Stdin,
    File(PathBuf),
}

impl Source {
    /// `-` is stdin.
    pub(super) fn named(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path.to_path_buf()) }
    }

    /// Opens it.
    pub(super) fn open(&self) -> io::Result<Lines<Box<dyn BufRead + Send>>> {
        let mut has_end = false;
        let from: Box<dyn BufRead + Send> = match self {
            Self::Stdin => Box::new(BufReader::new(io::stdin())),
            Self::File(path) => {
                let file = File::open(path)?;
                let metadata = file.metadata()?;
                if metadata.is_dir() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                has_end = metadata.is_file();
                Box::new(BufReader::with_capacity(64 * 1024, file))
            }
        };
        Ok(Lines { has_end, ..Lines::new(from) })
    }

    /// Whether somebody has to type the lines.
    pub(super) fn is_a_terminal(&self) -> bool {
        *self == Self::Stdin && io::stdin().is_terminal()
    }

    /// What to do once `line` is mended, which stopped the rest.
    pub(super) fn resume(&self, line: u64) -> String {
        match self {
            Self::Stdin => format!("mend line {line}, and send it again with all that follows"),
            Self::File(path) => format!(
                "mend line {line}, then go on with it: tail -n +{line} {} | indelible append … --file -",
                quote(path)
            ),
        }
    }
}

impl Source {
    /// How the rest is sent from `line` on, which is as it should be.
    pub(super) fn go_on(&self, line: u64) -> String {
        match self {
            Self::Stdin => format!("send line {line} again with all that follows"),
            Self::File(path) => format!(
                "go on with line {line}: tail -n +{line} {} | indelible append … --file -",
                quote(path)
            ),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("stdin"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why a line could not be read, or can't hold an event.
#[derive(Debug)]
pub(super) enum LineError {
    TooLong,
    Io(io::Error),
    ByteOrderMark,
    NotOneObject(EventError),
}

impl LineError {
    /// What is wrong with a line that holds no event, as `error` says in general.
    pub(super) fn of(line: &[u8], error: EventError) -> anyhow::Error {
        let text = line.trim_ascii();
        if line.starts_with(BYTE_ORDER_MARK) {
            Self::ByteOrderMark.into()
        } else if text.starts_with(b"{") && text.ends_with(b"}") {
            error.into()
        } else {
            Self::NotOneObject(error).into()
        }
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the line is longer than {LINE_SIZE_MAX} bytes"),
            Self::Io(_) => f.write_str("could not read the line"),
            Self::ByteOrderMark => f.write_str(
                "it begins with a byte order mark (EF BB BF), which no JSON has: save it as UTF-8 without one",
            ),
            Self::NotOneObject(error) => write!(f, "not one JSON object: {error}"),
        }
    }
}

impl std::error::Error for LineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::TooLong | Self::ByteOrderMark => None,
            Self::Io(error) => Some(error),
            Self::NotOneObject(error) => Some(error),
        }
    }
}

/// Numbered lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    from: R,
    number: u64,
    /// Whether looking for the end never waits, as in a file.
    has_end: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, number: 0, has_end: false }
    }

    /// Whether the line that was read last was the last of a file; `false` where only waiting would tell.
    pub(super) fn are_at_end(&mut self) -> bool {
        self.has_end && self.from.fill_buf().is_ok_and(<[u8]>::is_empty)
    }

    /// The number of the line that was read last, or that could not be read.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Reads the next line into `line`, without its LF, and gives its number; `None` at the end.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<Option<u64>, LineError> {
        line.clear();
        let read = self.from.by_ref().take(TAKE).read_until(b'\n', line);
        if matches!(read, Ok(0)) {
            return Ok(None);
        }
        self.number += 1;
        read.map_err(LineError::Io)?;
        if line.pop_if(|last| *last == b'\n').is_none() && line.len() > LINE_SIZE_MAX {
            return Err(LineError::TooLong);
        }
        Ok(Some(self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], buffer: usize) -> Vec<(u64, Vec<u8>)> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, bytes));
        let (mut line, mut all) = (Vec::new(), Vec::new());
        while let Some(number) = lines.next(&mut line).expect("readable") {
            all.push((number, line.clone()));
        }
        all
    }

    #[test]
    fn lines_are_numbered_from_one_whatever_the_buffer() {
        for buffer in [1, 2, 3, 100] {
            let lines = read(b"one\n\nthree\nfour", buffer);
            let expected: [(u64, &[u8]); 4] = [(1, b"one"), (2, b""), (3, b"three"), (4, b"four")];
            assert_eq!(lines, expected.map(|(number, line)| (number, line.to_vec())));
        }
        assert!(read(b"", 8).is_empty());
    }

    #[test]
    fn a_line_of_the_limit_is_read_and_one_byte_more_is_not() {
        let mut bytes = vec![b'x'; LINE_SIZE_MAX];
        assert_eq!(read(&bytes, 4_096).len(), 1);
        bytes.push(b'x');
        bytes.push(b'\n');
        let mut lines = Lines::new(BufReader::new(bytes.as_slice()));
        let mut line = Vec::new();
        assert!(matches!(lines.next(&mut line), Err(LineError::TooLong)));
        assert_eq!(lines.number(), 1);
    }

    #[test]
    fn an_endless_line_is_refused_without_being_held() {
        let mut lines = Lines::new(BufReader::new(io::repeat(b'x')));
        let mut line = Vec::new();
        assert!(matches!(lines.next(&mut line), Err(LineError::TooLong)));
        assert_eq!(line.len(), LINE_SIZE_MAX + 1);
    }
}
