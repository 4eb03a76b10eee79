//! Many proofs with one equation. Spec §11.1.
//!
//! With coefficients `r_i` out of 2^128 (see `coefficients`), proofs of which one is bad satisfy
//! `Π e(r_i A_i, B_i) = e((Σ r_i) alpha, beta) · e(Σ r_i X_i, gamma) · e(Σ r_i C_i, delta)`,
//! where `X_i` combines the key's public-input points, with probability at most 2^-128; good ones
//! always do. The coefficients must be unknown while the proofs are made: errors that cancel in a
//! plain sum would pass otherwise. The Miller loop that this equation needs says whether every
//! `B_i` is in its subgroup; one that is not counts as a mismatch.
//!
//! On a mismatch the same equation is asked of parts of 16, with the same coefficients, and each
//! proof of a part that fails is verified alone. So one bad proof costs its part's honest proofs a
//! check alone, and all others a second equation; and no good proof is ever refused, whatever the
//! coefficients. A bad proof meets two equations at most, each of which it survives with
//! probability at most 2^-128.

use ark_bn254::{Fq12, Fr, G1Affine};
use ark_ec::CurveGroup;
use ark_ff::{One, Zero};
use placet_protocol::statement::{ProofBytes, Statement};
use rayon::prelude::*;

use crate::coefficients::{Coefficient, SEED_BYTES, derive, item_digest, scale_each, scaled_sum};
use crate::pairing::miller_loop;
use crate::points;
use crate::proof::Points;
use crate::tower::{final_exponentiation, mul12};
use crate::verify::{Equation, PreparedVerifyingKey, VerifyError};

/// Proofs that one Miller loop takes at most: their tables stay in a core's cache.
const CHUNK: usize = 256;
/// Proofs for which another core pays.
const SMALL_CHUNK: usize = 4;
/// Proofs of a failed batch that are combined again: few enough that one bad proof drags few
/// others along, enough that the equation's own three pairings do not count.
const PART: usize = 16;

/// Where the coefficients get what no prover can foresee.
pub trait RandomSource {
    /// Fills the buffer, of 32 bytes for a batch of two proofs or more, with bytes that no prover
    /// can foresee.
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

/// A proof in a batch, checked for form; B's subgroup is the equation's question.
struct Item {
    inputs: Vec<Fr>,
    points: Points,
    /// What the coefficients know of it.
    digest: [u8; 32],
}

impl Item {
    fn read<S: Statement>(
        key: &PreparedVerifyingKey<S>,
        (public, proof): &(&S::Public, ProofBytes),
    ) -> Result<Self, VerifyError> {
        let (inputs, points) = key.read(public, proof)?;
        let digest = item_digest(&inputs, proof);
        Ok(Self { inputs, points, digest })
    }

