//! Many proofs with one equation. Spec §11.1.
//!
//! With random `r_i` out of 2^128 (see `coefficients`), all proofs hold iff, except with probability
//! 2^-128,
//! `Π e(r_i A_i, B_i) = e((Σ r_i) alpha, beta) · e(Σ r_i X_i, gamma) · e(Σ r_i C_i, delta)`
//! where `X_i` combines the key's public-input points. The coefficients must be unknown to whoever
//! made the proofs: errors that cancel in a plain sum would pass otherwise. On a mismatch every
//! proof is verified alone, so the answer never depends on the randomness and the cost of a
//! poisoned batch is bounded by that of no batching plus one equation. The Miller loop that this
//! equation needs says whether every `B_i` is in its subgroup; one that is not counts as a mismatch.

use ark_bn254::{Fq12, Fr, G1Affine};
use ark_ec::CurveGroup;
use ark_ff::{One, Zero};
use placet_protocol::statement::{ProofBytes, Statement};
use rayon::prelude::*;

use crate::coefficients::{COEFFICIENT_BYTES, Coefficient, scale_each, scaled_sum};
use crate::pairing::miller_loop;
use crate::points;
use crate::proof::{Points, decode};
use crate::tower::{final_exponentiation, mul12};
use crate::verify::{Equation, PreparedVerifyingKey, VerifyError};

/// Proofs that one Miller loop takes at most: their tables stay in a core's cache.
const CHUNK: usize = 256;
/// Proofs for which another core pays.
const SMALL_CHUNK: usize = 4;

/// Where the coefficients come from.
pub trait RandomSource {
    /// Fills the buffer with bytes that no prover can foresee.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), getrandom::Error>;
}

/// The operating system's randomness: what production uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsCoefficients;

impl RandomSource for OsCoefficients {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        getrandom::fill(bytes)
    }
}

/// Why a batch is not accepted as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// These proofs are bad; all others of the batch are good.
    #[error("{} of the proofs in the batch do not verify; refuse those and keep the others", .0.len())]
    Refused(Vec<(usize, VerifyError)>),
    /// The operating system gave no randomness: nothing was decided.
    #[error("no randomness from the operating system: {0}; try again")]
    Randomness(getrandom::Error),
}

/// Public inputs and proof, both checked for form; B's subgroup is the equation's question.
type Item = (Vec<Fr>, Points);

fn item<S: Statement>(
    key: &PreparedVerifyingKey<S>,
    (public, proof): &(&S::Public, ProofBytes),
) -> Result<Item, VerifyError> {
    Ok((key.inputs(public)?, decode(proof)?))
}

/// Verifies all of `items`; names the bad ones, by index, in order. An empty batch is good.
pub fn verify_batch<S>(
    key: &PreparedVerifyingKey<S>,
    items: &[(&S::Public, ProofBytes)],
    randomness: &mut impl RandomSource,
) -> Result<(), BatchError>
where
    S: Statement,
    S::Public: Sync,
{
    // What is malformed is named now and takes no part in the equation.
    let decoded: Vec<Result<Item, VerifyError>> =
        items.par_iter().map(|pair| item(key, pair)).collect();
    let good: Vec<&Item> = decoded.iter().flatten().collect();
    let coefficients = draw(good.len(), randomness).map_err(BatchError::Randomness)?;
    let all_hold = combined_holds(&key.equation, &good, &coefficients);

    let refused: Vec<(usize, VerifyError)> = decoded
        .par_iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let verdict = match item {
                Err(error) => Err(*error),
                Ok(_) if all_hold => Ok(()),
                Ok((inputs, points)) => key.equation.check(inputs, points),
            };
            verdict.err().map(|error| (index, error))
        })
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(BatchError::Refused(refused)) }
}

