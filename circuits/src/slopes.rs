//! The inverses of all slopes' denominators in a scalar multiplication, by one inversion. They are
//! hints: whoever uses one checks it by a product, so where a denominator vanishes, and everything
//! here is zero from there on, nothing wrong comes out.
//!
//! The points are followed without division, as `u = U/Z²` and `v = V/Z³`: a slope's denominator
//! is then a product of what is known over a power of Z.

use ark_bn254::Fr;
use ark_ec::twisted_edwards::MontCurveConfig;
use ark_ff::{AdditiveGroup, Field, batch_inversion};
use taceo_ark_babyjubjub::EdwardsConfig;
use zeroize::Zeroizing;

const MONTGOMERY_A: Fr = <EdwardsConfig as MontCurveConfig>::COEFF_A;

/// A point of the Montgomery form.
type Affine = (Fr, Fr);

struct Projective {
    u: Fr,
    v: Fr,
    z: Fr,
}

/// Fractions whose inverses are wanted: `numerators[i] / denominators[i]`, turned over.
#[derive(Default)]
struct Fractions {
    numerators: Zeroizing<Vec<Fr>>,
    denominators: Zeroizing<Vec<Fr>>,
}

impl Fractions {
    fn with_capacity(count: usize) -> Self {
        let room = || Zeroizing::new(Vec::with_capacity(count));
        Self { numerators: room(), denominators: room() }
    }

    /// Notes `numerator / square`, whose inverse is `square / numerator`.
    fn push(&mut self, numerator: Fr, square: Fr) {
        self.denominators.push(numerator);
        self.numerators.push(square);
    }

    fn inverses(mut self) -> Zeroizing<Vec<Fr>> {
        batch_inversion(&mut self.denominators);
        for (inverse, square) in self.denominators.iter_mut().zip(&*self.numerators) {
            *inverse *= square;
        }
        self.denominators
    }
}

/// Adding each of `addends` to the sum of those before it: the inverses of `addend.u - sum.u` for
/// all but the first.
pub(crate) fn of_sum(addends: &[Affine]) -> Zeroizing<Vec<Fr>> {
    let mut fractions = Fractions::with_capacity(addends.len());
    if let Some(((u, v), others)) = addends.split_first() {
        let mut sum = Projective { u: *u, v: *v, z: Fr::ONE };
        for (u, v) in others {
            let zz = sum.z.square();
            let h = *u * zz - sum.u;
            fractions.push(h, zz);
            let r = *v * zz * sum.z - sum.v;
            let hh = h.square();
            let z = sum.z * h;
            let from = sum.u * hh;
            let to = r.square() - (MONTGOMERY_A + u) * z.square() - from;
            sum = Projective { u: to, v: r * (from - to) - sum.v * h * hh, z };
        }
    }
    fractions.inverses()
}

/// `sum = 2·sum ± base` as `(sum ± base) + sum` for each of `signs`, `true` for plus: the inverses
/// of `sum.u - base.u` and of `sum.u - inner.u`, by turns.
pub(crate) fn of_ladder(
    sum: Affine,
    base: Affine,
    signs: impl ExactSizeIterator<Item = bool>,
) -> Zeroizing<Vec<Fr>> {
    let mut fractions = Fractions::with_capacity(2 * signs.len());
    let mut sum = Projective { u: sum.0, v: sum.1, z: Fr::ONE };
    for plus in signs {
        let zz = sum.z.square();
        let h = sum.u - base.0 * zz;
        fractions.push(h, zz);
        // The first slope is r / (z·h).
        let lifted = base.1 * zz * sum.z;
        let r = if plus { sum.v - lifted } else { sum.v + lifted };
        let hh = h.square();
        let zz = zz * hh;
        let (u, v) = (sum.u * hh, sum.v * h * hh);
        let a = MONTGOMERY_A * zz;
        let inner = r.square() - u - base.0 * zz - a;
        let d = u - inner;
        fractions.push(d, zz);
        // The second slope is s / (z·h·d).
        let s = v.double() - r * d;
        let dd = d.square();
        let (from, to) = (u * dd, s.square() - dd * (a + u + inner));
        sum = Projective { u: to, v: s * (from - to) - v * d * dd, z: sum.z * h * d };
    }
    fractions.inverses()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};
    use ark_std::{UniformRand, Zero};

    fn chord(slope: Fr, from: Affine, other_u: Fr) -> Affine {
        let u = slope * slope - MONTGOMERY_A - from.0 - other_u;
        (u, slope * (from.0 - u) - from.1)
    }

    fn divide(a: Fr, b: Fr) -> Fr {
        a * b.inverse().expect("random numbers differ")
    }

    /// The formulas hold for any numbers, on the curve or not.
    fn random(rng: &mut StdRng) -> Affine {
        (Fr::rand(rng), Fr::rand(rng))
    }

    #[test]
    fn inverses_of_a_sum_are_those_of_its_slopes() {
        let rng = &mut StdRng::seed_from_u64(1);
        let addends: Vec<Affine> = (0..9).map(|_| random(rng)).collect();
        let inverses = of_sum(&addends);
        assert_eq!(inverses.len(), addends.len() - 1);
        let mut sum = addends[0];
        for (other, inverse) in addends[1..].iter().zip(&*inverses) {
            assert_eq!(*inverse * (other.0 - sum.0), Fr::ONE);
            sum = chord(divide(other.1 - sum.1, other.0 - sum.0), sum, other.0);
        }
        assert!(of_sum(&[]).is_empty());
    }

    #[test]
    fn inverses_of_a_ladder_are_those_of_its_slopes() {
        let rng = &mut StdRng::seed_from_u64(2);
        let (mut sum, base) = (random(rng), random(rng));
        let signs: Vec<bool> = (0..9).map(|_| rng.r#gen()).collect();
        let inverses = of_ladder(sum, base, signs.iter().copied());
        assert_eq!(inverses.len(), 2 * signs.len());
        for (plus, inverses) in signs.iter().zip(inverses.chunks_exact(2)) {
            let v = if *plus { base.1 } else { -base.1 };
            assert_eq!(inverses[0] * (sum.0 - base.0), Fr::ONE);
            let first = divide(sum.1 - v, sum.0 - base.0);
            let inner = first * first - sum.0 - base.0 - MONTGOMERY_A;
            assert_eq!(inverses[1] * (sum.0 - inner), Fr::ONE);
            sum = chord(divide(sum.1.double(), sum.0 - inner) - first, sum, inner);
        }
    }

    #[test]
    fn a_denominator_that_vanishes_has_no_inverse_and_spoils_only_what_follows() {
        let rng = &mut StdRng::seed_from_u64(3);
        let (a, b) = (random(rng), random(rng));
        let (c, d) = ((a.0, Fr::rand(rng)), random(rng));
        assert!(of_sum(&[a, c, d]).iter().all(Zero::is_zero));
        assert_eq!(of_sum(&[a, b, c])[0], of_sum(&[a, b])[0]);
    }
}
