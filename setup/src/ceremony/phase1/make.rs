//! Makes local powers of tau, in snarkjs's format. One contributor at a time holds all powers in
//! memory, some 450 bytes a row.

use std::io::{Read, Seek, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use ark_bn254::{Fq, Fr, G1Affine, G2Affine, g1, g2};
use ark_ec::scalar_mul::glv::GLVConfig;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, One, PrimeField, Zero};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use placet_params::transcript::sampling::Sampler;
use placet_params::transcript::{ChainError, encoding};
use placet_snarkjs::points::Coordinate;
use placet_snarkjs::ptau::record::partial::PartialHash;
use placet_snarkjs::ptau::record::{self, KnowledgeProof, Phase1Contribution, Phase1Kind};
use placet_snarkjs::ptau::{
    self, PREPARED_SECTIONS, Part, Ptau, PtauError, RAW_SECTIONS, write_points,
};
use rayon::prelude::*;

use super::super::contribute::{self, Beacon, ContributeError, Entropy, Factor};
use super::super::{Stage, Watch, tell};
use super::check::{PIECE, first_challenge};

/// Most rows a local ceremony is made for: larger ones exist, publicly.
pub const MAX_POWER: u8 = 20;

/// Why no powers of tau were made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The file.
    #[error(transparent)]
    Ptau(#[from] PtauError),
    /// Writing.
    #[error("the .ptau file cannot be written: {0}; check permissions and free space")]
    Io(#[from] std::io::Error),
    /// A size that is not made.
    #[error(
        "powers are made for 2^1 to 2^{MAX_POWER} rows, not 2^{power}; take a public file for more"
    )]
    Power {
        /// What was asked for.
        power: u8,
    },
    /// A file that was cut from a larger one.
    #[error(
        "the .ptau file was cut from a larger ceremony (2^{ceremony_power}); contribute to the whole one"
    )]
    Cut {
        /// The power of the whole.
        ceremony_power: u8,
    },
    /// A beacon has closed it.
    #[error("phase 1 is closed by a beacon; nothing can be added, start a new one")]
    Closed,
    /// Name or beacon.
    #[error(transparent)]
    Contribute(#[from] ContributeError),
}

/// Writes powers of one: what the first contributor starts from.
pub fn fresh<W: Write>(power: u8, out: W) -> Result<W, MakeError> {
    if !(1..=MAX_POWER).contains(&power) {
        return Err(MakeError::Power { power });
    }
    let mut file = ptau::begin(out, power, RAW_SECTIONS)?;
    for part in Part::POWERS {
        file.begin(part.section(), part.bytes(power))?;
        let mut left = part.points(power);
        while left > 0 {
            let count = left.min(PIECE) as usize;
            if part.in_g2() {
                write_points(&mut file, &vec![G2Affine::generator(); count])?;
            } else {
                write_points(&mut file, &vec![G1Affine::generator(); count])?;
            }
            left -= count as u64;
        }
    }
    file.section(7, &record::encode(&[]))?;
    Ok(file.finish()?)
}

/// What a step of phase 1 is drawn from.
pub enum Source {
    /// A participant's secret.
    Participant(Entropy),
    /// A public value.
    Beacon(Beacon),
}

