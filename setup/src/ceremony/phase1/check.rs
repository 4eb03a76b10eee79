//! The full check of a `.ptau` file that is not a published one. Every section is read once, in
//! pieces; memory is bounded by the largest Lagrange domain, some 400 bytes a row.

use std::io::{Read, Seek};

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective, g1, g2};
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, FftField, Field, Zero};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use placet_params::transcript::chain::MAX_CHECKED_EXPONENT;
use placet_params::transcript::encoding;
use placet_params::transcript::sampling::Sampler;
use placet_params::transcript::{same_logarithm, same_ratio};
use placet_snarkjs::ptau::record::partial::PartialHash;
use placet_snarkjs::ptau::record::{KnowledgeProof, Phase1Contribution, Phase1Kind};
use placet_snarkjs::ptau::{Part, Ptau, PtauError};
use zeroize::Zeroize;

use super::super::combine::{self, Weights};
use super::super::{Stage, Watch, tell};

/// Rows of the public ceremony that the published files were cut from, as a power of two.
const PUBLIC_POWER: u8 = 28;
/// [`first_challenge`] of that power.
const PUBLIC_FIRST_CHALLENGE: [u8; 64] = [
    0x93, 0xda, 0x91, 0x92, 0x0d, 0x5a, 0x54, 0xa8, 0xa0, 0xfd, 0xe5, 0x5c, 0xd9, 0xdc, 0x3a, 0x10,
    0xc4, 0xf3, 0xee, 0xf7, 0x68, 0xb6, 0x2c, 0x09, 0x48, 0x74, 0x13, 0x70, 0x86, 0x42, 0x54, 0xb4,
    0xc1, 0x92, 0x0f, 0x3f, 0x29, 0xd4, 0xeb, 0xc0, 0xef, 0x3a, 0xce, 0xcf, 0x2e, 0x2d, 0xb6, 0x3a,
    0x75, 0x57, 0x13, 0xd7, 0x7e, 0x1e, 0xd7, 0x73, 0x47, 0xa5, 0x6f, 0xbc, 0x31, 0x7c, 0x7a, 0x93,
];
/// Other files may be cut from ceremonies of up to this power: 1.6 GB are hashed for it.
const MAX_CUT_POWER: u8 = 22;
/// Points read at once.
pub(super) const PIECE: u64 = 1 << 14;

/// Why a `.ptau` file is not powers of one tau that somebody contributed to.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The file.
    #[error(transparent)]
    Ptau(#[from] PtauError),
    /// No randomness.
    #[error("no randomness from the operating system: {0}; try again")]
    Randomness(#[from] getrandom::Error),
    /// Nobody contributed: tau is one.
    #[error("nobody contributed to this .ptau file; run `placet ceremony phase1 contribute`")]
    NoContribution,
    /// A point at infinity.
    #[error("{part} of the .ptau file have a point at infinity at {index}; refuse this file")]
    Infinity {
        /// Where.
        part: Part,
        /// Which.
        index: u64,
    },
    /// The first point of a part is not the one it must be.
    #[error(
        "{part} of the .ptau file do not begin with what the contributions lead to; refuse this file"
    )]
    Start {
        /// Where.
        part: Part,
    },
    /// Not powers of one number.
    #[error("{part} of the .ptau file are not powers of one number; refuse this file")]
    Powers {
        /// Where.
        part: Part,
    },
    /// Values in both groups differ.
    #[error("tau or beta is another number in G1 than in G2; refuse this file")]
    Groups,
    /// A Lagrange value is wrong.
    #[error(
        "{part} of the .ptau file, for 2^{power} rows, do not follow from the powers; prepare the file again"
    )]
    Lagrange {
        /// Where.
        part: Part,
        /// The domain.
        power: u8,
    },
    /// A contribution does not hold.
    #[error(
        "contribution {number} to the .ptau file does not prove what it did or does not follow the one before; refuse this file"
    )]
    Contribution {
        /// Which, from 1.
        number: usize,
    },
    /// A beacon that nobody would check.
    #[error("a beacon in the .ptau file asks for 2^{exponent} hashes, too many to check")]
    BeaconTooSlow {
        /// What it asks for.
        exponent: u8,
    },
    /// A beacon that is not the last.
    #[error(
        "contribution {number} to the .ptau file is a beacon and not the last: whoever came later knew it; refuse this file"
    )]
    BeaconNotLast {
        /// Which, from 1.
        number: usize,
    },
    /// Nobody but a beacon: tau is public.
    #[error(
        "nobody but a beacon contributed to the .ptau file: everybody can compute its tau; refuse this file"
    )]
    NoParticipant,
    /// Cut from a ceremony whose beginning takes too long to hash.
    #[error(
        "the .ptau file says that it was cut from a ceremony of 2^{ceremony_power} rows, at most 2^{MAX_CUT_POWER}, or the public one's 2^28, are checked; take the published file of this size"
    )]
    CutFromTooLarge {
        /// What the file says.
        ceremony_power: u8,
    },
    /// No domain of twice the rows exists.
    #[error(
        "Lagrange values for 2^{power} rows cannot be checked: the field has no domain of twice as many; take a smaller file"
    )]
    NoDomain {
        /// The file's.
        power: u8,
    },
    /// The last contribution is of other points.
    #[error(
        "the points of the .ptau file are not those that its last contributor left; refuse this file"
    )]
    Challenge,
}

