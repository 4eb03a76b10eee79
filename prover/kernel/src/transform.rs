//! From a standard Groth16 key to the points that four Fourier transforms need, without the secrets
//! of its set-up.
//!
//! A standard key has `Q_k = τ^k Z(τ)/δ` for `k < n - 1`. Wanted are, over the double domain with
//! Lagrange polynomials `M_j`, the points `H_i = M_(2i+1)(τ)/δ` of the odd places, and for C, which is
//! left out of the quotient, `D_i = (M_2i(τ) - L_i(τ))/δ`: with `c_i` the values of the rows of C,
//! `Σ_i (A·B)(odd place i)·H_i + Σ_i c_i·D_i` is the quotient's point. Both are multiples of Z:
//!
//! `H_i = -1/(2n) Σ_k ω^(-ik) η^(-k) Q_k` and `D_i = 1/(2n) Σ_k ω^(-ik) Q_k`,
//!
//! Fourier transforms of points. `Q_(n-1)` is not in the key; any point will do in its place, since a
//! satisfied quotient has degree at most `n - 2`. The group's generator is taken, with which the sums on
//! the way have no reason to meet. `c_i` is linear in the wires, so the D end up in the query of the
//! wires.

use ark_bn254::{Fq, Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field, One, Zero};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use rayon::prelude::*;

use crate::engine::Arithmetic;
use crate::jacobian::{Jacobian, Multiplier, multiply, sums_and_differences};
use crate::kernel::Matrix;

/// The points that replace a key's queries H and L.
#[derive(Clone, Debug)]
pub struct Transformed {
    /// One a place of the domain.
    pub odd: Vec<G1Affine>,
    /// One a wire, instance wires included; many of those are at infinity.
    pub wires: Vec<G1Affine>,
}

/// Points that one core works on at a time.
const CHUNK: usize = 256;

