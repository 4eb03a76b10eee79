//! The chain of contributions: each proves that its maker knew the factor that took delta one step
//! further, and commits to everything before it. Spec §12.4.

use ark_bn254::G1Affine;
use ark_bn254::G2Affine;
use ark_ec::{AffineRepr, CurveGroup};
use blake2::{Blake2b512, Digest};

use super::encoding;
use super::same_ratio;
use super::sampling::{Sampler, hash_to_g2};

/// Exponents that snarkjs's files can hold: a beacon's value is hashed `2^exponent` times.
pub const BEACON_EXPONENTS: std::ops::RangeInclusive<u8> = 10..=63;
/// Largest exponent that is re-derived: some seconds. A beacon that nobody can check in reasonable
/// time is not accepted.
pub const MAX_CHECKED_EXPONENT: u8 = 24;

/// Who made a contribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContributionKind {
    /// Somebody with a secret of their own.
    Participant {
        /// As they called themselves; may be empty, proves nothing.
        name: String,
    },
    /// A public random value that nobody could know before.
    Beacon {
        /// A label; may be empty.
        name: String,
        /// The value, 1 to 255 bytes.
        hash: Vec<u8>,
        /// It is hashed `2^iterations_exp` times; 10 to 63.
        iterations_exp: u8,
    },
}

impl ContributionKind {
    /// The name or label.
    pub fn name(&self) -> &str {
        match self {
            Self::Participant { name } | Self::Beacon { name, .. } => name,
        }
    }
}

/// One step of delta, with the proof that its maker knew the factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// delta in G1 behind this step.
    pub delta_after: G1Affine,
    /// A random point.
    pub g1_s: G1Affine,
    /// That point times the secret factor.
    pub g1_sx: G1Affine,
    /// The point of G2 that `transcript` hashes to, times the secret factor.
    pub g2_spx: G2Affine,
    /// BLAKE2b-512 over the circuit, all contributions before, `g1_s` and `g1_sx`.
    pub transcript: [u8; 64],
    /// Who made it.
    pub kind: ContributionKind,
}

impl Contribution {
    /// What its maker publishes: BLAKE2b-512 over the points and the transcript.
    pub fn hash(&self) -> [u8; 64] {
        let mut hash = Blake2b512::new();
        self.absorb(&mut hash);
        hash.finalize().into()
    }

    fn absorb(&self, hash: &mut Blake2b512) {
        hash.update(encoding::g1(&self.delta_after));
        hash.update(encoding::g1(&self.g1_s));
        hash.update(encoding::g1(&self.g1_sx));
        hash.update(encoding::g2(&self.g2_spx));
        hash.update(self.transcript);
    }
}

/// The contributions to one circuit's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyRecord {
    /// BLAKE2b-512 of the key before the first contribution.
    pub circuit_hash: [u8; 64],
    /// In order.
    pub contributions: Vec<Contribution>,
}

/// Why contributions do not follow from each other. Contributions are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A point at infinity.
    #[error(
        "contribution {number} has a point at infinity, which hides what it did; refuse this file"
    )]
    Infinity {
        /// Which.
        number: usize,
    },
    /// Off the curve or outside of the subgroup; files are refused before, values in memory here.
    #[error("contribution {number} has a point outside of its group; refuse this file")]
    OffGroup {
        /// Which.
        number: usize,
    },
    /// The factor is one.
    #[error(
        "contribution {number} leaves delta as it was: it contributes nothing; refuse this file"
    )]
    Unchanged {
        /// Which.
        number: usize,
    },
    /// It commits to another past.
    #[error(
        "contribution {number} does not continue the ones before it: one was dropped, moved, replaced or replayed, or belongs to another circuit; go back to the last file that verifies"
    )]
    OutOfOrder {
        /// Which.
        number: usize,
    },
    /// The proof of knowledge is wrong.
    #[error(
        "contribution {number} does not prove that its maker knew the secret; go back to the file before it"
    )]
    Knowledge {
        /// Which.
        number: usize,
    },
    /// delta moved by something else than the proven factor.
    #[error(
        "contribution {number} moves delta by another factor than the one it proves; go back to the file before it"
    )]
    Step {
        /// Which.
        number: usize,
    },
    /// The beacon's contribution is not what its value gives.
    #[error(
        "contribution {number} is not what its beacon gives: value or number of iterations was altered; close the ceremony again with the announced beacon"
    )]
    Beacon {
        /// Which.
        number: usize,
    },
    /// So many iterations that nobody would check them.
    #[error(
        "the beacon asks for 2^{exponent} hashes, at most 2^{MAX_CHECKED_EXPONENT} are checked; close the ceremony with fewer"
    )]
    BeaconTooSlow {
        /// What it asks for.
        exponent: u8,
    },
    /// Something follows the beacon.
    #[error(
        "contribution {number} is a beacon and not the last: whoever came later knew it; close the ceremony with a beacon that nobody knew before the last contribution"
    )]
    BeaconNotLast {
        /// Which.
        number: usize,
    },
    /// No beacon.
    #[error("the ceremony is not closed by a beacon; run `placet ceremony beacon`")]
    NoBeacon,
    /// Nobody but the beacon.
    #[error(
        "nobody contributed: whoever knows the beacon could forge proofs; run `placet ceremony contribute` first"
    )]
    NoParticipant,
    /// The factors multiply to one: delta is gamma.
    #[error(
        "the contributions cancel each other: delta is gamma again, so anyone can forge proofs; refuse this file"
    )]
    Cancelled,
}

