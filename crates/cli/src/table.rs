//! Lays records out as a table for people.
//!
//! Invariants:
//! - every value is escaped before it is measured or laid out;
//! - no line is wider than was said, and memory is that of one batch of records, however many come;
//! - widths are those that the first batch needs, and stay, so that columns stand under each other throughout.
//!
//! It prints nothing: `render` does.

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, Width, presets};
use indelible::Outcome;
use indelible::format::decode_error::DecodeError;
use indelible::format::event::OWN_ACTOR;
use indelible::format::record::{Content, Record};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::escape::escape;

/// From so many columns on each value has a column of its own, even if it does not fit into one line.
const WIDE: usize = 120;
/// Columns between two columns.
pub(crate) const GAP: usize = 2;
/// Turns the character before it into an emoji, which takes two columns.
const EMOJI_SELECTOR: char = '\u{fe0f}';
/// Lines that one value may take.
const VALUE_LINES_MAX: usize = 3;
/// The least that a column of values gets.
const VALUE_WIDTH_MIN: usize = 8;

/// One record, as it is shown.
#[derive(Debug)]
pub(crate) struct Shown {
    seq: String,
    date: String,
    time: String,
    actor: String,
    action: String,
    resource: String,
    outcome: Option<Outcome>,
}

impl Shown {
    /// What is shown of a stored line.
    pub(crate) fn of(line: &[u8]) -> Result<Self, DecodeError> {
        let record =
            Record::parse(line).or_else(|e| Record::parse_newer(line).map_err(|_same| e))?;
        let timestamp = record.timestamp().to_string();
        let part =
            |range: std::ops::Range<usize>| timestamp.get(range).unwrap_or_default().to_owned();
        let (actor, action, outcome) = match record.content() {
            Content::Event(fields) => {
                (shown(&fields.actor()), shown(&fields.action()), fields.outcome())
            }
            Content::Own(own) => (OWN_ACTOR.to_owned(), shown(own.action()), None),
            Content::Redacted => (String::new(), "(redacted)".to_owned(), None),
            Content::Unchecked | _ => {
                (String::new(), "(written by a newer version)".to_owned(), None)
            }
        };
        let resource = record.resource().map(|resource| shown(&resource)).unwrap_or_default();
        Ok(Self {
            seq: record.seq().to_string(),
            date: part(0..10),
            // To the millisecond: the stored line has the rest.
            time: part(11..23) + "Z",
            actor,
            action,
            resource,
            outcome,
        })
    }

    fn outcome(&self) -> &'static str {
        self.outcome.map(Outcome::as_str).unwrap_or_default()
    }

    /// What did not go well stands out.
    fn style(&self) -> Style {
        match self.outcome {
            Some(Outcome::Denied) => AnsiColor::Red.on_default(),
            Some(Outcome::Failure) => AnsiColor::Yellow.on_default(),
            _ => Style::new(),
        }
    }
}

fn shown(value: &str) -> String {
    escape(value.as_bytes())
}

/// A line of the table, and how it looks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// Columns with their widths.
#[derive(Debug)]
pub(crate) struct Columns {
    seq: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// A column each for actor, action and resource.
    Wide { values: [usize; 3], outcome: usize },
    /// All values in one column, under each other.
    Narrow { record: usize },
}

const DATE: &str = "2026-01-02";
const TIME: &str = "03:04:05.678Z";
const OUTCOME: &str = "outcome";

impl Columns {
    /// Columns for these records, in lines of at most `width`.
    pub(crate) fn fitting(width: usize, records: &[Shown]) -> Self {
        let widest = |of: fn(&Shown) -> &str, name: &str| {
            let widths = records.iter().map(|record| of(record).width());
            widths.max().unwrap_or_default().max(name.len())
        };
        let seq = widest(|record| &record.seq, "seq");
        let outcome = widest(Shown::outcome, OUTCOME);
        let fixed = seq + DATE.len() + 1 + TIME.len() + outcome + 5 * GAP;
        let values = [
            widest(|record| &record.actor, "actor"),
            widest(|record| &record.action, "action"),
            widest(|record| &record.resource, "resource"),
        ];
        if width < WIDE && fixed + values.iter().sum::<usize>() > width {
            let record = width.saturating_sub(seq + GAP + TIME.len() + GAP).max(VALUE_WIDTH_MIN);
            return Self { seq, form: Form::Narrow { record } };
        }
        let values = share(width.saturating_sub(fixed), values);
        Self { seq, form: Form::Wide { values, outcome } }
    }

