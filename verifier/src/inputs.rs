//! The sum of a key's public-input points, from tables: `X = P_0 + Σ x_i P_i`.
//!
//! The points never change. Each has a table of `d · 2^(8j) · P_i` for every byte position j and
//! d from 1 to 128, so that an input costs 32 additions and no doubling.

use ark_bn254::{Fr, G1Affine};
use ark_ff::{BigInteger, PrimeField};

use crate::points::{add_each, double_each, sum};

/// Bytes of an input.
const BYTES: usize = 32;
/// The highest multiple in a table; digits go from −127 to 128.
const HIGHEST: usize = 128;

/// Tables for the public inputs of one key: 256 kB for each input.
pub struct InputTables {
    /// The point of the constant one.
    constant: G1Affine,
    /// `multiples[d − 1][32 i + j] = d · 2^(8j) · P_(i+1)`.
    multiples: Vec<Vec<G1Affine>>,
}

impl InputTables {
    /// From the key's points, that of the constant one first.
    pub fn new(constant: G1Affine, points: &[G1Affine]) -> Self {
        let mut base = points.to_vec();
        let mut ones = vec![constant; points.len() * BYTES];
        for position in 0..BYTES {
            for (input, point) in base.iter().enumerate() {
                ones[input * BYTES + position] = *point;
            }
            (0..8).for_each(|_| double_each(&mut base));
        }
        let mut multiples = vec![ones];
        for d in 1..HIGHEST {
            let mut next = multiples[d - 1].clone();
            add_each(&mut next, &multiples[0]);
            multiples.push(next);
        }
        Self { constant, multiples }
    }

    /// How many inputs there must be.
    pub fn len(&self) -> usize {
        self.multiples[0].len() / BYTES
    }

    /// The point of the constant one.
    pub fn constant(&self) -> G1Affine {
        self.constant
    }

    /// `Σ x_i P_i`, without the constant, as points that are still to be summed.
    fn terms(&self, inputs: &[Fr]) -> Vec<G1Affine> {
        assert_eq!(inputs.len(), self.len(), "callers check the number of inputs");
        let mut terms = Vec::with_capacity(inputs.len() * BYTES + 1);
        for (input, value) in inputs.iter().enumerate() {
            for (position, digit) in digits(value).into_iter().enumerate() {
                let place = input * BYTES + position;
                match usize::from(digit.unsigned_abs()) {
                    0 => {}
                    d if digit > 0 => terms.push(self.multiples[d - 1][place]),
                    d => terms.push(-self.multiples[d - 1][place]),
                }
            }
        }
        terms
    }

    /// `P_0 + Σ x_i P_i`.
    pub fn sum(&self, inputs: &[Fr]) -> G1Affine {
        let mut terms = self.terms(inputs);
        terms.push(self.constant);
        sum(terms)
    }

    /// `Σ x_i P_i`.
    pub fn sum_without_constant(&self, inputs: &[Fr]) -> G1Affine {
        sum(self.terms(inputs))
    }
}

/// `Σ digit_j 2^(8j) = value`, digits from −127 to 128. The highest byte of an element is below
/// 0x31, so nothing is carried out of it.
fn digits(value: &Fr) -> [i16; BYTES] {
    let bytes = value.into_bigint().to_bytes_le();
    let mut carry = 0;
    std::array::from_fn(|position| {
        let digit = i16::from(bytes[position]) + carry;
        carry = i16::from(digit > HIGHEST as i16);
        digit - 256 * carry
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::G1Projective;
    use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
    use ark_ff::{Field, UniformRand};
    use ark_std::test_rng;

    #[test]
    fn sums_are_those_of_multiplications() {
        let mut rng = test_rng();
        let mut points: Vec<G1Affine> = (0..4)
            .map(|_| (G1Projective::generator() * Fr::rand(&mut rng)).into_affine())
            .collect();
        points.push(points[1]); // two inputs with one point, and two with opposite ones
        points.push(-points[2]);
        let tables = InputTables::new(points[0], &points[1..]);
        assert_eq!(tables.len(), 5);
        let mut cases: Vec<[Fr; 5]> =
            (0..20).map(|_| std::array::from_fn(|_| Fr::rand(&mut rng))).collect();
        for value in [0u64, 1, 127, 128, 129, 255, 256, 0x8080_8080_8080_8080, u64::MAX] {
            cases.push([Fr::from(value); 5]);
            cases.push([-Fr::from(value); 5]);
            cases.push([Fr::from(value), -Fr::ONE, Fr::from(2).pow([253u64]), Fr::ONE, -Fr::ONE]);
        }
        for inputs in cases {
            let expected: G1Projective =
                points[1..].iter().zip(&inputs).map(|(point, value)| *point * value).sum();
            assert_eq!(tables.sum_without_constant(&inputs), expected.into_affine());
            assert_eq!(tables.sum(&inputs), (expected + points[0]).into_affine());
        }
        let none = InputTables::new(points[0], &[]);
        assert_eq!(none.sum(&[]), points[0]);
        assert!(none.sum_without_constant(&[]).is_zero());
    }
}
