//! Prune and redact records that the log did not sign, and what they would excuse.

use fastrand::Rng;
use indelible::Problem::{RedactionUnannounced, SignedInvalid};
use indelible::format::chain::Link;
use indelible::format::note::{SignatureLine, SignerKey};
use indelible::format::own::{Announcement, Redact};
use indelible::format::record::parse_head;

use super::lines::{places, settle};
use super::{Stand, any};
use crate::layers::tamper::expected::{Expected, Mutant};
use crate::layers::tamper::memory::Memory;
use crate::layers::tamper::specimen::{Line, Segment, Specimen, own_line};

/// How somebody signs.
type Sign = Box<dyn Fn(&[u8]) -> SignatureLine>;

/// Signatures that are not the log's: by another key of its name, and one of its own over another record.
fn forgeries(specimen: &Specimen) -> Vec<(&'static str, Sign)> {
    let other = SignerKey::from_seed(&specimen.log.origin, &[77; 32]);
    let replayed = specimen.log.key.sign(b"something else\n");
    vec![
        ("by another key", Box::new(move |text| other.sign(text))),
        ("of something else", Box::new(move |_| replayed.clone())),
    ]
}

fn last(specimen: &Specimen) -> &Line {
    specimen.newest().lines.last().unwrap()
}

/// The prune record that would excuse all files before the segment `kept`.
fn prune(specimen: &Specimen, kept: usize) -> Announcement {
    let files = u64::try_from(kept).unwrap();
    specimen.log.prune(&specimen.segments[kept].lines[0], files)
}

/// The files shifted, and a new one with this line.
fn rotated(specimen: &Specimen, line: &[u8]) -> Memory {
    let mut folder = specimen.folder.clone();
    for number in (1..=2).rev() {
        let bytes = folder.get(&format!("audit.log.{number}")).to_vec();
        folder.put(&format!("audit.log.{}", number + 1), bytes);
    }
    let newest = folder.get("audit.log").to_vec();
    folder.put("audit.log.1", newest);
    folder.with("audit.log", line)
}

/// A line without its content, as a redaction leaves it.
pub(crate) fn blank(line: &Line) -> Vec<u8> {
    let head = parse_head(&line.bytes).unwrap();
    let tied = &line.bytes[line.bytes.len() - 157..];
    [&line.bytes[..head.size], b"\"redacted\":true", tied].concat()
}

fn redact(line: &Line) -> Redact {
    Redact {
        seq: line.seq,
        hash: line.link().hash,
        timestamp: parse_head(&line.bytes).unwrap().timestamp,
        reason: "erasure".to_owned(),
    }
}

fn with_line(specimen: &Specimen, at: (usize, usize), bytes: Vec<u8>) -> Vec<Segment> {
    let mut segments = specimen.segments.clone();
    segments[at.0].lines[at.1].bytes = bytes;
    settle(&mut segments);
    segments
}

/// A prune record that the log did not sign begins a new file, and the first so many are gone.
fn pruned(specimen: &Specimen, kept: usize, gone: usize, how: &str, sign: &Sign) -> Mutant {
    let last = last(specimen);
    let line = own_line(&specimen.log, &prune(specimen, kept), last, &mut |text| sign(text));
    let expected = Expected::tampering(SignedInvalid).at("audit.log", 0).record(last.seq + 1);
    let mut folder = rotated(specimen, &line);
    for number in 0..gone {
        folder = folder.without(&format!("audit.log.{}", 3 - number));
    }
    let what = format!("{}: prune to segment {kept}, {gone} gone, {how}", specimen.name);
    Mutant::new(what, folder, expected)
}

/// The same record where it may not stand, either.
fn pruned_amid(specimen: &Specimen, how: &str, sign: &Sign) -> Mutant {
    let last = last(specimen);
    let line = own_line(&specimen.log, &prune(specimen, 1), last, &mut |text| sign(text));
    let bytes = [specimen.folder.get("audit.log"), &line].concat();
    let folder = specimen.folder.with("audit.log", bytes).without("audit.log.2");
    let expected =
        Expected::tampering(SignedInvalid).at("audit.log", last.end()).record(last.seq + 1);
    let what = format!("{}: prune in a file's midst, {how}", specimen.name);
    Mutant::new(what, folder, expected)
}

/// Whether a redaction of this line could be.
fn may_be_blanked(specimen: &Specimen, line: &Line) -> bool {
    let own = String::from_utf8_lossy(&line.bytes).contains("\"indelible\"");
    !own && line.seq != last(specimen).seq
}

