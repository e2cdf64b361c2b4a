//! The only place that prints.
//!
//! Invariants:
//! - stdout carries nothing but data: stored lines, receipts, notes, keys, reports;
//! - data that goes to a terminal is escaped, and is byte for byte as stored everywhere else;
//! - what goes to stderr is for people, always escaped, and never holds a private key.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use indelible::{Clock as _, SystemClock};
use indelible_server::config::ConfigError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::escape::{escape, escape_lines};
use crate::exit::Exit;
use crate::table::{Columns, Line, Shown};
use crate::value::without_private_keys;

/// Bytes that may wait for [`Output::flush`].
const BUFFER_SIZE: usize = 64 * 1024;

/// Stdout: lines are gathered, and leave together, whole.
#[derive(Debug)]
pub(crate) struct Output<W: Write = io::Stdout> {
    what: &'static str,
    to: W,
    terminal: bool,
    buffer: Vec<u8>,
}

impl Output {
    /// The process's stdout.
    pub(crate) fn stdout() -> Self {
        Self::of("")
    }

    /// The process's stdout, for something that has a name where it can't be written: "the receipts".
    pub(crate) fn of(what: &'static str) -> Self {
        Self { what, ..Self::to(io::stdout(), io::stdout().is_terminal()) }
    }
}

impl<W: Write> Output<W> {
    fn to(to: W, terminal: bool) -> Self {
        Self { what: "", to, terminal, buffer: Vec::new() }
    }

    /// Takes one line without its LF.
    pub(crate) fn line(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.terminal {
            self.buffer.extend_from_slice(escape(bytes).as_bytes());
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER_SIZE { self.flush() } else { Ok(()) }
    }

    /// Takes a text of several lines; a last LF is added where there is none.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        text.lines().try_for_each(|line| self.line(line.as_bytes()))
    }

    /// Hands everything taken so far to whoever reads.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let written = self.to.write_all(&self.buffer).and_then(|()| self.to.flush());
        self.buffer.clear();
        written.map_err(|why| not_printed(self.what, why))
    }
}

fn not_printed(what: &'static str, why: io::Error) -> io::Error {
    io::Error::new(why.kind(), NotPrinted { what, why })
}

/// Stdout did not take what was to be printed.
#[derive(Debug)]
struct NotPrinted {
    what: &'static str,
    why: io::Error,
}

impl fmt::Display for NotPrinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.what.is_empty() { "" } else { " " };
        write!(f, "could not write{space}{} to standard output", self.what)
    }
}

impl std::error::Error for NotPrinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}

/// A bar on stderr that says how far something has come; nothing where that is no terminal.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar at its beginning.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        // The form is a constant; were it wrong, there would be another bar.
        if let Ok(form) = ProgressStyle::with_template(bar_form(columns_of(io::stderr()))) {
            bar.set_style(form.progress_chars("=> "));
        }
        Self(bar)
    }

    /// Shows how much of it is done.
    pub(crate) fn at(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done.min(total));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What stands in a bar on a terminal of so many columns. It is never as wide as the terminal: what Ctrl-C echoes has to
/// stand on the same line, to be cleared with it, and a line that wraps is never cleared.
fn bar_form(columns: Option<usize>) -> &'static str {
    match columns.unwrap_or(80) {
        76.. => "verifying {bar:30} {percent:>3} % of {total_bytes}, {eta} left",
        50..76 => "verifying {bar:10} {percent:>3} %, {eta} left",
        24..50 => "verifying {percent:>3} %",
        _ => "{percent:>3} %",
    }
}

/// Columns of a text that is laid out: those of the terminal that it goes to, else 80.
pub(crate) fn columns() -> usize {
    const COLUMNS: usize = 80;
    terminal_columns().unwrap_or(COLUMNS)
}

/// Records that decide how wide the columns of a table are, and then leave together.
const TABLE_BATCH: usize = 200;
/// Columns of a table where nothing says how wide it may be.
const WIDTH_DEFAULT: usize = 100;

/// Stdout as a table of records. Colours reach only a terminal that shows them, and none where `NO_COLOR` is set.
pub(crate) struct RecordTable {
    to: anstream::Stdout,
    width: usize,
    columns: Option<Columns>,
    waiting: Vec<Shown>,
}

impl RecordTable {
    /// On the process's stdout.
    pub(crate) fn stdout() -> Self {
        Self { to: anstream::stdout(), width: width(), columns: None, waiting: Vec::new() }
    }

    /// Takes a record.
    pub(crate) fn record(&mut self, record: Shown) -> io::Result<()> {
        self.waiting.push(record);
        if self.waiting.len() >= TABLE_BATCH { self.flush() } else { Ok(()) }
    }

    /// Prints what waits; says whether the table has any record.
    pub(crate) fn finish(mut self) -> io::Result<bool> {
        self.flush()?;
        Ok(self.columns.is_some())
    }

    fn flush(&mut self) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        let is_first = self.columns.is_none();
        let columns = self.columns.get_or_insert_with(|| Columns::fitting(self.width, &waiting));
        if is_first {
            columns.header().iter().for_each(|line| push_styled(&mut text, line));
        }
        for record in &waiting {
            columns.lines(record).iter().for_each(|line| push_styled(&mut text, line));
        }
        let written = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
        written.map_err(|why| not_printed("the table", why))
    }
}

fn push_styled(text: &mut String, line: &Line) {
    let Line { text: line, style } = line;
    text.extend([&style.render().to_string(), line, &style.render_reset().to_string(), "\n"]);
}

