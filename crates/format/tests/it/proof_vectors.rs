//! `vectors/proofs.json`: proofs as files that every checker must take, and such that it must refuse.
//!
//! The cases stand here, over the five records of `vectors.json`; the file holds their bytes, so that a change of bytes
//! shows as a change of the file. It is written anew, like `lines.json`, by
//! `INDELIBLE_WRITE_VECTORS=1 cargo test -p indelible-format --test it vectors`.

#![expect(clippy::indexing_slicing, reason = "a test says what it needs by failing")]

use indelible_format::chain::Hash;
use indelible_format::checkpoint::Checkpoint;
use indelible_format::note::{Note, SignatureLine, SignerKey, VerifierKey};
use indelible_format::proof::bundle::Bundle;
use indelible_format::proof::growth::GrowthBundle;
use indelible_format::proof::{Growth, Inclusion, ProofError, consistency, inclusion};
use indelible_format::record::Record;
use indelible_format::tree::{Frontier, NodeId, leaf_hash, node_hash};
use serde_json::{Value, json};

use crate::vectors::{folder, list, read, write};

/// The log of `vectors.json`.
struct Log {
    signer: SignerKey,
    lines: Vec<String>,
    leaves: Vec<Hash>,
}

impl Log {
    fn read() -> Self {
        let vectors = read("vectors.json");
        let lines: Vec<String> = list(&vectors, "records")
            .iter()
            .map(|record| record["line"].as_str().unwrap().to_owned())
            .collect();
        let leaf = |line: &String| leaf_hash(&Record::parse(line.as_bytes()).unwrap().hash());
        let leaves = lines.iter().map(leaf).collect();
        Self { signer: vectors["signer_key"].as_str().unwrap().parse().unwrap(), lines, leaves }
    }

    fn root(&self, size: usize) -> Hash {
        let mut tree = Frontier::new();
        self.leaves[..size].iter().for_each(|leaf| tree.push(*leaf));
        tree.root()
    }

    fn checkpoint(&self, size: usize) -> Checkpoint {
        let (origin, root) = ("example.com/audit".parse().unwrap(), self.root(size));
        Checkpoint { origin, size: u64::try_from(size).unwrap(), root }
    }

    fn signed(&self, size: usize) -> Note {
        self.checkpoint(size).sign(&self.signer)
    }

    fn node(&self, id: NodeId) -> Hash {
        let mut level = self.leaves.clone();
        for _ in 0..id.level {
            level = level.as_chunks().0.iter().map(|[l, r]| node_hash(l, r)).collect();
        }
        level[usize::try_from(id.index).unwrap()]
    }

    fn record(&self, index: usize, size: usize) -> Bundle {
        let [at, of] = [index, size].map(|number| u64::try_from(number).unwrap());
        let what = Inclusion { index: at, size: of };
        let proof = inclusion::<ProofError>(what, |id| Ok(self.node(id))).unwrap();
        let mut bundle = Bundle::new(at, proof, self.signed(size));
        bundle.extra = Some(self.lines[index].clone().into_bytes());
        bundle
    }

    fn growth(&self, from: usize, to: usize) -> GrowthBundle {
        let [old, new] = [from, to].map(|number| u64::try_from(number).unwrap());
        let growth = Growth { from: old, to: new };
        let proof = consistency::<ProofError>(growth, |id| Ok(self.node(id))).unwrap();
        GrowthBundle::new(old, proof, self.signed(to))
    }
}

fn other() -> SignerKey {
    SignerKey::from_seed(&"example.com/audit".parse().unwrap(), &[9; 32])
}

fn altered(note: &Note) -> Note {
    let mut note = note.clone();
    note.signatures[0].signature[7] ^= 1;
    note
}

fn witnessed(note: &Note) -> Note {
    let mut note = note.clone();
    let by = SignatureLine::new("example.com/witness".to_owned(), [1, 2, 3, 4], vec![5; 72]);
    note.signatures.push(by.unwrap());
    note
}

fn unsigned(note: &Note) -> String {
    note.text.clone() + "\n"
}

/// The last hash, with bits that base64 leaves unused.
fn not_canonical(text: &str) -> String {
    let end = text.find("=\n\n").unwrap();
    let mut text = text.to_owned().into_bytes();
    // The least significant bits of the last digit mean nothing; digits are in runs of the alphabet.
    assert!(b"AEIMQUYcgkosw048".contains(&text[end - 1]));
    text[end - 1] += 1;
    String::from_utf8(text).unwrap()
}

fn one_more_hash(text: &str) -> String {
    let hash = text.lines().find(|line| line.len() == 44).unwrap();
    text.replacen("\n\n", &format!("\n{hash}\n\n"), 1)
}

fn one_hash_less(text: &str) -> String {
    let hash = text.lines().find(|line| line.len() == 44).unwrap();
    text.replacen(&format!("{hash}\n"), "", 1)
}

