//! Between `.zkey` and the proving keys that the Groth16 library takes. Spec §12.5.
//!
//! Both agree on the rows: constraints first, then one row `1·x_i` a public wire, in the smallest
//! power-of-two domain `{ω^i}`, `i < n`, that holds them. They differ in the query for the
//! quotient `h = (A B - C)/Z`, `Z = X^n - 1`. The library has `Q_j = τ^j Z(τ)/δ` for `j < n - 1`;
//! snarkjs has `H_i = L_i(τ)/δ`, where `L_i` is the Lagrange polynomial of the double domain at its
//! odd place `g_i = η ω^i`, `η² = ω`. `X^j Z` vanishes at all even places and is `-2 g_i^j` at the odd
//! ones, so for all `j < n`
//!
//! `Q_j = -2 η^j Σ_i ω^(ij) H_i`:
//!
//! a Fourier transform of points, and its inverse leads back. The library's key lacks `Q_(n-1)`.
//! Any value will do in its place: the quotient of a satisfying assignment has degree at most
//! `n - 2`, so its coefficient there is zero. We take infinity. Such a `.zkey` proves, but
//! `snarkjs zkey verify` cannot accept it: its `H_i` are not those of the powers of tau, and it
//! has no ceremony.

use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, One, Zero};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use placet_params::key::{ProvingPoints, VerifyingPoints};
use placet_params::transcript::CeremonyRecord;
use rayon::prelude::*;

use crate::r1cs::R1cs;
use crate::zkey::{Coefficient, MAX_DOMAIN, Matrix, Zkey};

/// Why a key cannot be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// Counts of key and circuit differ.
    #[error(
        "the key is for another circuit: it has {found} {what}, the circuit has {expected}; use the key of this circuit"
    )]
    Size {
        /// What was counted.
        what: &'static str,
        /// The circuit's number.
        expected: usize,
        /// The key's.
        found: usize,
    },
    /// The matrices in the key are not the circuit's.
    #[error(
        "the key is for another circuit: its matrices differ from the circuit's in row {row}; use the key of this circuit"
    )]
    Coefficients {
        /// The first row that differs.
        row: u32,
    },
    /// The circuit does not fit a key.
    #[error("the circuit has {rows} rows, keys have at most {MAX_DOMAIN}; this is another circuit")]
    TooLarge {
        /// Rows of the circuit.
        rows: usize,
    },
}

/// The entries of A and B that the key of a circuit carries, in the order in which snarkjs writes
/// them: per constraint A before B, then the copies of public wires.
pub fn coefficients(circuit: &R1cs) -> Vec<Coefficient> {
    let mut all = Vec::new();
    for row in 0..circuit.constraints() {
        for matrix in [Matrix::A, Matrix::B] {
            let entries = &circuit.matrices[matrix as usize][row];
            all.extend(entries.iter().map(|(value, column)| Coefficient {
                matrix,
                row: row as u32,
                column: *column as u32,
                value: *value,
            }));
        }
    }
    let first = circuit.constraints() as u32;
    all.extend((0..=circuit.public_inputs).map(|column| Coefficient {
        matrix: Matrix::A,
        row: first + column,
        column,
        value: Fr::one(),
    }));
    all
}

/// Rows of the evaluation domain of a circuit.
pub fn domain_size(circuit: &R1cs) -> Result<u32, ConvertError> {
    let rows = circuit.rows();
    // snarkjs has no domain of one row.
    let size = rows.max(2).checked_next_power_of_two();
    let size = size.and_then(|size| u32::try_from(size).ok()).filter(|size| *size <= MAX_DOMAIN);
    size.ok_or(ConvertError::TooLarge { rows })
}

/// Whether a key is for this circuit: sizes, and every entry of A and B, in whatever order. C is in
/// the points only; that they fit is known of a key whose ceremony was verified, or shown by a
/// proof that verifies.
pub fn check_circuit(key: &Zkey, circuit: &R1cs) -> Result<(), ConvertError> {
    let sizes = [
        ("public inputs", circuit.public_inputs, key.public_inputs),
        ("variables", circuit.variables, key.variables),
        ("rows in its domain", domain_size(circuit)?, key.domain_size),
    ];
    for (what, expected, found) in sizes {
        same(what, expected as usize, found as usize)?;
    }
    let expected = sorted(coefficients(circuit));
    let found = sorted(key.coefficients.clone());
    if expected == found {
        return Ok(());
    }
    let differs = expected.iter().zip(&found).find(|(expected, found)| expected != found);
    let row = match differs {
        Some((expected, found)) => expected.row.min(found.row),
        // One is a prefix of the other.
        None => {
            let longer = if expected.len() > found.len() { &expected } else { &found };
            longer[expected.len().min(found.len())].row
        }
    };
    Err(ConvertError::Coefficients { row })
}

/// By row, matrix and column; equal places merged, zeros dropped.
fn sorted(mut entries: Vec<Coefficient>) -> Vec<Coefficient> {
    entries.par_sort_unstable_by_key(|entry| (entry.row, entry.matrix, entry.column));
    entries.dedup_by(|later, kept| {
        let same = (later.row, later.matrix, later.column) == (kept.row, kept.matrix, kept.column);
        if same {
            kept.value += later.value;
        }
        same
    });
    entries.retain(|entry| !entry.value.is_zero());
    entries
}

