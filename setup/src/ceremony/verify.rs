//! The full check of a key: everything is derived again from the powers of tau and the circuit,
//! and compared; what was divided by delta is compared in the exponent. Spec §12.4.

use std::io::{Read, Seek};

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use placet_params::transcript::{ChainError, Contribution, same_logarithm, same_ratio};
use placet_snarkjs::ptau::{Part, Ptau, PtauError};
use placet_snarkjs::r1cs::R1cs;
use placet_snarkjs::zkey::Zkey;

use super::combine::{self, Weights};
use super::initial::{InitialError, initial_key};
use super::{Stage, Watch, contribute, domain_power, tell};

/// Whether the ceremony may still go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Contributions may follow.
    Open,
    /// At least one participant and then a beacon.
    Required,
}

/// A part of a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The points of public inputs.
    PublicInputs,
    /// The entries of A and B.
    Coefficients,
    /// The query for A.
    A,
    /// The query for B in G1.
    B1,
    /// The query for B in G2.
    B2,
    /// The query for private variables.
    C,
    /// The query for the quotient.
    H,
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PublicInputs => "the points of public inputs (section 3)",
            Self::Coefficients => "the coefficients (section 4)",
            Self::A => "query A (section 5)",
            Self::B1 => "query B in G1 (section 6)",
            Self::B2 => "query B in G2 (section 7)",
            Self::C => "the query of private variables (section 8)",
            Self::H => "the query of the quotient (section 9)",
        })
    }
}

/// Why a key is not what an honest ceremony makes.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Sizes of another circuit.
    #[error(
        "the key is for another circuit: {found} variables and public inputs and rows, the circuit has {expected}; use the circuit that the ceremony was started for"
    )]
    Size {
        /// Variables, public inputs, rows of the domain: the circuit's.
        expected: Counts,
        /// The key's.
        found: Counts,
    },
    /// gamma was moved.
    #[error("gamma is not the generator of G2: no ceremony makes such a key; refuse this file")]
    Gamma,
    /// Phase 2 was skipped: anyone can forge.
    #[error(
        "phase 2 was skipped: nobody contributed, and delta equals gamma, so anyone can forge proofs; run `placet ceremony contribute`"
    )]
    Skipped,
    /// delta moved without a proof of who moved it.
    #[error(
        "nobody contributed, but delta is not the generator: whoever moved it can forge proofs; refuse this file"
    )]
    Unaccounted,
    /// The chain of contributions.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// delta in G1 is not where the contributions lead.
    #[error(
        "delta is not what the contributions lead to: it was moved without a contribution, or one at the end was dropped; go back to the last file that verifies"
    )]
    Delta,
    /// delta differs between the groups.
    #[error("delta in G1 and delta in G2 are different numbers; refuse this file")]
    DeltaInG2,
    /// Other powers of tau.
    #[error(
        "alpha or beta is not that of the .ptau file: the ceremony started from another file, or the key was altered; verify with the file it started from"
    )]
    OtherPtau,
    /// The hash that the chain starts from is another.
    #[error(
        "the circuit's hash is another: the key is for other constraints or started from another .ptau file; verify with the circuit and the file it started from"
    )]
    CircuitHash,
    /// Contents were altered.
    #[error("{section} is not what circuit and powers of tau give; refuse this file")]
    Altered {
        /// Where.
        section: Section,
    },
    /// The powers of tau cannot be used.
    #[error(transparent)]
    Initial(#[from] InitialError),
    /// No randomness.
    #[error("no randomness from the operating system: {0}; try again")]
    Randomness(#[from] getrandom::Error),
}

impl From<PtauError> for VerifyError {
    fn from(error: PtauError) -> Self {
        Self::Initial(error.into())
    }
}

/// Variables, public inputs, rows of the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Variables, the constant one included.
    pub variables: u32,
    /// Public inputs, the constant one not counted.
    pub public_inputs: u32,
    /// Rows of the evaluation domain.
    pub domain_size: u32,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.variables, self.public_inputs, self.domain_size)
    }
}

