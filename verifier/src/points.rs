//! Sums of many points of G1 at once, in affine coordinates: one inversion serves them all, so an
//! addition costs about six multiplications instead of the twelve of projective coordinates.

use ark_bn254::{Fq, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field, One, serial_batch_inversion_and_mul};

use crate::limbs::{add, sub};

/// Below this many additions an inversion does not pay.
const FEW: usize = 12;

/// Adds `others[i]` to `sums[i]`, for every i. All cases are covered: equal and opposite points,
/// and the identity on either side.
pub fn add_each(sums: &mut [G1Affine], others: &[G1Affine]) {
    assert_eq!(sums.len(), others.len(), "as many points on both sides");
    let (mut rises, mut runs) = (Vec::with_capacity(sums.len()), Vec::with_capacity(sums.len()));
    for (sum, other) in sums.iter().zip(others) {
        let (rise, run) = match slope(sum, other) {
            Slope::Chord => (sub(&other.y, &sum.y), sub(&other.x, &sum.x)),
            Slope::Tangent => {
                let square = sum.x.square();
                (add(&add(&square, &square), &square), add(&sum.y, &sum.y))
            }
            Slope::Vertical | Slope::Trivial => (Fq::ZERO, Fq::ONE),
        };
        rises.push(rise);
        runs.push(run);
    }
    // The order of G1 is odd, so no point has y = 0, and no run is zero.
    serial_batch_inversion_and_mul(&mut runs, &Fq::one());
    for (((sum, other), rise), inverse) in sums.iter_mut().zip(others).zip(rises).zip(runs) {
        match slope(sum, other) {
            Slope::Chord | Slope::Tangent => {
                let slope = rise * inverse;
                let x = sub(&sub(&slope.square(), &sum.x), &other.x);
                sum.y = sub(&(slope * sub(&sum.x, &x)), &sum.y);
                sum.x = x;
            }
            Slope::Vertical => *sum = G1Affine::zero(),
            Slope::Trivial if sum.is_zero() => *sum = *other,
            Slope::Trivial => {}
        }
    }
}

/// The line through two points.
enum Slope {
    /// Through two points with different x.
    Chord,
    /// In one point.
    Tangent,
    /// Through opposite points.
    Vertical,
    /// One of the two is the identity.
    Trivial,
}

#[inline]
fn slope(a: &G1Affine, b: &G1Affine) -> Slope {
    if a.is_zero() || b.is_zero() {
        Slope::Trivial
    } else if a.x != b.x {
        Slope::Chord
    } else if a.y == b.y {
        Slope::Tangent
    } else {
        Slope::Vertical
    }
}

/// Doubles every point.
pub fn double_each(points: &mut [G1Affine]) {
    let copy = points.to_vec();
    add_each(points, &copy);
}

/// The sum of all points.
pub fn sum(mut points: Vec<G1Affine>) -> G1Affine {
    while points.len() > 2 * FEW {
        let rest = points.split_off(points.len().div_ceil(2));
        add_each(&mut points[..rest.len()], &rest);
    }
    points.iter().fold(G1Projective::ZERO, |sum, point| sum + point).into_affine()
}

/// The sum of each group of points. All groups are halved together, again and again.
pub fn sum_each(mut groups: Vec<Vec<G1Affine>>) -> Vec<G1Affine> {
    while groups.iter().any(|group| group.len() > 1) {
        let halves: Vec<usize> = groups.iter().map(|group| group.len() / 2).collect();
        let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
        for (group, half) in groups.iter_mut().zip(&halves) {
            seconds.extend(group.drain(group.len() - half..));
            firsts.extend(group.drain(group.len() - half..));
        }
        add_each(&mut firsts, &seconds);
        let mut sums = firsts.into_iter();
        for (group, half) in groups.iter_mut().zip(halves) {
            group.extend(sums.by_ref().take(half));
        }
    }
    groups.iter().map(|group| group.first().copied().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::Fr;
    use ark_ec::PrimeGroup;
    use ark_ff::UniformRand;
    use ark_std::test_rng;

    fn random(count: usize) -> Vec<G1Affine> {
        let mut rng = test_rng();
        let one = || (G1Projective::generator() * Fr::rand(&mut rng)).into_affine();
        std::iter::repeat_with(one).take(count).collect()
    }

    #[test]
    fn every_pair_of_special_points_is_added_right() {
        let some = random(2);
        let zero = G1Affine::zero();
        let special = [zero, some[0], -some[0], some[1], (some[0] + some[0]).into_affine()];
        let pairs: Vec<_> = special.iter().flat_map(|a| special.map(|b| (*a, b))).collect();
        let (mut sums, others): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        add_each(&mut sums, &others);
        for ((a, b), sum) in pairs.iter().zip(&sums) {
            assert_eq!(*sum, (*a + b).into_affine());
        }
        let mut doubled = special;
        double_each(&mut doubled);
        assert_eq!(doubled, special.map(|point| (point + point).into_affine()));
    }

    #[test]
    fn sums_are_sums() {
        for count in [0, 1, 2, 24, 25, 26, 49, 544] {
            let points = random(count);
            let expected: G1Projective = points.iter().map(|p| p.into_group()).sum();
            assert_eq!(sum(points.clone()), expected.into_affine());
            // With each point beside its opposite, and each one twice.
            let opposite = points.iter().flat_map(|p| [*p, -*p]).collect();
            assert!(sum(opposite).is_zero());
            let mut twice = points.clone();
            twice.extend(points.iter());
            assert_eq!(sum(twice.clone()), expected.double().into_affine());
            let sums = sum_each(vec![points, vec![], twice]);
            let zero = G1Affine::zero();
            assert_eq!(sums, [expected.into_affine(), zero, expected.double().into_affine()]);
        }
    }
}
