//! From 128 bytes to three points, or a refusal. Spec §11.1.

use std::marker::PhantomData;

use ark_bn254::{Bn254, Fq, Fq2, G2Affine, g2};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::SWCurveConfig;
use ark_ff::{BigInt, PrimeField};
use ark_serialize::Compress;
use placet_params::point::{self, PointDefect};
use placet_protocol::statement::{PROOF_BYTES, ProofBytes};

use crate::limbs::{mul2, square2};
use crate::pairing::in_subgroup;
use crate::tower::sqrt2;

/// Bytes of A and C.
const G1_BYTES: usize = 32;
/// Bytes of B.
const G2_BYTES: usize = 64;
const _: () = assert!(PROOF_BYTES == G1_BYTES + G2_BYTES + G1_BYTES);

/// Which point of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofPart {
    /// The first point, in G1.
    A,
    /// The second point, in G2.
    B,
    /// The third point, in G1.
    C,
}

/// Why bytes are not a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not exactly 128 bytes.
    #[error(
        "a proof has {PROOF_BYTES} bytes, this has {found}; send the proof as the prover wrote it"
    )]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// A point is not acceptable.
    #[error("point {part:?} of the proof: {defect}; send the proof as the prover wrote it")]
    Point {
        /// Which one.
        part: ProofPart,
        /// What is wrong with it.
        #[source]
        defect: PointDefect,
    },
}

/// A, B and C.
pub(crate) type Points = ark_groth16::Proof<Bn254>;

/// What is said of a B outside of G2.
pub(crate) const OUTSIDE: ProofError =
    ProofError::Point { part: ProofPart::B, defect: PointDefect::OffSubgroup };

/// Three points on their curves, in their subgroups, none at infinity. Whether they prove
/// anything is the verifier's question. The statement is part of the type.
pub struct Proof<S> {
    points: Points,
    statement: PhantomData<fn() -> S>,
}

impl<S> Clone for Proof<S> {
    fn clone(&self) -> Self {
        Self { points: self.points.clone(), statement: PhantomData }
    }
}

impl<S> PartialEq for Proof<S> {
    fn eq(&self, other: &Self) -> bool {
        self.points == other.points
    }
}

impl<S> std::fmt::Debug for Proof<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_bytes().fmt(f)
    }
}

impl<S> Proof<S> {
    /// Decodes and checks the points.
    pub fn from_bytes(bytes: &ProofBytes) -> Result<Self, ProofError> {
        let points = decode(bytes)?;
        match in_subgroup(&points.b) {
            true => Ok(Self { points, statement: PhantomData }),
            false => Err(OUTSIDE),
        }
    }

    /// As [`Self::from_bytes`], from a slice that may have another length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, ProofError> {
        let exact = bytes.try_into().map_err(|_| ProofError::Length { found: bytes.len() })?;
        Self::from_bytes(&ProofBytes(exact))
    }

    /// Checks points that a prover made, by way of their encoding.
    pub fn from_points(points: &ark_groth16::Proof<Bn254>) -> Result<Self, ProofError> {
        Self::from_bytes(&encode(points))
    }

    /// The one encoding: A, B, C compressed.
    pub fn to_bytes(&self) -> ProofBytes {
        encode(&self.points)
    }

    pub(crate) fn points(&self) -> &Points {
        &self.points
    }
}

// Not generic, so that they are compiled here with this crate's optimisation.

/// Points on their curves and finite. Every point of G1's curve is in G1; whether B is in G2 is
/// left to whoever walks through a Miller loop with it.
pub(crate) fn decode(bytes: &ProofBytes) -> Result<Points, ProofError> {
    let (a, rest) = bytes.0.split_at(G1_BYTES);
    let (b, c) = rest.split_at(G2_BYTES);
    let refuse = |part| move |defect| ProofError::Point { part, defect };
    Ok(Points {
        a: point::decode_finite(a, Compress::Yes).map_err(refuse(ProofPart::A))?,
        b: decode_g2(b).map_err(refuse(ProofPart::B))?,
        c: point::decode_finite(c, Compress::Yes).map_err(refuse(ProofPart::C))?,
    })
}

/// Decodes a finite point of the twist. The usual decoding has the last word, unless the faster
/// one finds a point that is on the curve and has this very encoding.
fn decode_g2(bytes: &[u8]) -> Result<G2Affine, PointDefect> {
    let point = match decompress_g2(bytes) {
        Some(point) => point,
        None => point::decode_on_curve(bytes, Compress::Yes)?,
    };
    if point.is_zero() { Err(PointDefect::Infinity) } else { Ok(point) }
}

fn decompress_g2(bytes: &[u8]) -> Option<G2Affine> {
    let (low, high) = bytes.split_first_chunk::<32>()?;
    let mut high: [u8; 32] = high.try_into().ok()?;
    high[31] &= 0x3f; // without the two bits of y
    let x = Fq2::new(element(low)?, element(&high)?);
    let y = sqrt2(&(mul2(&square2(&x), &x) + g2::Config::COEFF_B))?;
    #[allow(clippy::disallowed_methods, reason = "checked in the next step")]
    let candidates = [y, -y].map(|y| G2Affine::new_unchecked(x, y));
    let mut encoded = Vec::with_capacity(G2_BYTES);
    candidates.into_iter().find(|point| {
        encoded.clear();
        point::encode(point, Compress::Yes, &mut encoded);
        encoded == bytes && point.is_on_curve()
    })
}

/// Little-endian bytes of an element below the modulus.
fn element(bytes: &[u8; 32]) -> Option<Fq> {
    let (words, _) = bytes.as_chunks::<8>();
    Fq::from_bigint(BigInt(std::array::from_fn(|i| u64::from_le_bytes(words[i]))))
}

fn encode(points: &Points) -> ProofBytes {
    let mut out = Vec::with_capacity(PROOF_BYTES);
    point::encode(&points.a, Compress::Yes, &mut out);
    point::encode(&points.b, Compress::Yes, &mut out);
    point::encode(&points.c, Compress::Yes, &mut out);
    ProofBytes(out.try_into().expect("32 + 64 + 32 bytes"))
}
