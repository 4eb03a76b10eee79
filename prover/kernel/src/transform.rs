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
//! satisfied quotient has degree at most `n - 2`. It is taken as the point at infinity. `c_i` is linear in
//! the wires, so the D end up in the query of the wires.

use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::{Field, Zero};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use rayon::prelude::*;

use crate::kernel::Matrix;

/// The points that replace a key's queries H and L.
#[derive(Clone, Debug)]
pub struct Transformed {
    /// One a place of the domain.
    pub odd: Vec<G1Affine>,
    /// One a wire, instance wires included; many of those are at infinity.
    pub wires: Vec<G1Affine>,
}

/// Transforms the queries `h` and `l` of a key. `c` has the rows of the matrix C, `instance` counts
/// the instance wires.
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
    let n = h.len() + 1;
    let domain = Radix2EvaluationDomain::<Fr>::new(n).expect("the kernel made this domain");
    let double = Radix2EvaluationDomain::<Fr>::new(2 * n).expect("the kernel made this domain");
    let half = Fr::from(2u8).inverse().expect("two is not zero");
    let scaled = |factor: Fr, step: Fr| {
        let mut points: Vec<G1Projective> = h
            .par_iter()
            .enumerate()
            .map(|(k, point)| *point * (factor * step.pow([k as u64])))
            .collect();
        points.push(G1Projective::zero());
        domain.ifft_in_place(&mut points);
        progress(n);
        G1Projective::normalize_batch(&points)
    };
    let odd = scaled(-half, double.group_gen_inv());
    let even = scaled(half, Fr::from(1u8));

    let zero = G1Projective::zero();
    let mut wires = vec![zero; instance];
    wires.extend(l.iter().map(|point| G1Projective::from(*point)));
    for (row, point) in c.iter().zip(&even) {
        for (value, wire) in row {
            // Most entries of C are one.
            if *value == Fr::from(1u8) {
                wires[*wire] += point;
            } else {
                wires[*wire] += *point * value;
            }
        }
    }
    Transformed { odd, wires: G1Projective::normalize_batch(&wires) }
}
