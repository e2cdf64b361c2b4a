//! A checkpoint that somebody kept: one or many signed notes in a text, as `indelible checkpoint` prints them.
//!
//! Invariant: what is a [`KeptCheckpoint`] has the form of one; whether a known key signed it is asked when it is used.
//!
//! It opens no files.

use std::fmt;
use std::sync::Arc;

use indelible_format::checkpoint::Checkpoint;
use indelible_format::note::key::IdHex;
use indelible_format::note::{Note, NoteError, VerifierKey};

use super::super::count::records;
use super::super::finding::{Finding, Problem};
use super::super::plan::Identity;
use super::spell;
use crate::history::note_of;

/// A checkpoint that was kept outside of the log's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCheckpoint {
    name: Arc<str>,
    note: Note,
    checkpoint: Checkpoint,
}

/// Says why a text holds no kept checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// There is nothing in it.
    #[error("{name}: there is no checkpoint in it")]
    Empty {
        /// What the text is called.
        name: Arc<str>,
    },
    /// What begins there is no signed checkpoint.
    #[error("{name} line {line}: not a checkpoint: {source}")]
    Malformed {
        /// What the text is called.
        name: Arc<str>,
        /// The line, from 1, in which the note begins.
        line: u64,
        /// Why it is none.
        source: NoteError,
    },
    /// The line is not `{"note":"…"}`.
    #[error("{name} line {line}: expected {{\"note\":\"…\"}}, as in checkpoints.jsonl")]
    NotALine {
        /// What the text is called.
        name: Arc<str>,
        /// The line, from 1.
        line: u64,
    },
}

impl KeptCheckpoint {
    /// Reads every note in `text`, which `name` names in findings: one note or several, one behind the other, or the
    /// lines of a `checkpoints.jsonl`.
    ///
    /// # Errors
    /// [`KeptError`] names the line from which on it holds something else. Signatures are not checked here.
    pub fn read_all(name: &str, text: &[u8]) -> Result<Vec<Self>, KeptError> {
        let name: Arc<str> = name.into();
        let notes = if text.starts_with(b"{") { lines(&name, text)? } else { notes(text) };
        if notes.is_empty() {
            return Err(KeptError::Empty { name });
        }
        let several = notes.len() > 1;
        let read = |(line, note): (u64, Vec<u8>)| {
            let malformed = |source| KeptError::Malformed { name: Arc::clone(&name), line, source };
            let note = Note::parse(&note).map_err(malformed)?;
            let checkpoint = Checkpoint::parse_text(&note.text).map_err(malformed)?;
            let name =
                if several { format!("{name} line {line}").into() } else { Arc::clone(&name) };
            Ok(Self { name, note, checkpoint })
        };
        notes.into_iter().map(read).collect()
    }

    /// What it says, whoever signed it.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// What it is called in findings.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn note(&self) -> &Note {
        &self.note
    }

    /// A sentence that names it.
    pub(super) fn is_given(&self) -> String {
        format!("the kept checkpoint is {self}")
    }

    /// A sentence that says by whose key it is, and whose key is `known`.
    pub(super) fn signers(&self, keys: &[VerifierKey], known: &str) -> String {
        let ids = |ids: Vec<String>| ids.join(" or ");
        let by = self.note.signatures.iter().map(|line| IdHex(line.id).to_string()).collect();
        let keys = keys.iter().map(|key| IdHex(key.id()).to_string()).collect();
        format!("the kept note is by key id {}, {known} key {}", ids(by), ids(keys))
    }

    /// The finding that no known key signed it.
    pub(super) fn key_unknown(&self, identity: Option<&Identity>, keys: &[VerifierKey]) -> Finding {
        let signed_by =
            self.note.signatures.iter().map(|line| format!("{}+{}", line.name, IdHex(line.id)));
        let mut finding = Finding::new(Problem::KeptKeyUnknown)
            .found(signed_by.collect::<Vec<_>>().join(", "))
            .evidence(self.is_given());
        if !keys.is_empty() {
            finding = finding.expected(spell(keys)).evidence(self.signers(keys, "given was"));
        }
        if identity.is_some() {
            finding = finding.evidence(
                "it bears the name of this log: the log has had another key, or it was made anew by somebody who has not \
                 the old one",
            );
        }
        finding
    }
}

