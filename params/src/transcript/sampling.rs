//! How snarkjs turns hashes into scalars and points: a ChaCha20 stream, and rejection. Spec §12.4.
//!
//! Both sides of a ceremony must derive the same values, so the odd parts are facts of the format:
//! the seed's words are big-endian, a 64-bit number is drawn high word first, and an element is
//! drawn as its Montgomery representation.

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine, g1, g2};
use ark_ec::short_weierstrass::SWCurveConfig;
use ark_ec::{AffineRepr, CurveConfig, CurveGroup};
use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField, Zero};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// Bytes of one block of the stream.
const BLOCK: usize = 64;
/// Bits of both primes of BN254: candidates are cut to this length.
const PRIME_BITS: u32 = 254;

/// Scalars and points drawn from a seed. The state is zeroized when it is dropped, because a
/// participant's secret is drawn with it, too.
pub struct Sampler {
    stream: ChaCha20,
    block: [u8; BLOCK],
    used: usize,
}

impl Drop for Sampler {
    fn drop(&mut self) {
        // The stream zeroizes itself.
        self.block.zeroize();
    }
}

impl Sampler {
    /// Starts a stream. The seed is read as eight big-endian words.
    pub fn new(seed: &[u8; 32]) -> Self {
        let mut key = *seed;
        for word in key.chunks_exact_mut(4) {
            word.reverse();
        }
        let stream = ChaCha20::new(&key.into(), &[0u8; 12].into());
        key.zeroize();
        Self { stream, block: [0; BLOCK], used: BLOCK }
    }

    /// The stream that a public beacon value gives: SHA-256 iterated `2^iterations_exp` times.
    /// The caller bounds the exponent.
    pub fn from_beacon(value: &[u8], iterations_exp: u8) -> Self {
        let mut hash: [u8; 32] = Sha256::digest(value).into();
        for _ in 1..1u64 << iterations_exp {
            hash = Sha256::digest(hash).into();
        }
        Self::new(&hash)
    }

    fn word(&mut self) -> u32 {
        if self.used == BLOCK {
            self.block = [0; BLOCK];
            self.stream.apply_keystream(&mut self.block);
            self.used = 0;
        }
        let bytes = &self.block[self.used..self.used + 4];
        self.used += 4;
        u32::from_le_bytes(bytes.try_into().expect("four bytes"))
    }

    fn prime_field<F: PrimeField<BigInt = BigInt<4>>>(&mut self) -> F {
        let unit = F::from(2u8).pow([256]).inverse().expect("two is not zero");
        loop {
            let mut limbs = [0u64; 4];
            for limb in &mut limbs {
                *limb = u64::from(self.word()) << 32;
                *limb |= u64::from(self.word());
            }
            limbs[3] &= (1 << (PRIME_BITS - 192)) - 1;
            let element = F::from_bigint(BigInt(limbs));
            limbs.zeroize();
            if let Some(mut element) = element {
                let drawn = element * unit;
                element.zeroize();
                return drawn;
            }
        }
    }

    /// The next scalar.
    pub fn scalar(&mut self) -> Fr {
        self.prime_field()
    }

    /// The next point of G1.
    pub fn g1(&mut self) -> G1Affine {
        loop {
            let x: Fq = self.prime_field();
            let negative = self.word() & 1 == 1;
            if let Some(y) = (x.square() * x + g1::Config::COEFF_B).sqrt() {
                return G1Affine::new(x, if is_negative(&y) == negative { y } else { -y });
            }
        }
    }

    /// The next point of G2: a point of the twist, multiplied by the cofactor.
    pub fn g2(&mut self) -> G2Affine {
        loop {
            let (c0, c1) = (self.prime_field(), self.prime_field());
            let x = Fq2::new(c0, c1);
            let negative = self.word() & 1 == 1;
            if let Some(y) = (x.square() * x + g2::Config::COEFF_B).sqrt() {
                let sign = if y.c1.is_zero() { &y.c0 } else { &y.c1 };
                let y = if is_negative(sign) == negative { y } else { -y };
                return times_cofactor(x, y);
            }
        }
    }
}

/// In the upper half of the field.
fn is_negative(value: &Fq) -> bool {
    value.into_bigint() > Fq::MODULUS_MINUS_ONE_DIV_TWO
}

