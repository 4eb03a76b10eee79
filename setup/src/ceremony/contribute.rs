//! One step of phase 2: delta times a factor that only its maker knew, and the queries that are
//! over delta divided by it. The last step's factor is public: a beacon. Spec §12.4.

use std::sync::atomic::{AtomicUsize, Ordering};

use ark_bn254::{Fr, G1Affine};
use ark_ec::CurveGroup;
use ark_ff::{Field, One, Zero};
use blake2::{Blake2b512, Digest};
use placet_params::transcript::chain::{BEACON_EXPONENTS, MAX_CHECKED_EXPONENT};
use placet_params::transcript::sampling::{Sampler, hash_to_g2};
use placet_params::transcript::{
    ChainError, Contribution, ContributionKind, MAX_BEACON, MAX_CONTRIBUTIONS,
};
use placet_snarkjs::zkey::Zkey;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Stage, Watch, combine, tell};

/// Longest name that is written, in bytes: what snarkjs keeps of one.
pub const MAX_NAME: usize = 64;

/// What a participant's secret is drawn from. Zeroized when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Entropy([u8; 32]);

impl Entropy {
    /// Mixes 64 bytes of the operating system's randomness with what the participant adds: the
    /// secret is safe if either is.
    pub fn mix(system: &[u8; 64], added: &[u8]) -> Self {
        let mut hash: [u8; 64] = Blake2b512::new()
            .chain_update(b"placet.ceremony.entropy.v1")
            .chain_update(system)
            .chain_update(added)
            .finalize()
            .into();
        let mut seed = [0u8; 32];
        seed.copy_from_slice(&hash[..32]);
        hash.zeroize();
        Self(seed)
    }

    /// As [`Entropy::mix`], with randomness from the operating system.
    pub fn from_os(added: &[u8]) -> Result<Self, getrandom::Error> {
        let mut system = [0u8; 64];
        getrandom::fill(&mut system)?;
        let mixed = Self::mix(&system, added);
        system.zeroize();
        Ok(mixed)
    }

    pub(super) fn sampler(&self) -> Sampler {
        Sampler::new(&self.0)
    }
}

/// A public random value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beacon {
    value: Vec<u8>,
    exponent: u8,
}

impl Beacon {
    /// A value of 1 to 255 bytes that is hashed `2^exponent` times, 10 to 24.
    pub fn new(value: Vec<u8>, exponent: u8) -> Result<Self, ContributeError> {
        if value.is_empty() || value.len() > MAX_BEACON {
            return Err(ContributeError::BeaconLength { found: value.len() });
        }
        if exponent < *BEACON_EXPONENTS.start() || exponent > MAX_CHECKED_EXPONENT {
            return Err(ContributeError::BeaconExponent { found: exponent });
        }
        Ok(Self { value, exponent })
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// It is hashed `2^exponent` times.
    pub fn exponent(&self) -> u8 {
        self.exponent
    }
}

/// Why nothing was contributed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContributeError {
    /// The contributions that are there do not hold.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A beacon has closed the ceremony.
    #[error(
        "the ceremony is closed by a beacon; nothing can be added, start a new one if it has to go on"
    )]
    Closed,
    /// delta is not what the contributions lead to.
    #[error(
        "the file's delta is not what its contributions lead to; go back to the last file that verifies"
    )]
    Delta,
    /// Too many.
    #[error("the file has {MAX_CONTRIBUTIONS} contributions, which is the most; close it")]
    Full,
    /// A name that cannot be written.
    #[error("a name has at most {MAX_NAME} bytes and no control characters; choose another")]
    Name,
    /// A value that is no beacon.
    #[error(
        "a beacon has 1 to {MAX_BEACON} bytes, this one has {found}; give its value in hexadecimal"
    )]
    BeaconLength {
        /// Bytes given.
        found: usize,
    },
    /// Too few or too many iterations.
    #[error(
        "a beacon is hashed 2^10 to 2^{MAX_CHECKED_EXPONENT} times, not 2^{found}; choose an exponent from 10 to {MAX_CHECKED_EXPONENT}"
    )]
    BeaconExponent {
        /// The exponent given.
        found: u8,
    },
}

