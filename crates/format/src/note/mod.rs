//! Signed notes: a text, and who signed it ([C2SP signed-note](https://c2sp.org/signed-note)), Ed25519 only.
//!
//! Owns the form of notes and of signature lines, and the keys' text forms in [`key`].
//!
//! Invariants of what is parsed:
//! - valid UTF-8, no control character but LF, one blank line before at least one signature line, LF at the end;
//! - at most [`SIGNATURE_COUNT_MAX`] signatures of at most [`SIGNATURE_SIZE_MAX`] bytes, in canonical base64;
//! - what is parsed encodes to the same bytes.
//!
//! A signature by a key that is not known says nothing and is ignored; one by a known key that does not verify rejects
//! the note. It does not know what the text says (see [`checkpoint`](crate::checkpoint)).

pub mod key;

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use key::{SignerKey, VerifierKey};

use crate::seeded::{self, Bug};

/// Most signatures that a note may carry.
pub const SIGNATURE_COUNT_MAX: usize = 16;

/// Most bytes of one signature, its key id not counted: post-quantum ones come near.
pub const SIGNATURE_SIZE_MAX: usize = 5_000;

const KEY_ID_SIZE: usize = 4;
const PREFIX: &str = "\u{2014} ";

/// One signature of a note, by whom, over what is not said here.
///
/// Text form: em dash, space, key name, space, base64 of key id and signature; no LF.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the specification fixes the parts")]
pub struct SignatureLine {
    /// Name of the key.
    pub name: String,
    /// Id of the key: the first bytes of a hash, to tell keys apart, no proof of anything.
    pub id: [u8; 4],
    /// The signature itself.
    pub signature: Vec<u8>,
}

impl SignatureLine {
    /// Puts a signature line together.
    ///
    /// # Errors
    ///
    /// [`NoteError::Signature`] where the name can't be that of a key, or the signature has no bytes or too many.
    pub fn new(name: String, id: [u8; 4], signature: Vec<u8>) -> Result<Self, NoteError> {
        check_line(&name, signature.len()).map_err(NoteError::first)?;
        Ok(Self { name, id, signature })
    }

    /// Reads one signature line, without LF.
    ///
    /// # Errors
    ///
    /// [`NoteError::Signature`], of index 0, where `line` is not strictly of that form.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        Self::parse_line(line).map_err(NoteError::first)
    }

    fn parse_line(line: &str) -> Result<Self, SignatureFault> {
        let rest = line.strip_prefix(PREFIX).ok_or(SignatureFault::Prefix)?;
        let (name, text) = rest.split_once(' ').ok_or(SignatureFault::Base64)?;
        if text.len() > base64_size(KEY_ID_SIZE + SIGNATURE_SIZE_MAX) {
            return Err(SignatureFault::Size { size: text.len() / 4 * 3 });
        }
        let blob = STANDARD.decode(text).ok().ok_or(SignatureFault::Base64)?;
        let Some((id, signature)) = blob.split_first_chunk() else {
            return Err(SignatureFault::Size { size: 0 });
        };
        check_line(name, signature.len())?;
        Ok(Self { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }
}

const fn base64_size(size: usize) -> usize {
    size.div_ceil(3) * 4
}

fn check_line(name: &str, size: usize) -> Result<(), SignatureFault> {
    if !is_key_name(name) {
        return Err(SignatureFault::Name);
    }
    if size == 0 || size > SIGNATURE_SIZE_MAX {
        return Err(SignatureFault::Size { size });
    }
    Ok(())
}

/// Tells whether `name` can be the name of a key: not empty, no Unicode space, no `+`, no ASCII control character.
fn is_key_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c < ' ' || c == '+';
    !name.is_empty() && !name.contains(forbidden)
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [self.id.as_slice(), &self.signature].concat();
        write!(f, "{PREFIX}{} {}", self.name, STANDARD.encode(blob))
    }
}

impl FromStr for SignatureLine {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        Self::parse(line)
    }
}

/// A text and its signatures, in the form of a signed note; none of them verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the specification fixes the parts")]
pub struct Note {
    /// What was signed; ends in LF.
    pub text: String,
    /// The signatures, in the order in which they stand.
    pub signatures: Vec<SignatureLine>,
}