/// Transforms the queries `h` and `l` of a key. `c` has the rows of the matrix C, `instance` counts
/// the instance wires. Calls `progress` with the number of points done since the call before, 2 n in
/// all.
///
/// # Panics
/// If `h` is not one shorter than a power of two or the sizes do not fit; the kernel checks them.
pub fn transform(
    h: &[G1Affine],
    l: &[G1Affine],
    c: &Matrix,
    instance: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> Transformed {
    let [odd, even] = quick(h, progress).unwrap_or_else(|| complete(h));
    let zero = G1Projective::zero();
    let mut wires = vec![zero; instance];
    wires.extend(l.iter().map(|point| G1Projective::from(*point)));
    // Entries of one need no multiplication.
    let mut others = Vec::new();
    for (row, point) in c.iter().zip(&even) {
        for (value, wire) in row {
            match value.is_one() {
                true => wires[*wire] += point,
                false => others.push((*wire, *point, *value)),
            }
        }
    }
    for (wire, term) in others.par_chunks(CHUNK).flat_map_iter(products).collect::<Vec<_>>() {
        wires[wire] += term;
    }
    Transformed { odd, wires: G1Projective::normalize_batch(&wires) }
}

/// Points with their wires, times their values.
fn products(terms: &[(usize, G1Affine, Fr)]) -> Vec<(usize, G1Projective)> {
    let by: Option<Vec<Multiplier>> =
        terms.iter().map(|(_, _, value)| Multiplier::new(*value)).collect();
    let Some(by) = by else {
        return terms.iter().map(|(wire, point, value)| (*wire, *point * value)).collect();
    };
    let mut points: Vec<_> = terms.iter().map(|(_, point, _)| jacobian(point)).collect();
    multiply(Arithmetic::best(), &mut points, &by.iter().collect::<Vec<_>>());
    let products = terms.iter().zip(points).map(|((wire, point, value), product)| {
        match product.z == Fq::ZERO {
            // Zero, or a case that the formulas do not cover.
            true => (*wire, *point * value),
            false => (*wire, projective(&product)),
        }
    });
    products.collect()
}

fn jacobian(point: &G1Affine) -> Jacobian<Fq> {
    Jacobian { x: point.x, y: point.y, z: Fq::one() }
}

fn projective(&Jacobian { x, y, z }: &Jacobian<Fq>) -> G1Projective {
    G1Projective { x, y, z }
}

/// The points of the odd places and the D, by formulas that do not hold for all points; `None` where
/// they did not.
fn quick(h: &[G1Affine], progress: &(dyn Fn(usize) + Sync)) -> Option<[Vec<G1Affine>; 2]> {
    let n = h.len() + 1;
    let arithmetic = Arithmetic::best();
    let domain = Radix2EvaluationDomain::<Fr>::new(2 * n).expect("the kernel made this domain");
    // The powers of 1/η that both transforms multiply with.
    let step = domain.group_gen_inv();
    let powers: Vec<Fr> =
        std::iter::successors(Some(Fr::one()), |power| Some(*power * step)).take(n).collect();
    let powers: Option<Vec<Multiplier>> =
        powers.par_iter().map(|power| Multiplier::new(*power)).collect();
    let powers = powers?;
    let by_2n = Multiplier::new(domain.size_inv())?;

    let generator = G1Affine::generator();
    let mut points: Vec<Jacobian<Fq>> = h.iter().chain([&generator]).map(jacobian).collect();
    points.par_chunks_mut(CHUNK).for_each(|points| {
        multiply(arithmetic, points, &vec![&by_2n; points.len()]);
    });
    // In the order in which a transform in place takes them.
    let bits = n.ilog2();
    for i in 0..n {
        let reversed = i.reverse_bits() >> (usize::BITS - bits);
        if i < reversed {
            points.swap(i, reversed);
        }
    }
    let mut odd = points.clone();
    let mut even = points;
    evaluate(arithmetic, &mut odd, 1, &powers, progress);
    evaluate(arithmetic, &mut even, 0, &powers, progress);
    let odd = affine(&odd)?.into_par_iter().map(|point| -point).collect();
    Some([odd, affine(&even)?])
}

/// The values of the polynomial with these coefficients, in bit-reversed order, at all
/// `η^-(2i + shift)`.
fn evaluate(
    arithmetic: Arithmetic,
    points: &mut [Jacobian<Fq>],
    shift: usize,
    powers: &[Multiplier],
    progress: &(dyn Fn(usize) + Sync),
) {
    let n = points.len();
    let levels = n.ilog2() as usize;
    let mut reported = 0;
    for level in 1..=levels {
        let length = 1 << level;
        let (blocks, half) = (n / length, length / 2);
        // Butterflies with the same power behind each other, since several are done at once.
        let place = |butterfly: usize| (butterfly % blocks) * length + butterfly / blocks;
        let power = |butterfly: usize| blocks * (2 * (butterfly / blocks) + shift);
        let done: Vec<[Vec<Jacobian<Fq>>; 2]> = (0..(n / 2).div_ceil(CHUNK))
            .into_par_iter()
            .map(|chunk| {
                let range = chunk * CHUNK..(n / 2).min((chunk + 1) * CHUNK);
                let mut left: Vec<_> = range.clone().map(|b| points[place(b)]).collect();
                let mut right: Vec<_> = range.clone().map(|b| points[place(b) + half]).collect();
                // The power 0 comes first and is one.
                let ones = range.clone().take_while(|b| power(*b) == 0).count();
                let by: Vec<&Multiplier> = range.skip(ones).map(|b| &powers[power(b)]).collect();
                multiply(arithmetic, &mut right[ones..], &by);
                sums_and_differences(arithmetic, &mut left, &mut right);
                [left, right]
            })
            .collect();
        for (chunk, [left, right]) in done.iter().enumerate() {
            for (i, (left, right)) in left.iter().zip(right).enumerate() {
                let at = place(chunk * CHUNK + i);
                (points[at], points[at + half]) = (*left, *right);
            }
        }
        let now = n * level / levels;
        progress(now - reported);
        reported = now;
    }
}

/// Affine points; `None` if one is at infinity.
fn affine(points: &[Jacobian<Fq>]) -> Option<Vec<G1Affine>> {
    if points.iter().any(|point| point.z == Fq::ZERO) {
        return None;
    }
    let points: Vec<G1Projective> = points.iter().map(projective).collect();
    Some(G1Projective::normalize_batch(&points))
}

/// As [`quick`], by the library's transforms, which hold for all points.
fn complete(h: &[G1Affine]) -> [Vec<G1Affine>; 2] {
    let n = h.len() + 1;
    let domain = Radix2EvaluationDomain::<Fr>::new(n).expect("the kernel made this domain");
    let double = Radix2EvaluationDomain::<Fr>::new(2 * n).expect("the kernel made this domain");
    let half = Fr::from(2u8).inverse().expect("two is not zero");
    let scaled = |factor: Fr, step: Fr| {
        let all = h.par_iter().copied().chain([G1Affine::generator()]);
        let mut points: Vec<G1Projective> =
            all.enumerate().map(|(k, point)| point * (factor * step.pow([k as u64]))).collect();
        domain.ifft_in_place(&mut points);
        G1Projective::normalize_batch(&points)
    };
    [scaled(-half, double.group_gen_inv()), scaled(half, Fr::one())]
}

#[cfg(test)]
mod tests {
    use ark_std::UniformRand;
    use ark_std::rand::SeedableRng;
    use ark_std::rand::rngs::StdRng;

    use super::*;

    #[test]
    fn quick_and_complete_transforms_agree() {
        let mut rng = StdRng::seed_from_u64(1);
        for n in [2, 4, 8, 64, 1024] {
            let h: Vec<_> = (1..n).map(|_| G1Affine::rand(&mut rng)).collect();
            assert_eq!(quick(&h, &|_| {}).unwrap(), complete(&h), "{n}");
        }
    }

    #[test]
    fn equal_opposite_and_related_points_are_transformed_too() {
        let mut rng = StdRng::seed_from_u64(2);
        let point = G1Affine::rand(&mut rng);
        let double = (point + point).into_affine();
        for h in [vec![point; 7], [point, -point, double].repeat(5)] {
            let found = transform(&h, &[], &Vec::new(), 0, &|_| {});
            assert_eq!(found.odd, complete(&h)[0]);
        }
        let values = [Fr::zero(), Fr::one(), -Fr::one(), Fr::from(7u8), Fr::rand(&mut rng)];
        let terms = values.map(|value| (3, point, value));
        for ((wire, found), value) in products(&terms).into_iter().zip(values) {
            assert_eq!((wire, found), (3, point * value));
        }
        // Exceptions are found, not only avoided.
        assert_eq!(quick(&[G1Affine::generator(); 7], &|_| {}), None);
    }
}
