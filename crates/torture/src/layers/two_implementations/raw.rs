//! Raw changes of bytes, lines and files, whose effect nobody computed: that is where two implementations may differ.

use fastrand::Rng;

use super::rewriting::below;
use crate::layers::tamper::memory::Memory;

/// Changes one thing in `folder`, and says what.
pub(crate) fn mutate(folder: &mut Memory, rng: &mut Rng) -> String {
    let names: Vec<String> =
        folder.names().filter(|name| !name.starts_with("quarantine/")).map(str::to_owned).collect();
    if names.is_empty() {
        return "nothing is left".to_owned();
    }
    let (name, other) = (&names[below(rng, names.len())], &names[below(rng, names.len())]);
    let mut bytes = folder.get(name).to_vec();
    let what = match rng.u8(..13) {
        0..=2 => change_byte(&mut bytes, rng),
        3..=5 => change_lines(&mut bytes, rng),
        6 | 7 => change_end(&mut bytes, rng),
        8 => lose_sectors(&mut bytes, rng),
        9 => {
            *folder = folder.without(name);
            return format!("{name} removed");
        }
        10 => {
            let theirs = folder.get(other).to_vec();
            folder.put(other, bytes);
            bytes = theirs;
            format!("exchanged with {other}")
        }
        11 => {
            let copy = ["audit.log", "audit.log.1", "audit.log.7", "audit.log.12", "checkpoint"];
            let copy = copy[below(rng, copy.len())];
            folder.put(copy, bytes);
            return format!("{name} also as {copy}");
        }
        _ => {
            let theirs = folder.get(other);
            let lines: Vec<&[u8]> = theirs.split_inclusive(|byte| *byte == b'\n').collect();
            if let Some(line) = lines.get(below(rng, lines.len())) {
                bytes.extend_from_slice(line);
            }
            format!("a line of {other} appended")
        }
    };
    folder.put(name, bytes);
    format!("{name}: {what}")
}

fn change_byte(bytes: &mut [u8], rng: &mut Rng) -> String {
    let at = below(rng, bytes.len());
    let with = [1_u8 << below(rng, 8), u8::try_from(below(rng, 256)).unwrap(), 0x20];
    let with = with[below(rng, 3)];
    let Some(byte) = bytes.get_mut(at) else { return "nothing to change".to_owned() };
    *byte ^= with;
    format!("byte {at} xor {with:#x}")
}

fn change_lines(bytes: &mut Vec<u8>, rng: &mut Rng) -> String {
    let mut lines: Vec<Vec<u8>> =
        bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return "no lines".to_owned();
    }
    let (one, two) = (below(rng, lines.len()), below(rng, lines.len()));
    let what = match below(rng, 5) {
        0 => {
            lines.remove(one);
            format!("line {one} removed")
        }
        1 => {
            lines.insert(two, lines[one].clone());
            format!("line {one} again before line {two}")
        }
        2 => {
            lines.swap(one, two);
            format!("lines {one} and {two} swapped")
        }
        3 => {
            lines.truncate(one);
            format!("cut to {one} lines")
        }
        _ => {
            lines.insert(one, [&b"\n"[..], b"\0\n", b"{}\n", b"x"][below(rng, 4)].to_vec());
            format!("a line that is none before line {one}")
        }
    };
    *bytes = lines.concat();
    what
}

fn change_end(bytes: &mut Vec<u8>, rng: &mut Rng) -> String {
    match below(rng, 4) {
        0 => {
            bytes.pop();
            "last byte removed".to_owned()
        }
        1 => {
            let size = below(rng, bytes.len());
            bytes.truncate(size);
            format!("cut to {size} bytes")
        }
        2 => {
            let count = 1 + below(rng, 1200);
            bytes.resize(bytes.len() + count, 0);
            format!("{count} NULs appended")
        }
        _ => {
            let ends = [&b"{\"seq\":"[..], b"garbage\n", b"\n", b"\0\0x\n", b"{\"note\":\"\0\"}\n"];
            let end = ends[below(rng, ends.len())];
            bytes.extend_from_slice(end);
            format!("{:?} appended", String::from_utf8_lossy(end))
        }
    }
}

fn lose_sectors(bytes: &mut Vec<u8>, rng: &mut Rng) -> String {
    let line_ends =
        bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let mut starts: Vec<usize> = line_ends.collect();
    starts.extend((0..=bytes.len()).step_by(512));
    let start = starts[below(rng, starts.len())];
    let end = (start / 512 + 1 + below(rng, 2)) * 512 + usize::from(below(rng, 4) == 0);
    if end > bytes.len() && below(rng, 2) == 0 {
        bytes.resize(end, 0);
    }
    let end = end.min(bytes.len());
    if let Some(lost) = bytes.get_mut(start..end) {
        lost.fill(0);
    }
    format!("NULs from {start} to {end}")
}