/// Checks a key against the circuit and the powers of tau it claims to come from. Costs what
/// [`initial_key`] costs, and one pairing a contribution.
pub fn verify<R: Read + Seek>(
    key: &Zkey,
    circuit: &R1cs,
    ptau: &mut Ptau<R>,
    closing: Closing,
    watch: Watch<'_>,
) -> Result<(), VerifyError> {
    let power = domain_power(circuit).ok_or(InitialError::TooLarge { rows: circuit.rows() })?;
    let expected = Counts {
        variables: circuit.variables,
        public_inputs: circuit.public_inputs,
        domain_size: 1 << power,
    };
    let found = Counts {
        variables: key.variables,
        public_inputs: key.public_inputs,
        domain_size: key.domain_size,
    };
    if expected != found {
        return Err(VerifyError::Size { expected, found });
    }
    verify_chain(key, closing, watch)?;
    if ptau.g1(Part::AlphaTauG1, 0, 1)? != [key.alpha_g1]
        || ptau.g1(Part::BetaTauG1, 0, 1)? != [key.beta_g1]
        || ptau.g2(Part::BetaG2, 0, 1)? != [key.beta_g2]
    {
        return Err(VerifyError::OtherPtau);
    }
    let initial = initial_key(circuit, ptau, watch)?;
    compare(key, &initial, watch)
}

/// Everything that needs neither circuit nor powers of tau.
pub fn verify_chain(key: &Zkey, closing: Closing, watch: Watch<'_>) -> Result<(), VerifyError> {
    if key.gamma_g2 != G2Affine::generator() {
        return Err(VerifyError::Gamma);
    }
    if key.ceremony.contributions.is_empty() {
        if key.delta_g1 != contribute::untouched() || key.delta_g2 != G2Affine::generator() {
            return Err(VerifyError::Unaccounted);
        }
        return match closing {
            Closing::Open => Ok(()),
            Closing::Required => Err(VerifyError::Skipped),
        };
    }
    tell(watch, Stage::Chain, 0, 1);
    let delta = match closing {
        Closing::Open => key.ceremony.verify_open()?,
        Closing::Required => key.ceremony.verify_closed()?,
    };
    tell(watch, Stage::Chain, 1, 1);
    if delta != key.delta_g1 {
        return Err(VerifyError::Delta);
    }
    if !same_logarithm(&key.delta_g1, &key.delta_g2) {
        return Err(VerifyError::DeltaInG2);
    }
    Ok(())
}

fn compare(key: &Zkey, initial: &Zkey, watch: Watch<'_>) -> Result<(), VerifyError> {
    tell(watch, Stage::Compare, 0, 2);
    if key.ceremony.circuit_hash != initial.ceremony.circuit_hash {
        return Err(VerifyError::CircuitHash);
    }
    for (same, section) in [
        (key.ic == initial.ic, Section::PublicInputs),
        (key.coefficients == initial.coefficients, Section::Coefficients),
        (key.a == initial.a, Section::A),
        (key.b1 == initial.b1, Section::B1),
        (key.b2 == initial.b2, Section::B2),
    ] {
        if !same {
            return Err(VerifyError::Altered { section });
        }
    }
    let mut weights = Weights::from_os()?;
    for (at, (now, before, section)) in
        [(&key.c, &initial.c, Section::C), (&key.h, &initial.h, Section::H)].into_iter().enumerate()
    {
        if !divided_by(now, before, &key.delta_g2, &mut weights) {
            return Err(VerifyError::Altered { section });
        }
        tell(watch, Stage::Compare, at + 1, 2);
    }
    Ok(())
}

/// `true` if every point of `now` times the number in `delta` is the point of `before`.
fn divided_by(
    now: &[G1Affine],
    before: &[G1Affine],
    delta: &G2Affine,
    weights: &mut Weights,
) -> bool {
    if now.len() != before.len() {
        return false;
    }
    let weights = weights.take(now.len());
    let now = combine::sum(now, &weights).into_affine();
    let before = combine::sum(before, &weights).into_affine();
    // Nothing but infinity, as of a circuit without private variables: also times delta.
    if now.is_zero() && before.is_zero() {
        return true;
    }
    same_ratio((&now, &before), (&G2Affine::generator(), delta))
}

/// Hashes of the contributions, in order, for comparison with what their makers published.
pub fn hashes(key: &Zkey) -> Vec<[u8; 64]> {
    key.ceremony.contributions.iter().map(Contribution::hash).collect()
}
