//! Random coefficients of a batch, and points of G1 multiplied by them. Spec §11.1.
//!
//! BN254's G1 has an endomorphism `φ(x, y) = (βx, y)` that multiplies by λ, a cube root of one. A
//! coefficient is `u + vλ` with u and v each drawn from 2^64 consecutive integers, so that
//! multiplying by it takes 60 doublings instead of 124.
//!
//! No two pairs (u, v) give one coefficient. If they did, their differences a and b, not both zero and
//! below 2^64 in absolute value, would satisfy `a + bλ = 0` modulo r. As `λ² + λ + 1 = 0`, then
//! `a² − ab + b² = (a + bλ)(a + bλ²) = 0` modulo r. But `a² − ab + b²` is positive and
//! below 3·2^128, which is less than r. So there are 2^128 coefficients, all equally likely.
//!
//! The bytes come from SHA-256 in counter mode, keyed by a digest of the operating system's
//! randomness, the key, and all inputs and proofs ([`derive`]). The randomness alone would do as long as it is
//! good. If the generator repeats itself (a virtual machine that was restored, say) or is broken, the rest
//! keeps the coefficients a function of all that they weigh, by the heuristic of Fiat and Shamir:
//! whoever makes the proofs can then compute them, but only after the proofs are fixed, and each
//! attempt at a false batch succeeds with probability 2^−128 or less.

use ark_bn254::{Fr, G1Affine, G1Projective, g1};
use ark_ec::scalar_mul::glv::GLVConfig;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::AdditiveGroup;
use placet_protocol::field::to_bytes;
use placet_protocol::statement::ProofBytes;
use sha2::{Digest, Sha256};

use crate::points::{add_each, double_each, sum_each};

/// Bytes that the operating system gives for a batch.
pub const SEED_BYTES: usize = 32;
/// Pseudorandom bytes of one coefficient.
const COEFFICIENT_BYTES: usize = 16;
/// Digits of u, and of v.
const DIGITS: usize = 16;
/// Digits are from −8 to 7: an unsigned digit less this.
const OFFSET: i8 = 8;
/// The highest absolute value of a digit.
const HIGHEST: usize = OFFSET as usize;

/// One coefficient `u + vλ`.
#[derive(Debug, PartialEq, Eq)]
pub struct Coefficient {
    /// Sixteen digits of u to the base 16, from −8 to 7, the lowest first.
    u: [i8; DIGITS],
    /// The same of v.
    v: [i8; DIGITS],
}

impl Coefficient {
    /// From uniform bytes: each half is a little-endian number of sixteen digits, which become
    /// signed by taking 8 from each.
    pub fn from_bytes(bytes: &[u8; COEFFICIENT_BYTES]) -> Self {
        let digit = |place: usize| (bytes[place / 2] >> (4 * (place % 2)) & 15) as i8 - OFFSET;
        Self {
            u: std::array::from_fn(digit),
            v: std::array::from_fn(|place| digit(DIGITS + place)),
        }
    }

    /// The coefficient as an element of the scalar field.
    pub fn value(&self) -> Fr {
        let number = |digits: &[i8; DIGITS]| {
            digits.iter().rev().fold(0i128, |rest, digit| 16 * rest + i128::from(*digit))
        };
        Fr::from(number(&self.u)) + Fr::from(number(&self.v)) * g1::Config::LAMBDA
    }
}

/// Digest of a proof and what it is about; all proofs of a batch have the same number of inputs.
pub fn item_digest(inputs: &[Fr], proof: &ProofBytes) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(b"placet.batch-item.v1");
    for input in inputs {
        hasher.update(to_bytes(input));
    }
    hasher.update(proof.0);
    hasher.finalize().into()
}

