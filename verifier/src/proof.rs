//! From 128 bytes to three points, or a refusal. Spec §11.1.

use std::marker::PhantomData;

use ark_bn254::Bn254;
use ark_serialize::Compress;
use placet_params::point::{self, PointDefect};
use placet_protocol::statement::{PROOF_BYTES, ProofBytes};

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

/// Three points on their curves, in their subgroups, none at infinity. Whether they prove
/// anything is the verifier's question. The statement is part of the type.
pub struct Proof<S> {
    points: ark_groth16::Proof<Bn254>,
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
        Ok(Self { points: decode(bytes)?, statement: PhantomData })
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

    pub(crate) fn points(&self) -> &ark_groth16::Proof<Bn254> {
        &self.points
    }
}

// Not generic, so that they are compiled here with this crate's optimisation.

fn decode(bytes: &ProofBytes) -> Result<ark_groth16::Proof<Bn254>, ProofError> {
    let (a, rest) = bytes.0.split_at(G1_BYTES);
    let (b, c) = rest.split_at(G2_BYTES);
    let refuse = |part| move |defect| ProofError::Point { part, defect };
    Ok(ark_groth16::Proof {
        a: point::decode_finite(a, Compress::Yes).map_err(refuse(ProofPart::A))?,
        b: point::decode_finite(b, Compress::Yes).map_err(refuse(ProofPart::B))?,
        c: point::decode_finite(c, Compress::Yes).map_err(refuse(ProofPart::C))?,
    })
}

fn encode(points: &ark_groth16::Proof<Bn254>) -> ProofBytes {
    let mut out = Vec::with_capacity(PROOF_BYTES);
    point::encode(&points.a, Compress::Yes, &mut out);
    point::encode(&points.b, Compress::Yes, &mut out);
    point::encode(&points.c, Compress::Yes, &mut out);
    ProofBytes(out.try_into().expect("32 + 64 + 32 bytes"))
}