/// Writes the powers of the product of tau, alpha and beta with the contributor's own. Returns the
/// hash that the contributor publishes. Lagrange values have to be prepared again behind it.
pub fn contribute<R: Read + Seek, W: Write>(
    input: &mut Ptau<R>,
    out: W,
    name: &str,
    source: &Source,
    watch: Watch<'_>,
) -> Result<(W, [u8; 64]), MakeError> {
    let name = contribute::checked_name(name)?;
    let power = input.power();
    if power != input.ceremony_power() {
        return Err(MakeError::Cut { ceremony_power: input.ceremony_power() });
    }
    if power > MAX_POWER {
        return Err(MakeError::Power { power });
    }
    let mut contributions = input.contributions()?;
    let challenge = match contributions.last() {
        Some(Phase1Contribution { kind: Phase1Kind::Beacon { .. }, .. }) => {
            return Err(MakeError::Closed);
        }
        Some(last) => last.next_challenge,
        None if matches!(source, Source::Beacon(_)) => {
            return Err(ContributeError::from(ChainError::NoParticipant).into());
        }
        None => first_challenge(power, watch),
    };
    let (mut sampler, kind) = match source {
        Source::Participant(entropy) => (entropy.sampler(), Phase1Kind::Participant),
        Source::Beacon(beacon) => (
            Sampler::from_beacon(beacon.value(), beacon.exponent()),
            Phase1Kind::Beacon { hash: beacon.value().to_vec(), iterations_exp: beacon.exponent() },
        ),
    };
    let factors: [Factor; 3] = std::array::from_fn(|_| Factor::draw(&mut sampler));
    let proofs = [0, 1, 2].map(|which: usize| {
        let g1_s = sampler.g1();
        let g1_sx = (g1_s * factors[which].0).into_affine();
        let base = KnowledgeProof::base(which as u8, &challenge, &g1_s, &g1_sx);
        KnowledgeProof { g1_s, g1_sx, g2_spx: (base * factors[which].0).into_affine() }
    });
    let [tau, alpha, beta] = &factors;

    let all: usize = Part::POWERS.iter().map(|part| part.points(power) as usize).sum();
    let done = AtomicUsize::new(0);
    let count = |points: usize| {
        let before = done.fetch_add(points, Ordering::Relaxed);
        tell(watch, Stage::Apply, before + points, all);
    };
    let mut file = ptau::begin(out, power, RAW_SECTIONS)?;
    let mut response = PartialHash::default();
    response.update(&challenge);
    let mut powers_g1 = Vec::new();
    let one = Factor(Fr::one());
    let mut tau_g2 = Vec::new();
    for (part, first) in Part::POWERS.into_iter().zip([&one, &one, alpha, beta, beta]) {
        file.begin(part.section(), part.bytes(power))?;
        if part.in_g2() {
            let mut points = input.g2(part, 0, part.points(power))?;
            multiply::<g2::Config>(&mut points, &first.0, &tau.0, &count);
            write_points(&mut file, &points)?;
            points.iter().for_each(|point| response.update(&compressed_g2(point)));
            tau_g2.push(points);
        } else {
            let mut points = input.g1(part, 0, part.points(power))?;
            multiply::<g1::Config>(&mut points, &first.0, &tau.0, &count);
            write_points(&mut file, &points)?;
            points.iter().for_each(|point| response.update(&compressed_g1(point)));
            powers_g1.push(points);
        }
    }
    let mut contribution = Phase1Contribution {
        tau_g1: powers_g1[0][1],
        tau_g2: tau_g2[0][1],
        alpha_g1: powers_g1[1][0],
        beta_g1: powers_g1[2][0],
        beta_g2: tau_g2[1][0],
        proofs,
        partial: response,
        next_challenge: [0; 64],
        kind,
        name,
    };
    let hash = contribution.response_hash();
    let mut next = PartialHash::default();
    next.update(&hash);
    powers_g1[0].iter().for_each(|point| next.update(&encoding::g1(point)));
    tau_g2[0].iter().for_each(|point| next.update(&encoding::g2(point)));
    powers_g1[1..].iter().flatten().for_each(|point| next.update(&encoding::g1(point)));
    next.update(&encoding::g2(&contribution.beta_g2));
    contribution.next_challenge = next.finalize();
    contributions.push(contribution);
    file.section(7, &record::encode(&contributions))?;
    Ok((file.finish()?, hash))
}

/// Point number i times `first · ratio^i`, in place and in parallel.
fn multiply<C: GLVConfig<ScalarField = Fr>>(
    points: &mut [Affine<C>],
    first: &Fr,
    ratio: &Fr,
    count: &(dyn Fn(usize) + Sync),
) {
    const CHUNK: usize = 512;
    points.par_chunks_mut(CHUNK).enumerate().for_each(|(number, chunk)| {
        let mut factor = Factor(*first * ratio.pow([(number * CHUNK) as u64]));
        let scaled: Vec<Projective<C>> = chunk
            .iter()
            .map(|point| {
                let scaled = GLVConfig::glv_mul_projective(point.into_group(), factor.0);
                factor.0 *= ratio;
                scaled
            })
            .collect();
        chunk.copy_from_slice(&Projective::normalize_batch(&scaled));
        count(chunk.len());
    });
}

/// x with the sign of y in the highest bit, big-endian.
fn compressed_g1(point: &G1Affine) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(&encoding::g1(point)[..32]);
    if upper_half(&point.y) {
        out[0] |= 0x80;
    }
    out
}

/// As [`compressed_g1`]; the sign is that of the second component, or of the first if that is zero.
fn compressed_g2(point: &G2Affine) -> [u8; 64] {
    let mut out = [0; 64];
    out.copy_from_slice(&encoding::g2(point)[..64]);
    if upper_half(if point.y.c1.is_zero() { &point.y.c0 } else { &point.y.c1 }) {
        out[0] |= 0x80;
    }
    out
}