impl CeremonyRecord {
    /// A ceremony that nobody has contributed to.
    pub fn new(circuit_hash: [u8; 64]) -> Self {
        Self { circuit_hash, contributions: Vec::new() }
    }

    /// delta in G1 behind the last contribution.
    pub fn delta(&self) -> G1Affine {
        self.contributions.last().map_or_else(G1Affine::generator, |last| last.delta_after)
    }

    /// What the next contribution has to commit to, with its first two points.
    pub fn next_transcript(&self, g1_s: &G1Affine, g1_sx: &G1Affine) -> [u8; 64] {
        transcript(self.hasher(), g1_s, g1_sx)
    }

    fn hasher(&self) -> Blake2b512 {
        let mut hash = Blake2b512::new();
        hash.update(self.circuit_hash);
        for contribution in &self.contributions {
            contribution.absorb(&mut hash);
        }
        hash
    }

    /// Checks every step, of a ceremony that may go on, and that no beacon stands where a
    /// participant has to be. Returns delta in G1 behind the last.
    pub fn verify_open(&self) -> Result<G1Affine, ChainError> {
        let mut before = G1Affine::generator();
        let mut hash = Blake2b512::new();
        hash.update(self.circuit_hash);
        let last = self.contributions.len();
        for (number, contribution) in (1..).zip(&self.contributions) {
            if number != last && matches!(contribution.kind, ContributionKind::Beacon { .. }) {
                return Err(ChainError::BeaconNotLast { number });
            }
            step(number, &before, &hash, contribution)?;
            contribution.absorb(&mut hash);
            before = contribution.delta_after;
        }
        match self.contributions.as_slice() {
            [] => Ok(before),
            [Contribution { kind: ContributionKind::Beacon { .. }, .. }] => {
                Err(ChainError::NoParticipant)
            }
            // All contributors together could do that.
            _ if before == G1Affine::generator() => Err(ChainError::Cancelled),
            _ => Ok(before),
        }
    }

    /// As [`CeremonyRecord::verify_open`], and the ceremony is closed: at least one participant,
    /// then one beacon.
    pub fn verify_closed(&self) -> Result<G1Affine, ChainError> {
        match self.contributions.as_slice() {
            [.., Contribution { kind: ContributionKind::Participant { .. }, .. }] | [] => {
                // What is there may be broken, too, and that says more.
                let _delta = self.verify_open()?;
                Err(ChainError::NoBeacon)
            }
            _ => self.verify_open(),
        }
    }
}

fn transcript(mut hash: Blake2b512, g1_s: &G1Affine, g1_sx: &G1Affine) -> [u8; 64] {
    hash.update(encoding::g1(g1_s));
    hash.update(encoding::g1(g1_sx));
    hash.finalize().into()
}

/// One contribution against delta and the hash before it; cheap checks first.
fn step(
    number: usize,
    before: &G1Affine,
    hash: &Blake2b512,
    contribution: &Contribution,
) -> Result<(), ChainError> {
    let Contribution { delta_after, g1_s, g1_sx, g2_spx, .. } = contribution;
    if [delta_after, g1_s, g1_sx].into_iter().any(AffineRepr::is_zero) || g2_spx.is_zero() {
        return Err(ChainError::Infinity { number });
    }
    let in_group = [delta_after, g1_s, g1_sx].into_iter().all(|point| point.is_on_curve())
        && g2_spx.is_on_curve()
        && g2_spx.is_in_correct_subgroup_assuming_on_curve();
    if !in_group {
        return Err(ChainError::OffGroup { number });
    }
    if delta_after == before || g1_s == g1_sx {
        return Err(ChainError::Unchanged { number });
    }
    if transcript(hash.clone(), g1_s, g1_sx) != contribution.transcript {
        return Err(ChainError::OutOfOrder { number });
    }
    let g2_sp = hash_to_g2(&contribution.transcript);
    if !same_ratio((g1_s, g1_sx), (&g2_sp, g2_spx)) {
        return Err(ChainError::Knowledge { number });
    }
    if !same_ratio((before, delta_after), (&g2_sp, g2_spx)) {
        return Err(ChainError::Step { number });
    }
    if let ContributionKind::Beacon { hash, iterations_exp, .. } = &contribution.kind {
        if *iterations_exp > MAX_CHECKED_EXPONENT {
            return Err(ChainError::BeaconTooSlow { exponent: *iterations_exp });
        }
        let mut sampler = Sampler::from_beacon(hash, *iterations_exp);
        let factor = sampler.scalar();
        let expected = sampler.g1();
        if expected != *g1_s || (expected * factor).into_affine() != *g1_sx {
            return Err(ChainError::Beacon { number });
        }
    }
    Ok(())
}