impl fmt::Display for KeptCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, of {}", self.name, records(self.checkpoint.size))
    }
}

/// The notes of a text, each with the line in which it begins: a note ends with the last of its signature lines.
fn notes(text: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut notes = Vec::new();
    let mut note: Vec<u8> = Vec::new();
    let (mut begins, mut signed) = (1, false);
    for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        let signature = line.starts_with("\u{2014} ".as_bytes());
        if signed && !signature {
            notes.push((begins, std::mem::take(&mut note)));
            signed = false;
        }
        if note.is_empty() {
            // Blank lines between notes are nobody's.
            if line.trim_ascii().is_empty() {
                continue;
            }
            begins = number;
        }
        signed |= signature;
        note.extend_from_slice(line);
    }
    if !note.is_empty() {
        // Lost where it was pasted; no signature covers it.
        if !note.ends_with(b"\n") {
            note.push(b'\n');
        }
        notes.push((begins, note));
    }
    notes
}

/// The notes of the lines of a `checkpoints.jsonl`.
fn lines(name: &Arc<str>, text: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, KeptError> {
    let mut notes = Vec::new();
    for (line, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        if bytes.is_empty() {
            continue;
        }
        let note = note_of(bytes);
        let note = note.ok_or_else(|| KeptError::NotALine { name: Arc::clone(name), line })?;
        notes.push((line, note));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use indelible_format::chain::Hash;
    use indelible_format::note::SignerKey;

    use super::*;
    use crate::history::line_of;

    fn note(size: u64) -> String {
        let origin: indelible_format::identity::Origin = "example.com/audit".parse().unwrap();
        let key = SignerKey::from_seed(&origin, &[1; 32]);
        Checkpoint { origin, size, root: Hash::ZERO }.sign(&key).to_string()
    }

    #[test]
    fn one_note_and_many_and_history_lines_are_read() {
        let one = KeptCheckpoint::read_all("kept", note(5).as_bytes()).unwrap();
        assert_eq!((one.len(), one[0].to_string()), (1, "kept, of 5 records".to_owned()));
        let pasted = KeptCheckpoint::read_all("kept", note(5).trim_end().as_bytes()).unwrap();
        assert_eq!(pasted, one);
        for between in ["", "\n", "\n\n"] {
            let many = [note(1), note(2), note(3)].join(between);
            let many = KeptCheckpoint::read_all("kept", many.as_bytes()).unwrap();
            let sizes: Vec<_> = many.iter().map(|kept| kept.checkpoint().size).collect();
            assert_eq!(sizes, [1, 2, 3]);
        }
        let lines = [line_of(&note(7)), line_of(&note(9))].concat();
        let lines = KeptCheckpoint::read_all("kept", &lines).unwrap();
        assert_eq!(lines[1].to_string(), "kept line 2, of 9 records");
    }

    #[test]
    fn what_is_no_checkpoint_is_named_with_its_line() {
        let error = |text: &str| KeptCheckpoint::read_all("kept", text.as_bytes()).unwrap_err();
        assert_eq!(error("").to_string(), "kept: there is no checkpoint in it");
        assert_eq!(error("\n \n").to_string(), "kept: there is no checkpoint in it");
        let mixed = format!("{}hello\n", note(1));
        assert_eq!(
            error(&mixed).to_string(),
            "kept line 6: not a checkpoint: note has no blank line between text and signatures"
        );
        assert_eq!(
            error("{\"seq\":1}\n").to_string(),
            "kept line 1: expected {\"note\":\"…\"}, as in checkpoints.jsonl"
        );
    }
}