/// Checks everything: that each part is powers of one tau, both groups agree, the contributions
/// prove their steps, and the Lagrange values follow.
pub fn check<R: Read + Seek>(ptau: &mut Ptau<R>, watch: Watch<'_>) -> Result<(), CheckError> {
    let contributions = ptau.contributions()?;
    let last = contributions.last().ok_or(CheckError::NoContribution)?;
    check_kinds(&contributions)?;
    // What is cheap to say must not be dear to check: a small file can claim a large ceremony.
    let ceremony_power = ptau.ceremony_power();
    let cut = ptau.power() != ceremony_power;
    if cut && ceremony_power > MAX_CUT_POWER && ceremony_power != PUBLIC_POWER {
        return Err(CheckError::CutFromTooLarge { ceremony_power });
    }
    if ptau.is_prepared() && u32::from(ptau.power()) >= Fr::TWO_ADICITY {
        return Err(CheckError::NoDomain { power: ptau.power() });
    }
    check_contributions(&contributions, first_challenge(ceremony_power, watch))?;
    let mut weights = Weights::from_os()?;
    let mut hash = PartialHash::default();
    hash.update(&last.response_hash());

    let progress = Progress::new(ptau.power(), watch);
    let tau = powers_g1(ptau, Part::TauG1, &mut weights, &mut hash, &progress)?;
    let in_g2 = powers_g2(ptau, &mut weights, &mut hash, &progress)?;
    let alpha = powers_g1(ptau, Part::AlphaTauG1, &mut weights, &mut hash, &progress)?;
    let beta = powers_g1(ptau, Part::BetaTauG1, &mut weights, &mut hash, &progress)?;
    let beta_g2 = ptau.g2(Part::BetaG2, 0, 1)?[0];
    hash.update(&encoding::g2(&beta_g2));

    let generator = (G1Affine::generator(), G2Affine::generator());
    for (part, right) in [
        (Part::TauG1, tau.first == generator.0 && tau.second == last.tau_g1),
        (Part::TauG2, in_g2.first == generator.1 && in_g2.second == last.tau_g2),
        (Part::AlphaTauG1, alpha.first == last.alpha_g1),
        (Part::BetaTauG1, beta.first == last.beta_g1),
        (Part::BetaG2, beta_g2 == last.beta_g2),
    ] {
        if !right {
            return Err(CheckError::Start { part });
        }
    }
    if !same_logarithm(&last.tau_g1, &last.tau_g2) || !same_logarithm(&last.beta_g1, &last.beta_g2)
    {
        return Err(CheckError::Groups);
    }
    for (part, sums) in [(Part::TauG1, &tau), (Part::AlphaTauG1, &alpha), (Part::BetaTauG1, &beta)]
    {
        if !same_ratio((&sums.low, &sums.high), (&generator.1, &last.tau_g2)) {
            return Err(CheckError::Powers { part });
        }
    }
    if !same_ratio((&generator.0, &last.tau_g1), (&in_g2.low, &in_g2.high)) {
        return Err(CheckError::Powers { part: Part::TauG2 });
    }
    // A file that was cut from a larger ceremony does not have all the points that were hashed.
    if ptau.power() == ptau.ceremony_power() && hash.finalize() != last.next_challenge {
        return Err(CheckError::Challenge);
    }
    if ptau.is_prepared() {
        check_lagrange(ptau, &mut weights, watch)?;
    }
    Ok(())
}

