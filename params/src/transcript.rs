//! What stays of a ceremony: who contributed, in which order, and how anyone can check it with
//! nothing but the verifying key. Spec §12.4 and §12.6. The conventions are those of snarkjs, so
//! that both accept each other's ceremonies.
//!
//! The light check in this file follows delta from the generator to the key: every step was made
//! by somebody who knew the step's secret, in this order, and a public beacon closed it. That the
//! rest of the key was derived from circuit and powers of tau is checked once, by whoever
//! finalizes or verifies the ceremony in full, and then pinned by the key's hash, which the
//! transcript names.

pub mod chain;
pub mod encoding;
pub mod sampling;

use std::io::Read;
use std::path::Path;

use ark_bn254::{Bn254, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::pairing::Pairing;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_serialize::Compress;
use placet_protocol::statement::Statement;
use placet_protocol::wire::{DecodeError, Reader, Wire, Writer};
use sha2::{Digest, Sha256};

use crate::digest::{CircuitDigest, TranscriptHash, VerifyingKeyHash};
use crate::key::{G1_BYTES, G2_BYTES, Origin, VerifyingKey};
use crate::point;

pub use chain::{CeremonyRecord, ChainError, Contribution, ContributionKind};

const MAGIC: &[u8; 8] = b"PLACETTR";
/// The version this software writes and reads.
pub const VERSION: u16 = 1;
/// Extension of transcript files, without the dot.
pub const EXTENSION: &str = "transcript";
/// Most contributions a transcript can hold, beacon included.
pub const MAX_CONTRIBUTIONS: usize = 4_096;
/// Longest name of a contributor, in bytes: what one length byte of snarkjs's files can say.
pub const MAX_NAME: usize = 255;
/// Longest value of a beacon, in bytes.
pub const MAX_BEACON: usize = 255;
/// Longest name of a statement, in bytes.
const MAX_STATEMENT: usize = 64;
/// Largest file that is read, in bytes: far above any transcript.
pub const MAX_FILE_BYTES: u64 = 8 << 20;

/// BLAKE2b-512 of a `.ptau` file, all of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PtauHash(pub [u8; 64]);

impl std::fmt::Display for PtauHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for PtauHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PtauHash({self})")
    }
}

/// The record of one statement's finished ceremony.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Number of the statement.
    pub statement: u32,
    /// Name of the statement, 1 to 64 bytes.
    pub name: String,
    /// Digest of the circuit's matrices.
    pub circuit: CircuitDigest,
    /// Hash of the verifying key that came out. The contributions lead to delta alone: without
    /// this, alpha, beta and the input points around an honest delta could be anybody's.
    pub key: VerifyingKeyHash,
    /// The powers of tau that phase 2 started from.
    pub ptau: PtauHash,
    /// Size of that file: it holds powers for `2^ptau_power` rows.
    pub ptau_power: u8,
    /// The contributions.
    pub record: CeremonyRecord,
}

/// Why a transcript does not vouch for a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// The chain of contributions is broken or not closed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// It is the record of another statement's ceremony.
    #[error(
        "the transcript is of the statement `{found}`, the key is for `{expected}`; get the transcript that lies beside the key"
    )]
    Statement {
        /// The key's statement.
        expected: &'static str,
        /// The transcript's.
        found: String,
    },
    /// It is the record of another circuit's ceremony.
    #[error(
        "the transcript is of circuit {found}, the key is for {expected}; get the transcript that lies beside the key"
    )]
    Circuit {
        /// The key's circuit.
        expected: CircuitDigest,
        /// The transcript's.
        found: CircuitDigest,
    },
    /// It is the record of another key's ceremony.
    #[error(
        "the transcript is of the verifying key {found}, this one is {expected}: it did not come out of that ceremony; refuse it"
    )]
    Key {
        /// The key's hash.
        expected: VerifyingKeyHash,
        /// The one that the transcript names.
        found: VerifyingKeyHash,
    },
    /// The key says that it is a development key.
    #[error(
        "the key is marked as a development key, so no transcript can vouch for it; use the key that the ceremony's `finalize` wrote"
    )]
    DevelopmentKey,
    /// The key names another transcript.
    #[error(
        "the key names the transcript {named}, this one is {found}; get the transcript that lies beside the key"
    )]
    OtherTranscript {
        /// What the key says.
        named: TranscriptHash,
        /// The hash of this one.
        found: TranscriptHash,
    },
    /// gamma is not the generator, where every ceremony leaves it.
    #[error("the key's gamma is not the generator of G2: no ceremony makes such a key; refuse it")]
    Gamma,
    /// The chain does not lead to the key's delta.
    #[error(
        "the contributions do not lead to the key's delta: the key was altered after the ceremony, or never saw it; refuse it"
    )]
    Delta,
}