/// Whether every one of `items` is good. For those to whom one bad proof is reason enough to refuse
/// all: nothing is looked for after the one equation, and the equation is not computed if a proof is
/// malformed, unless it is so by a B outside of its subgroup. An empty batch is good.
///
/// # Errors
/// The operating system's, if it gave no randomness: nothing was decided.
pub fn all_good<S>(
    key: &PreparedVerifyingKey<S>,
    items: &[(&S::Public, ProofBytes)],
    randomness: &mut impl RandomSource,
) -> Result<bool, getrandom::Error>
where
    S: Statement,
    S::Public: Sync,
{
    // Stops at the first that is malformed.
    let decoded: Result<Vec<Item>, VerifyError> =
        items.par_iter().map(|pair| item(key, pair)).collect();
    let Ok(decoded) = decoded else { return Ok(false) };
    if let [(inputs, points)] = &decoded[..] {
        return Ok(key.equation.check(inputs, points).is_ok());
    }
    let all: Vec<&Item> = decoded.iter().collect();
    let coefficients = draw(all.len(), randomness)?;
    Ok(combined_holds(&key.equation, &all, &coefficients))
}

fn draw(
    count: usize,
    randomness: &mut impl RandomSource,
) -> Result<Vec<Coefficient>, getrandom::Error> {
    let mut bytes = vec![0u8; count * COEFFICIENT_BYTES];
    randomness.fill(&mut bytes)?;
    let (chunks, _) = bytes.as_chunks::<COEFFICIENT_BYTES>();
    Ok(chunks.iter().map(Coefficient::from_random).collect())
}

/// The one equation, written as a product of pairings that must be one, and with it that every B
/// is in its subgroup.
fn combined_holds(key: &Equation, items: &[&Item], coefficients: &[Coefficient]) -> bool {
    if items.is_empty() {
        return true;
    }
    // Σ r_i x_ij: one scalar per input point of the key, and Σ r_i for the point of the constant.
    let values: Vec<Fr> = coefficients.iter().map(Coefficient::value).collect();
    let total: Fr = values.iter().sum();
    let mut scalars = vec![Fr::zero(); key.inputs.len()];
    for ((inputs, _), value) in items.iter().zip(&values) {
        for (scalar, input) in scalars.iter_mut().zip(inputs) {
            *scalar += *value * input;
        }
    }
    let inputs_sum = key.inputs.sum_without_constant(&scalars) + key.inputs.constant() * total;

    // A Miller loop for each core: its squarings serve all its proofs.
    let size = items.len().div_ceil(rayon::current_num_threads()).clamp(SMALL_CHUNK, CHUNK);
    let parts: Option<Vec<(Fq12, G1Affine)>> = items
        .par_chunks(size)
        .zip(coefficients.par_chunks(size))
        .map(|(items, coefficients)| part(items, coefficients))
        .collect();
    let Some(parts) = parts else { return false };
    let c_sum = points::sum(parts.iter().map(|(_, c_sum)| *c_sum).collect());
    let fixed = [
        ((-(key.alpha * total)).into_affine(), &key.beta),
        (inputs_sum.into_affine(), &key.minus_gamma),
        (c_sum, &key.minus_delta),
    ];
    let right = miller_loop(&[], &fixed).expect("no point came with a proof");
    let product = parts.iter().fold(right, |product, (left, _)| mul12(&product, left));
    final_exponentiation(&product).is_some_and(|value| value.is_one())
}

/// `Π e(r_i A_i, B_i)` before the final exponentiation, and `Σ r_i C_i`; nothing if a B is outside
/// of its subgroup.
fn part(items: &[&Item], coefficients: &[Coefficient]) -> Option<(Fq12, G1Affine)> {
    let a_points: Vec<G1Affine> = items.iter().map(|(_, points)| points.a).collect();
    let c_points: Vec<G1Affine> = items.iter().map(|(_, points)| points.c).collect();
    let a_scaled = scale_each(&a_points, coefficients);
    let b_points = items.iter().map(|(_, points)| points.b);
    let pairs: Vec<_> = a_scaled.into_iter().zip(b_points).collect();
    Some((miller_loop(&pairs, &[])?, scaled_sum(&c_points, coefficients)))
}
