//! Sums of multiples of points, for columns and for random combinations.

use ark_bn254::Fr;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{AdditiveGroup, PrimeField, Zero};
use placet_params::transcript::sampling::Sampler;
use rayon::prelude::*;

/// Below this many terms each is multiplied alone: buckets would cost more.
const FEW: usize = 8;
/// Bits of a scalar.
const SCALAR_BITS: usize = 254;
/// Points multiplied by one thread before it takes more.
const CHUNK: usize = 512;

/// `Σ scalar·point`.
pub fn sum<C: SWCurveConfig<ScalarField = Fr>>(
    points: &[Affine<C>],
    scalars: &[Fr],
) -> Projective<C> {
    if points.len() < FEW {
        return points.iter().zip(scalars).map(|(point, scalar)| times(point, scalar)).sum();
    }
    Projective::<C>::msm(points, scalars).expect("as many scalars as points")
}

/// From so many terms on, a column is summed by all threads together.
pub const LONG: usize = 4_096;

/// As [`sum`], by this thread alone, with buckets. Inside of work that is already parallel the
/// library's own sum would take up other columns while it waits, and those others again, until the
/// stack is full.
pub fn sum_alone<C: SWCurveConfig<ScalarField = Fr>>(
    points: &[Affine<C>],
    scalars: &[Fr],
) -> Projective<C> {
    if points.len() < FEW {
        return sum(points, scalars);
    }
    // A window of about log2 of the number of terms costs least.
    let window = points.len().ilog2().max(3) as usize;
    let limbs: Vec<[u64; 4]> = scalars.iter().map(|scalar| scalar.into_bigint().0).collect();
    let bit = |limbs: &[u64; 4], at: usize| (limbs[at / 64] >> (at % 64) & 1) as usize;
    let mut total = Projective::<C>::ZERO;
    let mut buckets = vec![Projective::<C>::ZERO; (1 << window) - 1];
    for at in (0..SCALAR_BITS.div_ceil(window)).rev() {
        for _ in 0..window {
            total.double_in_place();
        }
        buckets.fill(Projective::ZERO);
        let start = at * window;
        let bits = window.min(SCALAR_BITS - start);
        for (point, limbs) in points.iter().zip(&limbs) {
            let digit = (0..bits).fold(0, |digit, i| digit | bit(limbs, start + i) << i);
            if digit > 0 {
                buckets[digit - 1] += point;
            }
        }
        let (mut running, mut window_sum) = (Projective::<C>::ZERO, Projective::<C>::ZERO);
        for bucket in buckets.iter().rev() {
            running += bucket;
            window_sum += running;
        }
        total += window_sum;
    }
    total
}

/// One multiple. Most coefficients of circuits are one, minus one or short.
pub fn times<C: SWCurveConfig<ScalarField = Fr>>(point: &Affine<C>, scalar: &Fr) -> Projective<C> {
    let short = |value: &Fr| {
        let limbs = value.into_bigint().0;
        (limbs[1..] == [0; 3]).then_some(limbs[0])
    };
    match (short(scalar), short(&-*scalar)) {
        (Some(1), _) => point.into_group(),
        (_, Some(1)) => -point.into_group(),
        (Some(value), _) => point.mul_bigint([value]),
        (_, Some(value)) => -point.mul_bigint([value]),
        (None, None) => *point * *scalar,
    }
}

/// Every point times one scalar, in place; `watch` is told the points done.
pub fn scale<C: SWCurveConfig<ScalarField = Fr>>(
    points: &mut [Affine<C>],
    factor: &Fr,
    watch: &(dyn Fn(usize) + Sync),
) {
    points.par_chunks_mut(CHUNK).for_each(|chunk| {
        let scaled: Vec<_> = chunk.iter().map(|point| *point * *factor).collect();
        chunk.copy_from_slice(&Projective::normalize_batch(&scaled));
        watch(chunk.len());
    });
}

/// Weights of a random combination, 128 bits each: points that were chosen before pass a wrong
/// equation with probability `2^-128`.
pub struct Weights(Sampler);

impl Weights {
    /// From the operating system, behind everything that is checked with them.
    pub fn from_os() -> Result<Self, getrandom::Error> {
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self(Sampler::new(&seed)))
    }

    /// The next weights.
    pub fn take(&mut self, count: usize) -> Vec<Fr> {
        let mut next = || {
            let limbs = self.0.scalar().into_bigint().0;
            Fr::from(u128::from(limbs[0]) | u128::from(limbs[1]) << 64)
        };
        (0..count).map(|_| next()).collect()
    }
}

/// `true` if the sum is no point.
pub fn vanishes<C: SWCurveConfig>(sum: &Projective<C>) -> bool {
    sum.is_zero() || *sum == Projective::<C>::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{G1Affine, G2Affine, g1, g2};

    fn agree<C: SWCurveConfig<ScalarField = Fr>>(generator: Affine<C>) {
        let mut sampler = Sampler::new(&[7; 32]);
        for count in [0, 1, 7, 8, 9, 33, 200] {
            let points: Vec<_> =
                (0..count).map(|_| (generator * sampler.scalar()).into_affine()).collect();
            let mut scalars: Vec<_> = (0..count).map(|_| sampler.scalar()).collect();
            for (i, scalar) in scalars.iter_mut().enumerate().filter(|(i, _)| i % 3 == 0) {
                *scalar = [Fr::from(1u8), -Fr::from(1u8), Fr::from(0u8)][i / 3 % 3];
            }
            let one_by_one: Projective<C> =
                points.iter().zip(&scalars).map(|(point, scalar)| *point * *scalar).sum();
            assert_eq!(sum_alone(&points, &scalars), one_by_one, "{count} terms");
            assert_eq!(sum(&points, &scalars), one_by_one, "{count} terms");
        }
    }

    #[test]
    fn sums_are_those_of_the_multiples() {
        agree::<g1::Config>(G1Affine::generator());
        agree::<g2::Config>(G2Affine::generator());
    }
}