/// Two sums of one part with the same weights, one place apart.
struct Sums<C: SWCurveConfig> {
    first: Affine<C>,
    second: Affine<C>,
    low: Affine<C>,
    high: Affine<C>,
}

/// Collects [`Sums`] piece by piece.
struct Collector<C: SWCurveConfig> {
    part: Part,
    first: Vec<Affine<C>>,
    low: Projective<C>,
    high: Projective<C>,
    before: Option<Affine<C>>,
}

impl<C: SWCurveConfig<ScalarField = Fr>> Collector<C> {
    fn new(part: Part) -> Self {
        let zero = Projective::<C>::ZERO;
        Self { part, first: Vec::new(), low: zero, high: zero, before: None }
    }

    fn add(
        &mut self,
        start: u64,
        points: &[Affine<C>],
        weights: &mut Weights,
    ) -> Result<(), CheckError> {
        if let Some(index) = points.iter().position(AffineRepr::is_zero) {
            return Err(CheckError::Infinity { part: self.part, index: start + index as u64 });
        }
        // The last point of the piece before is one place below the first of this one.
        let shifted: Vec<_> = self.before.into_iter().chain(points.iter().copied()).collect();
        let weights = weights.take(shifted.len() - 1);
        self.low += combine::sum(&shifted[..shifted.len() - 1], &weights);
        self.high += combine::sum(&shifted[1..], &weights);
        if self.first.len() < 2 {
            self.first.extend(points.iter().take(2));
        }
        self.before = points.last().copied();
        Ok(())
    }

    fn finish(self) -> Sums<C> {
        let second = self.first.get(1).copied().unwrap_or_else(Affine::identity);
        Sums {
            first: self.first[0],
            second,
            low: self.low.into_affine(),
            high: self.high.into_affine(),
        }
    }
}

struct Progress<'a> {
    done: std::cell::Cell<usize>,
    all: usize,
    watch: Watch<'a>,
}

impl<'a> Progress<'a> {
    fn new(power: u8, watch: Watch<'a>) -> Self {
        let all = Part::POWERS.iter().map(|part| part.points(power) as usize).sum();
        Self { done: 0.into(), all, watch }
    }

    fn add(&self, count: usize) {
        self.done.set(self.done.get() + count);
        tell(self.watch, Stage::CheckPowers, self.done.get(), self.all);
    }
}

fn powers_g1<R: Read + Seek>(
    ptau: &mut Ptau<R>,
    part: Part,
    weights: &mut Weights,
    hash: &mut PartialHash,
    progress: &Progress<'_>,
) -> Result<Sums<g1::Config>, CheckError> {
    let (all, mut at) = (part.points(ptau.power()), 0);
    let mut sums = Collector::<g1::Config>::new(part);
    while at < all {
        let points = ptau.g1(part, at, PIECE.min(all - at))?;
        sums.add(at, &points, weights)?;
        points.iter().for_each(|point| hash.update(&encoding::g1(point)));
        at += points.len() as u64;
        progress.add(points.len());
    }
    Ok(sums.finish())
}

fn powers_g2<R: Read + Seek>(
    ptau: &mut Ptau<R>,
    weights: &mut Weights,
    hash: &mut PartialHash,
    progress: &Progress<'_>,
) -> Result<Sums<g2::Config>, CheckError> {
    let (all, mut at) = (Part::TauG2.points(ptau.power()), 0);
    let mut sums = Collector::<g2::Config>::new(Part::TauG2);
    while at < all {
        let points = ptau.g2(Part::TauG2, at, PIECE.min(all - at))?;
        sums.add(at, &points, weights)?;
        points.iter().for_each(|point| hash.update(&encoding::g2(point)));
        at += points.len() as u64;
        progress.add(points.len());
    }
    Ok(sums.finish())
}