/// One coefficient for each item of a batch. `key` is the key's hash, `items` are the
/// [`item_digest`]s.
pub fn derive(seed: &[u8; SEED_BYTES], key: &[u8; 32], items: &[[u8; 32]]) -> Vec<Coefficient> {
    let mut hasher = Sha256::new_with_prefix(b"placet.batch.v1");
    hasher.update(seed);
    hasher.update(key);
    hasher.update(items.as_flattened());
    let root = hasher.finalize();
    let block = |counter: u64| -> [u8; 32] {
        let mut hasher = Sha256::new_with_prefix(b"placet.batch-block.v1");
        hasher.update(root);
        hasher.update(counter.to_le_bytes());
        hasher.finalize().into()
    };
    let bytes: Vec<u8> = (0..items.len().div_ceil(2) as u64).flat_map(block).collect();
    let (coefficients, _) = bytes.as_chunks::<COEFFICIENT_BYTES>();
    coefficients.iter().take(items.len()).map(Coefficient::from_bytes).collect()
}

/// Every point times the coefficient beside it.
pub fn scale_each(points: &[G1Affine], coefficients: &[Coefficient]) -> Vec<G1Affine> {
    assert_eq!(points.len(), coefficients.len(), "one coefficient for each point");
    // The multiples by 1 to 8 of every point.
    let mut multiples = vec![points.to_vec()];
    for d in 1..HIGHEST {
        let mut next = multiples[d - 1].clone();
        add_each(&mut next, points);
        multiples.push(next);
    }
    let multiple = |point: usize, digit: i8| match usize::from(digit.unsigned_abs()) {
        0 => G1Affine::zero(),
        d if digit > 0 => multiples[d - 1][point],
        d => -multiples[d - 1][point],
    };
    let mut sums = vec![G1Affine::zero(); points.len()];
    let mut terms = sums.clone();
    for place in (0..DIGITS).rev() {
        for _ in 0..4 {
            double_each(&mut sums);
        }
        for (point, term) in terms.iter_mut().enumerate() {
            *term = multiple(point, coefficients[point].u[place]);
        }
        add_each(&mut sums, &terms);
        for (point, term) in terms.iter_mut().enumerate() {
            let multiple = multiple(point, coefficients[point].v[place]);
            *term = g1::Config::endomorphism_affine(&multiple);
        }
        add_each(&mut sums, &terms);
    }
    sums
}