    /// The equation of this proof alone.
    fn check(&self, key: &Equation) -> Result<(), VerifyError> {
        key.check(&self.inputs, &self.points)
    }
}

/// Verifies all of `items`; names the bad ones, by index, in order. An empty batch is good. No
/// randomness is asked for unless two proofs or more are well-formed.
///
/// # Errors
/// [`BatchError::Refused`] with the bad ones; [`BatchError::Randomness`] if nothing was decided.
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
    let read: Vec<Result<Item, VerifyError>> =
        items.par_iter().map(|pair| Item::read(key, pair)).collect();
    let (mut well_formed, mut places, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (place, item) in read.iter().enumerate() {
        match item {
            Ok(item) => {
                well_formed.push(item);
                places.push(place);
            }
            Err(error) => refused.push((place, *error)),
        }
    }
    let bad = match &well_formed[..] {
        [] => Vec::new(),
        [one] => one.check(&key.equation).err().map(|error| (0, error)).into_iter().collect(),
        several => {
            let coefficients =
                draw(&key.hash, several, randomness).map_err(BatchError::Randomness)?;
            find_bad(&key.equation, several, &coefficients)
        }
    };
    refused.extend(bad.into_iter().map(|(index, error)| (places[index], error)));
    refused.sort_unstable_by_key(|(place, _)| *place);
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
    let read: Result<Vec<Item>, VerifyError> =
        items.par_iter().map(|pair| Item::read(key, pair)).collect();
    let Ok(read) = read else { return Ok(false) };
    let all: Vec<&Item> = read.iter().collect();
    match &all[..] {
        [] => Ok(true),
        [one] => Ok(one.check(&key.equation).is_ok()),
        several => {
            let coefficients = draw(&key.hash, several, randomness)?;
            Ok(combined_holds(&key.equation, several, &coefficients, for_each_core(several.len())))
        }
    }
}

fn draw(
    key: &[u8; 32],
    items: &[&Item],
    randomness: &mut impl RandomSource,
) -> Result<Vec<Coefficient>, getrandom::Error> {
    let mut seed = [0u8; SEED_BYTES];
    randomness.fill(&mut seed)?;
    let digests: Vec<[u8; 32]> = items.iter().map(|item| item.digest).collect();
    Ok(derive(&seed, key, &digests))
}

/// How many of `count` proofs one Miller loop takes so that every core has one.
fn for_each_core(count: usize) -> usize {
    count.div_ceil(rayon::current_num_threads()).clamp(SMALL_CHUNK, CHUNK)
}

/// The bad ones of several proofs, by index, in order.
fn find_bad(
    key: &Equation,
    items: &[&Item],
    coefficients: &[Coefficient],
) -> Vec<(usize, VerifyError)> {
    if combined_holds(key, items, coefficients, for_each_core(items.len())) {
        return Vec::new();
    }
    let alone = |index: usize| items[index].check(key).err().map(|error| (index, error));
    suspects(key, items, coefficients).into_par_iter().filter_map(alone).collect()
}

/// Of proofs that do not hold together, the indices of those in parts that do not either, in order.
fn suspects(key: &Equation, items: &[&Item], coefficients: &[Coefficient]) -> Vec<usize> {
    let indices: Vec<usize> = (0..items.len()).collect();
    if items.len() <= PART {
        return indices; // this part has failed already
    }
    // The parts are spread over the cores, so each has one Miller loop only.
    let clear = |part: &[usize]| {
        let range = part[0]..part[0] + part.len();
        part.len() > 1 && combined_holds(key, &items[range.clone()], &coefficients[range], PART)
    };
    indices.par_chunks(PART).filter(|part| !clear(part)).flatten_iter().copied().collect()
}

/// The one equation, written as a product of pairings that must be one, and with it that every B
/// is in its subgroup. A Miller loop, whose squarings serve all its proofs, takes `size` of them.
fn combined_holds(
    key: &Equation,
    items: &[&Item],
    coefficients: &[Coefficient],
    size: usize,
) -> bool {
    // Σ r_i x_ij: one scalar per input point of the key, and Σ r_i for the point of the constant.
    let values: Vec<Fr> = coefficients.iter().map(Coefficient::value).collect();
    let total: Fr = values.iter().sum();
    let mut scalars = vec![Fr::zero(); key.inputs.len()];
    for (item, value) in items.iter().zip(&values) {
        for (scalar, input) in scalars.iter_mut().zip(&item.inputs) {
            *scalar += *value * input;
        }
    }
    let inputs_sum = key.inputs.sum_without_constant(&scalars) + key.inputs.constant() * total;

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
    let a_points: Vec<G1Affine> = items.iter().map(|item| item.points.a).collect();
    let c_points: Vec<G1Affine> = items.iter().map(|item| item.points.c).collect();
    let a_scaled = scale_each(&a_points, coefficients);
    let b_points = items.iter().map(|item| item.points.b);
    let pairs: Vec<_> = a_scaled.into_iter().zip(b_points).collect();
    Some((miller_loop(&pairs, &[])?, scaled_sum(&c_points, coefficients)))
}

#[cfg(test)]
#[path = "../tests/support/simulated.rs"]
mod simulated;

#[cfg(test)]
mod tests {
    use ark_bn254::{G2Affine, g2};
    use ark_ec::{AffineRepr, CurveConfig};
    use ark_ff::{PrimeField, UniformRand};
    use ark_std::test_rng;

    use super::simulated::{Bare, INPUTS, Simulator, encode};
    use super::*;
    use crate::proof::OUTSIDE;

    type Claim = (Vec<Fr>, ark_groth16::Proof<ark_bn254::Bn254>);

    fn claims(count: usize) -> (Simulator, Vec<Claim>) {
        let mut rng = test_rng();
        let simulator = Simulator::new(&mut rng);
        let claims = (0..count)
            .map(|_| {
                let inputs: Vec<Fr> = (0..INPUTS).map(|_| Fr::rand(&mut rng)).collect();
                let proof = simulator.prove(&inputs, &mut rng);
                (inputs, proof)
            })
            .collect();
        (simulator, claims)
    }

    fn read(simulator: &Simulator, claims: &[Claim]) -> Vec<Item> {
        let read = |(inputs, proof): &Claim| {
            Item::read::<Bare>(&simulator.key, &(inputs, encode(proof))).unwrap()
        };
        claims.iter().map(read).collect()
    }