/// What the first contributor answers to: the hash of powers of one.
pub(super) fn first_challenge(power: u8, watch: Watch<'_>) -> [u8; 64] {
    // 103 GB are not hashed again for every file that was cut from the public ceremony.
    if power == PUBLIC_POWER {
        return PUBLIC_FIRST_CHALLENGE;
    }
    let all = Part::POWERS.iter().map(|part| part.bytes(power) as usize).sum();
    let mut done = 0;
    let mut hash = PartialHash::default();
    hash.update(&PartialHash::default().finalize());
    let g1 = encoding::g1(&G1Affine::generator());
    let g2 = encoding::g2(&G2Affine::generator());
    for part in Part::POWERS {
        let point: &[u8] = if part.in_g2() { &g2 } else { &g1 };
        // The same bytes over and over: a piece of them at once.
        let piece = point.repeat(1 << 14);
        let mut left = part.points(power) as usize * point.len();
        while left > 0 {
            let step = left.min(piece.len());
            hash.update(&piece[..step]);
            left -= step;
            done += step;
            tell(watch, Stage::HashPtau, done, all);
        }
    }
    hash.finalize()
}

/// At least one participant, and a beacon only behind all of them.
fn check_kinds(contributions: &[Phase1Contribution]) -> Result<(), CheckError> {
    let is_beacon = |step: &Phase1Contribution| matches!(step.kind, Phase1Kind::Beacon { .. });
    if contributions.iter().all(is_beacon) {
        return Err(CheckError::NoParticipant);
    }
    match contributions.iter().position(is_beacon) {
        Some(at) if at + 1 != contributions.len() => {
            Err(CheckError::BeaconNotLast { number: at + 1 })
        }
        _ => Ok(()),
    }
}

fn check_contributions(
    contributions: &[Phase1Contribution],
    first_challenge: [u8; 64],
) -> Result<(), CheckError> {
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    let mut tau = (g1, g2);
    let mut alpha = g1;
    let mut beta = (g1, g2);
    let mut challenge = first_challenge;
    for (number, step) in (1..).zip(contributions) {
        let base = |which: usize| {
            let proof = &step.proofs[which];
            KnowledgeProof::base(which as u8, &challenge, &proof.g1_s, &proof.g1_sx)
        };
        let bases = [base(0), base(1), base(2)];
        let proven = (0..3).all(|which| {
            let proof = &step.proofs[which];
            same_ratio((&proof.g1_s, &proof.g1_sx), (&bases[which], &proof.g2_spx))
        });
        let moved_g1 = |which: usize, before: &G1Affine, after: &G1Affine| {
            same_ratio((before, after), (&bases[which], &step.proofs[which].g2_spx))
        };
        let moved_g2 = |which: usize, before: &G2Affine, after: &G2Affine| {
            let proof = &step.proofs[which];
            same_ratio((&proof.g1_s, &proof.g1_sx), (before, after))
        };
        let changed = step.tau_g1 != tau.0 && step.alpha_g1 != alpha && step.beta_g1 != beta.0;
        let holds = changed
            && proven
            && moved_g1(0, &tau.0, &step.tau_g1)
            && moved_g2(0, &tau.1, &step.tau_g2)
            && moved_g1(1, &alpha, &step.alpha_g1)
            && moved_g1(2, &beta.0, &step.beta_g1)
            && moved_g2(2, &beta.1, &step.beta_g2);
        if !holds || !beacon_holds(step, &bases)? {
            return Err(CheckError::Contribution { number });
        }
        tau = (step.tau_g1, step.tau_g2);
        alpha = step.alpha_g1;
        beta = (step.beta_g1, step.beta_g2);
        challenge = step.next_challenge;
    }
    Ok(())
}

