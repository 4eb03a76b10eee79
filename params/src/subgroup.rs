//! Whether many points on BN254's G2 curve are all in the subgroup of prime order, about ten times
//! faster than asking each. A proving key has some 30,000 of them, and every load checks them.
//!
//! The test: `Σ c_i P_i` is in the subgroup, for pseudorandom 13-bit `c_i`, ten times over. If a
//! point has a component outside, that component lies in a group of order h, the cofactor, whose
//! smallest prime factor is 10,069. Fix all other coefficients: at most one value of `c_i` below
//! that prime lets the components cancel, so one round misses with probability at most 2^-13, and
//! ten rounds with 2^-130. The coefficients are a hash of the points, so that nobody can choose
//! points after coefficients.

use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::AdditiveGroup;
use ark_serialize::Compress;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::point;

/// Bits of one coefficient: `2^13` is below the cofactor's smallest prime factor.
const BITS: usize = 13;
/// Rounds; misses have probability `2^-130`.
const ROUNDS: usize = 10;
/// Below this many points each is asked: buckets would cost more.
const FEW: usize = 256;

/// The first point outside of the subgroup, if there is one. All points must be on the curve.
pub fn first_outside<C: SWCurveConfig>(points: &[Affine<C>]) -> Option<usize> {
    let outside =
        |point: &Affine<C>| !point.is_zero() && !point.is_in_correct_subgroup_assuming_on_curve();
    if C::COFACTOR == [1] || points.len() > FEW && combinations_are_inside(points) {
        return None;
    }
    points.par_iter().position_first(outside)
}

fn combinations_are_inside<C: SWCurveConfig>(points: &[Affine<C>]) -> bool {
    let coefficients = coefficients(points);
    (0..ROUNDS).into_par_iter().all(|round| {
        #[allow(clippy::useless_vec, reason = "1.5 MB do not belong on the stack")]
        let mut buckets = vec![Projective::<C>::ZERO; 1 << BITS];
        for (point, coefficients) in points.iter().zip(&coefficients) {
            buckets[usize::from(coefficients[round])] += point;
        }
        // Σ j·bucket_j by running sums, from the highest bucket; bucket 0 counts nothing.
        let (mut running, mut sum) = (Projective::<C>::ZERO, Projective::<C>::ZERO);
        for bucket in buckets[1..].iter().rev() {
            running += bucket;
            sum += running;
        }
        let sum = sum.into_affine();
        sum.is_zero() || sum.is_in_correct_subgroup_assuming_on_curve()
    })
}

/// Ten 13-bit coefficients a point, from SHA-256 over all points and the point's index.
fn coefficients<C: SWCurveConfig>(points: &[Affine<C>]) -> Vec<[u16; ROUNDS]> {
    let mut encoded = Vec::new();
    for point in points {
        point::encode(point, Compress::No, &mut encoded);
    }
    let seed = Sha256::digest(&encoded);
    (0..points.len() as u64)
        .into_par_iter()
        .map(|index| {
            let digest = Sha256::new()
                .chain_update(b"placet.subgroup.v1")
                .chain_update(seed)
                .chain_update(index.to_le_bytes())
                .finalize();
            std::array::from_fn(|round| {
                let word = u16::from_le_bytes([digest[2 * round], digest[2 * round + 1]]);
                word & ((1 << BITS) - 1)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{Fq2, Fr, G2Affine, G2Projective, g2};
    use ark_ec::{CurveConfig, PrimeGroup};
    use ark_ff::PrimeField;

    fn inside(count: usize) -> Vec<G2Affine> {
        let mut points = vec![G2Projective::generator(); count];
        for i in 1..count {
            points[i] = points[i - 1].double() + points[0];
        }
        points[count / 2] = G2Projective::ZERO;
        G2Projective::normalize_batch(&points)
    }

    /// A point whose component outside has exactly the smallest possible order, 10,069: the
    /// hardest to see.
    fn of_small_order() -> G2Affine {
        let h = g2::Config::COFACTOR;
        // h / 10069 by long division, most significant limb first.
        let mut quotient = [0u64; 4];
        let mut rest = 0u128;
        for i in (0..h.len()).rev() {
            let value = rest << 64 | u128::from(h[i]);
            quotient[i] = (value / 10_069) as u64;
            rest = value % 10_069;
        }
        assert_eq!(rest, 0, "10,069 divides the cofactor");
        (1u64..)
            .filter_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::from(x), false))
            .map(|point| point.mul_bigint(Fr::MODULUS).mul_bigint(quotient).into_affine())
            .find(|point| !point.is_zero())
            .expect("most points of the curve have such a component")
    }

    #[test]
    fn points_of_the_subgroup_pass() {
        for count in [2, FEW, FEW + 1, 3_000] {
            assert_eq!(first_outside(&inside(count)), None);
        }
    }

    #[test]
    fn one_point_with_the_smallest_component_is_found_wherever_it_is() {
        let stray = of_small_order();
        assert!(stray.mul_bigint([10_069u64]).into_affine().is_zero());
        for place in [0, 1, 777, 2_999] {
            let mut points = inside(3_000);
            points[place] = (points[place] + stray).into_affine();
            assert_eq!(first_outside(&points), Some(place));
        }
    }

    #[test]
    fn components_that_cancel_in_a_plain_sum_are_found() {
        let stray = of_small_order();
        let mut points = inside(1_000);
        points[5] = (points[5] + stray).into_affine();
        points[6] = (points[6] - stray).into_affine();
        assert_eq!(first_outside(&points), Some(5));
    }
}
