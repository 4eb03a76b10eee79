//! The key file format, strict in both directions. Spec §12.
//!
//! Header: magic, version, kind, statement, circuit digest, origin, public inputs, payload length,
//! SHA-256 of the payload, SHA-256 of the header up to here. Then the payload: arkworks'
//! uncompressed points in a fixed order. No length is believed before it was compared with the
//! size of the file. The hashes find damage; only the policy's pinned hash finds malice.

use std::io::{Read, Write};
use std::path::Path;

use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_serialize::Compress;
use placet_protocol::statement::Statement;
use placet_protocol::wire::{DecodeError, Reader, Writer};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::digest::{CircuitDigest, TranscriptHash};
use crate::key::{
    Element, G1_BYTES, G2_BYTES, KeyDefect, Origin, ProvingKey, ProvingPoints, VerifyingKey,
    VerifyingPoints, encode, verifying_len,
};
use crate::point::{self, PointDefect};
use crate::policy::{KeyPolicy, PinMismatch};
use crate::subgroup;
use crate::transcript::TranscriptFileError;

const MAGIC: &[u8; 8] = b"PLACETKY";
/// The version this software writes and reads.
pub const VERSION: u16 = 1;
/// Longest name of a statement, in bytes.
const MAX_NAME: usize = 64;
/// Largest file that is read: far above any key of 2^20 rows.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// What a key file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A verifying key.
    Verifying,
    /// A proving key, its verifying key included.
    Proving,
}

impl Kind {
    /// The extension of such files, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Verifying => "vk",
            Self::Proving => "pk",
        }
    }
    const fn byte(self) -> u8 {
        match self {
            Self::Verifying => 1,
            Self::Proving => 2,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Verifying => "verifying",
            Self::Proving => "proving",
        })
    }
}

