//! SHA-256 of a few pieces that lie apart, block by block, without copying them together.
//!
//! Owns the padding of messages whose shape is known: what is hashed here is a line, a leaf or a node, hundreds of
//! thousands of them a second, and a hasher that gathers its input in a buffer costs as much as half a block each time.
//!
//! Invariant: each function is SHA-256 of the bytes that its documentation names, and the tests hold it against the plain
//! hasher.

use sha2::block_api::compress256;

/// Bytes that SHA-256 takes at once.
const BLOCK_SIZE: usize = 64;
/// Bytes of the message's size in bits, which ends the last block.
const LENGTH_SIZE: usize = 8;
/// The state before the first block (FIPS 180-4, 5.3.3).
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A block, what follows it, and one byte more.
#[derive(Clone, Copy)]
pub(crate) struct Message<'m> {
    pub(crate) first: &'m [u8; BLOCK_SIZE],
    pub(crate) rest: &'m [u8],
    pub(crate) last: u8,
}

impl<'m> Message<'m> {
    /// The whole blocks of `rest`.
    fn blocks(&self) -> &'m [[u8; BLOCK_SIZE]] {
        self.rest.as_chunks::<BLOCK_SIZE>().0
    }

    /// Puts what is left of `rest`, then `last`, and the padding into `end`, which is empty.
    fn finish(&self, end: &mut End) {
        let (_, tail) = self.rest.as_chunks::<BLOCK_SIZE>();
        let bytes = u64::try_from(BLOCK_SIZE + self.rest.len() + 1).unwrap_or(u64::MAX);
        // At most 63 bytes, `last`, 0x80 and the length: they fit into two blocks.
        let flat = end.blocks.as_flattened_mut();
        let (place, padding) = flat.split_at_mut(tail.len());
        place.copy_from_slice(tail);
        if let Some(place) = padding.first_chunk_mut::<2>() {
            *place = [self.last, 0x80];
        }
        end.count = if tail.len() + 2 + LENGTH_SIZE <= BLOCK_SIZE { 1 } else { 2 };
        if let Some(place) =
            flat.split_at_mut(end.count * BLOCK_SIZE).0.last_chunk_mut::<LENGTH_SIZE>()
        {
            *place = bytes.wrapping_mul(8).to_be_bytes();
        }
    }
}

/// The last blocks of a message, one or two.
struct End {
    blocks: [[u8; BLOCK_SIZE]; 2],
    count: usize,
}

impl End {
    const EMPTY: Self = Self { blocks: [[0; BLOCK_SIZE]; 2], count: 0 };

    fn blocks(&self) -> &[[u8; BLOCK_SIZE]] {
        self.blocks.split_at(self.count.min(2)).0
    }
}

/// Hashes a message.
pub(crate) fn of(message: Message<'_>) -> [u8; 32] {
    let mut state = START;
    compress256(&mut state, std::slice::from_ref(message.first));
    compress256(&mut state, message.blocks());
    let mut end = End::EMPTY;
    message.finish(&mut end);
    compress256(&mut state, end.blocks());
    bytes_of(state)
}

