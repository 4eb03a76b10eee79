//! The quotient of a satisfied system by the vanishing polynomial, in four Fourier transforms.
//!
//! With rows `i` at the places `ω^i` of the domain, the quotient is `(A·B - C) / Z`. Over the double
//! domain, with generator `η`, `η² = ω`, it suffices to know `A·B - C` at the odd places `η·ω^i`: at the
//! even ones it is zero. What C adds there is linear in the wires and is part of the key
//! ([`crate::transform`]), so only A and B are transformed: to coefficients and back at odd places.

use ark_bn254::Fr;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use rayon::prelude::*;
use zeroize::Zeroizing;

/// The rows' domain and powers of `η`.
#[derive(Debug)]
pub struct Quotient {
    domain: Radix2EvaluationDomain<Fr>,
    shifts: Vec<Fr>,
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
        Some(Self { domain, shifts })
    }

    /// Places of the domain: a power of two.
    pub fn size(&self) -> usize {
        self.shifts.len()
    }

    /// The values of `A·B` at the odd places, from A and B at the even ones. Both have [`Self::size`]
    /// elements.
    pub fn odd_products(&self, left: &mut Vec<Fr>, right: &mut Vec<Fr>) -> Zeroizing<Vec<Fr>> {
        rayon::join(|| self.to_odd(left), || self.to_odd(right));
        let products = left.par_iter().with_min_len(1024).zip(&*right).map(|(a, b)| a * b);
        Zeroizing::new(products.collect())
    }

    fn to_odd(&self, values: &mut Vec<Fr>) {
        self.domain.ifft_in_place(values);
        values
            .par_iter_mut()
            .with_min_len(1024)
            .zip(&self.shifts)
            .for_each(|(value, shift)| *value *= shift);
        self.domain.fft_in_place(values);
    }
}
