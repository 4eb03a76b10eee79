//! BLAKE2b-512 (RFC 7693) whose state can be written down and taken up again: `.ptau` files carry
//! the state of each contributor's hash, and no crate hands it out.

/// Bytes of a written state: 128 of the block, 64 of the chain, 8 of the count, 8 of the position,
/// 8 unused.
pub const PARTIAL_BYTES: usize = 216;
const BLOCK: usize = 128;

const IV: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

const SIGMA: [[u8; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// An unfinished hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialHash {
    block: [u8; BLOCK],
    chain: [u64; 8],
    /// Bytes compressed so far.
    compressed: u64,
    /// Bytes waiting in `block`, at most all of it: the last block is compressed at the end.
    waiting: usize,
}

impl Default for PartialHash {
    fn default() -> Self {
        let mut chain = IV;
        // 64 bytes of output, no key, one leaf.
        chain[0] ^= 0x0101_0040;
        Self { block: [0; BLOCK], chain, compressed: 0, waiting: 0 }
    }
}

impl PartialHash {
    /// Takes up more bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.waiting == BLOCK {
                self.compressed += BLOCK as u64;
                self.compress(false);
                self.waiting = 0;
            }
            let (head, tail) = bytes.split_at(bytes.len().min(BLOCK - self.waiting));
            self.block[self.waiting..self.waiting + head.len()].copy_from_slice(head);
            self.waiting += head.len();
            bytes = tail;
        }
    }

    /// The hash of everything.
    pub fn finalize(mut self) -> [u8; 64] {
        self.block[self.waiting..].fill(0);
        self.compressed += self.waiting as u64;
        self.compress(true);
        let mut out = [0; 64];
        for (place, word) in out.chunks_exact_mut(8).zip(self.chain) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// The state, as files hold it.
    pub fn to_bytes(&self) -> [u8; PARTIAL_BYTES] {
        let mut out = [0; PARTIAL_BYTES];
        out[..BLOCK].copy_from_slice(&self.block);
        let words = self.chain.into_iter().chain([self.compressed, self.waiting as u64]);
        for (place, word) in out[BLOCK..].chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// Takes a written state up again; `None` if it says that more waits than a block holds.
    pub fn from_bytes(bytes: &[u8; PARTIAL_BYTES]) -> Option<Self> {
        let (block, words) = bytes.split_at(BLOCK);
        let mut words = words
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")));
        let chain = std::array::from_fn(|_| words.next().expect("eleven words"));
        let compressed = words.next()?;
        let waiting = usize::try_from(words.next()?).ok().filter(|waiting| *waiting <= BLOCK)?;
        // The count may be anything: it is only hashed. It must not overflow, though.
        compressed.checked_add(u64::from(u32::MAX))?;
        Some(Self { block: block.try_into().expect("128 bytes"), chain, compressed, waiting })
    }

    fn compress(&mut self, last: bool) {
        let mut message = [0u64; 16];
        for (word, bytes) in message.iter_mut().zip(self.block.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        }
        let mut v = [0u64; 16];
        v[..8].copy_from_slice(&self.chain);
        v[8..].copy_from_slice(&IV);
        v[12] ^= self.compressed;
        if last {
            v[14] = !v[14];
        }
        for round in 0..12 {
            let order = SIGMA[round % 10].map(usize::from);
            let mut mix = |a: usize, b: usize, c: usize, d: usize, pair: usize| {
                for (half, (turn_d, turn_b)) in [(32, 24), (16, 63)].into_iter().enumerate() {
                    let word = message[order[2 * pair + half]];
                    v[a] = v[a].wrapping_add(v[b]).wrapping_add(word);
                    v[d] = (v[d] ^ v[a]).rotate_right(turn_d);
                    v[c] = v[c].wrapping_add(v[d]);
                    v[b] = (v[b] ^ v[c]).rotate_right(turn_b);
                }
            };
            for column in 0..4 {
                mix(column, 4 + column, 8 + column, 12 + column, column);
            }
            for (diagonal, [a, b, c, d]) in
                [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]]
                    .into_iter()
                    .enumerate()
            {
                mix(a, b, c, d, 4 + diagonal);
            }
        }
        for (i, word) in self.chain.iter_mut().enumerate() {
            *word ^= v[i] ^ v[i + 8];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blake2::{Blake2b512, Digest};

    #[test]
    fn every_length_hashes_as_the_crate_does_also_when_taken_up_again() {
        let bytes: Vec<u8> = (0..700u32).map(|i| (i * 7 + 3) as u8).collect();
        for length in 0..bytes.len() {
            let expected: [u8; 64] = Blake2b512::digest(&bytes[..length]).into();
            let (first, rest) = bytes[..length].split_at(length / 3);
            let mut hash = PartialHash::default();
            hash.update(first);
            let mut hash = PartialHash::from_bytes(&hash.to_bytes()).unwrap();
            hash.update(rest);
            assert_eq!(hash.finalize(), expected, "{length} bytes");
        }
    }

    #[test]
    fn a_state_that_cannot_be_is_refused() {
        let mut bytes = PartialHash::default().to_bytes();
        bytes[BLOCK + 72] = 129;
        assert_eq!(PartialHash::from_bytes(&bytes), None);
    }
}