/// Hashes messages in step: block by block of each, so that the processor need not wait for one to go on with another.
pub(crate) fn of_each<const N: usize>(messages: &[Message<'_>; N]) -> [[u8; 32]; N] {
    let mut states = [START; N];
    for (state, message) in states.iter_mut().zip(messages) {
        compress256(state, std::slice::from_ref(message.first));
    }
    step(&mut states, &messages.map(|message| message.blocks()));
    let mut ends = [const { End::EMPTY }; N];
    for (end, message) in ends.iter_mut().zip(messages) {
        message.finish(end);
    }
    step(&mut states, &ends.each_ref().map(End::blocks));
    states.map(bytes_of)
}

fn step<const N: usize>(states: &mut [[u32; 8]; N], blocks: &[&[[u8; BLOCK_SIZE]]; N]) {
    let most = blocks.iter().map(|blocks| blocks.len()).max().unwrap_or(0);
    for at in 0..most {
        for (state, blocks) in states.iter_mut().zip(blocks) {
            if let Some(block) = blocks.get(at) {
                compress256(state, std::slice::from_ref(block));
            }
        }
    }
}

/// Hashes the byte 0x00, then `data`.
pub(crate) fn of_leaf(data: &[u8; 32]) -> [u8; 32] {
    /// 0x00, 32 bytes to fill in, the padding of 33 bytes.
    const BLOCK: [u8; BLOCK_SIZE] = padded(33);
    let mut block = BLOCK;
    if let Some((_, place)) = block.split_first_mut() {
        place.split_at_mut(32).0.copy_from_slice(data);
    }
    let mut state = START;
    compress256(&mut state, &[block]);
    bytes_of(state)
}

/// Hashes the byte 0x01, then `left`, then `right`.
pub(crate) fn of_node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    /// The last byte to fill in, the padding of 65 bytes.
    const END: [u8; BLOCK_SIZE] = padded(65);
    let mut blocks = [[0x01; BLOCK_SIZE], END];
    if let Some((_, place)) = blocks.as_flattened_mut().split_first_mut() {
        let (first, place) = place.split_at_mut(32);
        first.copy_from_slice(left);
        place.split_at_mut(32).0.copy_from_slice(right);
    }
    let mut state = START;
    compress256(&mut state, &blocks);
    bytes_of(state)
}

/// The last block of a message of `size` bytes, with zeros for the message.
#[expect(
    clippy::indexing_slicing,
    reason = "a remainder of 64 lies within 64 bytes, and only constants call it"
)]
const fn padded(size: usize) -> [u8; BLOCK_SIZE] {
    let mut block = [0; BLOCK_SIZE];
    let [.., high, low] = (size * 8).to_be_bytes();
    block[size % BLOCK_SIZE] = 0x80;
    block[BLOCK_SIZE - 2] = high;
    block[BLOCK_SIZE - 1] = low;
    block
}

fn bytes_of(state: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (words, _) = bytes.as_chunks_mut::<4>();
    for (place, word) in words.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn plain(parts: &[&[u8]]) -> [u8; 32] {
        Sha256::digest(parts.concat()).into()
    }

    #[test]
    fn a_block_and_any_rest_hash_as_one_message() {
        let bytes: Vec<u8> = (0..1_000_u32).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
        let (first, rest) = bytes.split_first_chunk::<64>().unwrap();
        for size in 0..400 {
            let rest = &rest[..size];
            let expected = plain(&[first, rest, b"}"]);
            assert_eq!(of(Message { first, rest, last: b'}' }), expected, "{size} bytes");
        }
    }

    #[test]
    fn messages_of_any_sizes_hash_in_step_as_they_do_alone() {
        let bytes: Vec<u8> =
            (0..1_000_u32).map(|at| u8::try_from(at * 11 % 253).unwrap()).collect();
        let (first, rest) = bytes.split_first_chunk::<64>().unwrap();
        for size in 0..300 {
            let sizes = [size, 0, size * 7 % 640, 53 + size % 3];
            let messages = sizes.map(|size| Message { first, rest: &rest[..size], last: b'}' });
            assert_eq!(of_each(&messages), messages.map(of), "{sizes:?} bytes");
        }
    }

    #[test]
    fn leaves_and_nodes_hash_as_their_bytes() {
        for seed in 0..=255_u8 {
            let left = std::array::from_fn(|at| seed ^ u8::try_from(at).unwrap());
            let right = std::array::from_fn(|at| seed.wrapping_add(u8::try_from(at * 5).unwrap()));
            assert_eq!(of_leaf(&left), plain(&[&[0], &left]));
            assert_eq!(of_node(&left, &right), plain(&[&[1], &left, &right]));
        }
    }
}
