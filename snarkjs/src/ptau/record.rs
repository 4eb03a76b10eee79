//! The contributions that a `.ptau` file lists: what each left behind of tau, alpha and beta, with
//! proofs that its maker knew the factors. Spec §12.5.

pub mod partial;

use ark_bn254::{G1Affine, G2Affine, g1, g2};
use placet_params::transcript::encoding;
use placet_params::transcript::sampling::hash_to_g2;

use crate::points::{G1_BYTES, G2_BYTES, PointError, decode_finite_points, encode_points};
use partial::{PARTIAL_BYTES, PartialHash};

/// Bytes of a contribution before its parameters.
const FIXED_BYTES: usize = 9 * G1_BYTES + 5 * G2_BYTES + PARTIAL_BYTES + 64 + 4 + 4;
/// Longest name that is written, in bytes.
pub const MAX_NAME: usize = 64;

/// Why a section of contributions cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Bytes missing or left over.
    #[error("the list of contributions in the .ptau file is damaged; copy or download it again")]
    Malformed,
    /// A point.
    #[error(
        "contribution {number} in the .ptau file has a bad point, {error}; copy or download it again"
    )]
    Point {
        /// Which contribution, from 1.
        number: usize,
        /// What is wrong.
        #[source]
        error: PointError,
    },
}

/// The proof that somebody knew one of the three factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnowledgeProof {
    /// A random point.
    pub g1_s: G1Affine,
    /// That point times the factor.
    pub g1_sx: G1Affine,
    /// The point that [`KnowledgeProof::base`] gives, times the factor.
    pub g2_spx: G2Affine,
}

impl KnowledgeProof {
    /// The point of G2 for factor number `which` (0 tau, 1 alpha, 2 beta) behind a challenge.
    pub fn base(which: u8, challenge: &[u8; 64], g1_s: &G1Affine, g1_sx: &G1Affine) -> G2Affine {
        use blake2::Digest;
        let mut hash = blake2::Blake2b512::new();
        hash.update([which]);
        hash.update(challenge);
        hash.update(encoding::g1(g1_s));
        hash.update(encoding::g1(g1_sx));
        hash_to_g2(&hash.finalize().into())
    }
}

/// Who made a contribution to phase 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase1Kind {
    /// Somebody with secrets of their own.
    Participant,
    /// A public value, hashed `2^iterations_exp` times.
    Beacon {
        /// The value, 1 to 255 bytes.
        hash: Vec<u8>,
        /// The exponent.
        iterations_exp: u8,
    },
}

/// One contribution to phase 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase1Contribution {
    /// tau in G1 behind it.
    pub tau_g1: G1Affine,
    /// tau in G2 behind it.
    pub tau_g2: G2Affine,
    /// alpha in G1 behind it.
    pub alpha_g1: G1Affine,
    /// beta in G1 behind it.
    pub beta_g1: G1Affine,
    /// beta in G2 behind it.
    pub beta_g2: G2Affine,
    /// For tau, alpha, beta.
    pub proofs: [KnowledgeProof; 3],
    /// The state of the hash of its response, before the proofs.
    pub partial: PartialHash,
    /// Hash of its response and of all points behind it: what the next one answers to.
    pub next_challenge: [u8; 64],
    /// Who made it.
    pub kind: Phase1Kind,
    /// As they called themselves; may be empty.
    pub name: String,
}

impl Phase1Contribution {
    /// What its maker publishes: BLAKE2b-512 over the challenge, all points compressed, and the
    /// proofs.
    pub fn response_hash(&self) -> [u8; 64] {
        let mut hash = self.partial.clone();
        hash.update(&self.encode_proofs());
        hash.finalize()
    }

    fn encode_proofs(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for proof in &self.proofs {
            out.extend_from_slice(&encoding::g1(&proof.g1_s));
            out.extend_from_slice(&encoding::g1(&proof.g1_sx));
        }
        for proof in &self.proofs {
            out.extend_from_slice(&encoding::g2(&proof.g2_spx));
        }
        out
    }
}

/// The section's bytes.
///
/// # Panics
/// If a name or beacon value is longer than 255 bytes: callers bound them.
pub fn encode(contributions: &[Phase1Contribution]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&(contributions.len() as u32).to_le_bytes());
    for contribution in contributions {
        encode_points(&[contribution.tau_g1], &mut out);
        encode_points(&[contribution.tau_g2], &mut out);
        encode_points(&[contribution.alpha_g1, contribution.beta_g1], &mut out);
        encode_points(&[contribution.beta_g2], &mut out);
        for proof in &contribution.proofs {
            encode_points(&[proof.g1_s, proof.g1_sx], &mut out);
        }
        for proof in &contribution.proofs {
            encode_points(&[proof.g2_spx], &mut out);
        }
        out.extend_from_slice(&contribution.partial.to_bytes());
        out.extend_from_slice(&contribution.next_challenge);
        let mut parameters = Vec::new();
        let short = |bytes: &[u8]| u8::try_from(bytes.len()).expect("at most 255 bytes");
        if !contribution.name.is_empty() {
            parameters.extend_from_slice(&[1, short(contribution.name.as_bytes())]);
            parameters.extend_from_slice(contribution.name.as_bytes());
        }
        let kind = match &contribution.kind {
            Phase1Kind::Participant => 0u32,
            Phase1Kind::Beacon { hash, iterations_exp } => {
                parameters.extend_from_slice(&[2, *iterations_exp, 3, short(hash)]);
                parameters.extend_from_slice(hash);
                1
            }
        };
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&(parameters.len() as u32).to_le_bytes());
        out.extend_from_slice(&parameters);
    }
    out
}