/// The sum of all points, each times the coefficient beside it.
///
/// No point is doubled: points with one digit at one place, of u or of v, are added first; then
/// each such sum counts as often as the digit says, and each place sixteen times the one below.
pub fn scaled_sum(points: &[G1Affine], coefficients: &[Coefficient]) -> G1Affine {
    assert_eq!(points.len(), coefficients.len(), "one coefficient for each point");
    let mut groups = vec![Vec::new(); HIGHEST * 2 * DIGITS];
    for (point, coefficient) in points.iter().zip(coefficients) {
        for (lane, digit) in coefficient.u.iter().chain(&coefficient.v).enumerate() {
            match usize::from(digit.unsigned_abs()) {
                0 => {}
                d if *digit > 0 => groups[(d - 1) * 2 * DIGITS + lane].push(*point),
                d => groups[(d - 1) * 2 * DIGITS + lane].push(-*point),
            }
        }
    }
    let sums = sum_each(groups);
    // Σ d · sum_d in every lane, by adding up the sums of all digits from the highest down.
    let mut running = vec![G1Affine::zero(); 2 * DIGITS];
    let mut lanes = running.clone();
    for sums in sums.chunks(2 * DIGITS).rev() {
        add_each(&mut running, sums);
        add_each(&mut lanes, &running);
    }
    let (u, v) = lanes.split_at(DIGITS);
    let mut sum = G1Projective::ZERO;
    for (u, v) in u.iter().zip(v).rev() {
        (0..4).for_each(|_| {
            sum.double_in_place();
        });
        sum += *u + g1::Config::endomorphism_affine(v);
    }
    sum.into_affine()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::PrimeGroup;
    use ark_ff::{BigInteger, Field, PrimeField, UniformRand};
    use ark_std::rand::RngCore;
    use ark_std::test_rng;

    /// u and v at their ends, all digits equal, and random ones.
    fn samples() -> Vec<[u8; COEFFICIENT_BYTES]> {
        let mut rng = test_rng();
        let mut out: Vec<_> = [0x00, 0x11, 0x77, 0x78, 0x87, 0x88, 0x89, 0x98, 0xff]
            .map(|byte| [byte; COEFFICIENT_BYTES])
            .into();
        for _ in 0..40 {
            let mut bytes = [0; COEFFICIENT_BYTES];
            rng.fill_bytes(&mut bytes);
            out.push(bytes);
        }
        out
    }

    #[test]
    fn a_coefficient_is_what_the_bytes_say() {
        let middle = Fr::from(0x8888_8888_8888_8888u64);
        for bytes in samples() {
            let half = |half: &[u8]| Fr::from(u64::from_le_bytes(half.try_into().unwrap()));
            let expected =
                half(&bytes[..8]) - middle + (half(&bytes[8..]) - middle) * g1::Config::LAMBDA;
            assert_eq!(Coefficient::from_bytes(&bytes).value(), expected);
        }
    }

    #[test]
    fn coefficients_depend_on_all_that_they_weigh() {
        let proof = |byte| ProofBytes([byte; 128]);
        let inputs = [Fr::from(5), Fr::from(6)];
        let item = item_digest(&inputs, &proof(1));
        assert_ne!(item, item_digest(&inputs, &proof(2)));
        assert_ne!(item, item_digest(&[Fr::from(6), Fr::from(5)], &proof(1)));
        let (seed, key) = ([3; SEED_BYTES], [4; 32]);
        let items = [item, [7; 32], [8; 32]];
        let one = derive(&seed, &key, &items);
        assert_eq!(one, derive(&seed, &key, &items));
        let others = [
            derive(&[9; SEED_BYTES], &key, &items),
            derive(&seed, &[9; 32], &items),
            derive(&seed, &key, &[items[0], items[2], items[1]]),
            derive(&seed, &key, &[items[0], items[1], [9; 32]]),
            derive(&seed, &key, &[item, items[1], items[2], items[2]]),
        ];
        for (i, other) in others.iter().enumerate() {
            assert!(one.iter().zip(other).all(|(one, other)| one != other), "{i}");
        }
        for count in 0..6 {
            let all = derive(&seed, &key, &vec![item; count]);
            assert_eq!(all.len(), count);
            // Not even for equal items are two of them equal.
            assert!((0..count).all(|i| (0..i).all(|k| all[i] != all[k])));
        }
    }

    #[test]
    fn points_are_multiplied_by_their_coefficients() {
        let mut rng = test_rng();
        let coefficients: Vec<_> = samples().iter().map(Coefficient::from_bytes).collect();
        let mut points: Vec<G1Affine> = coefficients
            .iter()
            .map(|_| (G1Projective::generator() * Fr::rand(&mut rng)).into_affine())
            .collect();
        points[3] = G1Affine::zero();
        points[5] = points[4];
        let products = scale_each(&points, &coefficients);
        let mut sum = G1Projective::ZERO;
        for (i, product) in products.iter().enumerate() {
            assert_eq!(scaled_sum(&points[..i], &coefficients[..i]), sum.into_affine());
            assert_eq!(*product, (points[i] * coefficients[i].value()).into_affine());
            sum += product;
        }
    }

    /// What the proof that no two coefficients are equal rests on.
    #[test]
    fn lambda_is_a_cube_root_of_one_and_the_group_is_large_enough() {
        let lambda = g1::Config::LAMBDA;
        assert_eq!(lambda.square() + lambda, -Fr::ONE);
        let point = (G1Projective::generator() * Fr::from(77)).into_affine();
        assert_eq!(g1::Config::endomorphism_affine(&point), (point * lambda).into_affine());
        assert!(Fr::MODULUS.num_bits() > 130);
    }
}