/// A beacon's proofs are what its value gives; a participant's are anything.
fn beacon_holds(step: &Phase1Contribution, bases: &[G2Affine; 3]) -> Result<bool, CheckError> {
    let Phase1Kind::Beacon { hash, iterations_exp } = &step.kind else { return Ok(true) };
    if *iterations_exp > MAX_CHECKED_EXPONENT {
        return Err(CheckError::BeaconTooSlow { exponent: *iterations_exp });
    }
    let mut sampler = Sampler::from_beacon(hash, *iterations_exp);
    let mut factors: [Fr; 3] = std::array::from_fn(|_| sampler.scalar());
    let holds = factors.iter().zip(&step.proofs).zip(bases).all(|((factor, proof), base)| {
        let g1_s = sampler.g1();
        proof.g1_s == g1_s
            && proof.g1_sx == (g1_s * factor).into_affine()
            && proof.g2_spx == (*base * factor).into_affine()
    });
    factors.zeroize();
    Ok(holds)
}

/// `Σ_k r_k τ^k = Σ_i f_i L_i(τ)`, where f is the transform of random r.
fn check_lagrange<R: Read + Seek>(
    ptau: &mut Ptau<R>,
    weights: &mut Weights,
    watch: Watch<'_>,
) -> Result<(), CheckError> {
    let all: usize =
        Part::LAGRANGE.iter().map(|(part, _)| part.points(ptau.power()) as usize).sum();
    let mut done = 0;
    for (part, powers) in Part::LAGRANGE {
        let largest = if part == Part::LagrangeG1 { ptau.power() + 1 } else { ptau.power() };
        for power in 0..=largest {
            tell(watch, Stage::Lagrange, done, all);
            let rows = 1usize << power;
            let mut random = weights.take(rows);
            if power > ptau.power() {
                // The highest power of the double domain is not in the file: no weight for it
                // here, [`top_power_holds`] looks at it alone.
                random[rows - 1] = Fr::zero();
            }
            let domain = Radix2EvaluationDomain::<Fr>::new(rows)
                .expect("powers of two up to 2^28 have a domain");
            let transformed = domain.fft(&random);
            let right = if part.in_g2() {
                let low = ptau.g2(powers, 0, rows as u64)?;
                let values = ptau.lagrange_g2(power)?;
                let difference: G2Projective =
                    combine::sum(&low, &random) - combine::sum(&values, &transformed);
                combine::vanishes(&difference)
            } else {
                let there = (rows as u64).min(powers.points(ptau.power()));
                let low = ptau.g1(powers, 0, there)?;
                let values = ptau.lagrange_g1(part, power)?;
                let difference: G1Projective =
                    combine::sum(&low, &random[..low.len()]) - combine::sum(&values, &transformed);
                combine::vanishes(&difference)
                    && (power <= ptau.power() || top_power_holds(ptau, &domain, &values)?)
            };
            if !right {
                return Err(CheckError::Lagrange { part, power });
            }
            done += rows;
        }
    }
    tell(watch, Stage::Lagrange, all, all);
    Ok(())
}

/// The values of the double domain stand for one power more than the file holds. Whatever point X
/// is in its place adds `w^(-i(2n-1))/2n · X` to value i, and a free choice of X would be a free
/// point in query H, with which its maker forges public inputs. Two X are honest: none, as of a
/// file that was prepared at its own size, and `τ^(2n-1)`, as of one that was cut from a larger.
fn top_power_holds<R: Read + Seek>(
    ptau: &mut Ptau<R>,
    domain: &Radix2EvaluationDomain<Fr>,
    values: &[G1Affine],
) -> Result<bool, CheckError> {
    // w^(i(2n-1)) = w^(-i).
    let step = domain.group_gen_inv();
    let weights: Vec<Fr> = std::iter::successors(Some(Fr::ONE), |last| Some(*last * step))
        .take(values.len())
        .collect();
    let top: G1Projective = combine::sum(values, &weights);
    if combine::vanishes(&top) {
        return Ok(true);
    }
    let highest = ptau.g1(Part::TauG1, values.len() as u64 - 2, 1)?[0];
    let tau_g2 = ptau.g2(Part::TauG2, 1, 1)?[0];
    Ok(same_ratio((&highest, &top.into_affine()), (&G2Affine::generator(), &tau_g2)))
}
