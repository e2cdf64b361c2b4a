//! Arbitrary bytes as a signed note, and as the text of one: what is parsed encodes to the same bytes.
#![no_main]

use indelible_format::note::{Note, SignatureLine, SignerKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let key = SignerKey::from_seed(&"example.com/audit".parse().expect("an origin"), &[7; 32]);
    check(data, &key);
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(line) = SignatureLine::parse(text) {
        assert_eq!(line.to_string(), text);
        let SignatureLine { name, id, signature } = line;
        assert!(SignatureLine::new(name, id, signature).is_ok());
    }
    if let Ok(note) = Note::sign(text.to_owned(), &key) {
        let encoded = note.encode();
        assert_eq!(Note::parse(&encoded).as_ref(), Ok(&note));
        assert_eq!(note.verify(&[key.verifier_key()]), Ok(1));
        assert_eq!(note.only_by(&key.verifier_key()), note);
    }
    // Signature lines are rarely guessed whole: as more of them below a note that is signed.
    let signed = Note::sign("text\n".to_owned(), &key).expect("a text");
    check(&[signed.encode().as_slice(), data].concat(), &key);
});

fn check(bytes: &[u8], key: &SignerKey) {
    let Ok(note) = Note::parse(bytes) else { return };
    assert_eq!(note.encode(), bytes);
    assert!(note.text.ends_with('\n') && !note.signatures.is_empty());
    let known = [key.verifier_key()];
    let own = note.only_by(&known[0]);
    if note.verify(&known).is_ok_and(|good| good == 1) {
        assert_eq!(own.verify(&known), Ok(1));
        assert_eq!(Note::parse(&own.encode()), Ok(own));
    }
}