/// Why a key file is refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The operating system could not read the file.
    #[error("the key file cannot be read: {0}; check its path and permissions")]
    Io(#[from] std::io::Error),
    /// Larger than any key.
    #[error(
        "the key file is larger than {MAX_FILE_BYTES} bytes; check that this is the right file"
    )]
    TooLarge,
    /// Does not begin like a key file.
    #[error("this is not a Placet key file; check that this is the right file")]
    NotAKeyFile,
    /// Written by newer software.
    #[error(
        "the key file has format version {found}, this software reads version {VERSION}; update Placet"
    )]
    NewerVersion {
        /// What the file says.
        found: u16,
    },
    /// A version that never existed.
    #[error(
        "the key file has format version {found}, which never existed: it was altered; get it again from its source"
    )]
    UnknownVersion {
        /// What the file says.
        found: u16,
    },
    /// The file ends too early.
    #[error("the key file is truncated: bytes are missing at its end; copy or download it again")]
    Truncated,
    /// The file goes on behind its end.
    #[error("the key file has {extra} bytes behind its end; copy or download it again")]
    Trailing {
        /// How many.
        extra: u64,
    },
    /// Contents and checksum disagree.
    #[error(
        "the key file was altered or damaged: its checksum is wrong; copy or download it again"
    )]
    Altered,
    /// The checksum is right but the contents have no meaning.
    #[error("the key file's header has no valid meaning; get the file again from its source")]
    Malformed,
    /// A proving key where a verifying key is needed, or the reverse.
    #[error("this is not a {expected} key; use the `.{}` file", .expected.extension())]
    WrongKind {
        /// What is needed.
        expected: Kind,
    },
    /// A key for another statement.
    #[error(
        "the key is for another statement than `{expected}` (number {found}); use the key file of `{expected}`"
    )]
    WrongStatement {
        /// The statement it is needed for.
        expected: &'static str,
        /// The number of the statement it is for.
        found: u32,
    },
    /// A key for another version of the circuit.
    #[error(
        "the key is for circuit {found}, this software or network uses {expected}; get the key of that circuit, or update Placet"
    )]
    WrongCircuit {
        /// What is needed.
        expected: CircuitDigest,
        /// What the key is for.
        found: CircuitDigest,
    },
    /// Not the key that the network pins.
    #[error(transparent)]
    Pin(#[from] PinMismatch),
    /// The transcript beside the key cannot be read.
    #[error(transparent)]
    Transcript(#[from] TranscriptFileError),
    /// The points do not make a key.
    #[error(transparent)]
    Key(#[from] KeyDefect),
}

/// The file name of a key below a directory of keys: digest and extension.
pub fn file_name(circuit: &CircuitDigest, kind: Kind) -> String {
    format!("{circuit}.{}", kind.extension())
}

impl<S: Statement> VerifyingKey<S> {
    /// The complete file.
    pub fn to_file_bytes(&self) -> Vec<u8> {
        seal::<S>(Kind::Verifying, self.circuit(), self.origin(), &self.encode_points())
    }

    /// Checks a complete file. `circuit` is the digest that the caller's software or genesis
    /// expects.
    pub fn from_file_bytes(
        bytes: &[u8],
        circuit: &CircuitDigest,
        policy: KeyPolicy<'_>,
    ) -> Result<Self, LoadError> {
        let file = open::<S>(bytes, Kind::Verifying, circuit, policy)?;
        if file.payload.len() != verifying_len(S::PUBLIC_INPUTS) {
            return Err(LoadError::Malformed);
        }
        let mut payload = Reader::new(file.payload);
        let key = read_verifying::<S>(&mut payload, *circuit, file.origin)?;
        policy.check(&key)?;
        Ok(key)
    }

    /// Reads and checks a file.
    pub fn load(
        path: &Path,
        circuit: &CircuitDigest,
        policy: KeyPolicy<'_>,
    ) -> Result<Self, LoadError> {
        Self::from_file_bytes(&read_bounded(path)?, circuit, policy)
    }

    /// Reads the points of a transaction, as [`Self::to_point_bytes`] writes them: exactly as many
    /// bytes as the statement's public inputs ask for, and every check on the points.
    ///
    /// # Errors
    /// [`LoadError::Truncated`], [`LoadError::Trailing`] or [`LoadError::Key`].
    pub fn from_point_bytes(
        bytes: &[u8],
        circuit: CircuitDigest,
        origin: Origin,
    ) -> Result<Self, LoadError> {
        let expected = verifying_len(S::PUBLIC_INPUTS);
        if let Some(extra) = bytes.len().checked_sub(expected).filter(|extra| *extra > 0) {
            return Err(LoadError::Trailing { extra: extra as u64 });
        }
        read_verifying(&mut Reader::new(bytes), circuit, origin)
    }

    /// Writes the file in one step: it is there completely or not at all.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        replace(path, &self.to_file_bytes())
    }
}

impl<S: Statement> ProvingKey<S> {
    /// The complete file.
    pub fn to_file_bytes(&self) -> Vec<u8> {
        let key = self.points();
        let verifying = self.verifying_key();
        let mut payload = Writer::default();
        payload.bytes(&verifying.encode_points());
        payload.u32(u32::try_from(key.a_query.len()).expect("keys have fewer than 2^32 variables"));
        payload.u32(u32::try_from(key.h_query.len()).expect("keys have fewer than 2^32 rows"));
        let mut payload = payload.into_bytes();
        encode_queries(key, &mut payload);
        seal::<S>(Kind::Proving, verifying.circuit(), verifying.origin(), &payload)
    }

    /// Checks a complete file: all points, in parallel.
    pub fn from_file_bytes(
        bytes: &[u8],
        circuit: &CircuitDigest,
        policy: KeyPolicy<'_>,
    ) -> Result<Self, LoadError> {
        let file = open::<S>(bytes, Kind::Proving, circuit, policy)?;
        let mut payload = Reader::new(file.payload);
        let verifying = read_verifying::<S>(&mut payload, *circuit, file.origin)?;
        policy.check(&verifying)?;
        let variables = payload.u32().map_err(header)? as usize;
        let quotient = payload.u32().map_err(header)? as usize;
        // Compared with what is there before anything is allocated; u32 counts cannot overflow.
        let own = variables.checked_sub(S::PUBLIC_INPUTS + 1).ok_or(KeyDefect::QueryLengths)?;
        let in_g1 = 2 + 2 * variables as u64 + quotient as u64 + own as u64;
        let needed = in_g1 * G1_BYTES as u64 + variables as u64 * G2_BYTES as u64;
        let read = verifying_len(S::PUBLIC_INPUTS) + 2 * size_of::<u32>();
        if (file.payload.len() - read) as u64 != needed {
            return Err(KeyDefect::QueryLengths.into());
        }
        let vk = verifying.points().clone();
        let points = read_queries(&mut payload, vk, variables, quotient, own)?;
        payload.end().map_err(header)?;
        Ok(Self::from_checked(points, verifying)?)
    }

    /// Reads and checks a file.
    pub fn load(
        path: &Path,
        circuit: &CircuitDigest,
        policy: KeyPolicy<'_>,
    ) -> Result<Self, LoadError> {
        Self::from_file_bytes(&read_bounded(path)?, circuit, policy)
    }

    /// Writes the file in one step: it is there completely or not at all.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        replace(path, &self.to_file_bytes())
    }
}