fn same(what: &'static str, expected: usize, found: usize) -> Result<(), ConvertError> {
    if expected == found { Ok(()) } else { Err(ConvertError::Size { what, expected, found }) }
}

/// The points for the Groth16 library. The key's lengths fit each other, as [`Zkey::read`] made
/// sure of; ask [`check_circuit`] whether it is the right key. Some seconds for 2^15 rows.
///
/// # Panics
/// If `h` has no power of two of points.
pub fn key_from_zkey(zkey: &Zkey) -> ProvingPoints {
    ProvingPoints {
        vk: verifying_from_zkey(zkey),
        beta_g1: zkey.beta_g1,
        delta_g1: zkey.delta_g1,
        a_query: zkey.a.clone(),
        b_g1_query: zkey.b1.clone(),
        b_g2_query: zkey.b2.clone(),
        h_query: powers_from_lagrange(&zkey.h),
        l_query: zkey.c.clone(),
    }
}

/// The verifying part alone.
pub fn verifying_from_zkey(zkey: &Zkey) -> VerifyingPoints {
    VerifyingPoints {
        alpha_g1: zkey.alpha_g1,
        beta_g2: zkey.beta_g2,
        gamma_g2: zkey.gamma_g2,
        delta_g2: zkey.delta_g2,
        gamma_abc_g1: zkey.ic.clone(),
    }
}

/// A `.zkey` that proves the same, without a ceremony. Some seconds for 2^15 rows.
///
/// # Errors
/// Lengths of the key that are not those of the circuit.
pub fn zkey_from_key(key: &ProvingPoints, circuit: &R1cs) -> Result<Zkey, ConvertError> {
    let domain_size = domain_size(circuit)?;
    let variables = circuit.variables as usize;
    let public = circuit.public_inputs as usize;
    same("public inputs", public + 1, key.vk.gamma_abc_g1.len())?;
    same("points in query A", variables, key.a_query.len())?;
    same("points in query B", variables, key.b_g1_query.len())?;
    same("points in query B", variables, key.b_g2_query.len())?;
    same("points in query L", variables - public - 1, key.l_query.len())?;
    same("points in query H", domain_size as usize - 1, key.h_query.len())?;
    Ok(Zkey {
        public_inputs: circuit.public_inputs,
        variables: circuit.variables,
        domain_size,
        alpha_g1: key.vk.alpha_g1,
        beta_g1: key.beta_g1,
        beta_g2: key.vk.beta_g2,
        gamma_g2: key.vk.gamma_g2,
        delta_g1: key.delta_g1,
        delta_g2: key.vk.delta_g2,
        ic: key.vk.gamma_abc_g1.clone(),
        coefficients: coefficients(circuit),
        a: key.a_query.clone(),
        b1: key.b_g1_query.clone(),
        b2: key.b_g2_query.clone(),
        c: key.l_query.clone(),
        h: lagrange_from_powers(&key.h_query),
        ceremony: CeremonyRecord { circuit_hash: [0; 64], contributions: Vec::new() },
    })
}

type Domain = Radix2EvaluationDomain<Fr>;

/// The domain of `n` rows, and `η`: a square root of its generator.
fn domain(n: usize) -> (Domain, Fr) {
    let exists = "the field has roots of unity for every power of two up to 2^28";
    let domain = Domain::new(n).filter(|domain| domain.size() == n).expect(exists);
    let double = Domain::new(2 * n).expect(exists);
    (domain, double.group_gen())
}

/// Multiplies point `i` by `first·step^i`.
fn scale(points: &mut [G1Projective], first: Fr, step: Fr) {
    const RUN: usize = 256;
    points.par_chunks_mut(RUN).enumerate().for_each(|(chunk, points)| {
        let mut factor = first * step.pow([(chunk * RUN) as u64]);
        for point in points {
            *point *= factor;
            factor *= step;
        }
    });
}

fn powers_from_lagrange(h: &[G1Affine]) -> Vec<G1Affine> {
    let (domain, eta) = domain(h.len());
    let mut points: Vec<G1Projective> = h.iter().map(|point| point.into_group()).collect();
    domain.fft_in_place(&mut points);
    // The last is for a quotient of degree n - 1, which does not occur.
    points.pop();
    scale(&mut points, -Fr::from(2u8), eta);
    G1Projective::normalize_batch(&points)
}

fn lagrange_from_powers(powers: &[G1Affine]) -> Vec<G1Affine> {
    let (domain, eta) = domain(powers.len() + 1);
    let mut points: Vec<G1Projective> = powers.iter().map(|point| point.into_group()).collect();
    let invertible = "neither two nor a root of unity is zero";
    let first = -Fr::from(2u8).inverse().expect(invertible);
    scale(&mut points, first, eta.inverse().expect(invertible));
    points.push(G1Projective::zero());
    domain.ifft_in_place(&mut points);
    G1Projective::normalize_batch(&points)
}