/// Adds a participant's contribution to a key. Returns its hash, which the participant publishes.
/// The secret is zeroized before this returns.
pub fn contribute(
    key: &mut Zkey,
    name: &str,
    entropy: Entropy,
    watch: Watch<'_>,
) -> Result<[u8; 64], ContributeError> {
    let kind = ContributionKind::Participant { name: checked_name(name)? };
    step(key, entropy.sampler(), kind, watch)
}

/// Closes a ceremony with a beacon. Returns the hash of that contribution.
pub fn close(
    key: &mut Zkey,
    name: &str,
    beacon: &Beacon,
    watch: Watch<'_>,
) -> Result<[u8; 64], ContributeError> {
    let kind = ContributionKind::Beacon {
        name: checked_name(name)?,
        hash: beacon.value.clone(),
        iterations_exp: beacon.exponent,
    };
    if key.ceremony.contributions.is_empty() {
        return Err(ChainError::NoParticipant.into());
    }
    step(key, Sampler::from_beacon(&beacon.value, beacon.exponent), kind, watch)
}

pub(super) fn checked_name(name: &str) -> Result<String, ContributeError> {
    if name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(ContributeError::Name);
    }
    Ok(name.to_owned())
}

/// Draws the factor, proves it, applies it.
fn step(
    key: &mut Zkey,
    mut sampler: Sampler,
    kind: ContributionKind,
    watch: Watch<'_>,
) -> Result<[u8; 64], ContributeError> {
    let record = &key.ceremony;
    if record.contributions.len() >= MAX_CONTRIBUTIONS {
        return Err(ContributeError::Full);
    }
    if let Some(Contribution { kind: ContributionKind::Beacon { .. }, .. }) =
        record.contributions.last()
    {
        return Err(ContributeError::Closed);
    }
    tell(watch, Stage::Chain, 0, 1);
    let before = record.verify_open()?;
    if before != key.delta_g1 {
        return Err(ContributeError::Delta);
    }
    tell(watch, Stage::Chain, 1, 1);

    let mut factor = Factor::draw(&mut sampler);
    let g1_s = sampler.g1();
    let g1_sx = (g1_s * factor.0).into_affine();
    let transcript = record.next_transcript(&g1_s, &g1_sx);
    let g2_spx = (hash_to_g2(&transcript) * factor.0).into_affine();
    let delta_after = (before * factor.0).into_affine();

    let all = key.c.len() + key.h.len();
    let done = AtomicUsize::new(0);
    let count = |points: usize| {
        let before = done.fetch_add(points, Ordering::Relaxed);
        tell(watch, Stage::Apply, before + points, all);
    };
    factor.invert();
    combine::scale(&mut key.c, &factor.0, &count);
    combine::scale(&mut key.h, &factor.0, &count);
    factor.invert();
    key.delta_g1 = delta_after;
    key.delta_g2 = (key.delta_g2 * factor.0).into_affine();
    let contribution = Contribution { delta_after, g1_s, g1_sx, g2_spx, transcript, kind };
    let hash = contribution.hash();
    key.ceremony.contributions.push(contribution);
    Ok(hash)
}

/// A secret factor; zeroized when dropped.
pub(super) struct Factor(pub(super) Fr);

impl Drop for Factor {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Factor {
    /// The next scalar that changes something.
    pub(super) fn draw(sampler: &mut Sampler) -> Self {
        loop {
            let factor = Self(sampler.scalar());
            if !factor.0.is_zero() && !factor.0.is_one() {
                return factor;
            }
        }
    }

    fn invert(&mut self) {
        self.0.inverse_in_place().expect("a factor is not zero");
    }
}

/// delta of a key that nobody contributed to.
pub(super) fn untouched() -> G1Affine {
    use ark_ec::AffineRepr;
    G1Affine::generator()
}