/// Header and payload in one file.
fn seal<S: Statement>(
    kind: Kind,
    circuit: CircuitDigest,
    origin: Origin,
    payload: &[u8],
) -> Vec<u8> {
    let mut out = Writer::default();
    out.bytes(MAGIC);
    out.u16(VERSION);
    out.u8(kind.byte());
    out.u32(S::ID);
    out.text(S::NAME);
    out.bytes(&circuit.0);
    match origin {
        Origin::Dev => out.u8(0),
        Origin::Ceremony { transcript } => {
            out.u8(1);
            out.bytes(&transcript.0);
        }
    }
    out.u32(u32::try_from(S::PUBLIC_INPUTS).expect("statements have few public inputs"));
    out.u64(payload.len() as u64);
    out.bytes(&Sha256::digest(payload));
    let mut bytes = out.into_bytes();
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes.extend_from_slice(payload);
    bytes
}

/// What is left of a file once its header is checked.
struct Opened<'a> {
    origin: Origin,
    payload: &'a [u8],
}

/// Checks everything but the points: cheap things first.
fn open<'a, S: Statement>(
    bytes: &'a [u8],
    expected: Kind,
    circuit: &CircuitDigest,
    policy: KeyPolicy<'_>,
) -> Result<Opened<'a>, LoadError> {
    if !MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
        return Err(LoadError::NotAKeyFile);
    }
    let mut input = Reader::new(bytes);
    input.take(MAGIC.len()).map_err(header)?;
    match input.u16().map_err(header)? {
        VERSION => {}
        found if found > VERSION => return Err(LoadError::NewerVersion { found }),
        found => return Err(LoadError::UnknownVersion { found }),
    }
    let kind = input.u8().map_err(header)?;
    let id = input.u32().map_err(header)?;
    let name = input.blob(MAX_NAME).map_err(header)?;
    let digest = CircuitDigest(input.array().map_err(header)?);
    let origin = match input.u8().map_err(header)? {
        0 => Origin::Dev,
        1 => Origin::Ceremony { transcript: TranscriptHash(input.array().map_err(header)?) },
        _ => return Err(LoadError::Altered),
    };
    let public_inputs = input.u32().map_err(header)?;
    let payload_len = input.u64().map_err(header)?;
    let payload_hash: [u8; 32] = input.array().map_err(header)?;
    // Everything before has a length bounded by what was read, so this cannot underflow.
    let read = MAGIC.len() + 2 + 1 + 4 + 4 + name.len() + 32 + origin_len(&origin) + 4 + 8 + 32;
    let checksum: [u8; 32] = input.array().map_err(header)?;
    if checksum != <[u8; 32]>::from(Sha256::digest(&bytes[..read])) {
        return Err(LoadError::Altered);
    }
    let payload = &bytes[read + checksum.len()..];
    match (payload.len() as u64).cmp(&payload_len) {
        std::cmp::Ordering::Less => return Err(LoadError::Truncated),
        std::cmp::Ordering::Greater => {
            return Err(LoadError::Trailing { extra: payload.len() as u64 - payload_len });
        }
        std::cmp::Ordering::Equal => {}
    }
    if kind != expected.byte() {
        return Err(LoadError::WrongKind { expected });
    }
    if id != S::ID || name != S::NAME.as_bytes() {
        return Err(LoadError::WrongStatement { expected: S::NAME, found: id });
    }
    if digest != *circuit {
        return Err(LoadError::WrongCircuit { expected: *circuit, found: digest });
    }
    if public_inputs as usize != S::PUBLIC_INPUTS {
        return Err(KeyDefect::InputCount {
            expected: S::PUBLIC_INPUTS,
            found: public_inputs as usize,
        }
        .into());
    }
    policy.check_header::<S>(digest, origin)?;
    if payload_hash != <[u8; 32]>::from(Sha256::digest(payload)) {
        return Err(LoadError::Altered);
    }
    Ok(Opened { origin, payload })
}