fn swapped(text: &str) -> String {
    let hashes: Vec<&str> = text.lines().filter(|line| line.len() == 44).take(2).collect();
    text.replacen(&hashes.join("\n"), &format!("{}\n{}", hashes[1], hashes[0]), 1)
}

/// What both kinds refuse, by why.
fn broken_forms(text: &str) -> Vec<(&'static str, String)> {
    vec![
        ("the last line feed is missing", text.trim_end().to_owned()),
        ("CR LF for LF", text.replace('\n', "\r\n")),
        ("no blank line before the checkpoint", text.replacen("\n\n", "\n", 1)),
        ("a line of spaces for the blank one", text.replacen("\n\n", "\n \n", 1)),
        ("a blank line before all", format!("\n{text}")),
        ("a line behind the signatures", format!("{text}more\n")),
        ("one hash too many", one_more_hash(text)),
        ("one hash too few", one_hash_less(text)),
        ("two hashes in the wrong order", swapped(text)),
        ("base64 of a hash that is not canonical", not_canonical(text)),
    ]
}

fn records(log: &Log) -> Value {
    let proof = |why: &str, proof: String| json!({ "why": why, "proof": proof });
    let (good, note) = (log.record(3, 5), log.signed(5));
    let text = good.to_string();
    let changed = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        bundle.to_string()
    };
    let with = |note: Note| changed(&|bundle| bundle.checkpoint = note.clone());
    let extra = |line: &str| changed(&|bundle| bundle.extra = Some(line.into()));
    let mut accepted: Vec<Value> = (0..5)
        .map(|index| proof(&format!("record {index} of 5"), log.record(index, 5).to_string()))
        .collect();
    accepted.push(proof("the only record: no hash", log.record(0, 1).to_string()));
    accepted.push(proof("a signature by an unknown key besides", with(witnessed(&note))));

    let line = &log.lines[3];
    let head = line.split_once("Z\",").unwrap().0;
    let (_, suffix) = line.split_once(",\"_prev_hash\"").unwrap();
    let redacted = format!("{head}Z\",\"redacted\":true,\"_prev_hash\"{suffix}");
    let forged = Checkpoint { root: Hash::ZERO, ..log.checkpoint(5) };
    let elsewhere = Checkpoint { origin: "example.com/else".parse().unwrap(), ..log.checkpoint(5) };
    let mut rejected = broken_forms(&text);
    rejected.extend([
        ("another version", text.replacen("@v1", "@v2", 1)),
        ("no header", text.split_once('\n').unwrap().1.to_owned()),
        ("no extra: there is no record in it", changed(&|bundle| bundle.extra = None)),
        ("extra behind the index", {
            let lines: Vec<&str> = text.splitn(4, '\n').collect();
            [lines[0], lines[2], lines[1], lines[3]].join("\n")
        }),
        ("extra is another record", extra(&log.lines[2])),
        ("extra has a line feed at its end", extra(&format!("{line}\n"))),
        ("extra is the record with one byte changed", extra(&line.replacen("\"a", "\"b", 1))),
        ("extra is the record, redacted: its hash can't be checked", extra(&redacted)),
        ("extra is no record", extra("from elsewhere")),
        ("an index with a leading zero", text.replacen("index 3", "index 03", 1)),
        ("an index with a sign", text.replacen("index 3", "index +3", 1)),
        ("the index of another record", text.replacen("index 3", "index 2", 1)),
        ("an index beyond the size", changed(&|bundle| bundle.index = 5)),
        ("a checkpoint without a signature", {
            text.replacen(&note.to_string(), &unsigned(&note), 1)
        }),
        ("signed by another key of the same name", with(log.checkpoint(5).sign(&other()))),
        ("a signature that does not verify", with(altered(&note))),
        ("another root, rightly signed", with(forged.sign(&log.signer))),
        ("another size, rightly signed", with(log.signed(4))),
        ("another origin, signed by the known key", with(elsewhere.sign(&log.signer))),
    ]);
    let rejected: Vec<Value> = rejected.into_iter().map(|(why, text)| proof(why, text)).collect();
    json!({ "accepted": accepted, "rejected": rejected })
}