/// Why bytes are not a transcript.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptFileError {
    /// The operating system could not read the file.
    #[error("the transcript cannot be read: {0}; check its path and permissions")]
    Io(#[from] std::io::Error),
    /// Larger than any transcript.
    #[error(
        "the transcript is larger than {MAX_FILE_BYTES} bytes; check that this is the right file"
    )]
    TooLarge,
    /// Does not begin like a transcript.
    #[error("this is not a Placet transcript; check that this is the right file")]
    NotATranscript,
    /// A version that this software does not know.
    #[error(
        "the transcript has format version {found}, this software reads version {VERSION}; update Placet"
    )]
    Version {
        /// What the file says.
        found: u16,
    },
    /// Anything else.
    #[error("the transcript is damaged: {0}; copy or download it again")]
    Malformed(#[from] DecodeError),
}

/// The file name of a circuit's transcript, beside its keys.
pub fn file_name(circuit: &CircuitDigest) -> String {
    format!("{circuit}.{EXTENSION}")
}

impl Transcript {
    /// The one encoding, spec §12.6.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(MAGIC);
        out.u16(VERSION);
        out.u32(self.statement);
        out.text(&self.name);
        out.bytes(&self.circuit.0);
        out.bytes(&self.key.0);
        out.bytes(&self.ptau.0);
        out.u8(self.ptau_power);
        out.bytes(&self.record.circuit_hash);
        out.list(&self.record.contributions);
        out.into_bytes()
    }

    /// Strict: every bound, every point, nothing left over. Says nothing yet about whether the
    /// contributions follow from each other: that is [`Transcript::verify`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TranscriptFileError> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(TranscriptFileError::TooLarge);
        }
        if !bytes.starts_with(MAGIC) {
            return Err(TranscriptFileError::NotATranscript);
        }
        let mut input = Reader::new(&bytes[MAGIC.len()..]);
        let found = input.u16()?;
        if found != VERSION {
            return Err(TranscriptFileError::Version { found });
        }
        let transcript = Self {
            statement: input.u32()?,
            name: text(&mut input, 1, MAX_STATEMENT)?,
            circuit: CircuitDigest(input.array()?),
            key: VerifyingKeyHash(input.array()?),
            ptau: PtauHash(input.array()?),
            ptau_power: input.u8()?,
            record: CeremonyRecord {
                circuit_hash: input.array()?,
                contributions: input.list(MAX_CONTRIBUTIONS)?,
            },
        };
        if transcript.ptau_power > 28 {
            return Err(DecodeError::OutOfRange.into());
        }
        input.end()?;
        Ok(transcript)
    }

    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, TranscriptFileError> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        // One byte more than allowed, so that a longer file is noticed without being read.
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        Self::from_bytes(&bytes)
    }

    /// What a key's origin and a network's genesis name: SHA-256 of the bytes.
    pub fn hash(&self) -> TranscriptHash {
        TranscriptHash(Sha256::digest(self.to_bytes()).into())
    }

    /// The light check, which needs no powers of tau: the chain from the generator to the key's
    /// delta, at least one participant, one beacon and nothing behind it, gamma at the generator,
    /// and that key and transcript name each other.
    pub fn verify<S: Statement>(&self, key: &VerifyingKey<S>) -> Result<(), TranscriptError> {
        if self.statement != S::ID || self.name != S::NAME {
            return Err(TranscriptError::Statement { expected: S::NAME, found: self.name.clone() });
        }
        if self.circuit != key.circuit() {
            return Err(TranscriptError::Circuit { expected: key.circuit(), found: self.circuit });
        }
        if self.key != key.hash() {
            return Err(TranscriptError::Key { expected: key.hash(), found: self.key });
        }
        let found = self.hash();
        match key.origin() {
            Origin::Dev => return Err(TranscriptError::DevelopmentKey),
            Origin::Ceremony { transcript } if transcript != found => {
                return Err(TranscriptError::OtherTranscript { named: transcript, found });
            }
            Origin::Ceremony { .. } => {}
        }
        let points = key.points();
        self.verify_points(&points.gamma_g2, &points.delta_g2)
    }

    /// The part of [`Transcript::verify`] that is about points.
    fn verify_points(&self, gamma: &G2Affine, delta: &G2Affine) -> Result<(), TranscriptError> {
        if *gamma != G2Affine::generator() {
            return Err(TranscriptError::Gamma);
        }
        let last = self.record.verify_closed()?;
        if same_logarithm(&last, delta) { Ok(()) } else { Err(TranscriptError::Delta) }
    }
}