/// A line blanked: with no word of it, announced by forgeries, announced by the log for something else, and as it should
/// be.
fn blanked(specimen: &Specimen, (at, index): (usize, usize)) -> Vec<Mutant> {
    let last_line = last(specimen);
    let segment = &specimen.segments[at];
    let line = &segment.lines[index];
    let blanked = with_line(specimen, (at, index), blank(line));
    let there = || Expected::tampering(RedactionUnannounced).at_line(segment, line);
    let what = |how: &str| format!("record {} blanked, {how}", line.seq);
    let size = blanked.last().unwrap().size();
    let appended = |redact: Redact, sign: &dyn Fn(&[u8]) -> SignatureLine| {
        let what = Announcement::Redact(redact);
        let line = own_line(&specimen.log, &what, last_line, &mut |text| sign(text));
        let bytes = [blanked.last().unwrap().bytes(), line].concat();
        specimen.with(&blanked).with("audit.log", bytes)
    };
    let mut mutants = vec![Mutant::new(what("no word of it"), specimen.with(&blanked), there())];
    for (how, sign) in forgeries(specimen) {
        let expected =
            Expected::tampering(SignedInvalid).at("audit.log", size).record(last_line.seq + 1);
        mutants.push(Mutant::new(what(how), appended(redact(line), &sign), expected));
    }
    let sign = |text: &[u8]| specimen.log.key.sign(text);
    let of_another = Redact { seq: line.seq + 1, ..redact(line) };
    mutants.push(Mutant::new(what("another named"), appended(of_another, &sign), there()));
    let hash = Link::split(last_line.bytes.strip_suffix(b"\n").unwrap()).unwrap().hash;
    let other_hash = Redact { hash, ..redact(line) };
    mutants.push(Mutant::new(what("another hash"), appended(other_hash, &sign), there()));
    let signed = Expected { class: indelible::FindingClass::Redacted, ..Expected::sound() };
    let signed = signed.at_line(segment, line);
    mutants.push(Mutant::new(what("signed"), appended(redact(line), &sign), signed));
    mutants
}

pub(crate) fn draw_prune(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let (how, sign) = forgeries(specimen).swap_remove(rng.usize(..2));
    let kept = rng.usize(1..=2);
    Some(match rng.u8(..4) {
        0 => pruned_amid(specimen, how, &sign),
        _ => pruned(specimen, kept, rng.usize(..=kept), how, &sign),
    })
}

pub(crate) fn draw_redaction(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let place = *any(rng, &places(specimen));
    if !may_be_blanked(specimen, &specimen.segments[place.0].lines[place.1]) {
        return None;
    }
    let mut mutants = blanked(specimen, place);
    let at = rng.usize(..mutants.len());
    Some(mutants.swap_remove(at))
}

#[cfg(test)]
mod tests {
    use indelible::Problem::NoCheckpoint;
    use indelible::format::own::Prune;

    use super::*;
    use crate::layers::tamper::expected::assert_all_found;
    use crate::layers::tamper::specimen::{large, small};

    #[test]
    fn a_prune_record_that_the_log_did_not_sign_excuses_nothing() {
        let mut mutants = Vec::new();
        for specimen in [small(), large()] {
            for (how, sign) in forgeries(&specimen) {
                for kept in 1..=2 {
                    for gone in [0, kept] {
                        mutants.push(pruned(&specimen, kept, gone, how, &sign));
                    }
                }
                mutants.push(pruned_amid(&specimen, how, &sign));
            }
        }
        assert_all_found("forged prunes", mutants);
    }

    /// Nothing but a forged prune record is left, and it names the forger's key: then no note is by a key that it names.
    #[test]
    fn a_forged_prune_record_that_brings_its_own_key_makes_no_note_its_own() {
        let specimen = small();
        let last = last(&specimen);
        let mine = SignerKey::from_seed(&specimen.log.origin, &[77; 32]);
        let prune = Announcement::Prune(Prune {
            format: 1,
            log_id: specimen.log.log_id,
            origin: specimen.log.origin.clone(),
            keys: vec![mine.verifier_key()],
            first_kept_seq: last.seq + 1,
            last_pruned_hash: last.link().hash,
            files: 3,
            reason: "max_files".to_owned(),
        });
        let line = own_line(&specimen.log, &prune, last, &mut |text| mine.sign(text));
        let mut folder = rotated(&specimen, &line);
        for number in 1..=3 {
            folder = folder.without(&format!("audit.log.{number}"));
        }
        // The rows do not reach so far: leaves of records beyond the mark are not kept, and can be made up.
        let mut row = folder.get("tree/0").to_vec();
        for line in specimen.newest().lines.iter().filter(|line| line.seq >= specimen.mark) {
            row.extend_from_slice(indelible::format::tree::leaf_hash(&line.link().hash).as_bytes());
        }
        folder.put("tree/0", row);
        let expected = Expected::missing(NoCheckpoint);
        assert_all_found("forged key", vec![Mutant::new("prune", folder, expected)]);
    }

    #[test]
    fn a_blanked_line_is_found_unless_the_log_signed_for_it() {
        let mut mutants = Vec::new();
        let specimen = small();
        for place in places(&specimen) {
            if may_be_blanked(&specimen, &specimen.segments[place.0].lines[place.1]) {
                mutants.extend(blanked(&specimen, place));
            }
        }
        assert_all_found("redactions", mutants);
    }
}