    /// The line above the first record.
    pub(crate) fn header(&self) -> Vec<Line> {
        let cells = match self.form {
            Form::Wide { .. } => vec!["seq", "time", "actor", "action", "resource", OUTCOME],
            Form::Narrow { .. } => vec!["seq", "time", "actor, action, outcome, resource"],
        };
        self.lay_out(cells.into_iter().map(str::to_owned).collect(), Style::new().bold())
    }

    /// The lines of one record.
    pub(crate) fn lines(&self, record: &Shown) -> Vec<Line> {
        let Shown { seq, date, time, actor, action, resource, .. } = record;
        let cells = match self.form {
            Form::Wide { values: [for_actor, for_action, for_resource], .. } => vec![
                seq.clone(),
                format!("{date} {time}"),
                cut(actor, for_actor),
                cut(action, for_action),
                cut(resource, for_resource),
                record.outcome().to_owned(),
            ],
            Form::Narrow { record: width } => {
                let action = match record.outcome() {
                    "" => cut(action, width),
                    outcome => format!("{} {outcome}", cut(action, width)),
                };
                let values = [cut(actor, width), action, cut(resource, width)];
                let values: Vec<String> = values.into_iter().filter(|v| !v.is_empty()).collect();
                vec![seq.clone(), format!("{date}\n{time}"), values.join("\n")]
            }
        };
        self.lay_out(cells, record.style())
    }

    fn widths(&self) -> Vec<usize> {
        match self.form {
            Form::Wide { values: [actor, action, resource], outcome } => {
                vec![self.seq, DATE.len() + 1 + TIME.len(), actor, action, resource, outcome]
            }
            Form::Narrow { record } => vec![self.seq, TIME.len(), record],
        }
    }

    fn lay_out(&self, cells: Vec<String>, style: Style) -> Vec<Line> {
        lay_out(cells, &self.widths()).into_iter().map(|text| Line { text, style }).collect()
    }
}