/// `true` if both points are the same multiple of their generators.
pub fn same_logarithm(in_g1: &G1Affine, in_g2: &G2Affine) -> bool {
    same_ratio((&G1Affine::generator(), in_g1), (&G2Affine::generator(), in_g2))
}

/// `true` if `g1.1 = k·g1.0` and `g2.1 = k·g2.0` for one `k`: `e(g1.0, g2.1) = e(g1.1, g2.0)`, and
/// none of the four at infinity, where the equation would say nothing.
pub fn same_ratio(g1: (&G1Affine, &G1Affine), g2: (&G2Affine, &G2Affine)) -> bool {
    if g1.0.is_zero() || g1.1.is_zero() || g2.0.is_zero() || g2.1.is_zero() {
        return false;
    }
    Bn254::multi_pairing([*g1.0, -*g1.1], [*g2.1, *g2.0]).0 == ark_ff::Field::ONE
}

impl Wire for Contribution {
    fn write(&self, out: &mut Writer) {
        let mut points = Vec::with_capacity(3 * G1_BYTES + G2_BYTES);
        for point in [&self.delta_after, &self.g1_s, &self.g1_sx] {
            point::encode(point, Compress::No, &mut points);
        }
        point::encode(&self.g2_spx, Compress::No, &mut points);
        out.bytes(&points);
        out.bytes(&self.transcript);
        match &self.kind {
            ContributionKind::Participant { name } => {
                out.u8(0);
                out.text(name);
            }
            ContributionKind::Beacon { name, hash, iterations_exp } => {
                out.u8(1);
                out.text(name);
                out.blob(hash);
                out.u8(*iterations_exp);
            }
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let delta_after = finite(input)?;
        let g1_s = finite(input)?;
        let g1_sx = finite(input)?;
        let g2_spx = finite(input)?;
        let transcript = input.array()?;
        let kind = match input.u8()? {
            0 => ContributionKind::Participant { name: text(input, 0, MAX_NAME)? },
            1 => {
                let name = text(input, 0, MAX_NAME)?;
                let hash = input.blob(MAX_BEACON)?.to_vec();
                let iterations_exp = input.u8()?;
                if hash.is_empty() || !chain::BEACON_EXPONENTS.contains(&iterations_exp) {
                    return Err(DecodeError::OutOfRange);
                }
                ContributionKind::Beacon { name, hash, iterations_exp }
            }
            _ => return Err(DecodeError::UnknownTag),
        };
        Ok(Self { delta_after, g1_s, g1_sx, g2_spx, transcript, kind })
    }
}

/// A point that is canonical, on its curve, in its subgroup and not at infinity.
fn finite<C: SWCurveConfig>(input: &mut Reader<'_>) -> Result<Affine<C>, DecodeError> {
    let bytes = input.take(point::encoded_len::<C>(Compress::No))?;
    point::decode_finite(bytes, Compress::No).map_err(|_| DecodeError::InvalidPoint)
}

/// Text without control characters, which would reach terminals.
fn text(input: &mut Reader<'_>, min: usize, max: usize) -> Result<String, DecodeError> {
    let text = input.text(max)?;
    if text.len() < min || text.chars().any(char::is_control) {
        return Err(DecodeError::OutOfRange);
    }
    Ok(text)
}
