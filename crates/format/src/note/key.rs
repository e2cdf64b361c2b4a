//! Keys of signed notes, Ed25519, in the text forms of [C2SP signed-note](https://c2sp.org/signed-note) and of Go's
//! `sumdb/note`.
//!
//! - verifier key: `<name>+<id>+<base64 of 0x01 ‖ public key>`
//! - signer key: `PRIVATE+KEY+<name>+<id>+<base64 of 0x01 ‖ seed>`
//! - id: the first 4 bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ public key), spelt as 8 lower-case hexadecimal digits
//!
//! Invariants: a [`VerifierKey`] is a point of the curve and not of small order, and its id fits it; a [`SignerKey`] is
//! wiped from memory when dropped and is never shown by `Debug`. Signatures are verified strictly, so that all
//! verifiers agree.
//!
//! It neither makes random seeds nor reads key files.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{NoteError, SignatureLine, is_key_name};
use crate::hex;
use crate::identity::Origin;

const ED25519: u8 = 0x01;
const SIGNER_PREFIX: &str = "PRIVATE+KEY+";
/// 0x01 and 32 bytes, in base64.
const KEY_TEXT_SIZE: usize = 44;

/// A public key with its name: says whose signatures to believe.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl VerifierKey {
    fn new(name: String, key: VerifyingKey) -> Self {
        let id = key_id(&name, key.as_bytes());
        Self { name, id, key }
    }

    /// Lends the name of the key: for a log's own key, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the id of the key.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Tells whether `line` is this key's signature of `message`.
    pub fn verify(&self, message: &[u8], line: &SignatureLine) -> bool {
        self.is_named_by(line)
            && Signature::from_slice(&line.signature)
                .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }

    /// Tells whether `line` claims to be by this key.
    pub(super) fn is_named_by(&self, line: &SignatureLine) -> bool {
        line.name == self.name && line.id == self.id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = STANDARD.encode(tagged(self.key.as_bytes()).as_slice());
        write!(f, "{}+{}+{text}", self.name, IdHex(self.id))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let parts = KeyText::parse(text).map_err(NoteError::Key)?;
        let point = VerifyingKey::from_bytes(&parts.bytes).ok().filter(|key| !key.is_weak());
        let key = Self::new(parts.name.to_owned(), point.ok_or(NoteError::Key(KeyFault::Point))?);
        parts.check_id(key.id).map_err(NoteError::Key)?;
        Ok(key)
    }
}

/// A private key with its name: signs as a log. Wiped from memory when dropped.
pub struct SignerKey {
    key: SigningKey,
    verifier: VerifierKey,
}

impl SignerKey {
    /// Makes the key of the log that is called `name` from 32 random bytes.
    pub fn from_seed(name: &Origin, seed: &[u8; 32]) -> Self {
        Self::new(name.as_str(), seed)
    }

    fn new(name: &str, seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name.to_owned(), key.verifying_key());
        Self { key, verifier }
    }

    /// Returns the public half.
    pub fn verifier_key(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// Signs `message`. What a note signs is its text, final LF included.
    pub fn sign(&self, message: &[u8]) -> SignatureLine {
        let signature = self.key.sign(message).to_bytes().to_vec();
        SignatureLine { name: self.verifier.name.clone(), id: self.verifier.id, signature }
    }

    /// Spells the key as text, to be kept secret.
    pub fn encode(&self) -> Zeroizing<String> {
        // Sized beforehand: a string that grows would leave copies behind.
        let size = SIGNER_PREFIX.len() + self.verifier.name.len() + "+".len() * 2 + 8;
        let mut text = Zeroizing::new(String::with_capacity(size + KEY_TEXT_SIZE));
        text.push_str(SIGNER_PREFIX);
        text.push_str(&self.verifier.name);
        text.push('+');
        text.push_str(&IdHex(self.verifier.id).to_string());
        text.push('+');
        text.push_str(&Zeroizing::new(STANDARD.encode(tagged(self.key.as_bytes()).as_slice())));
        text
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({}+{}, secret)", self.verifier.name, IdHex(self.verifier.id))
    }
}

impl FromStr for SignerKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let text = text.strip_prefix(SIGNER_PREFIX).ok_or(NoteError::Key(KeyFault::Form))?;
        let parts = KeyText::parse(text).map_err(NoteError::Key)?;
        let key = Self::new(parts.name, &parts.bytes);
        parts.check_id(key.verifier.id).map_err(NoteError::Key)?;
        Ok(key)
    }
}

/// `<name>+<id>+<base64 of 0x01 ‖ 32 bytes>`, taken apart; the bytes may be a secret.
struct KeyText<'a> {
    name: &'a str,
    id: [u8; 4],
    bytes: Zeroizing<[u8; 32]>,
}

impl<'a> KeyText<'a> {
    fn parse(text: &'a str) -> Result<Self, KeyFault> {
        let (name, rest) = text.split_once('+').ok_or(KeyFault::Form)?;
        let (id, text) = rest.split_once('+').ok_or(KeyFault::Form)?;
        if !is_key_name(name) {
            return Err(KeyFault::Name);
        }
        let id = hex::decode(id.as_bytes()).ok_or(KeyFault::Form)?;
        if text.len() != KEY_TEXT_SIZE {
            return Err(KeyFault::Base64);
        }
        let blob = STANDARD.decode(text).ok().map(Zeroizing::new).ok_or(KeyFault::Base64)?;
        let (algorithm, bytes) = blob.split_first().ok_or(KeyFault::Base64)?;
        if *algorithm != ED25519 {
            return Err(KeyFault::Algorithm { found: *algorithm });
        }
        let bytes = <[u8; 32]>::try_from(bytes).map(Zeroizing::new).ok().ok_or(KeyFault::Base64)?;
        Ok(Self { name, id, bytes })
    }

    fn check_id(&self, expected: [u8; 4]) -> Result<(), KeyFault> {
        if self.id == expected {
            return Ok(());
        }
        Err(KeyFault::Id { expected: IdHex(expected), found: IdHex(self.id) })
    }
}

fn tagged(bytes: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([[ED25519].as_slice(), bytes].concat())
}

fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name);
    hasher.update([b'\n', ED25519]);
    hasher.update(public);
    let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
    [a, b, c, d]
}

/// The id of a key, shown as 8 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a view of four bytes, never more")]
pub struct IdHex(pub [u8; 4]);

impl fmt::Display for IdHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for IdHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with a key's text form. Never shows the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// Not prefix, name, id and key, with plus signs between them.
    #[error(
        "expected name, id of 8 lower-case hexadecimal digits and base64, with plus signs between them"
    )]
    Form,
    /// The name can't be that of a key.
    #[error("name is empty, or has a space or a control character")]
    Name,
    /// Not the canonical base64 of 33 bytes.
    #[error("expected the canonical base64 of 33 bytes")]
    Base64,
    /// Another kind of key than Ed25519.
    #[error("algorithm is {found}, expected 1: Ed25519")]
    Algorithm {
        /// The first byte of the key.
        found: u8,
    },
    /// The public key is not a point that can verify anything.
    #[error("public key is not a point of the curve, or of small order")]
    Point,
    /// The id is not that of this key and name.
    #[error("id is {found}, expected {expected}")]
    Id {
        /// Computed from name and key.
        expected: IdHex,
        /// As written.
        found: IdHex,
    },
}
