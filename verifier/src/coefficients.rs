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

use ark_bn254::{Fr, G1Affine, G1Projective, g1};
use ark_ec::scalar_mul::glv::GLVConfig;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::AdditiveGroup;

use crate::points::{add_each, double_each, sum_each};

/// Random bytes of one coefficient.
pub const COEFFICIENT_BYTES: usize = 16;
/// Digits of u, and of v.
const DIGITS: usize = 16;
/// Digits are from −8 to 7: an unsigned digit less this.
const OFFSET: i8 = 8;
/// The highest absolute value of a digit.
const HIGHEST: usize = OFFSET as usize;

/// One coefficient `u + vλ`.
pub struct Coefficient {
    /// Sixteen digits of u to the base 16, from −8 to 7, the lowest first.
    u: [i8; DIGITS],
    /// The same of v.
    v: [i8; DIGITS],
}

impl Coefficient {
    /// From uniform bytes: each half is a little-endian number of sixteen digits, which become
    /// signed by taking 8 from each.
    pub fn from_random(bytes: &[u8; COEFFICIENT_BYTES]) -> Self {
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
            assert_eq!(Coefficient::from_random(&bytes).value(), expected);
        }
    }

    #[test]
    fn points_are_multiplied_by_their_coefficients() {
        let mut rng = test_rng();
        let coefficients: Vec<_> = samples().iter().map(Coefficient::from_random).collect();
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