/// Strict: exact length, finite points of the subgroup, known parameters in ascending order.
pub fn decode(bytes: &[u8]) -> Result<Vec<Phase1Contribution>, RecordError> {
    let mut input = Input(bytes);
    let count = input.u32()? as usize;
    if count > bytes.len() / FIXED_BYTES {
        return Err(RecordError::Malformed);
    }
    let mut contributions = Vec::with_capacity(count);
    for number in 1..=count {
        contributions.push(input.contribution(number)?);
    }
    if input.0.is_empty() { Ok(contributions) } else { Err(RecordError::Malformed) }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(RecordError::Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        Ok(self.take(N)?.try_into().expect("take returns N bytes"))
    }

    fn u32(&mut self) -> Result<u32, RecordError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn g1(&mut self, number: usize) -> Result<G1Affine, RecordError> {
        let points = decode_finite_points::<g1::Config>(self.take(G1_BYTES)?);
        Ok(points.map_err(|error| RecordError::Point { number, error })?[0])
    }

    fn g2(&mut self, number: usize) -> Result<G2Affine, RecordError> {
        let points = decode_finite_points::<g2::Config>(self.take(G2_BYTES)?);
        Ok(points.map_err(|error| RecordError::Point { number, error })?[0])
    }

    fn contribution(&mut self, number: usize) -> Result<Phase1Contribution, RecordError> {
        let tau_g1 = self.g1(number)?;
        let tau_g2 = self.g2(number)?;
        let alpha_g1 = self.g1(number)?;
        let beta_g1 = self.g1(number)?;
        let beta_g2 = self.g2(number)?;
        let mut in_g1 = [(G1Affine::default(), G1Affine::default()); 3];
        for pair in &mut in_g1 {
            *pair = (self.g1(number)?, self.g1(number)?);
        }
        let mut proofs = [None; 3];
        for (proof, (g1_s, g1_sx)) in proofs.iter_mut().zip(in_g1) {
            *proof = Some(KnowledgeProof { g1_s, g1_sx, g2_spx: self.g2(number)? });
        }
        let proofs = proofs.map(|proof| proof.expect("each was just set"));
        let partial = PartialHash::from_bytes(&self.array()?).ok_or(RecordError::Malformed)?;
        let next_challenge = self.array()?;
        let kind = self.u32()?;
        let length = self.u32()? as usize;
        let (name, beacon) = Input(self.take(length)?).parameters()?;
        let kind = match (kind, beacon) {
            (0, None) => Phase1Kind::Participant,
            (1, Some((hash, iterations_exp))) => Phase1Kind::Beacon { hash, iterations_exp },
            _ => return Err(RecordError::Malformed),
        };
        Ok(Phase1Contribution {
            tau_g1,
            tau_g2,
            alpha_g1,
            beta_g1,
            beta_g2,
            proofs,
            partial,
            next_challenge,
            kind,
            name,
        })
    }

    /// Name, and value and exponent of a beacon.
    #[allow(clippy::type_complexity, reason = "read here, taken apart by the one caller")]
    fn parameters(mut self) -> Result<(String, Option<(Vec<u8>, u8)>), RecordError> {
        let (mut last, mut name, mut exponent, mut hash) = (0, String::new(), None, None);
        while !self.0.is_empty() {
            let [id] = self.array()?;
            if id <= last {
                return Err(RecordError::Malformed);
            }
            last = id;
            let [first] = self.array::<1>()?;
            match id {
                1 => {
                    let text = std::str::from_utf8(self.take(first.into())?);
                    name = text.map_err(|_| RecordError::Malformed)?.to_owned();
                    if name.is_empty() || name.chars().any(char::is_control) {
                        return Err(RecordError::Malformed);
                    }
                }
                2 => exponent = Some(first),
                3 if first > 0 => hash = Some(self.take(first.into())?.to_vec()),
                _ => return Err(RecordError::Malformed),
            }
        }
        match (hash, exponent) {
            (None, None) => Ok((name, None)),
            (Some(hash), Some(exponent)) => Ok((name, Some((hash, exponent)))),
            _ => Err(RecordError::Malformed),
        }
    }
}
