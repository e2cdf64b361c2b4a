//! Form of notes, lines and keys; what verifies and what does not.

use super::key::{IdHex, KeyFault};
use super::*;
use crate::identity::Origin;

const SIGNER: &str =
    "PRIVATE+KEY+example.com/audit+29b87bfc+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const VERIFIER: &str = "example.com/audit+29b87bfc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

/// The note of Go's `sumdb/note` documentation, and of C2SP signed-note's ancestors.
const PETER_VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn signer() -> SignerKey {
    SIGNER.parse().unwrap()
}

fn other(seed: u8) -> SignerKey {
    SignerKey::from_seed(&"example.com/other".parse::<Origin>().unwrap(), &[seed; 32])
}

fn signed(text: &str) -> Note {
    Note::sign(text.to_owned(), &signer()).unwrap()
}

fn key_fault(text: &str) -> KeyFault {
    match text.parse::<VerifierKey>() {
        Err(NoteError::Key(fault)) => fault,
        other => panic!("{text:?} gave {other:?}"),
    }
}

fn line_fault(line: &str) -> SignatureFault {
    match SignatureLine::parse(line) {
        Err(NoteError::Signature { index: 0, fault }) => fault,
        other => panic!("{line:?} gave {other:?}"),
    }
}

#[test]
fn note_of_another_implementation_verifies() {
    let note = Note::parse(PETER_NOTE.as_bytes()).unwrap();
    assert_eq!(note.verify(&[PETER_VERIFIER.parse().unwrap()]), Ok(1));
    assert_eq!(note.encode(), PETER_NOTE.as_bytes());
}

#[test]
fn keys_of_another_implementation_survive() {
    assert_eq!(*signer().encode(), SIGNER);
    assert_eq!(signer().verifier_key().to_string(), VERIFIER);
    assert_eq!(VERIFIER.parse(), Ok(signer().verifier_key()));
    let seed = std::array::from_fn(|i| u8::try_from(i).unwrap());
    let made = SignerKey::from_seed(&"example.com/audit".parse().unwrap(), &seed);
    assert_eq!(*made.encode(), SIGNER);
    assert_eq!(IdHex(made.verifier_key().id()).to_string(), "29b87bfc");
}

#[test]
fn debug_of_a_signer_key_hides_it_and_that_of_a_verifier_key_shows_it() {
    assert_eq!(format!("{:?}", signer()), "SignerKey(example.com/audit+29b87bfc, secret)");
    let verifier = signer().verifier_key();
    assert_eq!(format!("{verifier:?}"), format!("VerifierKey({VERIFIER})"));
    assert_eq!(format!("{:?}", IdHex(verifier.id())), "29b87bfc");
}

#[test]
fn text_of_a_signer_key_is_never_moved_to_a_larger_place() {
    let text = signer().encode();
    assert_eq!(text.capacity(), text.len());
}

