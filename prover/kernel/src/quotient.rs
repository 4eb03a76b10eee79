//! The quotient of a satisfied system by the vanishing polynomial, in four Fourier transforms.
//!
//! With rows `i` at the places `ω^i` of the domain, the quotient is `(A·B - C) / Z`. Over the double
//! domain, with generator `η`, `η² = ω`, it suffices to know `A·B - C` at the odd places `η·ω^i`: at the
//! even ones it is zero. What C adds there is linear in the wires and is part of the key
//! ([`crate::transform`]), so only A and B are transformed: to coefficients and back at odd places.

use ark_bn254::Fr;
use ark_ff::{BigInt, PrimeField};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::engine::Arithmetic;
#[cfg(target_arch = "x86_64")]
use crate::engine::Kind;
#[cfg(target_arch = "x86_64")]
use crate::fourier8::Fourier;

/// The rows' domain.
#[derive(Debug)]
pub struct Quotient {
    domain: Radix2EvaluationDomain<Fr>,
    /// Powers of `η`.
    shifts: Vec<Fr>,
    #[cfg(target_arch = "x86_64")]
    fourier: Option<Fourier>,
}

impl Quotient {
    /// For a domain of at least `rows` places; `None` if the field has none so large.
    pub fn new(rows: usize) -> Option<Self> {
        let domain = Radix2EvaluationDomain::new(rows.max(2))?;
        let double: Radix2EvaluationDomain<Fr> = Radix2EvaluationDomain::new(2 * domain.size())?;
        let mut power = Fr::from(1u8);
        let shifts = (0..domain.size())
            .map(|_| {
                let shift = power;
                power *= double.group_gen();
                shift
            })
            .collect();
        Some(Self {
            domain,
            shifts,
            #[cfg(target_arch = "x86_64")]
            fourier: Fourier::new(domain.size()),
        })
    }

    /// Places of the domain: a power of two.
    pub fn size(&self) -> usize {
        self.shifts.len()
    }

    /// The values of `A·B` at the odd places, from A and B at the even ones, as integers. Values
    /// that are missing at the end are zero.
    ///
    /// # Panics
    /// If there are more values than places.
    pub fn odd_products(
        &self,
        arithmetic: Arithmetic,
        left: &[Fr],
        right: &[Fr],
    ) -> Zeroizing<Vec<BigInt<4>>> {
        assert!(left.len().max(right.len()) <= self.size(), "one value each place");
        #[cfg(target_arch = "x86_64")]
        if let (Kind::Ifma, Some(fourier)) = (arithmetic.kind(), &self.fourier) {
            return fourier.odd_products(left, right);
        }
        let _ = arithmetic;
        let (left, right) = rayon::join(|| self.to_odd(left), || self.to_odd(right));
        let pairs = left.par_iter().with_min_len(1024).zip(&*right);
        Zeroizing::new(pairs.map(|(a, b)| (*a * b).into_bigint()).collect())
    }

    fn to_odd(&self, values: &[Fr]) -> Zeroizing<Vec<Fr>> {
        let mut all = Zeroizing::new(Vec::with_capacity(self.size()));
        all.extend_from_slice(values);
        all.resize(self.size(), Fr::from(0u8));
        self.domain.ifft_in_place(&mut *all);
        all.par_iter_mut()
            .with_min_len(1024)
            .zip(&self.shifts)
            .for_each(|(value, shift)| *value *= shift);
        self.domain.fft_in_place(&mut *all);
        all
    }
}

#[cfg(test)]
mod tests {
    use ark_std::UniformRand;
    use ark_std::rand::SeedableRng;
    use ark_std::rand::rngs::StdRng;

    use super::*;

    #[test]
    fn every_arithmetic_gives_the_same_products() {
        let rng = &mut StdRng::seed_from_u64(1);
        for size in [2, 4, 32, 64, 128, 256, 1024, 1 << 13] {
            let quotient = Quotient::new(size).unwrap();
            for values in [size, size - 1, size / 2 + 1, 1] {
                let mut some = |n: usize| -> Vec<Fr> { (0..n).map(|_| Fr::rand(rng)).collect() };
                let edge = vec![-Fr::from(1u8); values];
                let (left, right) = (some(values), some(values / 2));
                for (left, right) in [(&left, &right), (&edge, &edge), (&edge, &left)] {
                    let expected = quotient.odd_products(Arithmetic::PORTABLE, left, right);
                    for arithmetic in Arithmetic::available() {
                        let found = quotient.odd_products(arithmetic, left, right);
                        assert_eq!(*found, *expected, "{size} {values} {arithmetic:?}");
                    }
                }
            }
        }
    }
}