impl Note {
    /// Signs `text` with one key.
    ///
    /// # Errors
    ///
    /// [`NoteError::Unterminated`] or [`NoteError::Control`] where `text` can't be the text of a note.
    pub fn sign(text: String, key: &SignerKey) -> Result<Self, NoteError> {
        check_characters(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Unterminated);
        }
        let signature = key.sign(text.as_bytes());
        Ok(Self { text, signatures: vec![signature] })
    }

    /// Reads a whole note.
    ///
    /// # Errors
    ///
    /// [`NoteError`] where `note` is not strictly of the form that the module states.
    pub fn parse(note: &[u8]) -> Result<Self, NoteError> {
        let note = str::from_utf8(note)
            .map_err(|fault| NoteError::NotUtf8 { offset: fault.valid_up_to() })?;
        check_characters(note)?;
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::NoBlankLine)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Unterminated)?;
        let mut signatures = Vec::new();
        for (index, line) in lines.split('\n').enumerate() {
            if index == SIGNATURE_COUNT_MAX {
                return Err(NoteError::TooManySignatures { count: lines.split('\n').count() });
            }
            let signature = SignatureLine::parse_line(line)
                .map_err(|fault| NoteError::Signature { index, fault })?;
            signatures.push(signature);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// Checks the signatures of the keys in `keys`, and returns how many of those keys signed.
    ///
    /// 0 means that no known key signed: the text must not be believed. A key that signed twice counts once.
    ///
    /// # Errors
    ///
    /// [`NoteError::WrongSignature`] where a signature by the name and id of a known key does not verify.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<usize, NoteError> {
        let mut good: Vec<&VerifierKey> = Vec::new();
        for line in &self.signatures {
            let mut claimed = keys.iter().filter(|key| key.is_named_by(line)).peekable();
            if claimed.peek().is_none() {
                continue;
            }
            let holds = |key: &VerifierKey| key.verify(self.text.as_bytes(), line);
            let unchecked = seeded::is(Bug::SignatureUnchecked);
            let Some(key) = claimed.find(|key| unchecked || holds(key)) else {
                return Err(NoteError::WrongSignature {
                    name: line.name.clone(),
                    id: key::IdHex(line.id),
                });
            };
            if !good.contains(&key) {
                good.push(key);
            }
        }
        Ok(good.len())
    }

    /// Returns the note with the one signature by `key` that verifies, or with none where there is no such.
    #[must_use]
    pub fn only_by(&self, key: &VerifierKey) -> Self {
        let own = self.signatures.iter().find(|line| key.verify(self.text.as_bytes(), line));
        Self { text: self.text.clone(), signatures: own.cloned().into_iter().collect() }
    }

    /// Returns the bytes of the note: as they were parsed, or as they are to be written.
    pub fn encode(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    match text.bytes().position(|byte| byte < b' ' && byte != b'\n') {
        Some(offset) => Err(NoteError::Control { offset }),
        None => Ok(()),
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Says why bytes are no note, checkpoint, signature or key, or why a signature does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The note is not UTF-8.
    #[error("note is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// First byte that does not belong.
        offset: usize,
    },
    /// The note has a control character that is not LF.
    #[error("note has a control character at byte {offset}")]
    Control {
        /// Where it stands.
        offset: usize,
    },
    /// No blank line parts the text from the signatures.
    #[error("note has no blank line between text and signatures")]
    NoBlankLine,
    /// The note, or the text to be signed, does not end in LF.
    #[error("note does not end in a line feed")]
    Unterminated,
    /// More signatures than [`SIGNATURE_COUNT_MAX`].
    #[error("note has {count} signatures, at most {SIGNATURE_COUNT_MAX} are allowed")]
    TooManySignatures {
        /// How many.
        count: usize,
    },
    /// A signature line is not of its form.
    #[error("signature line {index}: {fault}")]
    Signature {
        /// Its 0-based position among the signature lines.
        index: usize,
        /// What is wrong with it.
        fault: SignatureFault,
    },
    /// A signature by the name and id of a known key does not verify.
    #[error("signature by {name}+{id} does not verify")]
    WrongSignature {
        /// Name of the key.
        name: String,
        /// Id of the key.
        id: key::IdHex,
    },
    /// A key's text form is malformed.
    #[error("key: {0}")]
    Key(key::KeyFault),
    /// A checkpoint's text is not origin, size and root.
    #[error("checkpoint: {0}")]
    Checkpoint(crate::checkpoint::CheckpointFault),
}

impl NoteError {
    fn first(fault: SignatureFault) -> Self {
        Self::Signature { index: 0, fault }
    }
}

/// What is wrong with a signature line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// It does not begin with an em dash and a space.
    #[error("does not begin with an em dash and a space")]
    Prefix,
    /// The name can't be that of a key.
    #[error("key name is empty, or has a space, a plus sign or a control character")]
    Name,
    /// What follows the name is not canonical base64.
    #[error("no canonical base64 after the key name")]
    Base64,
    /// The signature has no bytes, or too many.
    #[error("signature of {size} bytes, expected 1 to {SIGNATURE_SIZE_MAX}")]
    Size {
        /// How many, about: too long a text is not decoded to count.
        size: usize,
    },
}

#[cfg(test)]
mod tests;