/// The lines of one row, each cell within its width.
pub(crate) fn lay_out(cells: Vec<String>, widths: &[usize]) -> Vec<String> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.add_row(Row::from(cells));
    let last = widths.len().saturating_sub(1);
    for (at, (column, width)) in table.column_iter_mut().zip(widths).enumerate() {
        let gap = if at == last { 0 } else { GAP };
        let width = u16::try_from(*width + gap).unwrap_or(u16::MAX);
        column.set_padding((0, u16::try_from(gap).unwrap_or_default()));
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Divides `room` among columns that would like to be as wide as `wanted`: who wants little gets it, the others the same.
pub(crate) fn share(room: usize, wanted: [usize; 3]) -> [usize; 3] {
    let mut sorted = wanted;
    sorted.sort_unstable();
    let (mut left, mut columns, mut most) = (room, sorted.len(), 0);
    for wanted in sorted {
        most = left / columns.max(1);
        if wanted > most {
            break;
        }
        (left, columns, most) = (left - wanted, columns.saturating_sub(1), wanted);
    }
    wanted.map(|wanted| wanted.min(most.max(VALUE_WIDTH_MIN)))
}

/// A value that takes no more than its lines in a column of `width`.
fn cut(value: &str, width: usize) -> String {
    // A letter of two columns may leave the last one of a line empty.
    let is_wide = value.chars().any(|c| columns_of(c) > 1 || c == EMOJI_SELECTOR);
    let most = width.saturating_sub(usize::from(is_wide)) * VALUE_LINES_MAX;
    if value.width() <= most {
        return value.to_owned();
    }
    let mut room = most.saturating_sub(1);
    let fits = |c: &char| match room.checked_sub(columns_of(*c)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    value.chars().take_while(fits).chain(['…']).collect()
}

/// The most columns that a character can take: the emoji selector makes what is before it one wider.
fn columns_of(character: char) -> usize {
    if character == EMOJI_SELECTOR { 1 } else { character.width().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(actor: &str, resource: &str) -> Shown {
        Shown {
            seq: "17".into(),
            date: DATE.into(),
            time: TIME.into(),
            actor: shown(actor),
            action: "tool.call:read_file".into(),
            resource: shown(resource),
            outcome: Some(Outcome::Denied),
        }
    }

    fn text(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn a_wide_table_has_a_line_for_a_record() {
        let shown = [record("agent:7", "file:/etc/hosts")];
        let columns = Columns::fitting(120, &shown);
        assert_eq!(
            text(&columns.header()),
            [
                "seq  time                      actor    action               resource         outcome"
            ]
        );
        assert_eq!(
            text(&columns.lines(&shown[0])),
            [
                "17   2026-01-02 03:04:05.678Z  agent:7  tool.call:read_file  file:/etc/hosts  denied"
            ]
        );
    }

    #[test]
    fn a_narrow_table_puts_values_under_each_other() {
        let shown = [record("agent:7", "file:/etc/hosts")];
        let columns = Columns::fitting(50, &shown);
        assert_eq!(
            text(&columns.lines(&shown[0])),
            [
                "17   2026-01-02     agent:7",
                "     03:04:05.678Z  tool.call:read_file denied",
                "                    file:/etc/hosts",
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_a_record_says() {
        let values = [
            "x".repeat(1024),
            "日本語 ".repeat(100),
            "🙂".repeat(300),
            "☂\u{fe0f}".repeat(300),
            "\u{1b}[2J\n".repeat(50),
            String::new(),
        ];
        for width in [30, 40, 60, 79, 99, 100, 120, 200] {
            for actor in &values {
                for resource in &values {
                    let shown = [record(actor, resource)];
                    let columns = Columns::fitting(width, &shown);
                    for line in columns.header().iter().chain(&columns.lines(&shown[0])) {
                        assert!(line.text.width() <= width, "{width}: {line:?}");
                        assert!(!line.text.contains('\u{1b}'), "{line:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn letters_of_two_columns_get_two() {
        for actor in ["ユーザー：花子", "🙂🙂🙂🙂🙂🙂"] {
            let shown = [record(actor, "file:1"), record("user:mia", "file:2")];
            let columns = Columns::fitting(120, &shown);
            let (wide, narrow) = (columns.lines(&shown[0]), columns.lines(&shown[1]));
            assert_eq!((wide.len(), narrow.len()), (1, 1), "{wide:?}");
            let at = |line: &Line, word| {
                line.text.split_once(word).map(|(before, _)| before.width()).expect("there")
            };
            assert_eq!(at(&wide[0], "file:1"), at(&narrow[0], "file:2"), "{wide:?} {narrow:?}");
        }
    }

    #[test]
    fn a_cut_value_takes_no_more_than_its_lines() {
        for value in ["x".repeat(500), "日".repeat(500), "☂\u{fe0f}".repeat(500)] {
            for width in [8, 9, 30, 31] {
                let shown = [record(&value, "")];
                let columns = Columns { seq: 3, form: Form::Narrow { record: width } };
                // Actor, then the action in one line or more.
                let lines = columns.lines(&shown[0]);
                let actor = lines.iter().take_while(|line| !line.text.contains("tool")).count();
                assert!(actor <= VALUE_LINES_MAX, "{width}: {lines:?}");
            }
        }
    }

    #[test]
    fn room_is_shared_by_need() {
        assert_eq!(share(60, [10, 10, 10]), [10, 10, 10]);
        assert_eq!(share(60, [10, 100, 10]), [10, 40, 10]);
        assert_eq!(share(60, [100, 100, 10]), [25, 25, 10]);
        assert_eq!(share(60, [100, 100, 100]), [20, 20, 20]);
        assert_eq!(share(3, [100, 100, 100]), [8, 8, 8]);
    }
}