fn origin_len(origin: &Origin) -> usize {
    match origin {
        Origin::Dev => 1,
        Origin::Ceremony { .. } => 1 + 32,
    }
}

/// A header that does not decode: it ends too early, or a length in it was altered.
fn header(error: DecodeError) -> LoadError {
    match error {
        DecodeError::Truncated => LoadError::Truncated,
        _ => LoadError::Altered,
    }
}

fn read_verifying<S: Statement>(
    payload: &mut Reader<'_>,
    circuit: CircuitDigest,
    origin: Origin,
) -> Result<VerifyingKey<S>, LoadError> {
    let points = read_verifying_points(payload, S::PUBLIC_INPUTS)?;
    Ok(VerifyingKey::from_parts(points, circuit, origin)?)
}

fn read_verifying_points(
    payload: &mut Reader<'_>,
    public_inputs: usize,
) -> Result<VerifyingPoints, LoadError> {
    Ok(VerifyingPoints {
        alpha_g1: read_points(payload, 1, Element::Alpha)?[0],
        beta_g2: read_points(payload, 1, Element::Beta)?[0],
        gamma_g2: read_points(payload, 1, Element::Gamma)?[0],
        delta_g2: read_points(payload, 1, Element::Delta)?[0],
        gamma_abc_g1: read_points(payload, public_inputs + 1, Element::PublicInputs)?,
    })
}

fn encode_queries(key: &ProvingPoints, payload: &mut Vec<u8>) {
    encode(&[key.beta_g1, key.delta_g1], payload);
    encode(&key.a_query, payload);
    encode(&key.b_g1_query, payload);
    encode(&key.b_g2_query, payload);
    encode(&key.h_query, payload);
    encode(&key.l_query, payload);
}

fn read_queries(
    payload: &mut Reader<'_>,
    vk: VerifyingPoints,
    variables: usize,
    quotient: usize,
    own: usize,
) -> Result<ProvingPoints, LoadError> {
    Ok(ProvingPoints {
        vk,
        beta_g1: read_points(payload, 1, Element::Beta)?[0],
        delta_g1: read_points(payload, 1, Element::Delta)?[0],
        a_query: read_points(payload, variables, Element::A)?,
        b_g1_query: read_points(payload, variables, Element::BInG1)?,
        b_g2_query: read_points(payload, variables, Element::BInG2)?,
        h_query: read_points(payload, quotient, Element::H)?,
        l_query: read_points(payload, own, Element::L)?,
    })
}

/// Reads `count` points; the bytes are taken first, so a count without bytes allocates nothing.
fn read_points<C: SWCurveConfig>(
    payload: &mut Reader<'_>,
    count: usize,
    element: Element,
) -> Result<Vec<Affine<C>>, LoadError> {
    let width = point::encoded_len::<C>(Compress::No);
    let bytes = payload.take(count.saturating_mul(width)).map_err(header)?;
    let refuse = |index, defect| LoadError::Key(KeyDefect::Point { element, index, defect });
    let points: Vec<Affine<C>> = bytes
        .par_chunks_exact(width)
        .enumerate()
        .map(|(index, chunk)| {
            point::decode_on_curve(chunk, Compress::No).map_err(|defect| refuse(index, defect))
        })
        .collect::<Result<_, _>>()?;
    match subgroup::first_outside(&points) {
        None => Ok(points),
        Some(index) => Err(refuse(index, PointDefect::OffSubgroup)),
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES { Err(LoadError::TooLarge) } else { Ok(bytes) }
}

/// Temporary file beside the target, flushed to disk, then renamed over it.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The rename itself is durable once the directory is; not every system lets one open it.
    if let Ok(directory) = std::fs::File::open(directory) {
        directory.sync_all().ok();
    }
    Ok(())
}
