//! Typed keys: the statement is the type parameter, the circuit's digest and the origin travel
//! with the points. A value of these types has passed every check on its points.

use std::marker::PhantomData;
use std::sync::Arc;

use ark_bn254::Bn254;
use ark_ec::AffineRepr;
use ark_ec::pairing::Pairing;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_serialize::Compress;
use placet_protocol::circuit::CircuitId;
use placet_protocol::statement::Statement;
use rayon::prelude::*;

use crate::digest::{CircuitDigest, TranscriptHash, VerifyingKeyHash};
use crate::point::{self, PointDefect};
use crate::subgroup;

/// The points of a verifying key, as the Groth16 library holds them.
pub type VerifyingPoints = ark_groth16::VerifyingKey<Bn254>;
/// The points of a proving key, as the Groth16 library holds them.
pub type ProvingPoints = ark_groth16::ProvingKey<Bn254>;

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Made by one machine that knew the trapdoor: worthless outside of a `dev` network.
    Dev,
    /// Made by the ceremony with this transcript.
    Ceremony {
        /// SHA-256 of the transcript.
        transcript: TranscriptHash,
    },
}

/// A part of a key, for error messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// `alpha` in G1.
    Alpha,
    /// `beta` in G1 or G2.
    Beta,
    /// `gamma` in G2.
    Gamma,
    /// `delta` in G1 or G2.
    Delta,
    /// The points that public inputs multiply; entry 0 belongs to the constant one.
    PublicInputs,
    /// The query for A.
    A,
    /// The query for B in G1.
    BInG1,
    /// The query for B in G2.
    BInG2,
    /// The query for the quotient.
    H,
    /// The query for the witness part of C.
    L,
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Alpha => "alpha",
            Self::Beta => "beta",
            Self::Gamma => "gamma",
            Self::Delta => "delta",
            Self::PublicInputs => "public inputs",
            Self::A => "query A",
            Self::BInG1 => "query B (G1)",
            Self::BInG2 => "query B (G2)",
            Self::H => "query H",
            Self::L => "query L",
        })
    }
}

/// Why points do not make a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyDefect {
    /// One point is not acceptable.
    #[error(
        "the key is not usable: {element}, entry {index}: {defect}; get the key again from its source"
    )]
    Point {
        /// The part of the key.
        element: Element,
        /// Which entry of that part.
        index: usize,
        /// What is wrong with it.
        #[source]
        defect: PointDefect,
    },
    /// The number of public-input points does not fit the statement.
    #[error(
        "the key has points for {found} public inputs, the statement has {expected}; use the key of this statement"
    )]
    InputCount {
        /// Public inputs of the statement.
        expected: usize,
        /// What the key has.
        found: usize,
    },
    /// The queries of a proving key do not have lengths that fit each other.
    #[error(
        "the lengths of the proving key's queries contradict each other; get the key again from its source"
    )]
    QueryLengths,
    /// The proving key's points do not belong to its verifying key.
    #[error(
        "the proving key's points contradict its verifying key; get both again from one source"
    )]
    Inconsistent,
}

/// Checks proofs of `S`.
pub struct VerifyingKey<S> {
    points: Arc<VerifyingPoints>,
    circuit: CircuitDigest,
    origin: Origin,
    statement: PhantomData<fn() -> S>,
}

/// Makes proofs of `S`; contains the verifying key.
pub struct ProvingKey<S> {
    points: Arc<ProvingPoints>,
    verifying: VerifyingKey<S>,
}

impl<S> Clone for VerifyingKey<S> {
    fn clone(&self) -> Self {
        Self { points: self.points.clone(), ..*self }
    }
}

impl<S> Clone for ProvingKey<S> {
    fn clone(&self) -> Self {
        Self { points: self.points.clone(), verifying: self.verifying.clone() }
    }
}

impl<S: Statement> std::fmt::Debug for VerifyingKey<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyingKey({}, {}, {:?})", S::NAME, self.hash(), self.origin)
    }
}

impl<S: Statement> std::fmt::Debug for ProvingKey<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProvingKey({}, {})", S::NAME, self.verifying.hash())
    }
}

impl<S> PartialEq for VerifyingKey<S> {
    fn eq(&self, other: &Self) -> bool {
        self.points == other.points && self.circuit == other.circuit && self.origin == other.origin
    }
}

impl<S: Statement> VerifyingKey<S> {
    /// Checks every point and the number of public inputs.
    pub fn from_parts(
        points: VerifyingPoints,
        circuit: CircuitDigest,
        origin: Origin,
    ) -> Result<Self, KeyDefect> {
        if points.gamma_abc_g1.len() != S::PUBLIC_INPUTS + 1 {
            return Err(KeyDefect::InputCount {
                expected: S::PUBLIC_INPUTS,
                found: points.gamma_abc_g1.len().saturating_sub(1),
            });
        }
        check_verifying(&points)?;
        Ok(Self { points: Arc::new(points), circuit, origin, statement: PhantomData })
    }

