//! Many proofs with one equation. Spec §11.7.
//!
//! With random 128-bit `r_i`, all proofs hold iff (except with probability 2^-128)
//! `Π e(r_i A_i, B_i) = e((Σ r_i) alpha, beta) · e(Σ r_i X_i, gamma) · e(Σ r_i C_i, delta)`
//! where `X_i` combines the key's public-input points. The coefficients must be unknown to whoever
//! made the proofs: errors that cancel in a plain sum would pass otherwise. On a mismatch every
//! proof is verified alone, so the answer never depends on the randomness and the cost of a
//! poisoned batch is bounded by that of no batching plus one equation.

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{CurveGroup, VariableBaseMSM};
use ark_ff::{One, Zero};
use placet_protocol::statement::{ProofBytes, Statement};
use rayon::prelude::*;

use crate::proof::Proof;
use crate::verify::{PreparedVerifyingKey, VerifyError};

/// Bytes of one coefficient.
pub const COEFFICIENT_BYTES: usize = 16;

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

/// Public inputs and proof, both checked for form.
type Item<S> = (Vec<Fr>, Proof<S>);

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
    let decoded: Vec<Result<Item<S>, VerifyError>> = items
        .par_iter()
        .map(|(public, bytes)| Ok((key.inputs(public)?, Proof::from_bytes(bytes)?)))
        .collect();
    let good: Vec<(&[Fr], &Points)> =
        decoded.iter().flatten().map(|(inputs, proof)| (&inputs[..], proof.points())).collect();
    let coefficients = draw(good.len(), randomness).map_err(BatchError::Randomness)?;
    let all_hold = good.is_empty() || combined_holds(&key.key, &good, &coefficients);

    let refused: Vec<(usize, VerifyError)> = decoded
        .par_iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let verdict = match item {
                Err(error) => Err(*error),
                Ok(_) if all_hold => Ok(()),
                Ok((inputs, proof)) => key.verify_inputs(inputs, proof),
            };
            verdict.err().map(|error| (index, error))
        })
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(BatchError::Refused(refused)) }
}

/// Whether every one of `items` is good. For those to whom one bad proof is reason enough to refuse
/// all: nothing is looked for after the one equation, and nothing at all is computed if a proof is
/// malformed. An empty batch is good.
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
    let decoded: Result<Vec<Item<S>>, VerifyError> = items
        .par_iter()
        .map(|(public, bytes)| Ok((key.inputs(public)?, Proof::from_bytes(bytes)?)))
        .collect();
    let Ok(decoded) = decoded else { return Ok(false) };
    if let [(inputs, proof)] = &decoded[..] {
        return Ok(key.verify_inputs(inputs, proof).is_ok());
    }
    let all: Vec<(&[Fr], &Points)> =
        decoded.iter().map(|(inputs, proof)| (&inputs[..], proof.points())).collect();
    let coefficients = draw(all.len(), randomness)?;
    Ok(all.is_empty() || combined_holds(&key.key, &all, &coefficients))
}

fn draw(count: usize, randomness: &mut impl RandomSource) -> Result<Vec<Fr>, getrandom::Error> {
    let mut bytes = vec![0u8; count * COEFFICIENT_BYTES];
    randomness.fill(&mut bytes)?;
    let coefficient = |chunk: &[u8]| {
        Fr::from(u128::from_le_bytes(chunk.try_into().expect("chunks are sixteen bytes")))
    };
    Ok(bytes.chunks_exact(COEFFICIENT_BYTES).map(coefficient).collect())
}

type Points = ark_groth16::Proof<Bn254>;

/// The one equation, written as a product of pairings that must be one. Not generic, so that it
/// is compiled here with this crate's optimisation.
fn combined_holds(
    key: &ark_groth16::PreparedVerifyingKey<Bn254>,
    items: &[(&[Fr], &Points)],
    coefficients: &[Fr],
) -> bool {
    let vk = &key.vk;
    let sum: Fr = coefficients.iter().sum();
    // Σ r_i X_i: one scalar per point of the key; entry 0 belongs to the constant one.
    let mut scalars = vec![Fr::zero(); vk.gamma_abc_g1.len()];
    scalars[0] = sum;
    for ((inputs, _), coefficient) in items.iter().zip(coefficients) {
        for (scalar, input) in scalars[1..].iter_mut().zip(*inputs) {
            *scalar += *coefficient * input;
        }
    }
    let c_points: Vec<G1Affine> = items.iter().map(|(_, proof)| proof.c).collect();
    let inputs_sum = msm(&vk.gamma_abc_g1, &scalars);
    let c_sum = msm(&c_points, coefficients);
    let scaled: Vec<G1Projective> = items
        .par_iter()
        .zip(coefficients)
        .map(|((_, proof), coefficient)| proof.a * coefficient)
        .collect();

    let mut left = G1Projective::normalize_batch(&scaled);
    let mut right: Vec<<Bn254 as Pairing>::G2Prepared> =
        items.par_iter().map(|(_, proof)| proof.b.into()).collect();
    left.extend([(-(vk.alpha_g1 * sum)).into_affine(), inputs_sum, c_sum]);
    right.extend([prepared(vk.beta_g2), key.gamma_g2_neg_pc.clone(), key.delta_g2_neg_pc.clone()]);
    Bn254::multi_pairing(left, right).0.is_one()
}

fn prepared(point: G2Affine) -> <Bn254 as Pairing>::G2Prepared {
    point.into()
}

fn msm(points: &[G1Affine], scalars: &[Fr]) -> G1Affine {
    G1Projective::msm(points, scalars).expect("one scalar per point").into_affine()
}