fn upper_half(value: &Fq) -> bool {
    value.into_bigint() > Fq::MODULUS_MINUS_ONE_DIV_TWO
}

/// Writes the same powers with the Lagrange values of every domain: what phase 2 starts from.
pub fn prepare<R: Read + Seek, W: Write>(
    input: &mut Ptau<R>,
    out: W,
    watch: Watch<'_>,
) -> Result<W, MakeError> {
    let power = input.power();
    if power != input.ceremony_power() {
        return Err(MakeError::Cut { ceremony_power: input.ceremony_power() });
    }
    if power > MAX_POWER {
        return Err(MakeError::Power { power });
    }
    let contributions = input.contributions()?;
    let mut file = ptau::begin(out, power, PREPARED_SECTIONS)?;
    for part in Part::POWERS {
        input.copy(part, &mut file)?;
    }
    file.section(7, &record::encode(&contributions))?;
    // Work is counted in butterflies, those in G2 as three.
    let layers = |part: Part| {
        let largest = if part == Part::LagrangeG1 { power + 1 } else { power };
        (0..=largest).map(|power| usize::from(power) << power).sum::<usize>()
            * if part.in_g2() { 3 } else { 1 }
    };
    let all = Part::LAGRANGE.iter().map(|(part, _)| layers(*part)).sum();
    let done = AtomicUsize::new(0);
    let count = |work: usize| {
        let before = done.fetch_add(work, Ordering::Relaxed);
        tell(watch, Stage::Lagrange, before + work, all);
    };
    for (part, powers) in Part::LAGRANGE {
        file.begin(part.section(), part.bytes(power))?;
        let largest = if part == Part::LagrangeG1 { power + 1 } else { power };
        for small in 0..=largest {
            // The highest power of the double domain is not there; snarkjs takes zero for it.
            let there = (1u64 << small).min(powers.points(power));
            if part.in_g2() {
                let points = input.g2(powers, 0, there)?;
                write_points(
                    &mut file,
                    &lagrange::<g2::Config>(&points, small, &|n| count(3 * n)),
                )?;
            } else {
                let points = input.g1(powers, 0, there)?;
                write_points(&mut file, &lagrange::<g1::Config>(&points, small, &count))?;
            }
        }
    }
    Ok(file.finish()?)
}

/// The inverse transform of points: values of the Lagrange polynomials at tau from powers of tau.
/// Missing points count as infinity.
fn lagrange<C: SWCurveConfig<ScalarField = Fr> + GLVConfig>(
    powers: &[Affine<C>],
    power: u8,
    count: &(dyn Fn(usize) + Sync),
) -> Vec<Affine<C>>
where
    C::BaseField: Coordinate,
{
    let rows = 1usize << power;
    let domain = Radix2EvaluationDomain::<Fr>::new(rows).expect("powers of two have a domain");
    let root = domain.group_gen_inv();
    let mut values: Vec<Projective<C>> = (0..rows)
        .map(|i| {
            let from =
                if power == 0 { i } else { i.reverse_bits() >> (usize::BITS - u32::from(power)) };
            powers.get(from).map_or_else(Projective::zero, |point| point.into_group())
        })
        .collect();
    for layer in 1..=power {
        let half = 1usize << (layer - 1);
        let step = root.pow([(rows >> layer) as u64]);
        let mut roots = vec![Fr::one(); half];
        for i in 1..half {
            roots[i] = roots[i - 1] * step;
        }
        // The last layer divides by the number of rows, too.
        let scale = (layer == power).then(|| domain.size_inv());
        values.par_chunks_mut(2 * half).for_each(|block| {
            let (low, high) = block.split_at_mut(half);
            let butterfly =
                |((low, high), root): ((&mut Projective<C>, &mut Projective<C>), &Fr)| {
                    let mut root = *root;
                    if let Some(scale) = scale {
                        root *= scale;
                        *low = GLVConfig::glv_mul_projective(*low, scale);
                    }
                    let turned = if root.is_one() {
                        *high
                    } else {
                        GLVConfig::glv_mul_projective(*high, root)
                    };
                    *high = *low - turned;
                    *low += turned;
                };
            low.par_iter_mut().zip(high).zip(&roots).with_min_len(64).for_each(butterfly);
            count(2 * half);
        });
    }
    Projective::normalize_batch(&values)
}