    /// The circuit whose proofs it checks.
    pub fn circuit(&self) -> CircuitDigest {
        self.circuit
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The points, for the verifier.
    pub fn points(&self) -> &VerifyingPoints {
        &self.points
    }

    /// SHA-256 over statement, circuit and points: what a network's genesis pins, and the
    /// circuit's id in transactions. The origin is not part of it; the pinned transcript stands
    /// beside the hash.
    pub fn hash(&self) -> VerifyingKeyHash {
        VerifyingKeyHash(CircuitId::derive(S::ID, &self.circuit.0, &self.encode_points()).0)
    }

    /// alpha, beta, gamma, delta, then the public-input points; uncompressed.
    pub(crate) fn encode_points(&self) -> Vec<u8> {
        encode_verifying(&self.points)
    }
}

impl<S: Statement> ProvingKey<S> {
    /// Checks every point, the lengths of the queries, and that the points in G1 belong to the
    /// verifying key.
    pub fn from_parts(
        points: ProvingPoints,
        circuit: CircuitDigest,
        origin: Origin,
    ) -> Result<Self, KeyDefect> {
        let verifying = VerifyingKey::from_parts(points.vk.clone(), circuit, origin)?;
        check_lengths::<S>(&points)?;
        check_queries(&points)?;
        Self::from_checked(points, verifying)
    }

    /// The rest of the checks for points that are known to be in their groups.
    pub(crate) fn from_checked(
        points: ProvingPoints,
        verifying: VerifyingKey<S>,
    ) -> Result<Self, KeyDefect> {
        check_lengths::<S>(&points)?;
        check_copies(&points)?;
        Ok(Self { points: Arc::new(points), verifying })
    }

    /// The verifying key that belongs to it.
    pub fn verifying_key(&self) -> &VerifyingKey<S> {
        &self.verifying
    }

    /// The circuit whose proofs it makes.
    pub fn circuit(&self) -> CircuitDigest {
        self.verifying.circuit
    }

    /// The points, for the proving kernel.
    pub fn points(&self) -> &ProvingPoints {
        &self.points
    }
}

/// Bytes of one uncompressed point in G1.
pub(crate) const G1_BYTES: usize = 64;
/// Bytes of one uncompressed point in G2.
pub(crate) const G2_BYTES: usize = 128;

/// Bytes of the points of a verifying key with this many public inputs.
pub(crate) const fn verifying_len(public_inputs: usize) -> usize {
    G1_BYTES + 3 * G2_BYTES + (public_inputs + 1) * G1_BYTES
}

/// Appends uncompressed points.
pub(crate) fn encode<C: SWCurveConfig>(points: &[Affine<C>], out: &mut Vec<u8>) {
    for point in points {
        point::encode(point, Compress::No, out);
    }
}

fn check_lengths<S: Statement>(key: &ProvingPoints) -> Result<(), KeyDefect> {
    let variables = key.a_query.len();
    let fits = variables > S::PUBLIC_INPUTS
        && key.b_g1_query.len() == variables
        && key.b_g2_query.len() == variables
        && key.l_query.len() == variables - S::PUBLIC_INPUTS - 1
        && (key.h_query.len() + 1).is_power_of_two();
    if fits { Ok(()) } else { Err(KeyDefect::QueryLengths) }
}

// The heavy work is in functions that are not generic, so that it is compiled here, with this
// crate's optimisation, whichever crate names the statement.

fn check_verifying(key: &VerifyingPoints) -> Result<(), KeyDefect> {
    finite(&[key.alpha_g1], Element::Alpha)?;
    finite(&[key.beta_g2], Element::Beta)?;
    finite(&[key.gamma_g2], Element::Gamma)?;
    finite(&[key.delta_g2], Element::Delta)?;
    finite(&key.gamma_abc_g1, Element::PublicInputs)
}

fn check_queries(key: &ProvingPoints) -> Result<(), KeyDefect> {
    valid(&key.a_query, Element::A)?;
    valid(&key.b_g1_query, Element::BInG1)?;
    valid(&key.b_g2_query, Element::BInG2)?;
    valid(&key.h_query, Element::H)?;
    valid(&key.l_query, Element::L)
}

/// beta and delta exist in both groups.
fn check_copies(key: &ProvingPoints) -> Result<(), KeyDefect> {
    finite(&[key.beta_g1], Element::Beta)?;
    finite(&[key.delta_g1], Element::Delta)?;
    // e(beta_1, delta_2) = e(delta_1, beta_2): the two copies have one ratio. A proof that
    // verifies is the real test, and the prover makes it on each proof.
    let left = Bn254::pairing(key.beta_g1, key.vk.delta_g2);
    let right = Bn254::pairing(key.delta_g1, key.vk.beta_g2);
    if left == right { Ok(()) } else { Err(KeyDefect::Inconsistent) }
}

/// The points of a verifying key in file order, uncompressed.
fn encode_verifying(key: &VerifyingPoints) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&[key.alpha_g1], &mut out);
    encode(&[key.beta_g2, key.gamma_g2, key.delta_g2], &mut out);
    encode(&key.gamma_abc_g1, &mut out);
    out
}

/// Every point on its curve and in its subgroup; infinity is an honest value in a query.
fn valid<C: SWCurveConfig>(points: &[Affine<C>], element: Element) -> Result<(), KeyDefect> {
    let refuse = |index, defect| Err(KeyDefect::Point { element, index, defect });
    if let Some(index) = points.par_iter().position_first(|point| !point.is_on_curve()) {
        return refuse(index, PointDefect::OffCurve);
    }
    match subgroup::first_outside(points) {
        None => Ok(()),
        Some(index) => refuse(index, PointDefect::OffSubgroup),
    }
}

/// As [`valid`], and none at infinity.
fn finite<C: SWCurveConfig>(points: &[Affine<C>], element: Element) -> Result<(), KeyDefect> {
    valid(points, element)?;
    match points.iter().position(AffineRepr::is_zero) {
        None => Ok(()),
        Some(index) => Err(KeyDefect::Point { element, index, defect: PointDefect::Infinity }),
    }
}