#[test]
fn malformed_verifier_keys_are_refused() {
    let wrong_id = VERIFIER.replace("29b8", "29b9");
    let found = IdHex([0x29, 0xb9, 0x7b, 0xfc]);
    let expected = IdHex([0x29, 0xb8, 0x7b, 0xfc]);
    assert_eq!(key_fault(&wrong_id), KeyFault::Id { expected, found });
    assert_eq!(key_fault(&VERIFIER.replace("29b87bfc", "29B87BFC")), KeyFault::Form);
    assert_eq!(key_fault(&VERIFIER.replace("+29b87bfc", "")), KeyFault::Form);
    assert_eq!(key_fault(&VERIFIER.replace("com/", "com ")), KeyFault::Name);
    assert_eq!(key_fault(&VERIFIER.replace("example.com/audit", "")), KeyFault::Name);
    assert_eq!(key_fault(&VERIFIER.replace("+AQ", "+Ag")), KeyFault::Algorithm { found: 2 });
    assert_eq!(key_fault(&format!("{VERIFIER}=")), KeyFault::Base64);
    assert_eq!(key_fault(&format!("{VERIFIER}+")), KeyFault::Base64);
    assert_eq!(key_fault(&VERIFIER.replace("TG4", "T==")), KeyFault::Base64);
    assert_eq!(key_fault(&VERIFIER.replace("TG4", "G4=")), KeyFault::Base64);
    assert_eq!(key_fault(&VERIFIER.replace("TG4", "TG4\n")), KeyFault::Base64);
    assert_eq!(
        key_fault("a+00000000+AQIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        KeyFault::Point
    );
    // The neutral element: a point, but one under which anybody could sign.
    assert_eq!(
        key_fault("a+00000000+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        KeyFault::Point
    );
}

#[test]
fn malformed_signer_keys_are_refused_without_being_shown() {
    for text in [
        VERIFIER.to_owned(),
        SIGNER.replace("PRIVATE", "private"),
        SIGNER.replace("29b8", "29b9"),
        SIGNER.replace("AQAB", "AQAC"),
        format!("{SIGNER}\n"),
        SIGNER.replace("+AQ", "+Ag"),
    ] {
        let error = text.parse::<SignerKey>().unwrap_err();
        assert!(matches!(error, NoteError::Key(_)), "{text} gave {error:?}");
        assert!(!format!("{error} {error:?}").contains("AgMEBQYHCAkK"), "{error}");
    }
}

#[test]
fn signature_line_survives() {
    let line = signer().sign(b"text");
    assert_eq!(SignatureLine::parse(&line.to_string()), Ok(line.clone()));
    assert_eq!(line.to_string().parse(), Ok(line.clone()));
    assert!(signer().verifier_key().verify(b"text", &line));
    assert!(!signer().verifier_key().verify(b"texts", &line));
}

#[test]
fn signature_lines_are_strict() {
    let line = "— a AAAAAAE=";
    assert_eq!(SignatureLine::parse(line).unwrap().signature, [1]);
    assert_eq!(line_fault(""), SignatureFault::Prefix);
    assert_eq!(line_fault("- a AAAAAAE="), SignatureFault::Prefix);
    assert_eq!(line_fault("—a AAAAAAE="), SignatureFault::Prefix);
    assert_eq!(line_fault("— AAAAAAE="), SignatureFault::Base64);
    assert_eq!(line_fault("—  AAAAAAE="), SignatureFault::Name);
    assert_eq!(line_fault("— a+b AAAAAAE="), SignatureFault::Name);
    assert_eq!(line_fault("— a\u{a0}b AAAAAAE="), SignatureFault::Name);
    assert_eq!(line_fault("— a\u{1}b AAAAAAE="), SignatureFault::Name);
    assert_eq!(line_fault("— a  AAAAAAE="), SignatureFault::Base64);
    assert_eq!(line_fault("— a AAAAAAE= "), SignatureFault::Base64);
    assert_eq!(line_fault("— a AAAAAAE=\n"), SignatureFault::Base64);
    assert_eq!(line_fault("— a AAAAAAE"), SignatureFault::Base64);
    assert_eq!(line_fault("— a AAAAAAF="), SignatureFault::Base64);
    assert_eq!(line_fault("— a AAAAAA-="), SignatureFault::Base64);
    assert_eq!(line_fault("— a "), SignatureFault::Size { size: 0 });
    assert_eq!(line_fault("— a AAAAAA=="), SignatureFault::Size { size: 0 });
}

#[test]
fn sixteen_signatures_of_5_kb_are_read_and_more_are_not() {
    let mut note = signed("text\n");
    while note.signatures.len() < SIGNATURE_COUNT_MAX {
        let signature = vec![7; SIGNATURE_SIZE_MAX];
        note.signatures.push(SignatureLine::new("a".to_owned(), [0; 4], signature).unwrap());
    }
    let read = Note::parse(&note.encode()).unwrap();
    assert_eq!(read, note);
    assert_eq!(read.verify(&[signer().verifier_key()]), Ok(1));

    note.signatures.push(note.signatures[1].clone());
    assert_eq!(Note::parse(&note.encode()), Err(NoteError::TooManySignatures { count: 17 }));

    for size in [0, 5_001] {
        let fault = NoteError::first(SignatureFault::Size { size });
        assert_eq!(SignatureLine::new("a".to_owned(), [0; 4], vec![7; size]), Err(fault));
    }
    let long = SignatureLine { signature: vec![7; 5_001], ..note.signatures[1].clone() };
    // With the key id, and what base64 fills up.
    assert_eq!(line_fault(&long.to_string()), SignatureFault::Size { size: 5_007 });
    // Not even decoded to see that it is no base64.
    let longer = format!("— a {}", "!".repeat(10_000));
    assert_eq!(line_fault(&longer), SignatureFault::Size { size: 7_500 });
}

#[test]
fn malformed_notes_are_refused() {
    let line = signer().sign(b"text\n");
    let error = |note: &str| Note::parse(note.as_bytes()).unwrap_err();
    assert_eq!(error(""), NoteError::NoBlankLine);
    assert_eq!(error(&format!("text\n{line}\n")), NoteError::NoBlankLine);
    assert_eq!(error(&format!("text\n\n{line}")), NoteError::Unterminated);
    assert_eq!(error("text\n\n"), NoteError::Unterminated);
    assert_eq!(error(&format!("te\txt\n\n{line}\n")), NoteError::Control { offset: 2 });
    assert_eq!(error(&format!("text\r\n\n{line}\n")), NoteError::Control { offset: 4 });
    let fault = SignatureFault::Prefix;
    assert_eq!(error(&format!("text\n\n{line}\nmore\n")), NoteError::Signature { index: 1, fault });
    assert_eq!(Note::parse(b"te\xff"), Err(NoteError::NotUtf8 { offset: 2 }));
    assert_eq!(
        error(&format!("text\n\n{line}\n— a+b AAAAAAE=\n")).to_string(),
        "signature line 1: key name is empty, or has a space, a plus sign or a control character"
    );
}

#[test]
fn last_blank_line_ends_the_text() {
    let note = signed("text\n\nmore\n\n\n");
    assert_eq!(Note::parse(&note.encode()), Ok(note.clone()));
    assert_eq!(note.text, "text\n\nmore\n\n\n");
}

#[test]
fn texts_that_no_note_can_carry_are_not_signed() {
    let sign = |text: &str| Note::sign(text.to_owned(), &signer()).unwrap_err();
    assert_eq!(sign("text"), NoteError::Unterminated);
    assert_eq!(sign("te\0xt\n"), NoteError::Control { offset: 2 });
}

#[test]
fn unknown_signatures_are_ignored() {
    let mut note = signed("text\n");
    note.signatures.insert(0, other(1).sign(b"another text\n"));
    // The name of a known key, or its id, but not both.
    note.signatures.push(SignatureLine { id: [0; 4], ..note.signatures[1].clone() });
    note.signatures.push(SignatureLine { name: "x".to_owned(), ..note.signatures[0].clone() });
    let read = Note::parse(&note.encode()).unwrap();
    assert_eq!(read.verify(&[signer().verifier_key()]), Ok(1));
    assert_eq!(read.verify(&[other(2).verifier_key()]), Ok(0));
    assert_eq!(read.verify(&[]), Ok(0));
}

#[test]
fn wrong_signature_by_a_known_key_rejects_the_note() {
    let mut note = signed("text\n");
    note.signatures.push(other(1).sign(b"another text\n"));
    let keys = [signer().verifier_key(), other(1).verifier_key()];
    let id = IdHex(keys[1].id());
    let error = note.verify(&keys).unwrap_err();
    assert_eq!(error, NoteError::WrongSignature { name: "example.com/other".to_owned(), id });
    assert_eq!(error.to_string(), format!("signature by example.com/other+{id} does not verify"));
    assert_eq!(note.verify(&keys[..1]), Ok(1));
    // A signature of another size than Ed25519's is just as wrong.
    note.signatures[1].signature.pop();
    assert!(note.verify(&keys).is_err());
}

#[test]
fn key_that_signed_twice_counts_once() {
    let mut note = signed("text\n");
    note.signatures.push(note.signatures[0].clone());
    note.signatures.push(other(1).sign(b"text\n"));
    let keys = [signer().verifier_key(), other(1).verifier_key(), signer().verifier_key()];
    assert_eq!(note.verify(&keys), Ok(2));
}

#[test]
fn only_by_keeps_one_signature_that_verifies() {
    let mut note = signed("text\n");
    note.signatures.insert(0, other(1).sign(b"another text\n"));
    assert_eq!(note.only_by(&signer().verifier_key()), signed("text\n"));
    assert!(note.only_by(&other(1).verifier_key()).signatures.is_empty());
}

#[test]
fn every_changed_byte_of_a_note_is_rejected_or_unverified() {
    let note = signed("example text\nof two lines\n").encode();
    let known = [signer().verifier_key()];
    let good = |note: &[u8]| Note::parse(note).and_then(|note| note.verify(&known)).unwrap_or(0);
    assert_eq!(good(&note), 1);
    for at in 0..note.len() {
        for byte in (0..=u8::MAX).filter(|byte| *byte != note[at]) {
            let mut changed = note.clone();
            changed[at] = byte;
            assert_eq!(good(&changed), 0, "byte {at} made {byte}");
        }
        let mut shorter = note.clone();
        shorter.remove(at);
        assert_eq!(good(&shorter), 0, "byte {at} removed");
    }
}