    /// Coefficients that are all the same: every byte of each is `byte`.
    fn constant(byte: u8, count: usize) -> Vec<Coefficient> {
        (0..count).map(|_| Coefficient::from_bytes(&[byte; 16])).collect()
    }

    /// With coefficients that are known.
    fn bad(simulator: &Simulator, claims: &[Claim], byte: u8) -> Vec<(usize, VerifyError)> {
        let items = read(simulator, claims);
        let items: Vec<&Item> = items.iter().collect();
        find_bad(&simulator.key.equation, &items, &constant(byte, items.len()))
    }

    /// Every digit one: a plain sum.
    const ONES: u8 = 0x99;

    #[test]
    fn coefficients_that_are_zero_or_equal_refuse_no_good_proof() {
        let (simulator, claims) = claims(1);
        // 0x88 makes every coefficient zero; one proof again and again meets itself in every sum.
        for count in [2, 3, 20] {
            let claims = vec![claims[0].clone(); count];
            for byte in [0x00, 0x77, 0x78, 0x87, 0x88, 0x89, 0x98, ONES, 0xff] {
                assert_eq!(bad(&simulator, &claims, byte), [], "{byte:x}");
            }
        }
    }

    #[test]
    fn errors_that_cancel_pass_a_plain_sum_but_not_a_derived_combination() {
        let (simulator, mut claims) = claims(18);
        let shift = G1Affine::generator();
        for (place, shift) in [(4, shift), (17, -shift)] {
            let c = &mut claims[place].1.c;
            *c = (*c + shift).into_affine();
        }
        assert_eq!(bad(&simulator, &claims, ONES), [], "the attack is real");
        let items: Vec<_> = claims.iter().map(|(inputs, proof)| (inputs, encode(proof))).collect();
        // A generator that repeats itself, or gives nothing at all, still leaves it hopeless.
        for byte in [0x00, 0x88, ONES] {
            let verdict = verify_batch(&simulator.key, &items, &mut Stuck(byte));
            let expected = [4, 17].map(|place| (place, VerifyError::Invalid));
            assert_eq!(verdict, Err(BatchError::Refused(expected.into())));
        }
    }

    struct Stuck(u8);

    impl RandomSource for Stuck {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn components_outside_of_the_subgroup_that_cancel_are_named_with_any_coefficients() {
        let (simulator, mut claims) = claims(9);
        let mut rng = test_rng();
        let stray = std::iter::repeat_with(|| ark_bn254::Fq2::rand(&mut rng))
            .filter_map(|x| G2Affine::get_point_from_x_unchecked(x, true))
            .map(|point| point.mul_bigint(Fr::MODULUS).into_affine())
            .find(|point| !point.is_zero())
            .unwrap();
        assert!(stray.mul_bigint(g2::Config::COFACTOR).into_affine().is_zero());
        // In two proofs with one A.
        claims[2] = claims[1].clone();
        for (place, stray) in [(1, stray), (2, -stray)] {
            let b = &mut claims[place].1.b;
            *b = (*b + stray).into_affine();
        }
        let expected = [1, 2].map(|place| (place, VerifyError::from(OUTSIDE)));
        for byte in [0x00, 0x11, 0x88, 0x89, ONES] {
            assert_eq!(bad(&simulator, &claims, byte), expected, "{byte:x}");
        }
    }

    #[test]
    fn only_the_parts_that_fail_are_gone_through_one_by_one() {
        let (simulator, good) = claims(4);
        let suspects_of = |count: usize, broken: &[usize]| {
            let mut claims: Vec<Claim> = good.iter().cycle().take(count).cloned().collect();
            for place in broken {
                claims[*place].0[0] += Fr::from(1);
            }
            let items = read(&simulator, &claims);
            let items: Vec<&Item> = items.iter().collect();
            let digests: Vec<_> = items.iter().map(|item| item.digest).collect();
            let coefficients = derive(&[5; SEED_BYTES], &simulator.key.hash, &digests);
            suspects(&simulator.key.equation, &items, &coefficients)
        };
        let range = |range: std::ops::Range<usize>| range.collect::<Vec<_>>();
        assert_eq!(suspects_of(40, &[0]), range(0..16));
        assert_eq!(suspects_of(40, &[16]), range(16..32));
        assert_eq!(suspects_of(40, &[39]), range(32..40));
        assert_eq!(suspects_of(40, &[15, 33]), [range(0..16), range(32..40)].concat());
        assert_eq!(suspects_of(16, &[3]), range(0..16));
        // A rest of one needs no equation to be looked at alone.
        assert_eq!(suspects_of(33, &[20]), [range(16..32), range(32..33)].concat());
    }
}