fn growths(log: &Log) -> Value {
    let case = |why: &str, kept: String, proof: String| json!({ "why": why, "kept": kept, "proof": proof });
    let kept = |size: usize| log.signed(size).to_string();
    let grown = |from: usize, to: usize| log.growth(from, to).to_string();
    let mut accepted = Vec::new();
    for (from, to) in [(0, 0), (0, 5), (1, 5), (2, 5), (3, 5), (4, 5), (1, 2), (2, 4), (5, 5)] {
        accepted.push(case(&format!("from {from} to {to} records"), kept(from), grown(from, to)));
    }
    let good = log.growth(3, 5);
    let text = good.to_string();
    let with = |note: Note| GrowthBundle::new(good.from, good.proof.clone(), note).to_string();
    accepted.push(case(
        "signatures by an unknown key besides",
        witnessed(&log.signed(3)).to_string(),
        with(witnessed(&log.signed(5))),
    ));

    let fork = |size: usize| Checkpoint { root: Hash::ZERO, ..log.checkpoint(size) };
    let elsewhere = |size: usize| Checkpoint {
        origin: "example.com/else".parse().unwrap(),
        ..log.checkpoint(size)
    };
    let of_form = broken_forms(&text).into_iter().map(|(why, text)| (why, kept(3), text));
    let mut rejected: Vec<(&str, String, String)> = of_form.collect();
    rejected.extend([
        ("`old` with a leading zero", kept(3), text.replacen("old 3", "old 03", 1)),
        ("`Old`", kept(3), text.replacen("old", "Old", 1)),
        ("another size than the kept checkpoint's", kept(3), text.replacen("old 3", "old 4", 1)),
        ("held against a checkpoint of another size", kept(4), text.clone()),
        (
            "held against a checkpoint with another root",
            fork(3).sign(&log.signer).to_string(),
            text.clone(),
        ),
        ("of the same size, with another root", fork(5).sign(&log.signer).to_string(), grown(5, 5)),
        ("the newer one is smaller than the kept one", kept(5), {
            GrowthBundle::new(5, Vec::new(), log.signed(3)).to_string()
        }),
        ("the newer one has another root", kept(3), with(fork(5).sign(&log.signer))),
        ("the newer one has no signature", kept(3), {
            text.replacen(&log.signed(5).to_string(), &unsigned(&log.signed(5)), 1)
        }),
        ("the newer one is signed by another key", kept(3), with(log.checkpoint(5).sign(&other()))),
        ("the newer one's signature does not verify", kept(3), with(altered(&log.signed(5)))),
        ("the kept one has no signature", unsigned(&log.signed(3)), text.clone()),
        (
            "the kept one is signed by another key",
            log.checkpoint(3).sign(&other()).to_string(),
            text.clone(),
        ),
        (
            "the kept one's signature does not verify",
            altered(&log.signed(3)).to_string(),
            text.clone(),
        ),
        (
            "both are of another origin, signed by the known key",
            elsewhere(3).sign(&log.signer).to_string(),
            { with(elsewhere(5).sign(&log.signer)) },
        ),
        (
            "the kept one is of another origin",
            elsewhere(3).sign(&log.signer).to_string(),
            text.clone(),
        ),
        ("hashes from size 0, where none are due", kept(0), one_more_hash(&grown(0, 5))),
    ]);
    let rejected: Vec<Value> =
        rejected.into_iter().map(|(why, kept, text)| case(why, kept, text)).collect();
    json!({ "accepted": accepted, "rejected": rejected })
}

fn text_of<'a>(case: &'a Value, name: &str) -> &'a [u8] {
    case[name].as_str().unwrap().as_bytes()
}

#[test]
fn proofs_are_what_their_cases_say_and_are_taken_and_refused_so() {
    let log = Log::read();
    let keys = [log.signer.verifier_key()];
    let made = json!({
        "verifier_key": keys[0].to_string(),
        "records": records(&log),
        "growth": growths(&log),
    });
    if std::env::var_os("INDELIBLE_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
        write(&folder().join("proofs.json"), &text);
    }
    let proofs = read("proofs.json");
    assert!(proofs == made, "a case changed: write the vectors anew, and read the diff");

    let record = |case: &Value, keys: &[VerifierKey]| {
        Bundle::parse(text_of(case, "proof")).and_then(|b| b.check_record(keys).map(drop))
    };
    let growth = |case: &Value, keys: &[VerifierKey]| {
        let bundle = GrowthBundle::parse(text_of(case, "proof"))?;
        bundle.check(text_of(case, "kept"), keys).map(drop)
    };
    for case in list(&proofs["records"], "accepted") {
        assert_eq!(record(case, &keys), Ok(()), "refused: {}", case["why"]);
        assert!(
            record(case, &[other().verifier_key()]).is_err(),
            "by another key: {}",
            case["why"]
        );
    }
    for case in list(&proofs["growth"], "accepted") {
        assert_eq!(growth(case, &keys), Ok(()), "refused: {}", case["why"]);
    }
    for case in list(&proofs["records"], "rejected") {
        assert!(record(case, &keys).is_err(), "accepted: {}", case["why"]);
    }
    for case in list(&proofs["growth"], "rejected") {
        assert!(growth(case, &keys).is_err(), "accepted: {}", case["why"]);
    }
    let counts = ["records", "growth"]
        .map(|kind| ["accepted", "rejected"].map(|which| list(&proofs[kind], which).len()));
    assert_eq!(counts, [[7, 29], [10, 27]]);
}