/// Whether stdout is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Lets `time` pass, less where a signal comes; says whether somebody still reads stdout.
pub(crate) fn wait(time: Duration) -> bool {
    let stdout = io::stdout();
    // Nothing is asked for: what is told unasked is that the other end is gone.
    let mut ends = [PollFd::new(&stdout, PollFlags::empty())];
    let time = Timespec::try_from(time).ok();
    match rustix::event::poll(&mut ends, time.as_ref()) {
        Ok(_) => !ends.iter().any(|end| end.revents().contains(PollFlags::ERR)),
        // Interrupted, as a rule.
        Err(_) => true,
    }
}

/// Columns of a table: those of the terminal, or those that `COLUMNS` names where there is none.
fn width() -> usize {
    width_said().unwrap_or(WIDTH_DEFAULT)
}

/// As many columns as a table may have, where something says so.
pub(crate) fn width_said() -> Option<usize> {
    let named = || std::env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse().ok());
    terminal_columns().or_else(named)
}

/// Columns of the terminal that stdout is, if it is one.
fn terminal_columns() -> Option<usize> {
    columns_of(io::stdout())
}

/// Columns of a terminal; `None` where it is none.
fn columns_of(terminal: impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Tells a person something that is no data.
pub(crate) fn note(text: impl fmt::Display) {
    tell(&format!("indelible: {text}"));
}

/// Tells a person that all is done but something deserves a thought.
pub(crate) fn warning(text: impl fmt::Display) {
    tell(&format!("indelible: warning: {text}"));
}

/// Tells a person what could not be done and why, causes last.
pub(crate) fn error(error: &anyhow::Error) {
    // Several things at once, each on a line of its own.
    if let Some(ConfigError::Faults(faults)) = error.downcast_ref() {
        return faults.iter().for_each(note);
    }
    note(chain(error));
}

/// Tells a program, as the service tells it of everything else: an object a line.
pub(crate) fn json(level: &str, message: &str, hint: Option<&str>) {
    // In the order of the service's own lines.
    let now = SystemClock::default().now().wall.to_string();
    let quoted = |text: &str| serde_json::Value::from(without_private_keys(text)).to_string();
    let hint = hint.map(|hint| format!(",\"hint\":{}", quoted(hint))).unwrap_or_default();
    let message = quoted(message);
    let line =
        format!("{{\"timestamp\":\"{now}\",\"level\":\"{level}\",\"message\":{message}{hint}}}\n");
    drop(io::stderr().write_all(line.as_bytes()));
}

/// What could not be done and why, causes last.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Some errors repeat what caused them at the end of their own text.
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// Whether it failed because whoever read stdout has gone.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Tells a person what to do next.
pub(crate) fn hint(text: impl fmt::Display) {
    tell(&format!("hint: {text}"));
}

/// Prints what clap has to say: help and version to stdout, a wrong command line to stderr.
pub(crate) fn usage(error: &clap::Error) -> Exit {
    if error.use_stderr() {
        let text = error.to_string();
        let text = text.trim_end();
        tell(
            &text
                .strip_prefix("error: ")
                .map_or_else(|| text.to_owned(), |text| format!("indelible: {text}")),
        );
        return Exit::Usage;
    }
    // Colours only where stdout is a terminal that shows them.
    let mut stdout = anstream::stdout();
    match write!(stdout, "{}", error.render().ansi()).and_then(|()| stdout.flush()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            note(format_args!("could not write the help to standard output: {why}"));
            Exit::CouldNot
        }
        Ok(()) | Err(_) => Exit::Fine,
    }
}

fn tell(text: &str) {
    let text = without_private_keys(&escape_lines(text)) + "\n";
    // With stderr gone there is nobody left to tell.
    drop(io::stderr().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_narrower_than_its_terminal() {
        for columns in [10, 24, 49, 50, 75, 76, 200] {
            let widest = [("{bar:30}", 30), ("{bar:10}", 10), ("{percent:>3}", 3)];
            let widest = [&widest[..], &[("{total_bytes}", 12), ("{eta}", 4)]].concat();
            let bar =
                widest.iter().fold(bar_form(Some(columns)).to_owned(), |bar, (part, width)| {
                    bar.replace(part, &"#".repeat(*width))
                });
            assert!(bar.len() < columns, "{columns}: {bar}");
        }
        assert_eq!(bar_form(None), bar_form(Some(80)));
    }

    const LINE: &[u8] = b"{\"actor\":\"\xe2\x80\xae\xc2\x9b31m\"}";

    #[test]
    fn a_terminal_gets_lines_escaped_and_a_file_gets_them_as_stored() {
        let mut terminal = Output::to(Vec::new(), true);
        terminal.line(LINE).and_then(|()| terminal.flush()).expect("written");
        assert_eq!(terminal.to, b"{\"actor\":\"\\u202e\\u009b31m\"}\n");
        let mut file = Output::to(Vec::new(), false);
        file.line(LINE).and_then(|()| file.flush()).expect("written");
        assert_eq!(file.to, [LINE, b"\n"].concat());
    }

    #[test]
    fn a_text_ends_in_one_line_feed() {
        let mut file = Output::to(Vec::new(), false);
        file.text("a\nb\n")
            .and_then(|()| file.text("c"))
            .and_then(|()| file.flush())
            .expect("written");
        assert_eq!(file.to, b"a\nb\nc\n");
    }

    #[test]
    fn lines_leave_when_they_are_flushed_or_many() {
        let mut file = Output::to(Vec::new(), false);
        file.line(b"a").expect("taken");
        assert!(file.to.is_empty());
        file.line(&vec![b'x'; BUFFER_SIZE]).expect("taken");
        assert_eq!(file.to.len(), 2 + BUFFER_SIZE + 1);
    }
}
