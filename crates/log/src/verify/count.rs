//! Spells how many of something there are.

use std::fmt;

/// So many of something, in the singular where it is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count(u64, &'static str, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(many, one, several) = self;
        write!(f, "{many} {}", if *many == 1 { one } else { several })
    }
}

/// So many records.
pub(super) fn records(many: u64) -> Count {
    Count(many, "record", "records")
}

/// So many notes.
pub(super) fn notes(many: u64) -> Count {
    Count(many, "note", "notes")
}

/// So many leaves.
pub(super) fn leaves(many: u64) -> Count {
    Count(many, "leaf", "leaves")
}

/// "the first record", or "the first 7 records".
pub(super) fn first_records(many: u64) -> String {
    if many == 1 { "the first record".to_owned() } else { format!("the first {many} records") }
}

/// "the first record is", or "the first 7 records are".
pub(super) fn first_records_are(many: u64) -> String {
    format!("{} {}", first_records(many), if many == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let told = [records(0), records(1), notes(1), leaves(2)].map(|count| count.to_string());
        assert_eq!(told, ["0 records", "1 record", "1 note", "2 leaves"]);
        assert_eq!(
            [first_records(1), first_records(2)],
            ["the first record", "the first 2 records"]
        );
    }
}