/// Double and add: the library's own multiplication may assume the subgroup, where this point is
/// not yet.
fn times_cofactor(x: Fq2, y: Fq2) -> G2Affine {
    #[allow(
        clippy::disallowed_methods,
        reason = "the point satisfies the equation by construction and enters the subgroup here"
    )]
    let point = G2Affine::new_unchecked(x, y);
    let mut sum = <G2Affine as AffineRepr>::Group::ZERO;
    for limb in g2::Config::COFACTOR.iter().rev() {
        for bit in (0..64).rev() {
            sum.double_in_place();
            if limb >> bit & 1 == 1 {
                sum += point;
            }
        }
    }
    sum.into_affine()
}

/// The point of G2 over which a contribution proves that it knows its secret: nobody knows its
/// logarithm, because it comes from the hash of everything before.
pub fn hash_to_g2(hash: &[u8; 64]) -> G2Affine {
    Sampler::new(hash[..32].try_into().expect("half of 64 bytes")).g2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::encoding;

    // Known answers: snarkjs 0.7.6 with its ffjavascript, keypair.js `hashToG2` and misc.js
    // `rngFromBeaconParams`.

    #[test]
    fn hashes_become_the_points_of_g2_that_snarkjs_derives() {
        let mut hash: [u8; 64] = std::array::from_fn(|i| (i * 3 + 1) as u8);
        for (first, expected) in [
            (
                0,
                "08f12d4e8c6bb3c045e347321c8fa7cf80df3a0effdcf50da6e4313e817bd2492b82ba9221a4d39a169c99d9367d583b0b9dacade76db17a1fcfb33f354a161904fdc0afadcc4f69c4cd7462c2135bee60b80cdde8fe7e397bf42f5b8f9f84e32665afc08e52494e00957ed8aa7a95a10255c5403e12a3eb05c67a630b0fc851",
            ),
            (
                1,
                "1a3f78c9396e261109680e40b069ffb362ac84b57488e39b3f90d9d60c6580712ecd0b4072527d28e8f3eae6aaf741a06f9c18e26838dd8dcd5358036374b37a083357cf90867f582acc2fde446563c5b5b203efb89229c29d3c36aca3a476210b4d1bd5d040a5a963c3908d5843cccc1c335c8eb0de1e236733c8b61918a709",
            ),
            (
                2,
                "04c327848167c0aeed8448eb53e0df076a677e93388a32a12fdbbeaac5ee1692087ef54bf46b3a0bf71d766651835d3b5e19553f43071d08961f30ce6c7463ab1db80111ddded79c4fe90bb0cd401ae16b8f27126fc79a1f4ac32b1054d6054b2a2ae872d186a5c4337150c505e66dc37270e205f868cef9f67b2de9020fb06d",
            ),
        ] {
            hash[0] = first;
            assert_eq!(hex::encode(encoding::g2(&hash_to_g2(&hash))), expected);
        }
    }

    #[test]
    fn beacons_become_the_scalar_and_point_that_snarkjs_derives() {
        let known = [
            (
                "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                10,
                "008ae70c3a45c92ad9c63de72a10cfee1d05d61cf5472f4bd3fb38ac464c658f",
                "09e723037c59f6b75ebf248acceed5e6ede9379de88709fa8ee01b868c4316e4226297780cd50e09ce89df14e4471e6294ad2ec5188217ce6974709bf4322e00",
            ),
            (
                "ff",
                11,
                "0e535b11b032be02699b513d69d30263ff8070ac6c826b7e34b929adf920f681",
                "104e41b5f9fcfa72f62dcb359c09cf9e028996cebff930ff5369252519e490bd2eafdf746e97d7fc464d7b5fbc40b89c6aaeccd67fbb03ef6df7f713125fc1fa",
            ),
        ];
        for (value, exp, scalar, point) in known {
            let mut sampler = Sampler::from_beacon(&hex::decode(value).unwrap(), exp);
            let drawn = sampler.scalar();
            let mut bytes = placet_protocol::field::to_bytes(&drawn);
            bytes.reverse();
            assert_eq!(hex::encode(bytes), scalar);
            assert_eq!(hex::encode(encoding::g1(&sampler.g1())), point);
        }
    }
}
