//! Arbitrary bytes as a checkpoint, as the text of one, and as an edit of one that is signed: what is parsed spells back
//! to the same bytes, and no edit is believed that says something else.
#![no_main]

use indelible_format::chain::Hash;
use indelible_format::checkpoint::Checkpoint;
use indelible_format::note::{SignerKey, VerifierKey};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const ORIGIN: &str = "example.com/audit";

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Note(&'a [u8]),
    Text(&'a str),
    Edit { at: u16, removed: u8, bytes: &'a [u8] },
}

fuzz_target!(|input: Input<'_>| {
    let key = SignerKey::from_seed(&ORIGIN.parse().expect("an origin"), &[7; 32]);
    match input {
        Input::Note(note) => {
            open(note, &key.verifier_key());
        }
        Input::Text(text) => {
            let Ok(checkpoint) = Checkpoint::parse_text(text) else { return };
            assert_eq!(checkpoint.text(), text);
            let own = SignerKey::from_seed(&checkpoint.origin, &[7; 32]);
            let opened = open(&checkpoint.sign(&own).encode(), &own.verifier_key());
            assert_eq!(opened, Some((checkpoint, 1)));
        }
        Input::Edit { at, removed, bytes } => {
            let origin = ORIGIN.parse().expect("an origin");
            let checkpoint = Checkpoint { origin, size: 1_000, root: Hash::from_bytes([0xa5; 32]) };
            let mut note = checkpoint.sign(&key).encode();
            let at = usize::from(at) % (note.len() + 1);
            let end = note.len().min(at + usize::from(removed));
            note.splice(at..end, bytes.iter().copied());
            if let Some((found, 1..)) = open(&note, &key.verifier_key()) {
                assert_eq!(found, checkpoint, "a forged checkpoint was believed");
            }
        }
    }
});

/// The checkpoint, and how many of one known key signed it.
fn open(note: &[u8], key: &VerifierKey) -> Option<(Checkpoint, usize)> {
    let opened = Checkpoint::open(note, std::slice::from_ref(key)).ok()?;
    assert_eq!(opened.note.encode(), note);
    assert_eq!(opened.checkpoint.text(), opened.note.text);
    assert_eq!(Checkpoint::parse_text(&opened.note.text).as_ref(), Ok(&opened.checkpoint));
    assert!(opened.good <= 1);
    Some((opened.checkpoint, opened.good))
}
