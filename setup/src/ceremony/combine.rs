//! Sums of multiples of points, for columns and for random combinations.

use ark_bn254::Fr;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{AdditiveGroup, PrimeField, Zero};
use placet_params::transcript::sampling::Sampler;
use rayon::prelude::*;

/// Below this many terms each is multiplied alone: buckets would cost more.
const FEW: usize = 8;
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
